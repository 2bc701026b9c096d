//! Regular files, opened without waiting and read up to a bound.
//!
//! Where strangers may put something into a folder that is read here, a named pipe would make the reader wait for ever,
//! a device has no end, and a link leads out of the folder. So a folder's files are opened below its own descriptor,
//! never through a link; a file that an admin named may be reached through one. Either way only a regular file is
//! opened, and nothing is read beyond a bound.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, open, openat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// How a folder is opened that is only passed: as for any path, it need not be readable.
const PASSING: OFlags = OFlags::PATH;

/// Certificates and keys in PEM form have at most so many bytes.
pub const LARGEST_PEM: u64 = 4 << 20;

/// What is known of a regular file before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// What lies under a name of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderEntry {
    /// A regular file of so many bytes.
    Regular(Size),
    /// A folder.
    Folder,
    /// Anything else; the words go after "it is".
    Special(&'static str),
}

/// What becomes of a folder on the way that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingFolder {
    /// It is an error.
    Fails,
    /// It is made, for its owner alone.
    IsMade,
}

/// A way that led no further, and where.
struct BlockedPath {
    at: PathBuf,
    error: io::Error,
}

impl BlockedPath {
    /// The error, with the place.
    fn named(self) -> io::Error {
        io::Error::new(self.error.kind(), format!("{}: {}", self.at.display(), self.error))
    }
}

