//! The message files of a Maildir: listed, read, marked, moved and removed below its own folders. Who delivers into it
//! need not be trusted: links, named pipes and devices there are told of, never opened.

use super::read_error::ReadError;
use postigo_files::given_folder::GivenFolder;
use postigo_files::regular_file::{Folder, FolderEntry, Size};
use rustix::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The folders that hold messages: not read yet, and read.
const PARTS: [&str; 2] = ["new", "cur"];

/// A Maildir that is open.
#[derive(Debug)]
pub struct Maildir {
    path: PathBuf,
    root: Folder,
    parts: Vec<(&'static str, Folder)>,
}

/// A message file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFile {
    part: &'static str,
    name: OsString,
    /// Its size when it was listed, in bytes.
    pub size: u64,
}

/// What lies in a Maildir.
#[derive(Debug, Default)]
pub struct MaildirListing {
    /// The messages, oldest first.
    pub messages: Vec<MessageFile>,
    /// What is no regular file, with what it is: `a link`.
    pub special: Vec<(PathBuf, &'static str)>,
    /// Files that vanished while they were listed.
    pub gone: u64,
}

impl Maildir {
    /// Opens a folder that has `new` or `cur`.
    pub fn open(place: &GivenFolder) -> Result<Self, ReadError> {
        let path = place.path();
        let failed = |path: PathBuf| move |reason| ReadError::Io { path, reason };
        let root = place.open().map_err(failed(path.clone()))?;
        let mut parts = Vec::new();
        for part in PARTS {
            match root.folder(OsStr::new(part)) {
                Ok(folder) => parts.push((part, folder)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(reason) => return Err(failed(path.join(part))(reason)),
            }
        }
        if parts.is_empty() {
            return Err(ReadError::NoMaildir(path));
        }
        Ok(Self { path, root, parts })
    }

    /// The messages in `new` and `cur`, and what is none. Hidden files and folders are passed over.
    pub fn list(&self) -> Result<MaildirListing, ReadError> {
        let mut listing = MaildirListing::default();
        for (part, folder) in &self.parts {
            let failed =
                |reason: rustix::io::Errno| ReadError::Io { path: self.path.join(part), reason: reason.into() };
            for entry in Dir::read_from(folder).map_err(failed)? {
                let name = OsString::from_vec(entry.map_err(failed)?.file_name().to_bytes().to_vec());
                if name.as_bytes().starts_with(b".") {
                    continue;
                }
                match folder.entry(&name) {
                    Ok(FolderEntry::Regular(Size(size))) => listing.messages.push(MessageFile { part, name, size }),
                    Ok(FolderEntry::Folder) => {}
                    Ok(FolderEntry::Special(what)) => listing.special.push((self.path.join(part).join(name), what)),
                    Err(_) => listing.gone += 1,
                }
            }
        }
        listing.messages.sort_by_cached_key(|file| {
            let name = file.name.to_string_lossy().into_owned();
            (delivered_at(&name), name)
        });
        Ok(listing)
    }

    /// Where a file lies, for people.
    pub fn path_of(&self, file: &MessageFile) -> PathBuf {
        self.path.join(file.part).join(&file.name)
    }

    /// Reads a message whole, if it has at most `most` bytes.
    pub fn read(&self, file: &MessageFile, most: u64) -> io::Result<Vec<u8>> {
        self.part(file.part)?.read(&file.name, most)
    }

    /// Reads the beginning of a message, at most `most` bytes.
    pub fn beginning(&self, file: &MessageFile, most: u64) -> io::Result<Vec<u8>> {
        self.part(file.part)?.beginning(&file.name, most)
    }

    /// Whether a file is there no longer.
    pub fn is_gone(&self, file: &MessageFile) -> bool {
        let entry = self.part(file.part).and_then(|part| part.entry(&file.name));
        entry.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Removes a message.
    pub fn remove(&self, file: &MessageFile) -> io::Result<()> {
        self.part(file.part)?.remove(&file.name)
    }

    /// Puts a message into `cur` with the flag `S`; false where it has that already.
    pub fn mark_seen(&self, file: &MessageFile) -> io::Result<bool> {
        let Some(name) = file.seen_name() else { return Ok(false) };
        self.part(file.part)?.rename(&file.name, self.part("cur")?, &name)?;
        Ok(true)
    }

    /// Puts a message into the `cur` of another Maildir below this one, which is made where it is missing.
    pub fn move_below(&self, file: &MessageFile, folder: &Path) -> io::Result<()> {
        let maildir = self.root.make_folders(folder)?;
        for part in ["tmp", "new"] {
            maildir.make_folders(Path::new(part))?;
        }
        let cur = maildir.make_folders(Path::new("cur"))?;
        self.part(file.part)?.rename(&file.name, &cur, &file.name)
    }

    fn part(&self, part: &str) -> io::Result<&Folder> {
        let found = self.parts.iter().find(|(name, _)| *name == part).map(|(_, folder)| folder);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("the Maildir has no folder {part}")))
    }
}

impl MessageFile {
    /// What a message is known by: its name before the flags, which stays wherever it goes in the Maildir.
    pub fn unique_name(&self) -> String {
        let name = self.name.to_string_lossy();
        name.split(":2,").next().unwrap_or_default().to_owned()
    }

