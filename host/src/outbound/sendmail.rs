//! The transport that hands mail to a command of this machine, as every mail server has one (`sendmail -i -f SENDER -- RECIPIENT…`).

use super::content;
use super::reply::{Replies, Reply, all};
use crate::config::Transport;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// Where the command is when none is configured.
const USUAL: &str = "/usr/sbin/sendmail";
/// So much of what the command says is kept.
const LONGEST_WORDS: u64 = 1_000;

fn path(transport: &Transport) -> &str {
    if transport.host.is_empty() { USUAL } else { &transport.host }
}

/// Hands the mail over. The error says why the command could not be started; then nothing was sent.
pub async fn send(transport: &Transport, sender: &str, recipients: &[String], raw: &[u8]) -> Result<Replies, String> {
    let (fit, unfit): (Vec<&String>, Vec<&String>) = recipients.iter().partition(|recipient| !recipient.chars().any(char::is_control));
    let mut replies: Replies = unfit
        .into_iter()
        .map(|recipient| (recipient.clone(), Reply::Refused("The address holds a control character; mail cannot be sent to it.".into())))
        .collect();
    if fit.is_empty() || sender.chars().any(char::is_control) {
        return Ok(if fit.is_empty() {
            replies
        } else {
            all(recipients, &Reply::Refused("The sender's address holds a control character.".into()))
        });
    }
    let mut command = Command::new(path(transport));
    // No shell, and `--` before what comes from outside: an address is never an option.
    command.args(["-i", "-f", if sender.is_empty() { "<>" } else { sender }, "--"]).args(&fit);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| format!("The command {} could not be started: {error}.", path(transport)))?;
    let reply = match tokio::time::timeout(Duration::from_secs(transport.timeout), hand_over(child, raw)).await {
        Ok(reply) => reply,
        Err(_) => Reply::Unknown(format!("The command {} did not end within {} s; it was killed.", path(transport), transport.timeout)),
    };
    replies.extend(fit.into_iter().map(|recipient| (recipient.clone(), reply.clone())));
    Ok(replies)
}

async fn hand_over(mut child: Child, raw: &[u8]) -> Reply {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let mut words = Vec::new();
    let write = async {
        // A command that ends without reading everything says by its status what that means.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&content::with_lf(raw)).await;
            let _ = stdin.shutdown().await;
        }
    };
    let read = async {
        if let Some(stderr) = stderr {
            let mut bounded = stderr.take(LONGEST_WORDS);
            let _ = bounded.read_to_end(&mut words).await;
            // The rest is read too, or the command would wait for a reader.
            let _ = tokio::io::copy(&mut bounded.into_inner(), &mut tokio::io::sink()).await;
        }
    };
    let ((), (), status) = tokio::join!(write, read, child.wait());
    let words: String = String::from_utf8_lossy(&words).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match status {
        Ok(status) => meaning(status.code(), words.trim()),
        Err(error) => Reply::Unknown(format!("What became of the command is not known: {error}.")),
    }
}

/// What an exit status means (sysexits.h): success, for now, for good.
fn meaning(code: Option<i32>, words: &str) -> Reply {
    let said = |code: i32| if words.is_empty() { format!("exit status {code}") } else { format!("exit status {code}: {words}") };
    match code {
        Some(0) => Reply::Accepted("The command took it.".into()),
        // EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE, EX_PROTOCOL, EX_NOPERM.
        Some(code @ (64 | 65 | 67 | 68 | 69 | 76 | 77)) => Reply::Refused(said(code)),
        Some(code) => Reply::Later(said(code)),
        None => Reply::Unknown("The command was killed.".into()),
    }
}

/// What there is to say of the command.
pub fn probe(transport: &Transport) -> Result<Vec<(&'static str, String)>, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = Path::new(path(transport));
    let found = std::fs::metadata(path).map_err(|error| format!("The command {} cannot be used: {error}.", path.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is no command that can be run.", path.display()));
    }
    Ok(vec![("command", format!("{} can be run", path.display()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn command(script: &str) -> (tempfile::TempDir, Transport) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sendmail");
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let transport = Transport { host: path.display().to_string(), timeout: 10, ..Transport::default() };
        (folder, transport)
    }

    #[tokio::test]
    async fn the_command_gets_envelope_and_bytes() {
        let (folder, transport) = command("printf '%s\\n' \"$@\" > arguments; cat > bytes");
        let recipients = ["-oQ/tmp@x.example".to_owned(), "b@x.example".to_owned()];
        let replies = send(&transport, "", &recipients, b"Subject: x\r\n\r\n.\r\ny\r\n").await.unwrap();
        assert!(replies.iter().all(|(_, reply)| matches!(reply, Reply::Accepted(_))), "{replies:?}");
        assert_eq!(std::fs::read_to_string(folder.path().join("arguments")).unwrap(), "-i\n-f\n<>\n--\n-oQ/tmp@x.example\nb@x.example\n");
        assert_eq!(std::fs::read(folder.path().join("bytes")).unwrap(), b"Subject: x\n\n.\ny\n");
    }

    #[tokio::test]
    async fn the_exit_status_says_whether_to_try_again() {
        for (script, expected) in [
            ("cat >/dev/null; echo 'no such user' >&2; exit 67", Reply::Refused("exit status 67: no such user".into())),
            ("exit 75", Reply::Later("exit status 75".into())),
            ("exit 1", Reply::Later("exit status 1".into())),
            ("kill -9 $$", Reply::Unknown("The command was killed.".into())),
        ] {
            let (_folder, transport) = command(script);
            let replies = send(&transport, "a@x.example", &["b@x.example".to_owned()], &vec![b'x'; 200_000]).await.unwrap();
            assert_eq!(replies, [("b@x.example".to_owned(), expected)], "{script}");
        }
        let missing = Transport { host: "/nowhere/sendmail".into(), ..Transport::default() };
        let why = send(&missing, "a@x.example", &["b@x.example".to_owned()], b"x").await.unwrap_err();
        assert!(why.contains("/nowhere/sendmail"), "{why}");
        assert_eq!(probe(&missing).unwrap_err(), "The command /nowhere/sendmail cannot be used: No such file or directory (os error 2).");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_and_its_mail_uncertain() {
        let (_folder, transport) = command("exec sleep 60");
        let transport = Transport { timeout: 1, ..transport };
        let replies = send(&transport, "a@x.example", &["b@x.example".to_owned()], b"x").await.unwrap();
        assert!(matches!(replies.first(), Some((_, Reply::Unknown(_)))), "{replies:?}");
    }
}
