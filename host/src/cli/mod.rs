//! The command line: one file per group of commands, each a thin layer over the modules that do the work.

mod account;
mod article;
mod attending;
mod classifier;
mod command_error;
mod component;
mod config;
mod configured;
mod context;
mod customer;
mod dry_run;
mod fetch;
mod filter;
mod former_options;
mod ingest;
mod job;
mod key_values;
mod kind_commands;
mod kinds;
mod log;
mod logging;
mod login;
mod moment;
mod outbound;
mod output;
mod pipe;
mod place;
mod printable;
mod replay;
mod rows;
mod serve;
mod settings;
mod sign_in;
mod spool;
mod store;
mod ticket;
mod token;
mod transport;
mod upgrade;
mod versions;
mod writing;
mod zone;

pub use command_error::CommandError;
pub use context::Context;
pub use output::{Output, TextTable};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use place::CommandPlace;
use postigo_supervision as supervision;
use std::process::ExitCode;
use std::time::Duration;

/// The mail gate of a helpdesk.
#[derive(Debug, Parser)]
#[command(name = "postigo", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    place: CommandPlace,
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: fetching, chain, REST
    Serve(serve::Serve),
    /// Check, apply or export the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Take messages in: files, mbox files, Maildirs, or `-` for standard input
    Ingest(ingest::Ingest),
    /// Fetch once now, from one or all accounts
    Fetch(fetch::Fetch),
    /// Messages that wait, are held, failed or were ignored
    #[command(subcommand)]
    Spool(spool::Command),
    /// Tickets
    #[command(subcommand)]
    Ticket(ticket::Command),
    /// Articles
    #[command(subcommand)]
    Article(article::Command),
    /// Filters
    #[command(subcommand)]
    Filter(filter::Command),
    /// What filters are made of: shipped and uploaded components
    #[command(subcommand)]
    Component(component::Command),
    /// What classifiers learn from, and what they answered
    #[command(subcommand)]
    Classifier(classifier::Command),
    /// Dry runs of the whole chain
    #[command(subcommand)]
    Chain(dry_run::ChainCommand),
    /// Run stored mails through the chain as it is now, or with other filters, and say which would become something else;
    /// nothing is changed
    Replay(replay::Replay),
    /// What takes long, and how far it has come
    #[command(subcommand)]
    Job(job::Command),
    /// The communication log
    #[command(subcommand)]
    Log(log::Command),
    /// Accounts that mail comes from
    #[command(subcommand)]
    Account(account::Command),
    /// Ways out for mail
    #[command(subcommand)]
    Transport(transport::Command),
    /// Customer users, who write to the helpdesk
    #[command(subcommand, visible_alias = "customer-user")]
    Customer(customer::Command),
    /// Outgoing mails that are due, wait or could not be sent
    #[command(subcommand)]
    Outbound(outbound::Command),
    /// The general settings
    #[command(subcommand)]
    Settings(settings::Command),
    /// Tokens for the REST API
    #[command(subcommand)]
    Token(token::Command),
    /// The database: what it takes on the disk
    #[command(subcommand)]
    Store(store::Command),
    /// The kinds of configured things that have no commands of their own.
    #[command(flatten)]
    Kind(kinds::OfKind),
}

/// When a command has ended, threads that still read or write files have so long to end.
const BLOCKED_THREADS_WITHIN: Duration = Duration::from_secs(5);

/// Runs the command line of this process. Exit status: 0 done, 1 a problem that standard error names, 2 wrong usage.
pub fn main() -> ExitCode {
    let parsed = kinds::with_keys(Arguments::command())
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let as_pipe = matches!(&arguments.command, Command::Ingest(ingest) if ingest.is_pipe());
    logging::start(matches!(arguments.command, Command::Serve(_)));
    zone::choose(arguments.place.utc);
    let context = Context::new(arguments.place);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CommandError::from(error).tell(),
    };
    let running = async {
        run(&context, arguments.command).await?;
        context.wait_until_in_force().await;
        Ok::<_, CommandError>(())
    };
    let ended = supervision::catch(|| runtime.block_on(running));
    // A file system that hangs holds a thread; it must not hold the end of the process.
    runtime.shutdown_timeout(BLOCKED_THREADS_WITHIN);
    context.keep_owner();
    match ended {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failed)) => failed.tell(),
        Err(panic) => {
            let status = CommandError::because(format!(
                "Postigo panicked: {panic}. This is a fault of Postigo: please report it."
            ))
            .tell();
            // The status of a panic would make a mail server bounce the mail.
            if as_pipe { ExitCode::from(pipe::TRY_LATER) } else { status }
        }
    }
}

/// Tells what is wrong with the arguments. A mail server whose pipe is set up wrongly keeps its mail instead of
/// bouncing it.
fn misused(error: &clap::Error) -> ExitCode {
    // Where not even that can be printed, the status says it.
    let _ = error.print();
    let mut words = std::env::args_os().skip(1);
    let as_pipe = words.any(|word| word == "ingest") && words.any(|word| word == "-");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if as_pipe => ExitCode::from(pipe::TRY_LATER),
        status => ExitCode::from(u8::try_from(status).unwrap_or(2)),
    }
}

async fn run(context: &Context, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Serve(serve) => serve.run(context).await,
        Command::Config(command) => command.run(context).await,
        Command::Ingest(ingest) => ingest.run(context).await,
        Command::Fetch(fetch) => fetch.run(context).await,
        Command::Spool(command) => command.run(context).await,
        Command::Ticket(command) => command.run(context).await,
        Command::Article(command) => command.run(context).await,
        Command::Filter(command) => command.run(context).await,
        Command::Component(command) => command.run(context).await,
        Command::Chain(command) => command.run(context).await,
        Command::Classifier(command) => command.run(context).await,
        Command::Replay(replay) => replay.run(context).await,
        Command::Job(command) => command.run(context).await,
        Command::Log(command) => command.run(context).await,
        Command::Account(command) => command.run(context).await,
        Command::Transport(command) => command.run(context).await,
        Command::Customer(command) => command.run(context).await,
        Command::Outbound(command) => command.run(context).await,
        Command::Settings(command) => command.run(context).await,
        Command::Token(command) => command.run(context).await,
        Command::Store(command) => command.run(context).await,
        Command::Kind(command) => command.run(context).await,
    }
}

#[cfg(test)]
mod guide;

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_of_commands_is_consistent() {
        super::kinds::with_keys(Arguments::command()).debug_assert();
    }
}
