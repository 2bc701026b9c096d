//! What of this machine the configuration may use: the commands that mail is handed to and the folders that it is
//! written to or taken from.
//!
//! Who may change the configuration over the network is not always who may run programs here. So these are named where
//! the daemon is started (`serve --allow-command NAME=PATH --allow-folder NAME=PATH`), never in the database, which can
//! only choose among them.

use postigo_files::given_folder::GivenFolder;
use postigo_model::configured::Breach;
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::{Account, Configuration, Outlet, Source, Transport};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A name and a whole path, as an option gives them: `sendmail=/usr/sbin/sendmail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    name: String,
    path: PathBuf,
}

impl std::str::FromStr for NamedPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, path) =
            text.split_once('=').ok_or_else(|| "write NAME=PATH, such as sendmail=/usr/sbin/sendmail".to_owned())?;
        if !is_name(name) {
            return Err(format!("{name:?} is no name: it has letters, digits, \".\", \"-\" and \"_\""));
        }
        let path = PathBuf::from(path);
        if !is_whole(&path) {
            return Err(format!("{} is no whole path: it begins with \"/\" and has no \"..\"", path.display()));
        }
        Ok(Self { name: name.to_owned(), path })
    }
}

/// The commands and folders of this machine that the configuration may use.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    commands: BTreeMap<String, PathBuf>,
    folders: BTreeMap<String, PathBuf>,
}

impl Machine {
    /// With these commands and folders.
    pub fn new(commands: Vec<NamedPath>, folders: Vec<NamedPath>) -> Self {
        let by_name = |named: Vec<NamedPath>| named.into_iter().map(|named| (named.name, named.path)).collect();
        Self { commands: by_name(commands), folders: by_name(folders) }
    }

    /// What a shell user may try without saying it: the command or folder that a transport names by its path, with the
    /// user's own rights.
    pub fn of_user(transport: &Transport) -> Self {
        let named = |path: &str| format!("tried={path}").parse().into_iter().collect();
        match transport.outlet() {
            Outlet::Sendmail(path) => Self::new(named(path), Vec::new()),
            Outlet::Folder(path) => Self::new(Vec::new(), named(path)),
            Outlet::Smtp(_) => Self::default(),
        }
    }

    /// The command of a `sendmail` transport, by its name or its path. Else a sentence.
    pub fn command(&self, named: &str) -> Result<&Path, String> {
        let found =
            self.commands.get(named).or_else(|| self.commands.values().find(|path| path.as_path() == Path::new(named)));
        found.map(PathBuf::as_path).ok_or_else(|| refused("command", named, &self.commands))
    }

    /// The folder of a `file` transport, by its name, or by its path or that of a folder below it. Else a sentence.
    pub fn folder(&self, named: &str) -> Result<GivenFolder, String> {
        let path = self.folders.get(named).map_or(Path::new(named), PathBuf::as_path);
        self.given(path).ok_or_else(|| refused("folder", named, &self.folders))
    }

    /// The folder of a Maildir account, by its path. One that lies in none of the folders was configured by somebody
    /// with a shell ([`check`](Self::check)): its path is taken as that of a folder that was given.
    pub fn maildir(&self, path: &Path) -> GivenFolder {
        self.given(path).unwrap_or_else(|| GivenFolder::named(path))
    }

    /// The folder of this path, if it is one of the folders or lies below one. Where one of them lies in another, the
    /// way begins at the outer: who may write there could put a link in the place of the inner.
    fn given(&self, path: &Path) -> Option<GivenFolder> {
        let around = self.folders.values().filter(|folder| is_whole(path) && path.starts_with(folder));
        GivenFolder::by_way_of(around.min_by_key(|folder| folder.components().count())?, path)
    }

    /// Why this machine does not let a transport work, a sentence; none where it does.
    pub fn refuses(&self, transport: &Transport) -> Option<String> {
        match transport.outlet() {
            Outlet::Sendmail(named) => self.command(named).err(),
            Outlet::Folder(named) => self.folder(named).err(),
            Outlet::Smtp(_) => None,
        }
    }

    /// What a change that comes over the network must not have of this machine. What was configured before, by somebody
    /// with a shell, stays.
    pub fn check(&self, before: &Configuration, after: &Configuration) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for (name, transport) in &after.transports {
            let same = before.transports.get(name).is_some_and(|earlier| {
                (earlier.kind, &earlier.host, earlier.valid) == (transport.kind, &transport.host, transport.valid)
            });
            if let Some(sentence) = self.refuses(transport).filter(|_| !same && transport.valid.is_valid()) {
                breaches.push(Breach {
                    kind: Transport::KIND,
                    name: name.clone(),
                    place: "/host".to_owned(),
                    sentence,
                });
            }
        }
        for (name, account) in &after.accounts {
            let Source::Maildir(path) = account.source() else { continue };
            let same = before.accounts.get(name).is_some_and(|earlier| earlier.source() == Source::Maildir(path));
            if !same && self.given(path).is_none() {
                // Its mails would be shown to whoever asked, and removed.
                let sentence = refused("folder", &account.host, &self.folders);
                breaches.push(Breach { kind: Account::KIND, name: name.clone(), place: "/host".to_owned(), sentence });
            }
        }
        breaches
    }
}

fn refused(what: &str, host: &str, given: &BTreeMap<String, PathBuf>) -> String {
    let given: Vec<&str> = given.keys().map(String::as_str).collect();
    let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
    format!(
        "must name a {what} that the daemon was started with ({given}), and {host:?} is none: postigo serve --allow-{what} NAME=PATH."
    )
}

/// Whether a text can name a command or folder.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
}

fn is_whole(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|component| component == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::{Protocol, TransportKind};

    fn machine() -> Machine {
        let named = |text: &str| vec![text.parse().unwrap()];
        Machine::new(named("mta=/usr/sbin/sendmail"), named("sent=/var/spool/sent"))
    }

    fn transport(kind: TransportKind, host: &str) -> Transport {
        Transport { name: "t".into(), kind, host: host.into(), ..Transport::default() }
    }

    #[test]
    fn a_transport_chooses_among_what_the_daemon_was_started_with() {
        let command = |host: &str| machine().command(host).map(Path::to_owned);
        for host in ["mta", "/usr/sbin/sendmail", "/usr/sbin/./sendmail"] {
            assert_eq!(command(host), Ok("/usr/sbin/sendmail".into()), "{host}");
        }
        for host in ["/bin/sh", "sent", "/usr/sbin/sendmail/../../../bin/sh", "/usr/sbin/sendmail -bs", "sh"] {
            let why = command(host).unwrap_err();
            assert!(why.contains("(mta)") && why.contains("--allow-command NAME=PATH"), "{why}");
        }
        let folder = |host: &str| machine().folder(host).map(|folder| folder.path());
        assert_eq!(
            (folder("sent"), folder("/var/spool/sent/a")),
            (Ok("/var/spool/sent".into()), Ok("/var/spool/sent/a".into()))
        );
        for host in ["/var/spool/sent/../cron", "/var/spool", "/var/spool/sent2", "mta", "./sent", ""] {
            assert!(folder(host).unwrap_err().contains("--allow-folder"), "{host}");
        }
    }

    #[test]
    fn the_way_to_a_folder_begins_at_the_outermost_that_was_given() {
        let given = ["inner=/srv/in/ner", "outer=/srv/in", "other=/srv/in2"].map(|text| text.parse().unwrap());
        let machine = Machine::new(Vec::new(), given.to_vec());
        let way = |root: &str, path: &str| GivenFolder::by_way_of(Path::new(root), Path::new(path)).unwrap();
        for (host, path) in [("inner", "/srv/in/ner"), ("/srv/in/ner/a", "/srv/in/ner/a"), ("outer", "/srv/in")] {
            assert_eq!(machine.folder(host), Ok(way("/srv/in", path)), "{host}");
        }
        let maildir = |host: &str| machine.maildir(Path::new(host));
        assert_eq!(maildir("/srv/in2/box"), way("/srv/in2", "/srv/in2/box"));
        assert_eq!(
            maildir("/var/vmail/boss"),
            GivenFolder::named(Path::new("/var/vmail/boss")),
            "somebody with a shell named it"
        );
    }

    #[test]
    fn a_change_is_held_to_it_and_what_was_there_stays() {
        let mut before = Configuration::default();
        before.transports.insert("t".into(), transport(TransportKind::File, "/elsewhere"));
        assert!(machine().check(&before, &before).is_empty());
        let mut after = before.clone();
        after.transports.insert("t".into(), transport(TransportKind::Sendmail, "/bin/sh"));
        let maildir = Account {
            name: "m".into(),
            protocol: Protocol::Maildir,
            host: "/var/vmail/boss".into(),
            ..Account::default()
        };
        after.accounts.insert("m".into(), maildir.clone());
        let places: Vec<(String, String)> =
            machine().check(&before, &after).into_iter().map(|breach| (breach.name, breach.place)).collect();
        assert_eq!(places, [("t".to_owned(), "/host".to_owned()), ("m".to_owned(), "/host".to_owned())]);
        after.transports.get_mut("t").unwrap().valid = postigo_model::configured::Validity::Invalid;
        after.accounts.insert("m".into(), Account { host: "/var/spool/sent/in".into(), ..maildir });
        assert!(machine().check(&before, &after).is_empty(), "to end a transport is always possible");
    }

    #[test]
    fn options_are_names_and_whole_paths() {
        for wrong in ["sendmail", "=/bin/sh", "a b=/bin/sh", "x=bin/sh", "x=/bin/../sh"] {
            assert!(wrong.parse::<NamedPath>().is_err(), "{wrong}");
        }
    }
}
