//! How parent and child speak: a header in JSON and bytes behind it, each with its length before it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

/// Bytes of a header.
const HEADER: u64 = 64 << 20;
/// Bytes behind a header: a snapshot of the largest memory there is.
const BODY: u64 = 2 << 30;

/// Writes a frame.
pub fn write(to: &mut impl Write, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    to.write_all(&(header.len() as u64).to_le_bytes())?;
    to.write_all(&(body.len() as u64).to_le_bytes())?;
    to.write_all(&header)?;
    to.write_all(body)?;
    to.flush()
}

/// Reads a frame: its header and what comes behind it. The end of what can be read is an error of the kind
/// [`io::ErrorKind::UnexpectedEof`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<(T, Vec<u8>)> {
    let header = length(from, HEADER)?;
    let body = length(from, BODY)?;
    let header = serde_json::from_slice(&part(from, header)?)?;
    Ok((header, part(from, body)?))
}

fn length(from: &mut impl Read, limit: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    let length = u64::from_le_bytes(bytes);
    if length > limit { Err(io::Error::other("a frame is longer than it may be")) } else { Ok(length) }
}

/// Reads a part without believing its length before the bytes are there.
fn part(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_half_of_one_is_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"header", b"body").unwrap();
        assert_eq!(read::<String>(&mut bytes.as_slice()).unwrap(), ("header".to_owned(), b"body".to_vec()));
        bytes.pop();
        assert!(read::<String>(&mut bytes.as_slice()).is_err());
    }
}
