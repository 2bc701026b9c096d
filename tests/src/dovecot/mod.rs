//! A Dovecot server with a Maildir for each user, in a temporary folder. Every user's password is [`PASSWORD`].

pub mod certificates;

pub use certificates::Certificate;

use super::ports::free_port;
use postigo_skipped::skipped;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The password of every user.
pub const PASSWORD: &str = "not-a-secret-0815";

/// Dovecot can set no highest version of TLS; OpenSSL can.
const OLD_TLS: &str = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n[old]\nMinProtocol = TLSv1.1\nMaxProtocol = TLSv1.1\nCipherString = ALL:@SECLEVEL=0\n";

/// What a server is like.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// In place of Dovecot's own list of capabilities.
    pub capabilities: Option<&'static str>,
    /// What its certificate is like.
    pub certificate: Certificate,
    /// Speaks no TLS newer than 1.1.
    pub old_tls: bool,
    /// Further lines of its configuration.
    pub more: String,
}

/// A running server; stopped when dropped.
pub struct Dovecot {
    folder: tempfile::TempDir,
    options: Options,
    /// Port of IMAP, with STARTTLS.
    pub imap: u16,
    /// Port of IMAP over TLS.
    pub imaps: u16,
    /// Port of POP3, with STLS.
    pub pop3: u16,
    /// Port of POP3 over TLS.
    pub pop3s: u16,
    /// Owner of the mail: Dovecot gives root none.
    owner: (u32, u32),
}

