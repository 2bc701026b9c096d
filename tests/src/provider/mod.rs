//! An OAuth2 provider on a loopback port: authorization code with PKCE, device code, client credentials, refresh with
//! rotation, and introspection for mail servers. TLS alone, as providers have it.

mod grants;
mod server;

use super::dovecot::{Options, certificates};
use super::ports::free_port;
use grants::Grants;
use postigo_skipped::skipped;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

/// The client that is registered.
pub const CLIENT: &str = "postigo-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "client-not-a-secret-4711";
/// Every token, code and secret that this provider gives has this in it: whoever finds it in an output has found a
/// leak.
pub const MARK: &str = "not-a-secret";

/// A running provider; gone when dropped.
pub struct Provider {
    folder: tempfile::TempDir,
    port: u16,
    grants: Arc<Mutex<Grants>>,
    _runtime: tokio::runtime::Runtime,
}

impl Provider {
    /// Starts a provider; none, and the reason printed, where openssl is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skipped("openssl is not installed");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("postigo-provider-").tempdir().expect("a temporary folder");
        // Dovecot's processes read the authority's certificate.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        certificates::make(folder.path(), certificates::Certificate::Good);
        let (port, grants) = (free_port(), Arc::<Mutex<Grants>>::default());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(server::start(port, folder.path(), Arc::clone(&grants)));
        Some(Self { folder, port, grants, _runtime: runtime })
    }

    /// The certificate authority of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A file with its authority and others'.
    ///
    /// # Panics
    /// If one cannot be read.
    pub fn authorities(&self, others: &[PathBuf]) -> PathBuf {
        let file = self.folder.path().join("authorities.pem");
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a certificate");
        std::fs::write(&file, others.iter().chain([&self.ca()]).map(read).collect::<String>())
            .expect("the folder is ours");
        file
    }

    /// The table `oauth2` of an account or transport.
    pub fn table(&self, flow: &str, redirect_url: &str) -> String {
        let at = format!("https://localhost:{}", self.port);
        format!(
            "oauth2 = {{ client_id = \"{CLIENT}\", client_secret = \"{CLIENT_SECRET}\", authorize_url = \"{at}/authorize\", token_url = \"{at}/token\", \
             device_url = \"{at}/device\", scopes = [\"mail\", \"offline_access\"], flow = \"{flow}\", redirect_url = \"{redirect_url}\" }}"
        )
    }

    /// What makes a Dovecot take this provider's tokens, by these mechanisms alone beside passwords.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn dovecot(&self, mechanisms: &str) -> Options {
        let settings = self.folder.path().join("dovecot-oauth2.conf");
        let text = format!(
            "introspection_mode = post\nintrospection_url = https://localhost:{}/introspect\nusername_attribute = username\n\
             active_attribute = active\nactive_value = true\ntls_ca_cert_file = {}\n",
            self.port,
            self.ca().display()
        );
        std::fs::write(&settings, text).expect("the folder is ours");
        std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).expect("the file is ours");
        let more = format!(
            "auth_mechanisms = plain login {mechanisms}\npassdb {{\n  driver = oauth2\n  mechanisms = {mechanisms}\n  args = {}\n}}",
            settings.display()
        );
        Options { more, ..Options::default() }
    }

    /// What a person does in the browser: signs in and agrees. Gives the address that the browser is sent to.
    ///
    /// # Panics
    /// If the address is not what the protocol asks for.
    pub fn browse(&self, authorize_url: &str, user: &str) -> String {
        assert!(authorize_url.starts_with(&format!("https://localhost:{}/authorize?", self.port)), "{authorize_url}");
        self.grants().authorize(authorize_url, user)
    }

    /// What a person does at another device: types the code.
    ///
    /// # Panics
    /// If the provider gave no such code.
    pub fn type_code(&self, user_code: &str, user: &str) {
        self.grants().approve(user_code, user);
    }

    /// Refuses every request for tokens with this code and these words, until [`Self::recover`].
    pub fn fail(&self, code: &str, words: &str) {
        self.grants().failing = Some((code.to_owned(), words.to_owned()));
    }

    /// Gives tokens again.
    pub fn recover(&self) {
        self.grants().failing = None;
    }

    /// Calls this once, when the next tokens are given and before anybody has them. The provider waits for its end.
    pub fn before_answer(&self, then: impl FnOnce() + Send + 'static) {
        self.grants().before_answer = Some(Box::new(then));
    }

    /// From now on access tokens last so many seconds.
    pub fn access_tokens_last(&self, seconds: u64) {
        self.grants().lasts = seconds;
    }

    /// Tells the next so many polls for a device's tokens to slow down.
    pub fn slow_down(&self, times: u32) {
        self.grants().slow_downs = times;
    }

    /// Makes all access tokens void that were given until now.
    pub fn revoke_access(&self) {
        self.grants().access.clear();
    }

    /// How many requests of a kind came: `authorization_code`, `refresh_token`, `client_credentials`, `device`,
    /// `device_code`, `introspect`.
    pub fn count(&self, kind: &str) -> u32 {
        self.grants().counts.get(kind).copied().unwrap_or_default()
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().expect("nobody panicked")
    }
}

/// Whether something that was said holds a token, a code or a secret.
pub fn leaks(said: &str) -> bool {
    said.contains(MARK)
}

/// Every file below a folder that holds a token, a code or a secret in clear.
///
/// # Panics
/// If the folder cannot be read.
pub fn leaking_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(leaking_files(&path));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).contains(MARK) {
            found.push(path);
        }
    }
    found
}
