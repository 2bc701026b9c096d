//! A folder that an admin gave, or one below it, and how it is reached.
//!
//! Who may write in a folder that the daemon was given (`serve --allow-folder`) could put a link in the place of a
//! folder below it, and lead the daemon wherever the daemon may go. So the given folder is opened by its path, which
//! the admin wrote and which may lead over links, and each further one from the one before it, never through a link.
//! What is made on the way is made in the same manner.

use crate::regular_file::{Folder, MissingFolder};
use std::io;
use std::path::{Path, PathBuf};

/// A folder, as a way that begins where an admin said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenFolder {
    root: PathBuf,
    below: PathBuf,
}

impl GivenFolder {
    /// A folder that somebody with a shell named: all links on the way to it were meant.
    pub fn named(path: &Path) -> Self {
        Self { root: path.to_owned(), below: PathBuf::new() }
    }

    /// The folder of this path, by way of `root`; none where it does not lie there.
    pub fn by_way_of(root: &Path, path: &Path) -> Option<Self> {
        Some(Self { root: root.to_owned(), below: path.strip_prefix(root).ok()?.to_owned() })
    }

    /// Its path, for people.
    pub fn path(&self) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(self.below.components());
        path
    }

    /// Opens it.
    pub fn open(&self) -> io::Result<Folder> {
        Folder::open_below(&self.root, &self.below, MissingFolder::Fails)
    }

    /// Opens it, and makes it and those on the way where they are missing.
    pub fn make(&self) -> io::Result<Folder> {
        std::fs::create_dir_all(&self.root)?;
        Folder::open_below(&self.root, &self.below, MissingFolder::IsMade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// `given/a/b`, the link `given/a/away` to `elsewhere`, which has a folder `b` too, and the link `way` to `given`.
    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for folder in ["given/a/b", "elsewhere/b"] {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        symlink(place.path().join("elsewhere"), place.path().join("given/a/away")).unwrap();
        symlink(place.path().join("given"), place.path().join("way")).unwrap();
        place
    }

    fn below(place: &tempfile::TempDir, root: &str, path: &str) -> GivenFolder {
        let root = place.path().join(root);
        GivenFolder::by_way_of(&root, &root.join(path)).unwrap()
    }

    #[test]
    fn the_given_folder_may_be_a_link_and_what_lies_below_may_not() {
        let place = place();
        for path in ["", "a", "a/b"] {
            for root in ["given", "way"] {
                below(&place, root, path).open().unwrap();
            }
        }
        for path in ["a/away", "a/away/b", "a/away/new/deeper"] {
            let folder = below(&place, "way", path);
            for error in [folder.open().unwrap_err().to_string(), folder.make().unwrap_err().to_string()] {
                assert!(error.ends_with("it is a link, not a folder"), "{error}");
                let names_it = error.starts_with(&place.path().join("way/a/away").display().to_string());
                assert_eq!(names_it, path != "a/away", "what was to be opened is named by whoever asked: {error}");
            }
        }
        let there: Vec<_> = std::fs::read_dir(place.path().join("elsewhere"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(there, ["b"], "nothing was made on the other side");
        GivenFolder::named(&place.path().join("given/a/away/b")).open().unwrap();
    }

    #[test]
    fn what_is_missing_is_made_and_shown_by_its_whole_path() {
        let place = place();
        for path in ["new", "a/new/deeper"] {
            let folder = below(&place, "given", path);
            assert_eq!(folder.open().unwrap_err().kind(), io::ErrorKind::NotFound);
            folder.make().unwrap();
            assert_eq!(folder.path(), place.path().join("given").join(path));
            assert!(folder.path().is_dir());
        }
        let root = below(&place, "not there", "");
        root.make().unwrap();
        assert_eq!(root.path(), place.path().join("not there"));
        assert_eq!(GivenFolder::by_way_of(Path::new("/srv/a"), Path::new("/srv/ab")), None);
    }

    #[test]
    fn folders_on_the_way_need_not_be_readable() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = place();
        let on_the_way = place.path().join("given/a");
        std::fs::set_permissions(&on_the_way, std::fs::Permissions::from_mode(0o100)).unwrap();
        below(&place, "given", "a/b").open().unwrap();
        std::fs::set_permissions(&on_the_way, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}
