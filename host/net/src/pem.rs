//! Certificates and keys from files that the configuration names. Whoever changes the configuration may name any file
//! of this machine: errors repeat nothing of what is in one.

use postigo_files::regular_file::{LARGEST_PEM, read_named};
use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// All certificates of a file, at least one. Else why not.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|error| told(&error))?;
    if found.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(found) }
}

/// The first private key of a file. Else why there is none.
pub fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        Error::NoItemsFound => "it holds no private key in PEM form".to_owned(),
        error => told(&error),
    })
}

fn told(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        // Their texts repeat lines of the file.
        _ => "it is no PEM".to_owned(),
    }
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    read_named(Path::new(path), LARGEST_PEM).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let told = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            let path = path.display().to_string();
            format!("{:?} {:?}", certificates(&path).unwrap_err(), private_key(&path).unwrap_err())
        };
        for text in [
            "hunter2",
            "-----BEGIN hunter2",
            "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----",
            "-----BEGIN hunter2-----\n",
        ] {
            let told = told(text.as_bytes());
            assert!(!told.contains("hunter2") && !told.contains(&format!("{:?}", b"hunter2")[1..20]), "{told}");
        }
    }
}
