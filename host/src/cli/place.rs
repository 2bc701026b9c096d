//! The options that every command has.

use std::path::PathBuf;

/// Where the state lies, and how results are printed.
#[derive(Debug, clap::Args)]
pub(super) struct CommandPlace {
    /// The folder of database, spool, key and caches; made on first use
    #[arg(long, global = true, value_name = "DIR", env = "POSTIGO_DATA", default_value = "./postigo-data")]
    pub(super) data: PathBuf,
    /// Keep the state in PostgreSQL instead of the folder: postgres://…
    #[arg(long, global = true, value_name = "URL")]
    pub(super) database: Option<String>,
    /// The file of the key that secrets are sealed with [default: `key` in the folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// The folder of compiled code [default: `cache` in the folder]
    #[arg(long, global = true, value_name = "DIR", env = "POSTIGO_CACHE", hide = true)]
    pub(super) cache: Option<PathBuf>,
    /// Do not wait until every daemon works by a change of the configuration
    #[arg(long, global = true)]
    pub(super) no_wait: bool,
    /// Show and read times in UTC, not in the time zone of this machine (`TZ`); JSON has UTC always
    #[arg(long, global = true)]
    pub(super) utc: bool,
    /// Print JSON: one document, or one line each for lists
    #[arg(long, global = true)]
    pub(super) json: bool,
}
