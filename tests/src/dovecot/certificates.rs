//! Certificates of a test server: an authority, and a certificate that it signed, good or bad in one respect.

use std::path::Path;
use std::process::Command;

/// What a server's certificate is like. All are signed by the authority `ca.pem`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and `127.0.0.1`, in force.
    #[default]
    Good,
    /// Ended years ago.
    Expired,
    /// For `mail.invalid`.
    WrongHost,
}

impl Certificate {
    fn names(self) -> &'static str {
        match self {
            Self::Good | Self::Expired => "DNS:localhost,IP:127.0.0.1",
            Self::WrongHost => "DNS:mail.invalid",
        }
    }

    fn validity(self) -> [&'static str; 4] {
        match self {
            Self::Expired => ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"],
            Self::Good | Self::WrongHost => ["-startdate", "20200101000000Z", "-enddate", "20990101000000Z"],
        }
    }
}

/// Makes `ca.pem`, `server.pem` and `server.key` in a folder.
///
/// # Panics
/// If openssl fails, or is not installed.
pub fn make(folder: &Path, certificate: Certificate) {
    let path = |name: &str| folder.join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder is ours");
    write("index.txt", "");
    write(
        "ca.conf",
        &format!(
            "[ca]\ndefault_ca = test\n[test]\ndatabase = {}\nnew_certs_dir = {}\nrand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n\
             [server]\nsubjectAltName = {}\nbasicConstraints = CA:FALSE\n",
            path("index.txt"),
            folder.display(),
            certificate.names()
        ),
    );
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let (ca, ca_key, key, request) = (path("ca.pem"), path("ca.key"), path("server.key"), path("server.csr"));
    let (server, settings) = (path("server.pem"), path("ca.conf"));
    let authority = ["req", "-x509", "-keyout", &ca_key, "-out", &ca, "-subj", "/CN=Test authority", "-days", "30"];
    let asked = ["req", "-keyout", &key, "-out", &request, "-subj", "/CN=localhost"];
    let signed =
        ["ca", "-batch", "-notext", "-config", &settings, "-cert", &ca, "-keyfile", &ca_key, "-extensions", "server"];
    openssl(&[authority.as_slice(), &curve].concat());
    openssl(&[asked.as_slice(), &curve].concat());
    openssl(&[signed.as_slice(), &certificate.validity(), &["-in", &request, "-out", &server]].concat());
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl runs");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
