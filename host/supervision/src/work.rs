//! The kinds of task: their names in the log, the metrics and the overview.

/// A kind of work that goes on beside others. What it is for (an account, an endpoint) is said beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkKind {
    /// Takes, renews and gives back the leases of accounts.
    Leases,
    /// Looks whether the configuration changed, and prepares the chain.
    Configuration,
    /// Starts and ends the fetching of accounts, and hands them what commands ask for.
    Fetches,
    /// Fetches from an account; a connection's parser with it.
    Fetch,
    /// Waits on an account's open connection for new mail.
    Idle,
    /// Tells a command what its fetch did.
    FetchAnswer,
    /// Starts and ends listeners.
    Listeners,
    /// Waits for clients at an endpoint.
    Listener,
    /// One client's session.
    Session,
    /// Starts and ends the filing of accounts' messages.
    Filings,
    /// Files an account's messages.
    Filing,
    /// Calls accounts to messages that wait.
    Calls,
    /// One message on its way to a ticket.
    Message,
    /// The process that a message is to have for itself.
    MessageProcess,
    /// Composes automatic answers that are due.
    Answers,
    /// One automatic answer.
    Answer,
    /// Looks for mails whose time to go out has come.
    Sending,
    /// One try to send a mail.
    OutgoingMail,
    /// Looks for jobs, and works on one at a time.
    Jobs,
    /// One job.
    Job,
    /// Removes what is older than the settings keep.
    Purge,
    /// Keeps refresh tokens from ending of disuse.
    Tokens,
    /// One renewal of a token.
    Renewal,
    /// Waits for a person who signs in at another device.
    SignIn,
    /// Serves REST.
    Rest,
    /// One request to REST.
    Request,
    /// Groups writes into commits (SQLite).
    Writer,
    /// One write to the database.
    Write,
    /// One job on a thread for guests.
    Guest,
    /// Starts further threads for guests, or counts their time.
    GuestThreads,
    /// Prepares filters, or looks at a component.
    Preparation,
    /// Reads or moves files.
    Files,
    /// Keeps the overview's list of broken tasks.
    Overview,
    /// Says that this host is there, and by what it works.
    Presence,
    /// Sums up the communication log by hours and days.
    Sums,
}

impl WorkKind {
    /// Its name, an identifier that never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leases => "leases",
            Self::Configuration => "configuration",
            Self::Fetches => "fetches",
            Self::Fetch => "fetch",
            Self::Idle => "idle",
            Self::FetchAnswer => "fetch-answer",
            Self::Listeners => "listeners",
            Self::Listener => "listener",
            Self::Session => "session",
            Self::Filings => "filings",
            Self::Filing => "filing",
            Self::Calls => "calls",
            Self::Message => "message",
            Self::MessageProcess => "message-process",
            Self::Answers => "answers",
            Self::Answer => "answer",
            Self::Sending => "sending",
            Self::OutgoingMail => "outgoing-mail",
            Self::Jobs => "jobs",
            Self::Job => "job",
            Self::Purge => "purge",
            Self::Tokens => "tokens",
            Self::Renewal => "renewal",
            Self::SignIn => "sign-in",
            Self::Rest => "rest",
            Self::Request => "request",
            Self::Writer => "writer",
            Self::Write => "write",
            Self::Guest => "guest",
            Self::GuestThreads => "guest-threads",
            Self::Preparation => "preparation",
            Self::Files => "files",
            Self::Overview => "overview",
            Self::Presence => "presence",
            Self::Sums => "sums",
        }
    }
}
