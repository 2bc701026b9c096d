//! The order of the floors, as `docs/architecture.md` draws it.

use super::source::{Sources, root};
use std::collections::BTreeMap;

/// Rooms and crates by floor, counted from above: rooms of one line know nothing of each other, and use what stands on
/// lower lines.
pub struct Plan {
    floor: BTreeMap<String, usize>,
}

impl Plan {
    /// Reads the picture: the block after the heading "Floors", a line a floor, names before the first gap of three
    /// blanks and more.
    pub fn read() -> Self {
        let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
        let (_, after) = page.split_once("\n## Floors\n").expect("docs/architecture.md has a chapter \"Floors\"");
        let picture = after.split("```").nth(1).expect("the chapter has a picture").trim_start_matches("text\n");
        let mut floor = BTreeMap::new();
        for (height, line) in picture.lines().enumerate().filter(|(_, line)| !line.contains("──")) {
            let names = line.trim().split("   ").next().unwrap_or_default();
            for name in names.split(" · ").map(str::trim).filter(|name| !name.is_empty()) {
                assert!(floor.insert(name.to_owned(), height).is_none(), "{name} stands twice in the picture");
            }
        }
        Self { floor }
    }

    /// Every path that leads to its own floor or up, as `FILE: PATH (FROM is above/beside/below TO)`; rooms that the
    /// picture leaves out, too.
    pub fn arrows_up(&self, sources: &Sources) -> Vec<String> {
        let mut found = Vec::new();
        for arrow in sources.arrows() {
            let (from, to) = (&arrow.from_room, &arrow.to_room);
            if from == to {
                continue;
            }
            match (self.floor.get(from), self.floor.get(to)) {
                (Some(from), Some(to)) if from < to => {}
                (Some(_), Some(_)) => {
                    found.push(format!(
                        "{}: {} leads from {from} to {to}, which is not below it",
                        arrow.file, arrow.path
                    ));
                }
                (above, _) => {
                    let missing = if above.is_none() { from } else { to };
                    found.push(format!("{missing} is not in the picture of floors in docs/architecture.md"));
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }
}