/// A folder that is open: its names are reached below it, whatever its path leads to by then.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder that an admin named; links on the way are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Opens the folder `below` the one that an admin named. Links on the way to that one are followed; from there on
    /// each folder is opened from the one before, and a link among them is refused: the error names it, unless it
    /// is the last.
    pub fn open_below(named: &Path, below: &Path, missing: MissingFolder) -> io::Result<Self> {
        let root = if below.as_os_str().is_empty() {
            Self::open(named)?
        } else {
            Self(open(named, PASSING | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
        };
        let whole = named.join(below);
        let is_whole = |stopped: &BlockedPath| stopped.at == whole;
        root.walk(named.to_owned(), below, missing)
            .map_err(|stopped| if is_whole(&stopped) { stopped.error } else { stopped.named() })
    }

    /// Opens a folder of this one. A link there is refused: it may lead anywhere.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        self.step(name, OFlags::RDONLY)
    }

    /// Opens a folder below this one, and makes it and those on the way, for their owner alone, where they are missing.
    /// A link among them is refused and named.
    pub fn make_folders(&self, path: &Path) -> io::Result<Self> {
        Self(self.0.try_clone()?).walk(PathBuf::new(), path, MissingFolder::IsMade).map_err(BlockedPath::named)
    }

    /// Goes from this folder, which errors call `from`, to the one `below`, name by name.
    fn walk(self, from: PathBuf, below: &Path, missing: MissingFolder) -> Result<Self, BlockedPath> {
        let (mut folder, mut at) = (self, from);
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let access = if parts.peek().is_some() { PASSING } else { OFlags::RDONLY };
            let next = match part {
                Component::Normal(name) => folder.next(name, access, missing),
                _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a folder below")),
            };
            folder = next.map_err(|error| BlockedPath { at: at.clone(), error })?;
        }
        Ok(folder)
    }

    fn next(&self, name: &OsStr, access: OFlags, missing: MissingFolder) -> io::Result<Self> {
        if missing == MissingFolder::IsMade {
            match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                // What is there need not be made, also where nothing may be.
                Err(_) if self.entry(name).is_ok() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.step(name, access)
    }

    fn step(&self, name: &OsStr, access: OFlags) -> io::Result<Self> {
        let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.0, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Self(folder)),
            // Linux says of a link that it is no folder.
            Err(error @ (Errno::NOTDIR | Errno::LOOP)) => Err(match self.entry(name) {
                Ok(FolderEntry::Special(what)) => not(what, "folder"),
                Ok(FolderEntry::Regular(_)) => not("a file", "folder"),
                _ => error.into(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// What lies under a name; a link is a link, whatever it leads to.
    pub fn entry(&self, name: &OsStr) -> io::Result<FolderEntry> {
        let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(entry_of(stat.st_mode, stat.st_size))
    }

    /// Reads a regular file of this folder whole, if it has at most `most` bytes.
    pub fn read(&self, name: &OsStr, most: u64) -> io::Result<Vec<u8>> {
        read_open(self.open_file(name)?, most)
    }

    /// Reads the beginning of a regular file of this folder, at most `most` bytes.
    pub fn beginning(&self, name: &OsStr, most: u64) -> io::Result<Vec<u8>> {
        let mut beginning = Vec::new();
        self.open_file(name)?.take(most).read_to_end(&mut beginning)?;
        Ok(beginning)
    }

    /// Opens a new regular file of this folder for writing, for its owner alone. What lay there under that name, a file
    /// that was not finished or a link, goes first, and nothing is written through it.
    pub fn replace(&self, name: &OsStr) -> io::Result<File> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Removes a file.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Moves a file into a folder, where what has the name by then is replaced.
    pub fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &to.0, new_name)?)
    }

    /// Makes the folder's own entries durable.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        // Opening a device may already do something to it.
        only_regular(self.entry(name)?)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        checked(openat(&self.0, name, flags, Mode::empty())?)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Opens a regular file that an admin named; links are followed.
pub fn open_named(path: &Path) -> io::Result<File> {
    let stat = rustix::fs::stat(path)?;
    only_regular(entry_of(stat.st_mode, stat.st_size))?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    checked(open(path, flags, Mode::empty())?)
}

/// Reads a regular file that an admin named whole, if it has at most `most` bytes; links are followed.
pub fn read_named(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_open(open_named(path)?, most)
}

/// Reads what `source` gives to its end, if that is at most `most` bytes.
pub fn read_at_most(source: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

fn read_open(file: File, most: u64) -> io::Result<Vec<u8>> {
    if file.metadata()?.len() > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    // It may grow while it is read.
    read_at_most(file, most)
}

/// Between the look and the opening another thing may have taken the name.
fn checked(file: OwnedFd) -> io::Result<File> {
    let stat = fstat(&file)?;
    only_regular(entry_of(stat.st_mode, stat.st_size))?;
    Ok(File::from(file))
}

fn only_regular(entry: FolderEntry) -> io::Result<()> {
    match entry {
        FolderEntry::Regular(_) => Ok(()),
        FolderEntry::Folder => Err(not("a folder", "file")),
        FolderEntry::Special(what) => Err(not(what, "file")),
    }
}

fn not(what: &str, wanted: &str) -> io::Error {
    let regular = if wanted == "file" { "regular " } else { "" };
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a {regular}{wanted}"))
}

fn entry_of(mode: rustix::fs::RawMode, size: i64) -> FolderEntry {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => FolderEntry::Regular(Size(size.try_into().unwrap_or_default())),
        FileType::Directory => FolderEntry::Folder,
        FileType::Symlink => FolderEntry::Special("a link"),
        FileType::Fifo => FolderEntry::Special("a named pipe"),
        FileType::Socket => FolderEntry::Special("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => FolderEntry::Special("a device"),
        FileType::Unknown => FolderEntry::Special("of an unknown kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn said<T: std::fmt::Debug>(result: io::Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    /// A folder with a regular file, a link to it, a named pipe, a link to a device, and a folder with a link to it.
    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        std::fs::write(path.join("file"), "seven b").unwrap();
        symlink(path.join("file"), path.join("link")).unwrap();
        symlink("/dev/zero", path.join("zero")).unwrap();
        std::fs::create_dir(path.join("folder")).unwrap();
        symlink(path.join("folder"), path.join("linked")).unwrap();
        let fifo = rustix::fs::mknodat(rustix::fs::CWD, path.join("pipe"), FileType::Fifo, Mode::RWXU, 0);
        fifo.unwrap();
        let folder = Folder::open(path).unwrap();
        (place, folder)
    }

    #[test]
    fn only_regular_files_of_a_folder_are_read_and_never_through_a_link() {
        let (_place, folder) = folder();
        assert_eq!(folder.read(OsStr::new("file"), 7).unwrap(), b"seven b");
        assert_eq!(folder.beginning(OsStr::new("file"), 3).unwrap(), b"sev");
        assert_eq!(said(folder.read(OsStr::new("link"), 7)), "it is a link, not a regular file");
        assert_eq!(said(folder.read(OsStr::new("zero"), 7)), "it is a link, not a regular file");
        assert_eq!(said(folder.read(OsStr::new("pipe"), 7)), "it is a named pipe, not a regular file");
        assert_eq!(said(folder.read(OsStr::new("folder"), 7)), "it is a folder, not a regular file");
        assert_eq!(said(folder.folder(OsStr::new("linked"))), "it is a link, not a folder");
        assert!(folder.folder(OsStr::new("folder")).is_ok());
    }

    #[test]
    fn what_an_admin_named_may_be_a_link_but_neither_a_pipe_nor_a_device() {
        let (place, _folder) = folder();
        assert_eq!(read_named(&place.path().join("link"), 7).unwrap(), b"seven b");
        assert_eq!(said(read_named(&place.path().join("zero"), 7)), "it is a device, not a regular file");
        assert_eq!(said(read_named(&place.path().join("pipe"), 7)), "it is a named pipe, not a regular file");
    }

    #[test]
    fn nothing_is_read_beyond_the_bound() {
        let (place, folder) = folder();
        assert_eq!(said(folder.read(OsStr::new("file"), 6)), "it has more than 6 bytes");
        assert_eq!(said(read_named(&place.path().join("file"), 6)), "it has more than 6 bytes");
        assert_eq!(said(read_at_most(io::repeat(0), 6)), "it has more than 6 bytes");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        use io::Write as _;
        let (place, folder) = folder();
        folder.replace(OsStr::new("link")).unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read(place.path().join("file")).unwrap(), b"seven b");
        assert_eq!(std::fs::read(place.path().join("link")).unwrap(), b"new");
    }

    #[test]
    fn folders_are_made_below_and_never_through_a_link() {
        let (place, folder) = folder();
        folder.make_folders(Path::new("a/b")).unwrap();
        assert!(place.path().join("a/b").is_dir());
        for path in ["linked/c", "linked"] {
            assert_eq!(said(folder.make_folders(Path::new(path))), "linked: it is a link, not a folder");
        }
        assert!(folder.make_folders(Path::new("../c")).is_err());
        assert!(!place.path().join("folder/c").exists());
    }
}
