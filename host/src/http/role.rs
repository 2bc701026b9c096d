//! Who may do what: the one table of route × role, which the server enforces, the tests walk and `docs/api-roles.md`
//! prints. Kinds of configured things say for themselves who may change them.
//!
//! A route that is not in the table is not served, whatever handler it may have.

use axum::http::Method;
use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::{About, KindVisitor, visit_kinds};
use std::borrow::Cow;
use std::sync::LazyLock;

pub use postigo_model::role::Role;

/// A row of the table.
#[derive(Debug, Clone)]
pub struct RoleRule {
    /// `GET` stands for `HEAD` as well.
    pub method: Method,
    /// The route as the router and OpenAPI write it, below `/api/v1`.
    pub path: Cow<'static, str>,
    /// The roles that may.
    pub roles: &'static [Role],
}

const ANY: &[Role] = &Role::ALL;
const AGENTS: &[Role] = Role::AGENTS;
const AUTHORS: &[Role] = Role::AUTHORS;
const ADMINS: &[Role] = Role::ADMINS;

const fn rule(method: Method, path: &'static str, roles: &'static [Role]) -> RoleRule {
    RoleRule { method, path: Cow::Borrowed(path), roles }
}

/// The table: what all kinds have, and what else there is.
pub static RULES: LazyLock<Vec<RoleRule>> = LazyLock::new(|| {
    let mut rules = RulesOfKinds(Vec::new());
    visit_kinds(&mut rules);
    rules.0.into_iter().chain(OTHER_RULES.iter().cloned()).collect()
});

struct RulesOfKinds(Vec<RoleRule>);

impl KindVisitor for RulesOfKinds {
    fn loaded<K: LoadedKind>(&mut self) {
        self.add(&K::ABOUT, "name");
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.add(&K::ABOUT, K::NAME);
    }
}

impl RulesOfKinds {
    fn add(&mut self, about: &About, parameter: &str) {
        let one = format!("{}/{{{parameter}}}", about.path);
        self.0.push(rule(Method::GET, about.path, ANY));
        self.0.push(rule(Method::POST, about.path, about.editors));
        let mut add = |method, roles| self.0.push(RoleRule { method, path: Cow::Owned(one.clone()), roles });
        add(Method::GET, ANY);
        add(Method::PUT, about.editors);
        add(Method::PATCH, about.editors);
        if about.is_deletable {
            add(Method::DELETE, about.editors);
        }
        let versions = format!("{one}/versions");
        for (method, path, roles) in [
            (Method::GET, versions.clone(), ANY),
            (Method::DELETE, versions.clone(), ADMINS),
            // What somebody changed may have been something that not everybody was to see.
            (Method::GET, format!("{versions}/{{number}}"), about.editors),
            (Method::DELETE, format!("{versions}/{{number}}"), ADMINS),
            (Method::POST, format!("{versions}/{{number}}/restore"), about.editors),
        ] {
            self.0.push(RoleRule { method, path: Cow::Owned(path), roles });
        }
    }
}

/// What there is beside them.
const OTHER_RULES: &[RoleRule] = &[
    rule(Method::POST, "/transports/{name}/test", ADMINS),
    rule(Method::POST, "/filters/{name}/enable", AUTHORS),
    rule(Method::POST, "/filters/{name}/disable", AUTHORS),
    rule(Method::POST, "/filters/{name}/test", AUTHORS),
    rule(Method::GET, "/filters/{name}/upgrade", AUTHORS),
    rule(Method::POST, "/filters/{name}/upgrade", ADMINS),
    rule(Method::POST, "/filters/{name}/rollback", ADMINS),
    rule(Method::GET, "/filters/{name}/history", ANY),
    rule(Method::GET, "/filters/{name}/models", ANY),
    rule(Method::GET, "/filters/{name}/models/{number}", ANY),
    rule(Method::DELETE, "/filters/{name}/models/{number}", ADMINS),
    rule(Method::POST, "/filters/{name}/models/{number}/use", ADMINS),
    rule(Method::POST, "/filters/{name}/train", ADMINS),
    rule(Method::GET, "/filters/{name}/answers", ANY),
    rule(Method::GET, "/chain", ANY),
    rule(Method::POST, "/chain/test", AUTHORS),
    rule(Method::POST, "/chain/replay", AUTHORS),
    rule(Method::GET, "/feedback", ANY),
    rule(Method::POST, "/feedback", AGENTS),
    rule(Method::DELETE, "/feedback/{id}", ADMINS),
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
    rule(Method::GET, "/settings/versions", ANY),
    rule(Method::DELETE, "/settings/versions", ADMINS),
    rule(Method::GET, "/settings/versions/{number}", ADMINS),
    rule(Method::DELETE, "/settings/versions/{number}", ADMINS),
    rule(Method::POST, "/settings/versions/{number}/restore", ADMINS),
    rule(Method::GET, "/tickets", ANY),
    rule(Method::POST, "/tickets", AGENTS),
    rule(Method::GET, "/tickets/{number}", ANY),
    rule(Method::PATCH, "/tickets/{number}", AGENTS),
    rule(Method::GET, "/tickets/{number}/answers", ANY),
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
    rule(Method::POST, "/communications/export", ADMINS),
    rule(Method::GET, "/communications/{id}", ANY),
    rule(Method::GET, "/jobs", ANY),
    rule(Method::GET, "/jobs/{id}", ANY),
    rule(Method::GET, "/jobs/{id}/file", ANY),
    rule(Method::POST, "/jobs/{id}/cancel", AUTHORS),
    rule(Method::GET, "/tokens", ADMINS),
    rule(Method::POST, "/tokens", ADMINS),
    rule(Method::DELETE, "/tokens/{id}", ADMINS),
    rule(Method::GET, "/whoami", ANY),
];

/// The rule of a route.
pub fn find(method: &Method, path: &str) -> Option<&'static RoleRule> {
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