impl Dovecot {
    /// Starts a server; none, and the reason printed, where Dovecot or openssl is not installed.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn start() -> Option<Self> {
        Self::with(Options::default())
    }

    /// Starts a server of another kind.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn with(options: Options) -> Option<Self> {
        for program in ["dovecot", "openssl"] {
            if Command::new(program).arg("--version").output().is_err() {
                skipped(format_args!("{program} is not installed"));
                return None;
            }
        }
        let folder = tempfile::Builder::new().prefix("postigo-dovecot-").tempdir().expect("a temporary folder");
        // Dovecot's processes have users of their own, who pass through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let [imap, imaps, pop3, pop3s] = [(); 4].map(|()| free_port());
        let mut server = Self { owner: owner(), imap, imaps, pop3, pop3s, folder, options };
        certificates::make(server.folder.path(), server.options.certificate);
        std::fs::create_dir(server.path("mail")).expect("a fresh folder");
        server.give_away(&server.path("mail"));
        // Between the choice of a port and its use another process may have taken it.
        if !server.begin() {
            [server.imap, server.imaps, server.pop3, server.pop3s] = [(); 4].map(|()| free_port());
            server.resume();
        }
        Some(server)
    }

    /// Starts the server again after [`Self::stop`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        assert!(self.begin(), "Dovecot did not start: {}", self.log());
        TcpStream::connect(("127.0.0.1", self.imap)).expect("Dovecot listens");
    }

    /// Starts the server; says whether it did.
    fn begin(&self) -> bool {
        std::fs::write(self.path("dovecot.conf"), self.configuration()).expect("the folder is ours");
        // Returns when the ports are open; the server would keep a pipe open for as long as it lives.
        let mut command = Command::new("dovecot");
        if self.options.old_tls {
            std::fs::write(self.path("openssl.cnf"), OLD_TLS).expect("the folder is ours");
            command.env("OPENSSL_CONF", self.path("openssl.cnf"));
        }
        command.arg("-c").arg(self.path("dovecot.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("Dovecot starts").success()
    }

    /// Stops the server, closes its connections, and waits for its end: until then it cannot be started again.
    pub fn stop(&self) {
        let master = std::fs::read_to_string(self.path("run/master.pid")).unwrap_or_default();
        let _ = Command::new("doveadm").arg("-c").arg(self.path("dovecot.conf")).arg("stop").output();
        let process = Path::new("/proc").join(master.trim());
        let given_up = Instant::now() + Duration::from_secs(30);
        // No child of ours, so that there is nothing to wait for but this.
        while !master.trim().is_empty() && process.exists() && Instant::now() < given_up {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The certificate authority of the server's certificate, which is for `localhost` and `127.0.0.1` unless
    /// [`Options::certificate`] says otherwise.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Puts mail into a folder (`INBOX` or another) of a user as a delivery agent would, and gives the files' names.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn deliver<'a>(&self, user: &str, folder: &str, mails: impl IntoIterator<Item = &'a [u8]>) {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let maildir = self.maildir(user, folder);
        for mail in mails {
            let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = format!("{}.P{}Q{number}.test", 1_700_000_000 + number / 1_000, std::process::id());
            let (tmp, new) = (maildir.join("tmp").join(&name), maildir.join("new").join(&name));
            std::fs::write(&tmp, mail).expect("the Maildir is writable");
            self.give_away(&tmp);
            std::fs::rename(&tmp, &new).expect("the Maildir is writable");
        }
    }

    /// Puts a mail with Maildir flags (`T` is `\Deleted`) into a user's INBOX, as if another mail program had set them.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn deliver_flagged(&self, user: &str, mail: &[u8], flags: &str) {
        let file = self.maildir(user, "INBOX").join("cur").join(format!("1600000000.F{}.test:2,{flags}", mail.len()));
        std::fs::write(&file, mail).expect("the Maildir is writable");
        self.give_away(&file);
    }

    /// The names of a folder's message files.
    pub fn messages(&self, user: &str, folder: &str) -> Vec<String> {
        let maildir = self.path("mail").join(user).join(subfolder(folder));
        let files = ["new", "cur"]
            .into_iter()
            .flat_map(|part| std::fs::read_dir(maildir.join(part)).into_iter().flatten().flatten());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Makes Dovecot number a user's mailboxes anew: another UIDVALIDITY, other UIDs. The server must not run
    /// meanwhile.
    ///
    /// # Panics
    /// If the index cannot be removed.
    pub fn forget_uids(&self, user: &str) {
        for entry in std::fs::read_dir(self.path("mail").join(user)).expect("the user has mail").flatten() {
            if entry.file_name().to_string_lossy().starts_with("dovecot") {
                std::fs::remove_file(entry.path()).expect("the index is ours");
            }
        }
    }

    /// The folder of all mailboxes, a Maildir a user, and the user and group that own them: for who delivers to them.
    pub fn mailboxes(&self) -> (PathBuf, u32, u32) {
        (self.path("mail"), self.owner.0, self.owner.1)
    }

    /// The server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let home = self.path("mail").join(user);
        let maildir = home.join(subfolder(folder));
        for part in ["tmp", "new", "cur"] {
            let part = maildir.join(part);
            if !part.exists() {
                std::fs::create_dir_all(&part).expect("the folder is ours");
                for made in [&home, &maildir, &part] {
                    self.give_away(made);
                }
            }
        }
        maildir
    }

    fn give_away(&self, path: &Path) {
        let (user, group) = self.owner;
        chown(path, Some(user), Some(group)).expect("root, or the own user");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        let here = self.folder.path().display();
        let (user, group) = self.owner;
        let Self { imap, imaps, pop3, pop3s, .. } = self;
        let mut text = format!(
            "base_dir = {here}/run\nstate_dir = {here}/state\nlog_path = {here}/log\ninstance_name = postigo-test\nprotocols = imap pop3\n\
             listen = 127.0.0.1\nssl = yes\nssl_cert = <{here}/server.pem\nssl_key = <{here}/server.key\ndisable_plaintext_auth = no\n\
             auth_mechanisms = plain login\nmail_location = maildir:{here}/mail/%u\nmail_fsync = never\nfirst_valid_uid = 1\n\
             mail_max_userip_connections = 50\nnamespace inbox {{\n  inbox = yes\n}}\n\
             passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
             userdb {{\n  driver = static\n  args = uid={user} gid={group} home={here}/mail/%u\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
             service pop3-login {{\n  inet_listener pop3 {{\n    port = {pop3}\n  }}\n  inet_listener pop3s {{\n    port = {pop3s}\n    ssl = yes\n  }}\n}}\n"
        );
        let settings: BTreeMap<&str, &str> =
            self.options.capabilities.map(|list| ("imap_capability", list)).into_iter().collect();
        for (key, value) in settings {
            let _ = writeln!(text, "protocol imap {{\n  {key} = {value}\n}}");
        }
        if self.options.old_tls {
            text.push_str(
                "import_environment = $import_environment OPENSSL_CONF\nssl_min_protocol = TLSv1.1\nssl_cipher_list = ALL:@SECLEVEL=0\n",
            );
        }
        let _ = writeln!(text, "{}", self.options.more);
        if !is_root() {
            let name = output("id", &["-un"]);
            let group = output("id", &["-gn"]);
            let _ = writeln!(
                text,
                "default_internal_user = {name}\ndefault_internal_group = {group}\ndefault_login_user = {name}"
            );
            for service in ["anvil", "imap-login", "pop3-login"] {
                let _ = writeln!(text, "service {service} {{\n  chroot =\n}}");
            }
        }
        text
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A folder beside the INBOX, as Maildir++ names it.
fn subfolder(folder: &str) -> String {
    if folder == "INBOX" { String::new() } else { format!(".{folder}") }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn is_root() -> bool {
    output("id", &["-u"]) == "0"
}

fn owner() -> (u32, u32) {
    let name = if is_root() { vec!["dovecot"] } else { vec![] };
    let id = |flag: &str| output("id", &[&[flag], name.as_slice()].concat()).parse().expect("a number");
    (id("-u"), id("-g"))
}
