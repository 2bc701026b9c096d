//! The transport that hands mail to a command of this machine, as every mail server has one (`sendmail -i -f SENDER --
//! RECIPIENT…`).

use super::content::{ContentParts, Lines};
use super::reply::{RecipientReply, Replies, Unsent, all};
use crate::store::StoreError;
use postigo_net::waiting::waits_for;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

/// So much of what the command says is kept.
const LONGEST_WORDS: u64 = 1_000;

/// The variables that a command gets of the daemon's own; secrets may be among the others.
const VARIABLES: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Hands the mail over to the command at `path`, which ends within `timeout` seconds. On an error nothing was sent.
pub async fn send(
    path: &Path,
    timeout: u64,
    sender: &str,
    recipients: &[String],
    parts: ContentParts,
) -> Result<Replies, Unsent> {
    let (fit, unfit): (Vec<&String>, Vec<&String>) =
        recipients.iter().partition(|recipient| !recipient.chars().any(char::is_control));
    let mut replies: Replies = unfit
        .into_iter()
        .map(|recipient| {
            (
                recipient.clone(),
                RecipientReply::Refused("The address holds a control character; mail cannot be sent to it.".into()),
            )
        })
        .collect();
    if fit.is_empty() || sender.chars().any(char::is_control) {
        return Ok(if fit.is_empty() {
            replies
        } else {
            all(recipients, &RecipientReply::Refused("The sender's address holds a control character.".into()))
        });
    }
    let mut command = Command::new(path);
    command.env_clear().envs(VARIABLES.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // No shell, and `--` before what comes from outside: an address is never an option.
    command.args(["-i", "-f", if sender.is_empty() { "<>" } else { sender }, "--"]).args(&fit);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    waits_for(|| format!("the command {} to take the mail", path.display()));
    let child = command.spawn();
    let child = child.map_err(|error| {
        Unsent::Unreachable(format!("The command {} could not be started: {error}.", path.display()))
    })?;
    let reply = match tokio::time::timeout(Duration::from_secs(timeout), hand_over(child, parts)).await {
        Ok(reply) => reply?,
        Err(_) => RecipientReply::Unknown(format!(
            "The command {} did not end within {timeout} s; it was killed.",
            path.display()
        )),
    };
    replies.extend(fit.into_iter().map(|recipient| (recipient.clone(), reply.clone())));
    Ok(replies)
}

/// Writes the mail and waits for the end. A command that has not got the whole mail is killed before it could take its
/// end for the mail's.
async fn hand_over(mut started: Child, parts: ContentParts) -> Result<RecipientReply, StoreError> {
    let (mut stdin, stderr) = (started.stdin.take(), started.stderr.take());
    // Dropped before its input is: first the kill, then the end of what it reads.
    let mut child = started;
    let mut words = Vec::new();
    let ends = async {
        if let Some(stderr) = stderr {
            let mut bounded = stderr.take(LONGEST_WORDS);
            let _ = bounded.read_to_end(&mut words).await;
            // The rest is read too, or the command would wait for a reader.
            let _ = tokio::io::copy(&mut bounded.into_inner(), &mut tokio::io::sink()).await;
        }
        Ok(child.wait().await)
    };
    let ((), status) = tokio::try_join!(write(&mut stdin, parts), ends)?;
    let words: String =
        String::from_utf8_lossy(&words).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    Ok(match status {
        Ok(status) => meaning(status.code(), words.trim()),
        Err(error) => RecipientReply::Unknown(format!("What became of the command is not known: {error}.")),
    })
}

/// Writes all of the mail, and only then ends the command's input.
async fn write(input: &mut Option<ChildStdin>, mut parts: ContentParts) -> Result<(), StoreError> {
    let mut lines = Lines::of_command();
    if let Some(stdin) = input {
        while let Some(part) = parts.next().await? {
            // A command that ends without reading everything says by its status what that means.
            if stdin.write_all(&lines.of(&part)).await.is_err() {
                break;
            }
        }
        let _ = stdin.flush().await;
    }
    drop(input.take());
    Ok(())
}

/// What an exit status means (sysexits.h): success, for now, for good.
fn meaning(code: Option<i32>, words: &str) -> RecipientReply {
    let said = |code: i32| {
        if words.is_empty() { format!("exit status {code}") } else { format!("exit status {code}: {words}") }
    };
    match code {
        Some(0) => RecipientReply::Accepted("The command took it.".into()),
        // EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE, EX_PROTOCOL, EX_NOPERM.
        Some(code @ (64 | 65 | 67 | 68 | 69 | 76 | 77)) => RecipientReply::Refused(said(code)),
        Some(code) => RecipientReply::Later(said(code)),
        None => RecipientReply::Unknown("The command was killed.".into()),
    }
}

/// What there is to say of the command.
pub fn probe(path: &Path) -> Result<Vec<(&'static str, String)>, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let found =
        std::fs::metadata(path).map_err(|error| format!("The command {} cannot be used: {error}.", path.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{} is no command that can be run.", path.display()));
    }
    Ok(vec![("command", format!("{} can be run", path.display()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    fn command(script: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sendmail");
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    async fn hand_over(path: &Path, sender: &str, recipients: &[&str], raw: &[u8]) -> Result<Replies, Unsent> {
        hand_over_within(10, path, sender, recipients, raw).await
    }

    async fn hand_over_within(
        timeout: u64,
        path: &Path,
        sender: &str,
        recipients: &[&str],
        raw: &[u8],
    ) -> Result<Replies, Unsent> {
        let (_folder, parts) = ContentParts::queued(raw).await;
        send(
            path,
            timeout,
            sender,
            &recipients.iter().map(|recipient| (*recipient).to_owned()).collect::<Vec<_>>(),
            parts,
        )
        .await
    }

    #[tokio::test]
    async fn the_command_gets_envelope_and_bytes() {
        let (folder, path) = command("printf '%s\\n' \"$@\" > arguments; cat > bytes");
        let replies =
            hand_over(&path, "", &["-oQ/tmp@x.example", "b@x.example"], b"Subject: x\r\n\r\n.\r\ny\r\n").await.unwrap();
        assert!(replies.iter().all(|(_, reply)| matches!(reply, RecipientReply::Accepted(_))), "{replies:?}");
        assert_eq!(
            std::fs::read_to_string(folder.path().join("arguments")).unwrap(),
            "-i\n-f\n<>\n--\n-oQ/tmp@x.example\nb@x.example\n"
        );
        assert_eq!(std::fs::read(folder.path().join("bytes")).unwrap(), b"Subject: x\n\n.\ny\n");
    }

    #[tokio::test]
    async fn the_command_does_not_see_what_else_the_daemon_was_told() {
        // Cargo sets some of these for every test.
        assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
        let (folder, path) = command("cat >/dev/null; env > environment");
        hand_over(&path, "a@x.example", &["b@x.example"], b"x").await.unwrap();
        let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
        assert!(environment.contains("PATH=") && !environment.contains("CARGO"), "{environment}");
    }

    #[tokio::test]
    async fn the_exit_status_says_whether_to_try_again() {
        for (script, expected) in [
            (
                "cat >/dev/null; echo 'no such user' >&2; exit 67",
                RecipientReply::Refused("exit status 67: no such user".into()),
            ),
            ("exit 75", RecipientReply::Later("exit status 75".into())),
            ("exit 1", RecipientReply::Later("exit status 1".into())),
            ("kill -9 $$", RecipientReply::Unknown("The command was killed.".into())),
        ] {
            let (_folder, path) = command(script);
            let replies = hand_over(&path, "a@x.example", &["b@x.example"], &vec![b'x'; 200_000]).await.unwrap();
            assert_eq!(replies, [("b@x.example".to_owned(), expected)], "{script}");
        }
        let missing = Path::new("/nowhere/sendmail");
        let unsent = hand_over(missing, "a@x.example", &["b@x.example"], b"x").await.unwrap_err();
        assert!(matches!(&unsent, Unsent::Unreachable(why) if why.contains("/nowhere/sendmail")), "{unsent:?}");
        assert_eq!(
            probe(missing).unwrap_err(),
            "The command /nowhere/sendmail cannot be used: No such file or directory (os error 2)."
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_and_its_mail_uncertain() {
        let (_folder, path) = command("exec sleep 60");
        let replies = hand_over_within(1, &path, "a@x.example", &["b@x.example"], &vec![b'x'; 200_000]).await.unwrap();
        assert!(matches!(replies.first(), Some((_, RecipientReply::Unknown(_)))), "{replies:?}");
    }

    #[tokio::test]
    async fn a_mail_that_cannot_be_read_whole_is_not_taken_for_whole() {
        let (folder, path) = command("cat > bytes && touch whole");
        let (_store, parts) = ContentParts::queued(&vec![b'x'; 3_000_000]).await;
        let unsent =
            send(&path, 10, "a@x.example", &["b@x.example".to_owned()], parts.with_bytes_missing()).await.unwrap_err();
        assert!(matches!(unsent, Unsent::Store(_)), "{unsent:?}");
        assert!(!folder.path().join("whole").exists());
    }
}
