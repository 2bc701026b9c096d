//! Who may do what: the one table of route × role, which the server enforces, the tests walk and `docs/api-roles.md` prints.
//!
//! A route that is not in the table is not served, whatever handler it may have.

use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything but tokens.
    Reader,
    /// Reads, works on tickets and customer users, submits mail.
    Agent,
    /// Reads, makes dry runs, uploads components that wait for an admin to activate them, and writes filters of activated and shipped ones,
    /// without grants that only an admin gives ([`crate::config::widened`]).
    Author,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, in the order of the table's columns.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Agent, Self::Author, Self::Admin];

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Agent => "agent",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }
}

/// A name that is no role's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("There is no role \"{0}\"; the roles are admin, author, agent and reader.")]
pub struct UnknownRole(String);

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `GET` stands for `HEAD` as well.
    pub method: Method,
    /// The route as the router and OpenAPI write it, below `/api/v1`.
    pub path: &'static str,
    /// The roles that may.
    pub roles: &'static [Role],
}

const ANY: &[Role] = &Role::ALL;
const AGENTS: &[Role] = &[Role::Agent, Role::Admin];
const AUTHORS: &[Role] = &[Role::Author, Role::Admin];
const ADMINS: &[Role] = &[Role::Admin];

const fn rule(method: Method, path: &'static str, roles: &'static [Role]) -> Rule {
    Rule { method, path, roles }
}

/// The table.
pub const RULES: &[Rule] = &[
    rule(Method::GET, "/queues", ANY),
    rule(Method::POST, "/queues", ADMINS),
    rule(Method::GET, "/queues/{name}", ANY),
    rule(Method::PUT, "/queues/{name}", ADMINS),
    rule(Method::PATCH, "/queues/{name}", ADMINS),
    rule(Method::GET, "/system-addresses", ANY),
    rule(Method::POST, "/system-addresses", ADMINS),
    rule(Method::GET, "/system-addresses/{name}", ANY),
    rule(Method::PUT, "/system-addresses/{name}", ADMINS),
    rule(Method::PATCH, "/system-addresses/{name}", ADMINS),
    rule(Method::GET, "/accounts", ANY),
    rule(Method::POST, "/accounts", ADMINS),
    rule(Method::GET, "/accounts/{name}", ANY),
    rule(Method::PUT, "/accounts/{name}", ADMINS),
    rule(Method::PATCH, "/accounts/{name}", ADMINS),
    rule(Method::GET, "/dynamic-fields", ANY),
    rule(Method::POST, "/dynamic-fields", ADMINS),
    rule(Method::GET, "/dynamic-fields/{name}", ANY),
    rule(Method::PUT, "/dynamic-fields/{name}", ADMINS),
    rule(Method::PATCH, "/dynamic-fields/{name}", ADMINS),
    rule(Method::DELETE, "/dynamic-fields/{name}", ADMINS),
    rule(Method::GET, "/auto-responses", ANY),
    rule(Method::POST, "/auto-responses", ADMINS),
    rule(Method::GET, "/auto-responses/{name}", ANY),
    rule(Method::PUT, "/auto-responses/{name}", ADMINS),
    rule(Method::PATCH, "/auto-responses/{name}", ADMINS),
    rule(Method::DELETE, "/auto-responses/{name}", ADMINS),
    rule(Method::GET, "/templates", ANY),
    rule(Method::POST, "/templates", ADMINS),
    rule(Method::GET, "/templates/{name}", ANY),
    rule(Method::PUT, "/templates/{name}", ADMINS),
    rule(Method::PATCH, "/templates/{name}", ADMINS),
    rule(Method::DELETE, "/templates/{name}", ADMINS),
    rule(Method::GET, "/transports", ANY),
    rule(Method::POST, "/transports", ADMINS),
    rule(Method::GET, "/transports/{name}", ANY),
    rule(Method::PUT, "/transports/{name}", ADMINS),
    rule(Method::PATCH, "/transports/{name}", ADMINS),
    rule(Method::DELETE, "/transports/{name}", ADMINS),
    rule(Method::POST, "/transports/{name}/test", ADMINS),
    rule(Method::GET, "/filters", ANY),
    rule(Method::POST, "/filters", AUTHORS),
    rule(Method::GET, "/filters/{name}", ANY),
    rule(Method::PUT, "/filters/{name}", AUTHORS),
    rule(Method::PATCH, "/filters/{name}", AUTHORS),
    rule(Method::DELETE, "/filters/{name}", AUTHORS),
    rule(Method::POST, "/filters/{name}/enable", AUTHORS),
    rule(Method::POST, "/filters/{name}/disable", AUTHORS),
    rule(Method::POST, "/filters/{name}/test", AUTHORS),
    rule(Method::GET, "/filters/{name}/upgrade", AUTHORS),
    rule(Method::POST, "/filters/{name}/upgrade", ADMINS),
    rule(Method::POST, "/filters/{name}/rollback", ADMINS),
    rule(Method::GET, "/filters/{name}/history", ANY),
    rule(Method::GET, "/chain", ANY),
    rule(Method::POST, "/chain/test", AUTHORS),
    rule(Method::GET, "/components", ANY),
    rule(Method::POST, "/components", AUTHORS),
    rule(Method::GET, "/components/{name}", ANY),
    rule(Method::DELETE, "/components/{name}", AUTHORS),
    rule(Method::GET, "/components/{name}/schema", ANY),
    rule(Method::POST, "/components/{name}/activate", ADMINS),
    rule(Method::GET, "/components/{name}/download", ANY),
    rule(Method::POST, "/messages", AGENTS),
    rule(Method::POST, "/accounts/{name}/test", ADMINS),
    rule(Method::POST, "/accounts/{name}/fetch", ADMINS),
    rule(Method::POST, "/accounts/{name}/sign-in", ADMINS),
    rule(Method::GET, "/accounts/{name}/sign-in", ADMINS),
    rule(Method::DELETE, "/accounts/{name}/sign-in", ADMINS),
    rule(Method::POST, "/transports/{name}/sign-in", ADMINS),
    rule(Method::GET, "/transports/{name}/sign-in", ADMINS),
    rule(Method::DELETE, "/transports/{name}/sign-in", ADMINS),
    rule(Method::GET, "/settings", ANY),
    rule(Method::PATCH, "/settings", ADMINS),
    rule(Method::GET, "/customer-users", ANY),
    rule(Method::POST, "/customer-users", AGENTS),
    rule(Method::GET, "/customer-users/{login}", ANY),
    rule(Method::PUT, "/customer-users/{login}", AGENTS),
    rule(Method::PATCH, "/customer-users/{login}", AGENTS),
    rule(Method::DELETE, "/customer-users/{login}", AGENTS),
    rule(Method::GET, "/tickets", ANY),
    rule(Method::POST, "/tickets", AGENTS),
    rule(Method::GET, "/tickets/{number}", ANY),
    rule(Method::PATCH, "/tickets/{number}", AGENTS),
    rule(Method::POST, "/tickets/{number}/articles", AGENTS),
    rule(Method::GET, "/articles/{id}", ANY),
    rule(Method::POST, "/articles/{id}/forward", AGENTS),
    rule(Method::POST, "/articles/{id}/bounce", AGENTS),
    rule(Method::GET, "/articles/{id}/raw", ANY),
    rule(Method::GET, "/spool", ANY),
    rule(Method::GET, "/spool/{id}", ANY),
    rule(Method::DELETE, "/spool/{id}", ADMINS),
    rule(Method::GET, "/spool/{id}/raw", ANY),
    rule(Method::POST, "/spool/{id}/release", ADMINS),
    rule(Method::GET, "/outbound", ANY),
    rule(Method::GET, "/outbound/{id}", ANY),
    rule(Method::GET, "/outbound/{id}/raw", ANY),
    rule(Method::POST, "/outbound/{id}/retry", ADMINS),
    rule(Method::POST, "/outbound/{id}/cancel", ADMINS),
    rule(Method::GET, "/communications", ANY),
    rule(Method::GET, "/communications/overview", ANY),
    rule(Method::GET, "/communications/{id}", ANY),
    rule(Method::GET, "/tokens", ADMINS),
    rule(Method::POST, "/tokens", ADMINS),
    rule(Method::DELETE, "/tokens/{id}", ADMINS),
    rule(Method::GET, "/whoami", ANY),
];

