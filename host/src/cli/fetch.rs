//! `fetch`: one fetch now, by the daemon where one holds the account, else here.

use super::attending::attend_while;
use super::configured::missing;
use super::{CommandError, Context};
use crate::daemon::until_worked_off;
use crate::inbound::{self, FetchReport, Intake, IntakeRules};
use crate::service::ServiceError;
use crate::service::fetching::{self, FetchAnswer, FetchWait};
use crate::spool::Spool;
use crate::worker::MessagesInHand;
use postigo_model::configured::Account;
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// `fetch`
#[derive(Debug, clap::Args)]
pub struct Fetch {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

impl Fetch {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let configuration = context.configuration().await?;
        let accounts: Vec<&Account> = match &self.account {
            Some(name) => {
                vec![configuration.accounts.get(name).ok_or_else(|| CommandError::because(missing::<Account>(name)))?]
            }
            None => configuration
                .accounts
                .values()
                .filter(|account| account.valid.is_valid() && account.source().is_polled())
                .collect(),
        };
        let reports: Vec<Value> =
            futures_util::future::try_join_all(accounts.into_iter().map(|account| fetch(context, account))).await?;
        let headings = ["ACCOUNT", "THERE", "FETCHED", "NEW", "KNOWN", "TOLD", "ERROR"];
        context.output().list(&headings, &reports, |report| {
            ["account", "seen", "fetched", "new", "known", "told", "error"]
                .map(|key| super::output::word(report, key))
                .to_vec()
        });
        let failed: Vec<String> = reports
            .iter()
            .filter_map(|report| Some(format!("{}: {}", report["account"].as_str()?, report["error"].as_str()?)))
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(CommandError::lines(failed)) }
    }
}

async fn fetch(context: &Context, account: &Account) -> Result<Value, CommandError> {
    let asked = fetching::ask(context.store().await?, account, FetchWait::WhileHeld).await;
    let answer = asked.map_err(|refused| match refused {
        ServiceError::NotValid { name, .. } => {
            CommandError::because(format!("The account \"{name}\" is not valid; nothing is fetched from it."))
        }
        other => other.into(),
    })?;
    match answer {
        FetchAnswer::Ended(report) => Ok(report),
        FetchAnswer::NobodyHolds | FetchAnswer::GoesOn => Box::pin(here(context, account)).await,
    }
}

/// Fetches in this process, and works on what comes while more is fetched, until all of it is filed.
async fn here(context: &Context, account: &Account) -> Result<Value, CommandError> {
    let spool: &Spool = context.spool().await?;
    let rules = IntakeRules::of(&context.configuration().await?);
    // A Maildir is the user's own path, as the configuration has it: what a daemon was given, it alone knows.
    let intake = Intake::begin(
        Arc::new(account.clone()),
        rules,
        spool.clone(),
        context.tokens().await?,
        CancellationToken::new(),
    );
    let mut memory = inbound::AccountMemory::default();
    let mut fetching = std::pin::pin!(inbound::fetch(intake, &mut memory));
    // Until something comes, other accounts may be worked on.
    let fetched = tokio::select! {
        report = &mut fetching => Some(report),
        () = something_came(spool, &account.name) => None,
    };
    let report: FetchReport = match fetched {
        Some(report) => {
            work_off(context, &account.name).await?;
            report
        }
        None => work_off_after(context, &account.name, fetching).await?,
    };
    Ok(serde_json::to_value(report)?)
}

/// Waits until a message of the account is stored.
async fn something_came(spool: &Spool, account: &str) {
    let filter = inbound::on_their_way(account);
    let mut changed = spool.changed();
    while changed.changed().await.is_ok() {
        if spool.list(&filter).await.is_ok_and(|waiting| !waiting.is_empty()) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Works on an account's messages until none waits, unless somebody else does.
pub(super) async fn work_off(context: &Context, account: &str) -> Result<(), CommandError> {
    work_off_after(context, account, std::future::ready(())).await
}

/// Works on an account's messages until what brings them has ended and none waits, unless somebody else does.
async fn work_off_after<T>(
    context: &Context,
    account: &str,
    bringing: impl Future<Output = T>,
) -> Result<T, CommandError> {
    let spool: &Spool = context.spool().await?;
    let (attended, brought) = attend_while(context, account, (&MessagesInHand::default(), |_| ()), async |broken| {
        let brought = bringing.await;
        tokio::select! {
            () = until_worked_off(spool, account) => {}
            () = broken.cancelled() => {}
        }
        brought
    })
    .await?;
    attended.map(|()| brought)
}
