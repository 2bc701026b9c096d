//! Working on an account's messages in this process while something brings them, wherever no daemon does.

use super::{CommandError, Context};
use crate::worker::{Attendant, DoneMessage, MessagesInHand};
use tokio_util::sync::CancellationToken;

/// Works until `others` has ended, and gives what that gave; `done` hears of each message that ended here, and `in_hand`
/// has it until then. `others` is
/// handed a token that is cancelled where the work has ended with an error: then nobody may be left to bring what it
/// waits for.
pub async fn attend_while<T>(
    context: &Context,
    account: &str,
    (in_hand, mut done): (&MessagesInHand, impl FnMut(DoneMessage) + Send),
    others: impl AsyncFnOnce(CancellationToken) -> T,
) -> Result<(Result<(), CommandError>, T), CommandError> {
    let attendant = Attendant {
        data: context.data().to_owned(),
        spool: context.spool().await?.clone(),
        account: account.to_owned(),
        in_hand: in_hand.clone(),
    };
    let live = || async { context.live().await.cloned() };
    let (finished, broken) = (CancellationToken::new(), CancellationToken::new());
    let attending = async {
        let attended = attendant.attend(live, &finished, &mut done).await;
        broken.cancel();
        attended
    };
    let bringing = async {
        let brought = others(broken.clone()).await;
        finished.cancel();
        brought
    };
    Ok(tokio::join!(attending, bringing))
}
