//! The files that jobs make: in the folder `exports` of the data folder of the host that made them, for its owner alone,
//! kept as long as the job's row.

use postigo_files::data_folder;
use postigo_supervision::{WorkKind, blocking};
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The folder's name.
pub const FOLDER: &str = "exports";
/// What a file's name ends in until it is whole.
const UNFINISHED: &str = ".part";
/// So many bytes of the file system stay free …
const LEFT_FREE: u64 = 1 << 30;
/// … and a part of it in so many.
const PART_LEFT_FREE: u64 = 20;

/// What the file of a job is called.
pub fn name(job: i64) -> String {
    format!("job-{job}.jsonl")
}

/// Where the file of a job is on this host, once it is whole.
pub fn path(data: &Path, job: i64) -> PathBuf {
    data.join(FOLDER).join(name(job))
}

fn unfinished_path(data: &Path, job: i64) -> PathBuf {
    data.join(FOLDER).join(name(job) + UNFINISHED)
}

/// Opens the unfinished file of a job, to go on after so many bytes; what was written after these is cut off. None where
/// it has fewer: then it is to be begun anew.
pub fn open(data: &Path, job: i64, bytes: u64) -> io::Result<Option<File>> {
    data_folder::make_private(&data.join(FOLDER))?;
    let mut file = data_folder::open_private(&unfinished_path(data, job))?;
    if file.metadata()?.len() < bytes {
        return Ok(None);
    }
    file.set_len(bytes)?;
    file.seek(SeekFrom::Start(bytes))?;
    Ok(Some(file))
}

/// Makes the file of a job whole: so many bytes, durable, and under its name.
pub fn finish(data: &Path, job: i64, file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished_path(data, job), path(data, job))?;
    File::open(data.join(FOLDER))?.sync_all()
}

/// Removes what there is of a job's file.
pub fn remove(data: &Path, job: i64) -> io::Result<()> {
    for path in [unfinished_path(data, job), path(data, job)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Why no more is to be written, where files have little room left: mail has to be stored in the same place. A sentence.
pub fn shortage(data: &Path) -> io::Result<Option<String>> {
    let system = rustix::fs::statvfs(data)?;
    let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
    Ok(shortage_of(bytes(system.f_bavail), bytes(system.f_blocks)))
}

fn shortage_of(free: u64, all: u64) -> Option<String> {
    let left = LEFT_FREE.max(all / PART_LEFT_FREE);
    (free < left).then(|| {
        format!(
            "The data folder's file system has {} MiB left, and exports leave {} MiB free for mail. Make room, or ask \
             for a shorter span of time.",
            free >> 20,
            left >> 20
        )
    })
}

/// Removes what there is of the file of a job that was cancelled. Where that fails, the log says so; it is removed with
/// others that nobody keeps then.
pub async fn discard(data: &Path, job: i64) {
    let data = data.to_owned();
    // A panic has been told of.
    if let Ok(Err(error)) = blocking(WorkKind::Files, "exports", move || remove(&data, job)).await {
        tell_left(job, &error);
    }
}

/// Has the log say that a file could not be removed.
pub fn tell_left(job: i64, error: &io::Error) {
    tracing::warn!(job, %error, "the file of a job that came to nothing could not be removed");
}

/// The jobs that files are of. Other files are none of ours.
pub fn found(data: &Path) -> io::Result<Vec<i64>> {
    let entries = match fs::read_dir(data.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut jobs = Vec::new();
    for entry in entries {
        let file_name = entry?.file_name();
        jobs.extend(file_name.to_str().and_then(|name| {
            let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
            name.strip_prefix("job-")?.strip_suffix(".jsonl")?.parse::<i64>().ok()
        }));
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_goes_on_after_what_is_known_of_it_and_is_its_owners_alone() {
        let data = tempfile::tempdir().unwrap();
        let mut file = open(data.path(), 7, 0).unwrap().unwrap();
        file.write_all(b"known, unknown").unwrap();
        let mut file = open(data.path(), 7, 5).unwrap().unwrap();
        file.write_all(b"!").unwrap();
        assert!(open(data.path(), 7, 99).unwrap().is_none(), "it has fewer");
        finish(data.path(), 7, &file, 6).unwrap();
        assert_eq!(fs::read(path(data.path(), 7)).unwrap(), b"known!");
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o077;
        assert_eq!((mode(path(data.path(), 7)), mode(data.path().join(FOLDER)) & 0o007), (0, 0));
    }

    #[test]
    fn room_is_left_for_mail() {
        const GIB: u64 = 1 << 30;
        assert_eq!(shortage_of(2 * GIB, 10 * GIB), None);
        assert!(shortage_of(GIB - 1, 10 * GIB).unwrap().contains("has 1023 MiB left, and exports leave 1024 MiB free"));
        assert!(shortage_of(4 * GIB, 100 * GIB).unwrap().contains("exports leave 5120 MiB free"));
        let nowhere = shortage(Path::new("/nowhere at all"));
        assert_eq!(nowhere.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn files_are_told_by_their_jobs_and_those_of_others_are_left_alone() {
        let data = tempfile::tempdir().unwrap();
        assert!(found(data.path()).unwrap().is_empty(), "there is no folder yet");
        for job in [1, 2] {
            let file = open(data.path(), job, 0).unwrap().unwrap();
            if job == 1 {
                finish(data.path(), job, &file, 0).unwrap();
            }
        }
        fs::write(data.path().join(FOLDER).join("notes.txt"), "mine").unwrap();
        let mut jobs = found(data.path()).unwrap();
        jobs.sort_unstable();
        assert_eq!(jobs, [1, 2]);
        for job in jobs {
            remove(data.path(), job).unwrap();
        }
        let left: Vec<_> =
            fs::read_dir(data.path().join(FOLDER)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }
}
