//! The world of filters: they judge a mail, and may say beforehand which of them can match.

use crate::contract::{CallFailure, CallReport, ComponentDescription, WorldDescription};
use crate::group::Group;
use crate::guest_log::one_line;
use crate::inspect::shown;
use crate::limits::{LOG_LINE, RESULT_BYTES};
use crate::mail_handle::MailHandle;
use crate::plugin::{PluginExports, SETUP};
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::session::GuestSession;
use crate::world::{Exports, SelfDescription, World, WorldCalls, function, optional_function, typed};
use bindings::exports::postigo::filter::filtering::Verdict as GuestVerdict;
use postigo_mail::Mail;
use postigo_model::guest::FailureKind;
use std::any::Any;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource, TypedFunc};

const FILTERING: &str = "postigo:filter/filtering@1.1.0";
const SCREENING: &str = "postigo:filter/screening@1.1.0";
/// What filters export, generated from `wit/`; the mail is the one that all worlds share.
#[allow(clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package postigo:host; world filtering { export postigo:filter/filtering@1.1.0; }",
        world: "postigo:host/filtering",
        with: { "postigo:message/message": crate::bindings::postigo::message::message },
    });
}

/// Headers that one verdict sets.
const CHANGES: usize = 1_000;
/// Headers that a component may declare; a `*` at the end stands for any number of them.
const HEADERS: usize = 200;
/// Bytes of a declared header.
const HEADER: usize = 200;
/// The beginning of every header that can be set.
const SETTABLE: &str = "X-OTOBO-";

/// What filters alone say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct FilterDescription {
    /// The headers it may set; a trailing `*` stands for any ending.
    pub headers: Vec<String>,
    /// Whether it exports `screening`.
    pub screens: bool,
}

impl From<FilterDescription> for WorldDescription {
    fn from(said: FilterDescription) -> Self {
        Self::of(&said)
    }
}

impl ComponentDescription {
    /// What it says as a filter; nothing where it is none.
    pub fn filter(&self) -> FilterDescription {
        self.of_world.read()
    }
}

/// A header to be set, as the guest gave it, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestHeader {
    /// Header name.
    pub header: String,
    /// Value.
    pub value: String,
}

/// What a filter found, as the guest gave it, its size checked and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it matched.
    pub matched: bool,
    /// Headers to be set.
    pub changes: Vec<GuestHeader>,
    /// Why.
    pub reason: String,
}

/// What `screen` gave.
pub struct ScreenResult {
    /// Indices of the candidates in the group, checked to be in range.
    pub candidates: Vec<u32>,
    /// Names of the headers that were read, in lower case: ask again when one of them changed. `*` stands for all of
    /// them, where the guest read the names or the generation.
    pub read: Vec<String>,
}

/// The world.
pub(crate) struct FilterWorld;

impl World for FilterWorld {
    fn name(&self) -> &'static str {
        "postigo:filter/filter@1.1.0"
    }

    fn exports(&self) -> &'static [&'static str] {
        &[FILTERING, SETUP]
    }

    fn optional_exports(&self) -> &'static [&'static str] {
        &[SCREENING]
    }

    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal> {
        let mut calls = FilterExports::find(component, FILTERING, SCREENING)?;
        calls.settable_headers = Some(function(component, FILTERING, "settable-headers")?);
        Ok(Exports { plugin: Box::new(PluginExports::find(component)?), calls: Box::new(calls) })
    }
}

/// Where a component's calls are.
pub(super) struct FilterExports {
    evaluate: ComponentExportIndex,
    /// None in the version that named them in the description.
    settable_headers: Option<ComponentExportIndex>,
    screen: Option<ComponentExportIndex>,
}

type Evaluate = TypedFunc<(u32, Resource<MailHandle>), (Result<GuestVerdict, String>,)>;
type Screen = TypedFunc<(Resource<MailHandle>,), (Vec<u32>,)>;

