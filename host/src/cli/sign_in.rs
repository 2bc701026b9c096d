//! `account sign-in`, `transport sign-in` and their counterparts: a person signs in for an account or transport by
//! OAuth2.

use super::output::lines;
use super::{CommandError, Context};
use crate::oauth2::{BegunSignIn, DeviceWait, Flow, Owner, SignInProgress, Tokens};
use crate::service::sign_in::SignIns;
use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// So often is looked whether the browser came back to the daemon.
const LOOKED_EVERY: Duration = Duration::from_millis(500);

/// `sign-in`
#[derive(Debug, clap::Args)]
pub struct SignIn {
    /// Its name
    name: String,
    /// Sign in by a browser (code), or by a code to type at another device (device) [default: as configured]
    #[arg(long, value_parser = ["code", "device"])]
    flow: Option<String>,
    /// How it stands, without signing in
    #[arg(long, conflicts_with = "flow")]
    status: bool,
}

/// `sign-out`
#[derive(Debug, clap::Args)]
pub struct SignOut {
    /// Its name
    name: String,
}

impl SignIn {
    pub(super) async fn run(self, context: &Context, owner: fn(String) -> Owner) -> Result<(), CommandError> {
        let owner = owner(self.name);
        if self.status {
            return show(context, &owner).await;
        }
        let flow = self.flow.as_deref().and_then(Flow::named);
        let tokens = context.tokens().await?;
        let sign_ins = sign_ins(context, &tokens).await?;
        let (begun, wait) = sign_ins.begin(&owner, flow, context.actor()).await?;
        context.output().document(&serde_json::to_value(&begun)?, || guide(&owner, &begun));
        match wait {
            Some(wait) => by_device(wait).await?,
            None => by_browser(sign_ins, begun.id()).await?,
        }
        context.output().document(&json!({ "signed_in": true }), || {
            format!("The {owner} is signed in. `postigo {} test {}` tries it.\n", owner.kind(), owner.name())
        });
        Ok(())
    }
}

impl SignOut {
    pub(super) async fn run(self, context: &Context, owner: fn(String) -> Owner) -> Result<(), CommandError> {
        let owner = owner(self.name);
        let forgotten = sign_ins(context, &context.tokens().await?).await?.end(&owner, context.actor()).await?;
        context.output().document(&json!({ "forgotten": forgotten }), || {
            if forgotten {
                format!("The tokens of the {owner} are forgotten.\n")
            } else {
                format!("The {owner} was not signed in.\n")
            }
        });
        Ok(())
    }
}

/// One word for a table: empty where a password, or nothing, is used.
pub(super) fn word(shown: &Value) -> String {
    let state = &shown["sign_in"];
    if state["error"].is_object() {
        return format!(
            "{} since {}",
            state["error"]["code"].as_str().unwrap_or_default(),
            state["error"]["since"].as_str().unwrap_or_default()
        );
    }
    match state["signed_in"].as_bool() {
        None => String::new(),
        Some(true) if state["warning"].is_string() => "ends soon".to_owned(),
        Some(true) => "signed in".to_owned(),
        // Nobody signs in: its first fetch, or a test, asks the provider.
        Some(false) if state["flow"] == "client-credentials" => "not asked yet".to_owned(),
        Some(false) => "not signed in".to_owned(),
    }
}

async fn sign_ins<'c>(context: &'c Context, tokens: &'c Arc<Tokens>) -> Result<SignIns<'c>, CommandError> {
    Ok(SignIns { store: context.store().await?, key: context.key(), tokens })
}

async fn show(context: &Context, owner: &Owner) -> Result<(), CommandError> {
    let state = serde_json::to_value(sign_ins(context, &context.tokens().await?).await?.show(owner).await?)?;
    context.output().document(&state, || lines(&state));
    Ok(())
}

fn guide(owner: &Owner, begun: &BegunSignIn) -> String {
    match begun {
        BegunSignIn::Code { authorize_url, redirect_url, expires_at, .. } => format!(
            "Open this address in a browser and sign in for the {owner}, until {expires_at}:\n\n{authorize_url}\n\n\
             The browser is then sent to {redirect_url}. If Postigo answers there, all is done.\n\
             If the page cannot be shown, paste its whole address here and press Enter.\n"
        ),
        BegunSignIn::Device { verification_uri, user_code, expires_at, .. } => {
            format!("Open {verification_uri} on any device and type the code {user_code}, until {expires_at}.\n")
        }
    }
}

async fn by_device(wait: DeviceWait) -> Result<(), CommandError> {
    Ok(wait.run().await?)
}

/// Waits for the address that the browser was sent to: pasted here, or come to the daemon.
async fn by_browser(sign_ins: SignIns<'_>, id: &str) -> Result<(), CommandError> {
    let mut pasted = Some(read_line());
    loop {
        let line = async {
            match &mut pasted {
                Some(line) => line.await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            line = line => {
                pasted = None;
                if let Some(answer) = line {
                    sign_ins.finish(&answer).await?;
                    return Ok(());
                }
            }
            () = tokio::time::sleep(LOOKED_EVERY) => match sign_ins.outcome(id).await? {
                SignInProgress::Waiting => {}
                SignInProgress::Done => return Ok(()),
                SignInProgress::Failed(sentence) => return Err(CommandError::because(sentence)),
            },
        }
    }
}

/// The next line on standard input that says something; never one where the input has ended.
fn read_line() -> oneshot::Receiver<String> {
    let (sender, line) = oneshot::channel();
    // A thread of its own: nothing waits for it when the browser was quicker.
    std::thread::spawn(move || {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            eprint!("> ");
        }
        let found = stdin.lock().lines().map_while(Result::ok).find(|line| !line.trim().is_empty());
        if let Some(line) = found {
            // Nobody waits any more: the browser was quicker.
            let _ = sender.send(line);
        }
    });
    line
}
