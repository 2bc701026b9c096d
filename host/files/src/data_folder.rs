//! The data folder, and the files in it: mail and keys lie there, so nobody but its owner reads them, whatever the
//! folder itself allows.

use rustix::fs::{Access, Dir, Mode, OFlags, open, openat};
use rustix::path::Arg;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What others than owner and group may do with a file.
const OTHERS: u32 = 0o007;
/// Read, write and search for all others.
const ANYBODY_ELSE: u32 = 0o077;

/// How a folder is opened to see what lies in it.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How a folder is opened that something lies in: as for any path, it need not be readable.
const PARENT: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How what lies in a folder is opened, whatever it is: never through a link, and without waiting for a pipe.
const ENTRY: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Folders within folders: deeper than this nothing of ours lies, and each that is looked into holds a descriptor.
const DEEPEST: u32 = 16;

/// From here on, what this process makes is its owner's alone. To be called before the first thread starts.
pub fn keep_new_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a folder, and those on the way to it, for their owner alone; made by root, they belong to whoever owns the
/// folder that they lie in. One that exists stays as it is: an admin may let a group in.
pub fn make(folder: &Path) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let missing: Vec<&Path> = missing.collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    missing.into_iter().rev().for_each(give_to_owner);
    Ok(())
}

/// Gives what root has made to whoever owns the folder that it lies in: a command that an admin ran as root must leave
/// nothing that the daemon, which is another user, cannot read. What belongs to somebody else than root already stays
/// so, and so does what has several names, which might stand somewhere else. Where it is refused, the log says so.
pub fn give_to_owner(path: &Path) {
    tell_given(path, || {
        let Some((parent, name)) = parent_of(path)? else { return Ok(()) };
        give_entry_to_owner(&parent, name.as_os_str()).map(drop)
    });
}

/// Gives to the owner of its folder, where this is root, and has the log say where that is refused.
fn tell_given(path: &Path, give: impl FnOnce() -> io::Result<()>) {
    if rustix::process::geteuid().is_root()
        && let Err(error) = give()
    {
        tracing::warn!("{} belongs to root, and cannot be given to the owner of its folder: {error}", path.display());
    }
}

/// The folder that something lies in, open, and its name there; nothing has the root of all folders.
fn parent_of(path: &Path) -> io::Result<Option<(File, OsString)>> {
    let absolute = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return Ok(None) };
    Ok(Some((File::from(open(parent, PARENT, Mode::empty())?), name.to_owned())))
}

/// Gives a file or folder in an open folder to the folder's owner; gives it back, open. Both by descriptor, and never
/// through a link: whoever owns the folder could lead a path elsewhere between two looks.
fn give_entry_to_owner(parent: &File, name: impl Arg) -> io::Result<File> {
    let entry = File::from(openat(parent, name, ENTRY, Mode::empty())?);
    give_opened_to_owner(parent, &entry)?;
    Ok(entry)
}