/// The calls of an instance.
struct FilterCalls {
    evaluate: Evaluate,
    screen: Option<Screen>,
}

impl FilterExports {
    /// Finds them in these interfaces, of which `screening` is optional.
    pub(super) fn find(component: &Component, filtering: &str, screening: &str) -> Result<Self, UploadRefusal> {
        let screen = optional_function(component, screening, "screen")?;
        Ok(Self { evaluate: function(component, filtering, "evaluate")?, settable_headers: None, screen })
    }
}

impl WorldCalls for FilterExports {
    fn of_instance(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Box<dyn Any + Send>> {
        let evaluate = typed(store, instance, self.evaluate, "evaluate")?;
        let screen = self.screen.map(|screen| typed(store, instance, screen, "screen")).transpose()?;
        Ok(Box::new(FilterCalls { evaluate, screen }))
    }

    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        if let Some(settable_headers) = self.settable_headers {
            typed::<(), (Vec<String>,)>(store, instance, settable_headers, "settable-headers")?;
        }
        self.of_instance(store, instance).map(drop)
    }

    fn describe(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        described: &mut SelfDescription,
    ) -> wasmtime::Result<()> {
        let mut said: FilterDescription = described.of_world.read();
        if let Some(settable_headers) = self.settable_headers {
            let settable_headers = instance.get_typed_func::<(), (Vec<String>,)>(&mut *store, settable_headers)?;
            (said.headers,) = settable_headers.call(store, ())?;
        }
        said.screens = self.screen.is_some();
        described.of_world = said.into();
        Ok(())
    }

    fn check_description(&self, described: &WorldDescription) -> Result<(), String> {
        checked_headers(&described.read::<FilterDescription>().headers)
    }
}

fn checked_headers(headers: &[String]) -> Result<(), String> {
    if headers.len() > HEADERS {
        let declared = headers.len();
        return Err(format!(
            "it declares {declared} headers; at most {HEADERS} are taken, and one that ends in `*` stands for many"
        ));
    }
    match headers.iter().find(|header| !may_be_declared(header)) {
        None => Ok(()),
        Some(wrong) => Err(format!(
            "it declares the header {:?}; filters set {SETTABLE} headers only, of at most {HEADER} bytes, and `*` stands at the end only",
            shown(wrong)
        )),
    }
}

fn may_be_declared(header: &str) -> bool {
    let name = header.strip_suffix('*').unwrap_or(header);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let begins = name.get(..SETTABLE.len()).is_some_and(|start| start.eq_ignore_ascii_case(SETTABLE));
    begins
        && header.len() <= HEADER
        && name.bytes().all(token)
        && (name.len() > SETTABLE.len() || header.ends_with('*'))
}

impl Group {
    /// Whether the component screens.
    pub fn screens(&self) -> bool {
        let calls: &dyn Any = self.calls();
        calls.downcast_ref::<FilterExports>().is_some_and(|calls| calls.screen.is_some())
    }
}

