//! Which host the requests of a listener may name that only this machine reaches.
//!
//! A page of anybody's can have its own name resolve to 127.0.0.1 (DNS rebinding); then the browser of someone at this
//! machine takes the listener for that page's own server, and shows the page what is answered. But its requests still
//! name the page's host. So whoever names a foreign host must have a token, whatever is asked for. The host that
//! providers send browsers back to is named by the configuration, not by who starts Postigo, so that it is answered
//! that one page alone.

use super::ApiState;
use super::auth;
use super::problem::{Problem, ProblemKind};
use super::sign_in;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use postigo_model::configured::{Configuration, OAuth2};
use std::net::IpAddr;

/// Lets through what names this listener, and whoever has a token.
pub async fn check(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let name = match named(request.uri(), request.headers(), request.version()) {
        Ok(name) => name,
        Err(problem) => return problem.into_response(),
    };
    // Only a browser is deceived, and browsers always name a host.
    if let (true, Some(name)) = (state.loopback, name)
        && !is_this_machine(&name)
        && !state.names.iter().any(|own| own.eq_ignore_ascii_case(&name))
        && !(request.uri().path() == sign_in::CALLBACK && is_sent_back_to(&state.live.current().configuration, &name))
        && auth::identify(&state.store, request.headers()).await.is_err()
    {
        let detail = format!(
            "Without a valid token, only this machine's own names are answered here, such as localhost, and not \"{name}\". \
             Where a proxy passes on that name, start Postigo with `serve --host {name}`."
        );
        return Problem::new(ProblemKind::Misdirected, detail).into_response();
    }
    next.run(request).await
}

/// The host that a request names, without its port (RFC 9112, sections 3.2 and 3.3).
fn named(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<Option<String>, Problem> {
    let wrong = |what: &str| Problem::new(ProblemKind::BadRequest, format!("{what} (RFC 9112, section 3.2)."));
    let without_login = |authority: &Authority| {
        // RFC 9110, section 4.2.4: a login before the host is for deceiving people.
        if authority.as_str().contains('@') {
            Err(wrong("The host has a login before it"))
        } else {
            Ok(Some(host(authority)))
        }
    };
    if let Some(authority) = uri.authority() {
        return without_login(authority);
    }
    let mut all = headers.get_all(header::HOST).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => {
            let authority = Authority::try_from(value.as_bytes()).map_err(|_| wrong("The Host header is no host"))?;
            without_login(&authority)
        }
        (None, _) if version < Version::HTTP_11 => Ok(None),
        (None, _) => Err(wrong("There is no Host header")),
        (Some(_), Some(_)) => Err(wrong("There is more than one Host header")),
    }
}

fn host(authority: &Authority) -> String {
    let host = authority.host();
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// An address of this machine, or a name that is never looked up elsewhere (RFC 6761, section 6.3).
fn is_this_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_loopback = address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
    is_loopback || name == "localhost" || name.ends_with(".localhost")
}

/// Whether the admin has had browsers sent back to this host after a sign-in by OAuth2.
fn is_sent_back_to(configuration: &Configuration, name: &str) -> bool {
    let accounts = configuration.accounts.values().filter_map(|account| account.oauth2.as_ref());
    let transports = configuration.transports.values().filter_map(|transport| transport.oauth2.as_ref());
    let is_it = |oauth2: &OAuth2| {
        oauth2.redirect_url.parse::<Uri>().is_ok_and(|url| url.authority().is_some_and(|found| host(found) == name))
    };
    accounts.chain(transports).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, hosts: &[&str], version: Version) -> Result<Option<String>, ()> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        named(&uri.parse().unwrap(), &headers, version).map_err(drop)
    }

    #[test]
    fn the_named_host_is_found_wherever_it_stands() {
        let some = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(of("/", &["LocalHost:8025"], Version::HTTP_11), some("localhost"));
        assert_eq!(of("/", &["evil.example."], Version::HTTP_11), some("evil.example"));
        assert_eq!(
            of("http://evil.example/", &["localhost"], Version::HTTP_11),
            some("evil.example"),
            "the target goes before the header"
        );
        assert_eq!(of("/", &["[::1]:80"], Version::HTTP_11), some("[::1]"));
        assert_eq!(of("/", &[], Version::HTTP_10), Ok(None));
        for hosts in [&[][..], &["localhost", "localhost"], &["a b"], &["localhost/x"], &["evil@localhost"]] {
            assert_eq!(of("/", hosts, Version::HTTP_11), Err(()), "{hosts:?}");
        }
    }

    #[test]
    fn this_machine_has_its_own_names() {
        for name in ["localhost", "postigo.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_this_machine(name), "{name}");
        }
        for name in [
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "",
        ] {
            assert!(!is_this_machine(name), "{name}");
        }
    }
}
