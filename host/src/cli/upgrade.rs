//! `filter upgrade` and `filter rollback`.

use super::output::printable;
use super::{CommandError, Context};
use crate::service::ServiceError;
use crate::service::upgrades::{self, MoveDirection, Wish};
use postigo_model::guest::Grant;
use serde_json::json;
use std::fmt::Write as _;

/// `filter upgrade`
#[derive(Debug, clap::Args)]
pub struct FilterUpgrade {
    /// A filter; or a component, where all filters that use it have the same version
    name: String,
    /// The version; else the newest that is activated
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    how: UpgradeOptions,
}

/// `filter rollback`
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// The filter
    name: String,
    #[command(flatten)]
    how: UpgradeOptions,
}

#[derive(Debug, clap::Args)]
struct UpgradeOptions {
    /// Show what changes and try it with every filter; change nothing
    #[arg(long)]
    check: bool,
    /// Only this filter, and not all that use the same component in the same version
    #[arg(long)]
    only: bool,
}

impl FilterUpgrade {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        run(
            Wish {
                name: &self.name,
                way: MoveDirection::To(self.to.as_deref()),
                only: self.how.only,
                check: self.how.check,
            },
            context,
        )
        .await
    }
}

impl Rollback {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        run(Wish { name: &self.name, way: MoveDirection::Back, only: self.how.only, check: self.how.check }, context)
            .await
    }
}

async fn run(wish: Wish<'_>, context: &Context) -> Result<(), CommandError> {
    let (upgrade, failed) = match upgrades::upgrade(context.place().await?, wish).await {
        Ok(upgrade) => (upgrade, None),
        Err(ServiceError::NotUpgraded(upgrade)) => {
            let sentence = upgrade.refusal();
            (*upgrade, Some(sentence))
        }
        Err(error) => return Err(error.into()),
    };
    context.output().document(&json!(upgrade), || text(&upgrade, wish.check));
    match failed {
        Some(sentence) => Err(CommandError::because(sentence)),
        None if upgrade.problems().is_empty() => Ok(()),
        None => Err(CommandError::lines(upgrade.problems())),
    }
}

fn text(upgrade: &upgrades::UpgradeDocument, check: bool) -> String {
    if upgrade.from == upgrade.to {
        return format!("{} is in force and stays so.\n", upgrade.from);
    }
    let mut text = format!("From {} to {}:\n", upgrade.from, upgrade.to);
    let mut line = |what: &str, items: &[String]| {
        if !items.is_empty() {
            let items: Vec<String> = items.iter().map(|item| printable(item)).collect();
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {what}: {}", items.join(", "));
        }
    };
    line("may also set", &upgrade.headers.added);
    line("no longer sets", &upgrade.headers.removed);
    let names = |grants: &[Grant]| grants.iter().map(|grant| grant.name().to_owned()).collect::<Vec<_>>();
    line("asked for the grants", &names(&upgrade.grants.before));
    line("asks for the grants", &names(&upgrade.grants.after));
    line("new settings", &upgrade.schema.added);
    line("settings that are gone", &upgrade.schema.removed);
    line("settings that must be there now", &upgrade.schema.required);
    line("settings that mean something else", &upgrade.schema.changed);
    for filter in &upgrade.filters {
        let state = if filter.problems.is_empty() { "can run it" } else { "cannot run it" };
        let granted = if filter.granted.is_empty() {
            "no grants".to_owned()
        } else {
            format!("granted {}", Grant::list(&filter.granted))
        };
        let lacks = if filter.not_granted.is_empty() {
            String::new()
        } else {
            format!(", not granted {}", Grant::list(&filter.not_granted))
        };
        let _ = writeln!(text, "  filter {}: {state}; {granted}{lacks}", printable(&filter.name));
    }
    if !upgrade.activated {
        let _ = writeln!(text, "{} is not activated yet: `postigo component activate {}`.", upgrade.to, upgrade.to);
    }
    let in_force = if upgrade.changed { &upgrade.to } else { &upgrade.from };
    let checked = if check { "Only checked. " } else { "" };
    let _ = writeln!(text, "{checked}In force: {in_force}.");
    text
}