impl GuestSession {
    /// Asks which filters might match the mail as it is now. Only where [`Group::screens`].
    pub fn screen(&mut self, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<ScreenResult> {
        let members = self.group().members();
        let mut read = Vec::new();
        self.call(mail, at_most, |instance, mail| {
            let Some(screen) = instance.calls.downcast_ref::<FilterCalls>().and_then(|calls| calls.screen) else {
                return Ok(Err(output("the component does not screen")));
            };
            instance.store.data_mut().note_reads();
            let candidates = screen.call(&mut instance.store, (mail,));
            read = instance.store.data_mut().reads();
            Ok(checked_candidates(candidates?.0, members))
        })
        .with(|candidates| ScreenResult { candidates, read })
    }

    /// Calls a filter, named by its index in the group. The guest runs for its limit, or for `at_most` where that is
    /// less.
    pub fn evaluate(&mut self, filter: u32, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<Verdict> {
        self.call(mail, at_most, |instance, mail| {
            let Some(evaluate) = instance.calls.downcast_ref::<FilterCalls>().map(|calls| calls.evaluate) else {
                return Ok(Err(output("the component is no filter")));
            };
            Ok(match evaluate.call(&mut instance.store, (filter, mail))?.0 {
                Ok(verdict) => checked_verdict(verdict),
                Err(message) => Err(instance.store.data().returned_error(&one_line(&message, LOG_LINE))),
            })
        })
    }
}

fn output(message: impl Into<String>) -> CallFailure {
    CallFailure { kind: FailureKind::Output, message: message.into() }
}

/// Candidates in ascending order, each once, all of them filters of the group.
fn checked_candidates(mut candidates: Vec<u32>, members: u32) -> Result<Vec<u32>, CallFailure> {
    if candidates.len() > members as usize {
        return Err(output(format!("the screen named {} filters of a group of {members}", candidates.len())));
    }
    if let Some(unknown) = candidates.iter().find(|candidate| **candidate >= members) {
        return Err(output(format!("the screen named filter {unknown} of a group of {members}")));
    }
    candidates.sort_unstable();
    candidates.dedup();
    Ok(candidates)
}

fn checked_verdict(raw: GuestVerdict) -> Result<Verdict, CallFailure> {
    if raw.changes.len() > CHANGES {
        return Err(output(format!("the verdict sets {} headers; at most {CHANGES} are taken", raw.changes.len())));
    }
    let changes: usize =
        raw.changes.iter().map(|change| change.header.len() + change.value.len() + size_of::<GuestHeader>()).sum();
    let size = changes + raw.reason.len();
    if size > RESULT_BYTES {
        return Err(output(format!("the verdict has {size} bytes; at most {RESULT_BYTES} are taken")));
    }
    let changes =
        raw.changes.into_iter().map(|change| GuestHeader { header: change.header, value: change.value }).collect();
    Ok(Verdict { matched: raw.matched, changes, reason: raw.reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(header: &str) -> String {
        checked_headers(&["X-OTOBO-Queue".to_owned(), header.to_owned()]).unwrap_err()
    }

    #[test]
    fn the_contract_says_these_limits() {
        let contract = crate::limits::tests::contract();
        for said in [
            format!("At most {HEADERS}, of {HEADER} bytes each"),
            format!("At most {} changes", crate::limits::tests::written(CHANGES)),
            format!("each change counts {} bytes more", size_of::<GuestHeader>()),
        ] {
            assert!(contract.contains(&said), "{said}");
        }
    }

    #[test]
    fn every_rule_of_declared_headers_bites() {
        assert_eq!(
            checked_headers(&["x-otobo-queue", "X-OTOBO-DynamicField-*", "X-OTOBO-*"].map(str::to_owned)),
            Ok(())
        );
        assert!(wrong("Subject").contains("Subject"));
        assert!(wrong("X-OTOBO-*-Queue").contains("X-OTOBO-*-Queue"));
        assert!(wrong("X-OTOBO-Queue: a\r\nBcc").contains("Bcc"));
        assert!(wrong(&format!("X-OTOBO-{}", "A".repeat(200))).contains("200 bytes"));
        assert!(checked_headers(&vec!["X-OTOBO-Queue".into(); 60_000]).unwrap_err().contains("60000 headers"));
        let long = wrong(&"\u{1b}[2Jx".repeat(100_000));
        assert!(long.len() < 500 && !long.contains('\u{1b}'), "{} bytes", long.len());
    }

    #[test]
    fn what_another_world_says_is_nothing_to_a_filter() {
        let foreign = WorldDescription::of(&serde_json::json!({ "labels": ["spam"], "headers": 7 }));
        assert_eq!(foreign.read::<FilterDescription>(), FilterDescription::default());
        let said = FilterDescription { headers: vec!["X-OTOBO-Queue".into()], screens: true };
        assert_eq!(WorldDescription::from(said.clone()).read::<FilterDescription>(), said);
    }
}
