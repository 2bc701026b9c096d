//! Dry runs: what would become of a mail, by the whole chain or by one filter in its place in it, without any effect.

use super::ServiceError;
use crate::chain::AskersSandbox;
use crate::worker::{self, DryRun, DryRunResult, EvaluateError, Live, LiveConfiguration, NoFilter};
use std::sync::Arc;

/// What is tried: prepared once, for any number of mails.
pub struct PreparedDryRun<'l> {
    live: &'l Live,
    setup: Arc<LiveConfiguration>,
    /// Only what this filter does is told.
    filter: Option<String>,
}

impl<'l> PreparedDryRun<'l> {
    /// The chain as it is now.
    pub async fn of_chain(live: &'l Live) -> Result<Self, ServiceError> {
        Ok(Self { live, setup: live.newest().await?, filter: None })
    }

    /// One filter, on or off, in its place in the chain; made of another component where one is named, activated or
    /// not. It is prepared in the places of whoever asks.
    pub async fn of_filter(
        live: &'l Live,
        name: &str,
        component: Option<&str>,
        sandbox: &AskersSandbox,
    ) -> Result<Self, ServiceError> {
        let setup = worker::with_filter(live, name, component, sandbox).await?;
        Ok(Self { live, setup, filter: Some(name.to_owned()) })
    }

    /// Refuses an account that there is none of.
    pub fn check_account(&self, name: &str) -> Result<(), ServiceError> {
        if self.setup.configuration.accounts.contains_key(name) {
            return Ok(());
        }
        Err(ServiceError::Missing { what: "account".to_owned(), name: name.to_owned() })
    }

    /// Tries a mail: every filter is called, later ones see what earlier ones set, and nothing is kept.
    pub async fn run(&self, mail: DryRun) -> Result<DryRunResult, ServiceError> {
        self.check_account(&mail.account)?;
        let mut tried = worker::dry_run(mail, Arc::clone(&self.setup), self.live).await?;
        if let Some(name) = &self.filter {
            tried.result.filters.retain(|filter| filter.name == *name);
            tried.log.retain(|line| line.filter == *name);
        }
        Ok(tried)
    }
}

impl From<NoFilter> for ServiceError {
    fn from(error: NoFilter) -> Self {
        match error {
            NoFilter::Missing(name) => Self::Missing { what: "filter".to_owned(), name },
            NoFilter::Component(sentence) => Self::Argument { name: "component", sentence },
            NoFilter::Broken(sentence) => Self::CannotRun(sentence),
            NoFilter::Store(error) => error.into(),
        }
    }
}

impl From<EvaluateError> for ServiceError {
    fn from(error: EvaluateError) -> Self {
        match error {
            EvaluateError::Store(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}