/// The same of what is open already.
fn give_opened_to_owner(parent: &File, entry: &File) -> io::Result<()> {
    let (owner, metadata) = (parent.metadata()?, entry.metadata()?);
    let is_one = metadata.is_dir() || (metadata.is_file() && metadata.nlink() == 1);
    if owner.uid() != 0 && metadata.uid() == 0 && is_one {
        std::os::unix::fs::fchown(entry, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Gives everything that root has made in a folder, as deep as we make folders, to the folders' owners; but for the
/// folder `but_for` in it.
pub fn give_all_to_owner(folder: &Path, but_for: &str) {
    let is_others = std::fs::metadata(folder).is_ok_and(|metadata| metadata.uid() != 0);
    if !is_others || !rustix::process::geteuid().is_root() {
        return;
    }
    let given = open(folder, FOLDER, Mode::empty())
        .map(File::from)
        .map(|opened| give_entries_to_owner(&opened, but_for, DEEPEST));
    if let Err(error) = given {
        tracing::warn!("what root made in {} cannot be given to its owner: {error}", folder.display());
    }
}

/// Every look at what lies in it begins at the descriptor of the folder that was looked into, never at a path.
fn give_entries_to_owner(folder: &File, but_for: &str, depth: u32) {
    for entry in Dir::read_from(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || name.to_bytes() == but_for.as_bytes() {
            continue;
        }
        // What is gone meanwhile, or a link, need not be given to anybody.
        let Ok(entry) = give_entry_to_owner(folder, name) else { continue };
        if depth > 0 && entry.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            give_entries_to_owner(&entry, "", depth - 1);
        }
    }
}

/// What of a data folder this process cannot read and write, sentences: files of another user, made by a command that
/// ran as root perhaps.
pub fn unusable(folder: &Path) -> Vec<String> {
    let mut wanted = vec![folder.to_owned()];
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("postigo.db") || ["worker.lock", "objects", "cache", "key"].contains(&name)
    };
    wanted.extend(entries.filter(is_ours));
    let objects = std::fs::read_dir(folder.join("objects")).into_iter().flatten().flatten();
    wanted.extend(objects.map(|entry| entry.path()).filter(|path| path.is_dir()));
    wanted.iter().filter_map(|path| unusable_path(path)).collect()
}

fn unusable_path(path: &Path) -> Option<String> {
    let metadata = std::fs::symlink_metadata(path).ok().filter(|metadata| !metadata.is_symlink())?;
    let all = if metadata.is_dir() {
        Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK
    } else {
        Access::READ_OK | Access::WRITE_OK
    };
    // The key is only ever read.
    let wanted = if path.file_name().is_some_and(|name| name == "key") { Access::READ_OK } else { all };
    match rustix::fs::accessat(rustix::fs::CWD, path, wanted, rustix::fs::AtFlags::EACCESS) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => None,
        Err(error) => Some(format!(
            "{} cannot be read and written by this daemon: {} (it belongs to the user {}, mode {:03o}; the daemon runs as the user {}). \
             Give it to that user (chown).",
            path.display(),
            io::Error::from(error),
            metadata.uid(),
            metadata.mode() & 0o777,
            rustix::process::geteuid().as_raw(),
        )),
    }
}

/// Makes a folder of the data folder for its owner alone, and closes one that everybody could look into.
pub fn make_private(folder: &Path) -> io::Result<()> {
    make(folder)?;
    close(folder);
    give_to_owner(folder);
    Ok(())
}

/// Opens a file of the data folder for reading and writing, for its owner alone: makes it where it is missing, never
/// through a link, and closes one that everybody could read. All of that is done to what was opened, in the folder that
/// it was opened in.
pub fn open_private(path: &Path) -> io::Result<File> {
    let is_none = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    let (parent, name) = parent_of(path)?.ok_or_else(is_none)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(&parent, name.as_os_str(), flags, Mode::RUSR | Mode::WUSR)?);
    if !file.metadata()?.is_file() {
        return Err(is_none());
    }
    close_opened(&file, path);
    tell_given(path, || give_opened_to_owner(&parent, &file));
    Ok(file)
}

/// Takes a file or folder of the data folder away from everybody, if it is there and everybody could read or change it.
/// One that only a group shares was shared on purpose, with a program that makes backups perhaps, and stays so. Where
/// that is refused, the log says so.
pub fn close(path: &Path) {
    // By descriptor, and never through a link. What cannot be opened is no file of ours, or is gone.
    if let Ok(opened) = open(path, ENTRY, Mode::empty()) {
        close_opened(&File::from(opened), path);
    }
}

/// The same of what is open already; `path` is what it is called.
fn close_opened(opened: &File, path: &Path) {
    let Ok(metadata) = opened.metadata() else { return };
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS == 0 {
        return;
    }
    match opened.set_permissions(Permissions::from_mode(mode & !ANYBODY_ELSE)) {
        Ok(()) => {
            tracing::info!("{} could be read by everybody (mode {mode:03o}); now its owner alone may", path.display());
        }
        Err(error) => tracing::warn!(
            "{} can be read by everybody (mode {mode:03o}), and that cannot be changed: {error}",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn what_everybody_could_read_is_closed_and_what_a_group_shares_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (before, after) in [(0o644, 0o600), (0o666, 0o600), (0o755, 0o700), (0o640, 0o640), (0o600, 0o600)] {
            let path = folder.path().join(format!("{before:o}"));
            std::fs::write(&path, "x").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            close(&path);
            assert_eq!(mode(&path), after, "{before:o}");
        }
    }

    #[test]
    fn a_private_file_is_made_for_its_owner_and_never_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other, link) = (folder.path().join("file"), folder.path().join("other"), folder.path().join("link"));
        open_private(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert!(open_private(&link).is_err());
        assert!(!other.exists());
    }
}
