//! Mail in files: one raw message, an mbox, or a Maildir, read one message at a time and never changed.

use super::maildir_folder::{Maildir, MessageFile};
use super::mbox;
use super::read_error::ReadError;
use postigo_files::given_folder::GivenFolder;
use postigo_files::regular_file;
use postigo_files::regular_file::open_named;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A message in a file has at most so many bytes: 256 MiB. More is no mail.
pub const LARGEST: u64 = 256 << 20;

/// A message found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMessage {
    /// The path as it was given; in an mbox with the number of the message, from 1: `box.mbox#3`.
    pub source: String,
    /// The message's bytes.
    pub raw: Vec<u8>,
}

/// The messages of a path. After an error the others are still read where that can be.
pub struct Messages(FileKind);

enum FileKind {
    Single(PathBuf),
    Mbox { path: PathBuf, reader: mbox::MboxReader<BufReader<File>>, number: u64 },
    Maildir { maildir: Maildir, messages: VecDeque<MessageFile>, special: VecDeque<(PathBuf, &'static str)> },
    Done,
}

/// Opens a path: a folder with `new` or `cur` is a Maildir; a file that begins with an mbox separator is an mbox,
/// unless it is named `.eml`; any other file is one raw message. The path is that of somebody with a shell: links on
/// the way to it are followed, and none below it.
pub fn read(path: &Path) -> Result<Messages, ReadError> {
    let failed = |reason| ReadError::Io { path: path.to_owned(), reason };
    if std::fs::metadata(path).map_err(failed)?.is_dir() {
        let maildir = Maildir::open(&GivenFolder::named(path))?;
        let listing = maildir.list()?;
        return Ok(Messages(FileKind::Maildir {
            maildir,
            messages: listing.messages.into(),
            special: listing.special.into(),
        }));
    }
    let mut file = BufReader::with_capacity(1 << 16, open_named(path).map_err(failed)?);
    let start = file.fill_buf().map_err(failed)?;
    if start.is_empty() {
        return Err(ReadError::Empty(path.to_owned()));
    }
    let named_eml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml"));
    if !named_eml && mbox::begins(start) {
        return Ok(Messages(FileKind::Mbox {
            path: path.to_owned(),
            reader: mbox::MboxReader::new(file, LARGEST),
            number: 0,
        }));
    }
    Ok(Messages(FileKind::Single(path.to_owned())))
}

impl Iterator for Messages {
    type Item = Result<FileMessage, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            FileKind::Single(path) => {
                let found = whole(path);
                self.0 = FileKind::Done;
                Some(found)
            }
            FileKind::Maildir { maildir, messages, special } => {
                if let Some((path, what)) = special.pop_front() {
                    let reason =
                        io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file"));
                    return Some(Err(ReadError::Io { path, reason }));
                }
                let message = messages.pop_front()?;
                let path = maildir.path_of(&message);
                Some(found(&path, maildir.read(&message, LARGEST)))
            }
            FileKind::Mbox { path, reader, number } => match reader.next_message() {
                Ok(Some(raw)) => {
                    *number += 1;
                    Some(Ok(FileMessage { source: format!("{}#{number}", path.display()), raw }))
                }
                Ok(None) => None,
                Err(reason) => {
                    let path = std::mem::take(path);
                    self.0 = FileKind::Done;
                    Some(Err(ReadError::Io { path, reason }))
                }
            },
            FileKind::Done => None,
        }
    }
}

fn whole(path: &Path) -> Result<FileMessage, ReadError> {
    found(path, regular_file::read_named(path, LARGEST))
}

fn found(path: &Path, raw: io::Result<Vec<u8>>) -> Result<FileMessage, ReadError> {
    let raw = raw.map_err(|reason| ReadError::Io { path: path.to_owned(), reason })?;
    if raw.is_empty() {
        return Err(ReadError::Empty(path.to_owned()));
    }
    Ok(FileMessage { source: path.display().to_string(), raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(path: &Path) -> Vec<(String, String)> {
        read(path)
            .unwrap()
            .map(|found| {
                let found = found.unwrap();
                let name = Path::new(&found.source).file_name().unwrap().to_string_lossy().into_owned();
                (name, String::from_utf8(found.raw).unwrap())
            })
            .collect()
    }

    #[test]
    fn one_message_is_read_whole_even_with_a_separator_where_its_name_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let text = "From a@x Fri Aug  9 15:11:47 2002\nSubject: a\n\nb\n";
        let file = folder.path().join("a.eml");
        std::fs::write(&file, text).unwrap();
        assert_eq!(all(&file), [("a.eml".to_owned(), text.to_owned())]);
    }

    #[test]
    fn an_mbox_gives_its_messages_with_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("box.mbox");
        std::fs::write(&file, "From a@x Fri Aug  9 15:11:47 2002\nSubject: a\n\nb\n\nFrom a@x Fri Aug  9 15:11:48 2002\nSubject: c\n\nd\n")
            .unwrap();
        let expected = [
            ("box.mbox#1".to_owned(), "Subject: a\n\nb\n".to_owned()),
            ("box.mbox#2".to_owned(), "Subject: c\n\nd\n".to_owned()),
        ];
        assert_eq!(all(&file), expected);
    }

    #[test]
    fn a_maildir_gives_new_and_cur_by_age() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("cur/1700000002.b.host:2,S", "2"),
            ("new/1700000001.a.host", "1"),
            ("new/900000000.z.host", "0"),
            ("new/.hidden", "x"),
        ] {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let texts: Vec<_> = all(folder.path()).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0", "1", "2"]);
    }

    #[test]
    fn what_is_no_mail_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(ReadError::NoMaildir(_))));
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        assert!(matches!(read(&empty), Err(ReadError::Empty(_))));
        let error = read(&folder.path().join("none")).err().unwrap().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
