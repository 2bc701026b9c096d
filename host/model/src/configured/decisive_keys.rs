//! The keys of accounts and transports that decide where their secrets go.

use super::{Account, Destination, OAuth2, Outlet, Tls, Transport};

impl Destination {
    /// Where an account's password or access token goes.
    pub fn of_account(account: &Account) -> Self {
        let port = account.source().server().map(|server| server.port).or(account.port);
        let keys = [
            ("protocol", account.protocol.name().to_owned()),
            ("host", host(&account.host)),
            ("port", number(port)),
            ("user", account.user.clone()),
        ];
        Self::of(keys).with_tls(&account.tls)
    }

    /// Where a transport's password or access token goes.
    pub fn of_transport(transport: &Transport) -> Self {
        let port = if let Outlet::Smtp(smtp) = transport.outlet() { Some(smtp.server.port) } else { transport.port };
        let keys = [
            ("kind", transport.kind.name().to_owned()),
            ("host", host(&transport.host)),
            ("port", number(port)),
            ("user", transport.user.clone()),
            ("allow_insecure_auth", transport.allow_insecure_auth.to_string()),
        ];
        Self::of(keys).with_tls(&transport.tls)
    }

    fn with_tls(self, tls: &Tls) -> Self {
        self.and([("tls.ca", tls.ca.clone()), ("tls.verify", tls.verify.to_string())])
    }

    /// Where a client's secret goes besides: to the provider, and what it buys there to the server.
    #[must_use]
    pub fn through(self, oauth2: Option<&OAuth2>) -> Self {
        let Some(oauth2) = oauth2 else { return self };
        self.and([
            ("oauth2.provider", oauth2.provider.clone()),
            ("oauth2.tenant", oauth2.tenant.clone()),
            ("oauth2.client_id", oauth2.client_id.clone()),
            ("oauth2.authorize_url", oauth2.authorize_url.clone()),
            ("oauth2.token_url", oauth2.token_url.clone()),
            ("oauth2.device_url", oauth2.device_url.clone()),
        ])
    }
}

/// Hosts are the same whatever their case.
fn host(host: &str) -> String {
    host.to_lowercase()
}

fn number(port: Option<u16>) -> String {
    port.unwrap_or_default().to_string()
}
