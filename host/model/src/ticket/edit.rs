//! What a person may change of a ticket, over REST or on the command line.

use super::{LOCKS, StateType, states};
use crate::configured::Configuration;

/// What is to be changed of a ticket; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketEdit {
    /// State name.
    pub state: Option<String>,
    /// Queue name.
    pub queue: Option<String>,
    /// Login; the empty string: nobody.
    pub owner: Option<String>,
    /// `unlock`, `lock`, `tmp_lock`.
    pub lock: Option<String>,
    /// The number of the ticket that stands for this one from now on.
    pub merge_into: Option<String>,
}

impl TicketEdit {
    /// Every mistake: the field and a sentence.
    pub fn check(&self, configuration: &Configuration) -> Vec<(&'static str, String)> {
        let mistakes = [
            ("state", self.state.as_deref().and_then(wrong_state)),
            ("queue", self.queue.as_deref().and_then(|queue| wrong_queue(queue, configuration))),
            ("owner", self.owner.as_deref().and_then(|owner| wrong_owner(owner, configuration))),
            ("lock", self.lock.as_deref().and_then(wrong_lock)),
        ];
        mistakes.into_iter().filter_map(|(field, sentence)| Some((field, sentence?))).collect()
    }
}

fn wrong_state(state: &str) -> Option<String> {
    match StateType::of(state) {
        Some(StateType::Merged) => {
            Some("A ticket gets the state \"merged\" by being merged into another one.".to_owned())
        }
        Some(_) => None,
        None => {
            Some(format!("There is no state \"{state}\"; the states are {}.", states().collect::<Vec<_>>().join(", ")))
        }
    }
}

fn wrong_queue(queue: &str, configuration: &Configuration) -> Option<String> {
    match configuration.queues.get(queue) {
        Some(found) if found.valid.is_valid() => None,
        Some(_) => Some(format!("The queue \"{queue}\" is not valid.")),
        None => Some(format!("There is no queue \"{queue}\".")),
    }
}

fn wrong_owner(owner: &str, configuration: &Configuration) -> Option<String> {
    let known = owner.is_empty() || configuration.settings.agents.iter().any(|agent| agent == owner);
    (!known).then(|| format!("There is no agent \"{owner}\"; the setting `agents` names them."))
}

fn wrong_lock(lock: &str) -> Option<String> {
    (!LOCKS.contains(&lock)).then(|| format!("There is no lock \"{lock}\"; the locks are {}.", LOCKS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configured::{Queue, Validity};

    #[test]
    fn every_unknown_value_is_named() {
        let mut configuration = Configuration::default();
        configuration.settings.agents = vec!["anna".into()];
        for (name, valid) in [("Support", Validity::Valid), ("Old", Validity::Invalid)] {
            configuration.queues.insert(name.into(), Queue { name: name.into(), valid, ..Queue::default() });
        }
        let edit = |state: &str, queue: &str, owner: &str, lock: &str| TicketEdit {
            state: Some(state.into()),
            queue: Some(queue.into()),
            owner: Some(owner.into()),
            lock: Some(lock.into()),
            merge_into: None,
        };
        assert_eq!(edit("open", "Support", "anna", "lock").check(&configuration), []);
        assert_eq!(edit("open", "Support", "", "unlock").check(&configuration), []);
        let wrong: Vec<&str> =
            edit("done", "None", "bob", "shut").check(&configuration).iter().map(|(field, _)| *field).collect();
        assert_eq!(wrong, ["state", "queue", "owner", "lock"]);
        let wrong: Vec<&str> =
            edit("merged", "Old", "", "tmp_lock").check(&configuration).iter().map(|(field, _)| *field).collect();
        assert_eq!(wrong, ["state", "queue"]);
    }
}
