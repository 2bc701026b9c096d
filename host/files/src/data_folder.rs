//! The data folder, and the files in it: mail and keys lie there, so nobody but its owner reads them, whatever the
//! folder itself allows.

use rustix::fs::{Mode, OFlags, fstat, open};
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// What others than owner and group may do with a file.
const OTHERS: u32 = 0o007;
/// Read, write and search for all others.
const ANYBODY_ELSE: u32 = 0o077;

/// From here on, what this process makes is its owner's alone. To be called before the first thread starts.
pub fn keep_new_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a folder, and those on the way to it, for their owner alone. One that exists stays as it is: an admin may let
/// a group in.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes a folder of the data folder for its owner alone, and closes one that everybody could look into.
pub fn make_private(folder: &Path) -> io::Result<()> {
    make(folder)?;
    close(folder);
    Ok(())
}

/// Opens a file of the data folder for reading and writing, for its owner alone: makes it where it is missing, never
/// through a link, and closes one that everybody could read.
pub fn open_private(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
    if rustix::fs::FileType::from_raw_mode(fstat(&file)?.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    close(path);
    Ok(File::from(file))
}

/// Takes a file or folder of the data folder away from everybody, if it is there and everybody could read or change it.
/// One that only a group shares was shared on purpose, with a program that makes backups perhaps, and stays so. Where
/// that is refused, the log says so.
pub fn close(path: &Path) {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
    let mode = metadata.mode() & 0o777;
    if metadata.is_symlink() || mode & OTHERS == 0 {
        return;
    }
    match std::fs::set_permissions(path, Permissions::from_mode(mode & !ANYBODY_ELSE)) {
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
