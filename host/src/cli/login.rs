//! Who runs a command: the login name of the process's real user, as it is noted beside what the command changes.

use postigo_model::text::{beginning, on_one_line};

/// A name has so many bytes at most.
const LONGEST: usize = 64;
/// Where the users of the machine are. What a directory server has besides is not asked: the id of such a user is noted.
const USERS: &str = "/etc/passwd";

/// The user: `anna`, `uid 1000` where the machine has no name for that, and `root, by sudo of anna` where sudo says for
/// whom it runs the command, which is its word alone.
pub fn user() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    told(id, &users, std::env::var("SUDO_USER").ok().as_deref())
}

fn told(id: u32, users: &str, sudo_user: Option<&str>) -> String {
    let mut users = users.lines().map(|line| line.split(':'));
    let found = users.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| shown(name))
    });
    let name = found.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("uid {id}"));
    match sudo_user.map(shown).filter(|user| !user.is_empty() && *user != name) {
        Some(user) => format!("{name}, by sudo of {user}"),
        None => name,
    }
}

fn shown(name: &str) -> String {
    on_one_line(beginning(name, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nanna:x:1000:1000:Anna:/home/anna:/bin/sh\n";

    #[test]
    fn the_user_of_a_command_is_its_login_name_or_its_id_and_whom_sudo_names() {
        assert_eq!(told(1000, USERS, None), "anna");
        assert_eq!(told(0, USERS, Some("anna")), "root, by sudo of anna");
        assert_eq!(told(0, USERS, Some("root")), "root");
        assert_eq!(told(0, USERS, Some("")), "root");
        assert_eq!(told(7, USERS, None), "uid 7");
        assert_eq!(told(7, "", None), "uid 7");
    }

    #[test]
    fn a_name_is_printable_and_bounded() {
        let long = format!("a\n\u{1b}[2J{}", "x".repeat(1_000));
        let told = told(0, USERS, Some(&long));
        assert!(told.len() < 100 && !told.chars().any(char::is_control), "{told}");
    }
}