/// The rule of a route.
pub fn find(method: &Method, path: &str) -> Option<&'static Rule> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    RULES.iter().find(|rule| rule.method == *method && rule.path == path)
}

/// The methods that a route has, for the Allow header.
pub fn methods(path: &str) -> Vec<&'static str> {
    RULES.iter().filter(|rule| rule.path == path).map(|rule| rule.method.as_str()).collect()
}

/// The table as Markdown, for `docs/api-roles.md`.
#[cfg(test)]
pub fn as_markdown() -> String {
    let mut page = String::from(
        "# Who may do what over REST\n\nThe server enforces this very table (`host/src/http/role.rs`); a test compares the page with it.\n\n\
         What an author does may take effect on mail: an author writes, enables and deletes filters. What runs in them is an admin's: a valid\n\
         filter is made of a component that ships with Postigo or that an admin activated, and other grants than a shipped component asks for are\n\
         given by an admin, to one filter with one version of its component. An author deletes only components that are not activated.\n\n| route | ",
    );
    page.push_str(&Role::ALL.map(Role::name).join(" | "));
    page.push_str(" |\n| --- | --- | --- | --- | --- |\n");
    let rows = RULES.iter().map(|rule| {
        let cells = Role::ALL.map(|role| if rule.roles.contains(&role) { "yes" } else { "–" }).join(" | ");
        format!("| `{} /api/v1{}` | {cells} |\n", rule.method, rule.path)
    });
    page.extend(rows);
    page
}
