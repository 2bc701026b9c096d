//! Looks after the tokens of accounts and transports while nobody uses them.

use crate::oauth2::Tokens;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So often: the shortest age of a refresh token that is worth keeping alive is some hours.
const EVERY: Duration = Duration::from_hours(1);

/// Keeps refresh tokens from ending of disuse, until `stop`.
pub async fn run(tokens: Arc<Tokens>, stop: CancellationToken) {
    let supervised = SupervisedTask::new(WorkKind::Tokens, "", stop);
    supervised
        .repeat(|| async {
            if let Err(error) = tokens.keep_alive().await {
                tracing::warn!(%error, "unused refresh tokens could not be looked after; tried again in an hour");
            }
            EVERY
        })
        .await;
}
