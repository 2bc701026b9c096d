//! A Postfix server of the machine's own packages, with queue and configuration in a temporary folder. Postfix needs
//! root.

use super::gate::{PATIENCE, until_or};
use super::ports::free_port;
use super::speaker::Speaker;
use postigo_skipped::skipped;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a server is like.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where mail for a domain or an address goes, as in `transport_maps`: `("example.org",
    /// "lmtp:inet:127.0.0.1:2400")`, `("example.org", "lmtp:unix:/folder/socket")`. It relays to these domains and
    /// to no other.
    pub transports: Vec<(String, String)>,
    /// Addresses that stand for others, as in `virtual_alias_maps`: `("info@example.org", "support@example.org")`.
    pub aliases: Vec<(String, String)>,
    /// A domain whose mail goes into Maildirs, one a local part, below a folder that this user and group own.
    pub mailboxes: Option<(String, PathBuf, u32, u32)>,
    /// Certificate and key (PEM): STARTTLS is offered, and SMTPS listened for.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where Dovecot checks who signs in, as in `smtpd_sasl_path`: a Unix socket, or `inet:127.0.0.1:PORT`. Then
    /// nobody may send who has not signed in.
    pub sasl: Option<String>,
    /// Further services, lines of `master.cf`.
    pub services: Vec<String>,
    /// Further settings of `main.cf`; they win over the harness's own.
    pub settings: Vec<(String, String)>,
}

/// A running server; stopped when dropped.
pub struct Postfix {
    folder: tempfile::TempDir,
    options: Options,
    /// Port of SMTP, with STARTTLS where there is a certificate.
    pub smtp: u16,
    /// Port of SMTP over TLS; nobody listens where there is no certificate.
    pub smtps: u16,
}

impl Postfix {
    /// Starts a server; none, and the reason printed, where Postfix is not installed or this is not root.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn start(options: Options) -> Option<Self> {
        if Command::new("postconf").arg("-h").arg("mail_version").output().is_err() {
            skipped("Postfix is not installed");
            return None;
        }
        if id(&["-u"]) != Some(0) {
            skipped("Postfix runs as root alone");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("postigo-postfix-").tempdir().expect("a temporary folder");
        // Postfix's processes have a user of their own, who passes through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let server = Self { folder, options, smtp: free_port(), smtps: free_port() };
        for name in ["etc", "queue", "data"] {
            std::fs::create_dir(server.path(name)).expect("a fresh folder");
        }
        chown(server.path("data"), id(&["-u", "postfix"]), id(&["-g", "postfix"])).expect("root may");
        server.resume();
        Some(server)
    }

