//! A disk so small that it fills up: a tmpfs over a folder. Mounting needs root.

use postigo_skipped::skipped;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk; unmounted when dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts an empty disk of so many MiB over a folder; none, and the reason printed, where this is not allowed.
    pub fn over(folder: &Path, mebibytes: u64) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder: folder.to_owned() });
        }
        skipped("a tmpfs cannot be mounted here");
        None
    }

    /// Fills the disk to its last byte.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn fill(&self) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.filler()).expect("a file in the folder");
        for length in [64 << 10, 1 << 10, 1] {
            let block = vec![0_u8; length];
            while file.write_all(&block).is_ok() {}
        }
    }

    /// Gives the space back.
    ///
    /// # Panics
    /// If it was not filled.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