    /// Whether it has the flag `S`.
    pub fn is_seen(&self) -> bool {
        self.seen_name().is_none()
    }

    /// Its name with the flag `S` (the flags in ASCII order); none if it has it already.
    fn seen_name(&self) -> Option<OsString> {
        let name = self.name.to_string_lossy();
        let (base, flags) = name.split_once(":2,").unwrap_or((&name, ""));
        if flags.contains('S') {
            return None;
        }
        let mut flags: Vec<char> = flags.chars().chain(['S']).collect();
        flags.sort_unstable();
        Some(format!("{base}:2,{}", flags.into_iter().collect::<String>()).into())
    }
}

/// A Maildir's file names begin with the time of delivery in seconds.
fn delivered_at(name: &str) -> u64 {
    name.split(['.', ',', ':']).next().and_then(|seconds| seconds.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn file(part: &'static str, name: &str) -> MessageFile {
        MessageFile { part, name: name.into(), size: 1 }
    }

    #[test]
    fn a_message_keeps_its_name_when_its_flags_change() {
        assert_eq!(file("new", "1.a.host").unique_name(), file("cur", "1.a.host:2,FS").unique_name());
        assert_eq!(file("new", "1.a.host").seen_name(), Some("1.a.host:2,S".into()));
        assert_eq!(file("cur", "1.a.host:2,FT").seen_name(), Some("1.a.host:2,FST".into()));
        assert!(file("cur", "1.a.host:2,S").is_seen());
    }

    #[test]
    fn a_moved_message_lies_in_the_other_maildir() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("new")).unwrap();
        std::fs::write(folder.path().join("new/1.a.host"), "x").unwrap();
        let maildir = Maildir::open(&GivenFolder::named(folder.path())).unwrap();
        let message = maildir.list().unwrap().messages.pop().unwrap();
        maildir.move_below(&message, Path::new("done")).unwrap();
        assert!(folder.path().join("done/cur/1.a.host").exists());
        assert!(maildir.is_gone(&message));
    }

    #[test]
    fn what_is_no_regular_file_is_told_of_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        std::fs::create_dir_all(new.join("a folder")).unwrap();
        std::fs::write(new.join("1.a.host"), "x").unwrap();
        symlink("/etc/passwd", new.join("2.link.host")).unwrap();
        symlink("/dev/zero", new.join("3.zero.host")).unwrap();
        let fifo = new.join("4.pipe.host");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let mut listing = Maildir::open(&GivenFolder::named(folder.path())).unwrap().list().unwrap();
        assert_eq!(listing.messages.iter().map(MessageFile::unique_name).collect::<Vec<_>>(), ["1.a.host"]);
        listing.special.sort();
        let said: Vec<_> =
            listing.special.iter().map(|(path, what)| (path.file_name().unwrap().to_str().unwrap(), *what)).collect();
        assert_eq!(said, [("2.link.host", "a link"), ("3.zero.host", "a link"), ("4.pipe.host", "a named pipe")]);
    }

    #[test]
    fn a_message_that_became_a_link_after_it_was_listed_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join("1.a.host"), "x").unwrap();
        let maildir = Maildir::open(&GivenFolder::named(folder.path())).unwrap();
        let message = maildir.list().unwrap().messages.pop().unwrap();
        std::fs::remove_file(new.join("1.a.host")).unwrap();
        symlink("/etc/passwd", new.join("1.a.host")).unwrap();
        assert_eq!(maildir.read(&message, 100).unwrap_err().to_string(), "it is a link, not a regular file");
    }

    #[test]
    fn a_folder_that_is_a_link_is_no_part_of_a_maildir() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), folder.path().join("new")).unwrap();
        let error = Maildir::open(&GivenFolder::named(folder.path())).unwrap_err().to_string();
        assert!(error.contains("new") && error.contains("it is a link, not a folder"), "{error}");
    }
}