    /// Starts the server again after [`Self::stop`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        let write = |name: &str, text: String| std::fs::write(self.path(name), text).expect("the folder is ours");
        write("etc/main.cf", self.main());
        write("etc/master.cf", self.master());
        write("etc/transport", lines(&self.options.transports));
        write("etc/aliases", lines(&self.options.aliases));
        if let Some((_, folder, _, _)) = &self.options.mailboxes {
            // Postfix's own agent takes a list of mailboxes and no pattern.
            let deliver = format!(
                "#!/bin/sh -e\nbox={}/$1\nmkdir -p \"$box/tmp\" \"$box/new\" \"$box/cur\"\nname=$(date +%s).P$$.postfix\n\
                 cat > \"$box/tmp/$name\"\nmv \"$box/tmp/$name\" \"$box/new/$name\"\n",
                folder.display()
            );
            write("etc/deliver", deliver);
            std::fs::set_permissions(self.path("etc/deliver"), std::fs::Permissions::from_mode(0o755))
                .expect("the folder is ours");
        }
        let started = self.command("postfix").arg("start").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(started.is_ok_and(|status| status.success()), "Postfix did not start: {}", self.log());
        TcpStream::connect(("127.0.0.1", self.smtp)).expect("Postfix listens");
    }

    /// Stops the server; what is in its queue stays there.
    pub fn stop(&self) {
        let _ = self.command("postfix").arg("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
    }

    /// Hands a mail over by SMTP; when this returns it is in the queue.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn send(&self, sender: &str, recipients: &[&str], mail: &[u8]) {
        self.send_all(sender, recipients, std::iter::once(mail));
    }

    /// Hands mails over by SMTP in one connection; when this returns they are in the queue.
    ///
    /// # Panics
    /// If the server refuses one.
    pub fn send_all<'a>(&self, sender: &str, recipients: &[&str], mails: impl IntoIterator<Item = &'a [u8]>) {
        let (mut client, greeting) = Speaker::connect(self.smtp);
        heard(&greeting, '2');
        heard(&client.say("EHLO client.example.com"), '2');
        let utf8 =
            if sender.is_ascii() && recipients.iter().all(|address| address.is_ascii()) { "" } else { " SMTPUTF8" };
        for mail in mails {
            heard(&client.say(&format!("MAIL FROM:<{sender}> BODY=8BITMIME{utf8}")), '2');
            for recipient in recipients {
                heard(&client.say(&format!("RCPT TO:<{recipient}>")), '2');
            }
            heard(&client.say("DATA"), '3');
            client.send(&stuffed(mail));
            heard(&client.hear(), '2');
        }
        heard(&client.say("QUIT"), '2');
    }

    /// How many mails are in the queue.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn queued(&self) -> usize {
        let output = self.command("postqueue").arg("-j").output().expect("postqueue runs");
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    /// Waits until the queue is empty.
    ///
    /// # Panics
    /// If it is not after [`PATIENCE`]; with the queue, and the end of the server's log.
    pub fn wait_until_delivered(&self) {
        let why = || {
            let queue = self.command("postqueue").arg("-p").output().expect("postqueue runs").stdout;
            let (queue, log) = (String::from_utf8_lossy(&queue), self.log());
            let from = log.lines().count().saturating_sub(200);
            format!("Postfix delivers all\n{queue}\n{}", log.lines().skip(from).collect::<Vec<_>>().join("\n"))
        };
        until_or(PATIENCE, || self.queued() == 0, why);
    }

    /// Lets the server try at once to deliver what is in the queue.
    pub fn flush(&self) {
        let _ = self.command("postqueue").arg("-f").status();
    }

    /// The server's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The folder of `main.cf`, for `sendmail -C`.
    pub fn configuration(&self) -> PathBuf {
        self.path("etc")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.configuration());
        command
    }

    fn main(&self) -> String {
        let here = self.folder.path().display();
        let domains: Vec<&str> =
            self.options.transports.iter().map(|(place, _)| place.rsplit('@').next().unwrap_or(place)).collect();
        let domains = domains.join(" ");
        let mut text = format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/queue\ndata_directory = {here}/data\nmaillog_file = {here}/log\n\
             maillog_file_prefixes = {here}\nmyhostname = mx.example.net\nmydestination =\nalias_maps =\nalias_database =\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nrelay_domains = {domains}\n\
             transport_maps = texthash:{here}/etc/transport\nvirtual_alias_maps = texthash:{here}/etc/aliases\n\
             smtp_dns_support_level = disabled\nsmtp_host_lookup = native\nlmtp_host_lookup = native\nsmtputf8_enable = yes\n\
             minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\ntransport_retry_time = 1s\nin_flow_delay = 0\n\
             message_size_limit = 209715200\nsmtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject\n\
             smtpd_client_connection_count_limit = 0\ndefault_destination_concurrency_limit = 10\nbiff = no\nlmtp_tls_security_level = may\n"
        );
        if let Some((certificate, key)) = &self.options.tls {
            let (certificate, key) = (certificate.display(), key.display());
            let _ = writeln!(
                text,
                "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}"
            );
        }
        if let Some(path) = &self.options.sasl {
            let _ = writeln!(text, "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {path}");
            let _ = writeln!(text, "mynetworks =\nsmtpd_client_restrictions = permit_sasl_authenticated, reject");
        }
        if let Some((domain, ..)) = &self.options.mailboxes {
            let _ = write!(
                text,
                "virtual_mailbox_domains = {domain}\nvirtual_mailbox_maps = static:all\nvirtual_transport = mailbox\n\
                 virtual_mailbox_limit = 0\nmailbox_destination_recipient_limit = 1\n"
            );
        }
        for (key, value) in &self.options.settings {
            let _ = writeln!(text, "{key} = {value}");
        }
        text
    }

    fn master(&self) -> String {
        let mut text = format!("127.0.0.1:{} inet n - n - - smtpd\n", self.smtp);
        if self.options.tls.is_some() {
            let _ = writeln!(text, "127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes", self.smtps);
        }
        // A mail whose next try comes while its last one has not ended yet is passed over ("still being delivered") and
        // lies in the incoming queue until the queue manager wakes up: with pauses of a second that happens, and five
        // minutes are too long.
        text.push_str(
            "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 2 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\n\
             rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
             verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\n\
             relay unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\nretry unix - - n - - error\n\
             discard unix - - n - - discard\nlmtp unix - - n - - lmtp\nvirtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\n\
             postlog unix-dgram n - n - 1 postlogd\n",
        );
        if let Some((_, _, user, _)) = &self.options.mailboxes {
            let user = name(*user);
            let _ = writeln!(
                text,
                "mailbox unix - n n - - pipe\n  user={user} argv={}/etc/deliver ${{user}}",
                self.folder.path().display()
            );
        }
        for service in &self.options.services {
            text.push_str(service);
            text.push('\n');
        }
        text
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Gives a folder to this process and to Postfix's group, which whatever is made in it gets too: sockets there can be
/// reached by Postfix.
///
/// # Panics
/// If there is no such group, or the folder is not ours.
pub fn share_with_postfix(folder: &Path) {
    chown(folder, None, id(&["-g", "postfix"])).expect("root may");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o2750)).expect("the folder is ours");
}

/// The answer must be of this kind.
fn heard(answer: &str, kind: char) {
    assert!(answer.starts_with(kind), "Postfix answered: {answer}");
}

/// A mail with CRLF and doubled leading dots, and the dot that ends it.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(mail.len() + 64);
    for line in mail.strip_suffix(b"\n").unwrap_or(mail).split(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

fn lines(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key} {value}\n")).collect()
}

/// A user's name.
fn name(user: u32) -> String {
    let output = Command::new("id").args(["-un", &user.to_string()]).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
