//! What an upload is: made a component, checked against the contract, compiled and asked to describe itself.

use super::budget::GuestReservation;
use super::component::{Outside, component_of};
use super::configure::describe;
use super::contract::{ComponentDescription, Inspection};
use super::engine::Loader;
use super::fit::{names, world_of};
use super::guest_log::one_line;
use super::limits::{COMPILED_BYTES, DESCRIBE_MEMORY, DESCRIBE_TIME};
use super::refusal::UploadRefusal;
use super::sandbox::Grants;
use super::schema;
use super::snapshot;
use super::template::LinkedComponent;
use super::world::SelfDescription;
use postigo_model::component_reference::{LONGEST_NAME, is_component_name};
use postigo_model::guest::Grant;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of the version.
const VERSION: usize = 64;
/// Bytes of the summary.
const SUMMARY: usize = 1024;
/// Bytes of what was said that are repeated in a refusal.
const SHOWN: usize = 200;

/// Inspects uploaded bytes; `digest` is their SHA-256. What was compiled of a component that is refused after all is
/// handed to `forget`.
pub(super) fn inspect(
    loader: &Loader,
    bytes: &[u8],
    digest: &str,
    forget: impl Fn(&[u8]),
) -> Result<Inspection, UploadRefusal> {
    let component = component_of(bytes, &names(loader.worlds))?;
    let outside = Outside::read(&component)?;
    world_of(&outside, loader.worlds)?;
    // What is compiled here is what `prepare` needs later.
    let (runnable, unsnapshotable) = match snapshot::instrument(&component) {
        Ok((_, instrumented)) => (Cow::Owned(instrumented), None),
        Err(because) => (Cow::Borrowed(component.as_slice()), Some(because)),
    };
    let description = described(loader, &runnable, digest).inspect_err(|_| forget(&runnable))?;
    drop(runnable);
    Ok(Inspection { description, component, unsnapshotable })
}

/// Compiles a component and asks it what it is.
fn described(loader: &Loader, runnable: &[u8], digest: &str) -> Result<ComponentDescription, UploadRefusal> {
    let template = LinkedComponent::new(loader, runnable)?;
    let (compiled, most) = (template.compiled_bytes() >> 20, COMPILED_BYTES >> 20);
    if compiled > most {
        return Err(UploadRefusal::Compile(format!("compiled it has {compiled} MiB; at most {most} are taken")));
    }
    let held = Arc::new(GuestReservation::uncounted());
    let store = template.store(Grants::default(), DESCRIBE_MEMORY, DESCRIBE_TIME, held);
    let mut instance =
        template.instantiate(store).map_err(|not_started| UploadRefusal::Describe(not_started.into()))?;
    template.check_exports(&mut instance)?;
    let described = describe(&template, &mut instance).map_err(UploadRefusal::Describe)?;
    template.calls().check_description(&described.of_world).map_err(UploadRefusal::Description)?;
    check(described, digest).map_err(UploadRefusal::Description)
}

fn check(described: SelfDescription, digest: &str) -> Result<ComponentDescription, String> {
    let SelfDescription { name, version, summary, settings_schema, grants, of_world } = described;
    if !is_component_name(&name) {
        return Err(format!(
            "the name {:?} is not 1 to {LONGEST_NAME} small letters a to z, digits, `.`, `_` and `-`, beginning with a letter or digit",
            shown(&name)
        ));
    }
    if version.len() > VERSION || semver::Version::parse(&version).is_err() {
        return Err(format!("the version {:?} is not one of Semantic Versioning, like 1.2.3", shown(&version)));
    }
    let schema = schema::read(&settings_schema).map_err(|why| format!("the settings schema {why}"))?;
    let askable = |name: &str| Grant::OF_GUESTS.iter().any(|grant| grant.name() == name);
    if let Some(unknown) = grants.iter().find(|grant| !askable(grant)) {
        return Err(format!("it wants the grant {:?}; there are {}", shown(unknown), Grant::list(&Grant::OF_GUESTS)));
    }
    let grants =
        Grant::OF_GUESTS.into_iter().filter(|known| grants.iter().any(|grant| grant == known.name())).collect();
    Ok(ComponentDescription {
        digest: digest.to_owned(),
        name,
        version,
        summary: one_line(&summary, SUMMARY),
        settings_schema: schema,
        grants,
        of_world,
    })
}

/// The beginning of something that may be as long as it likes.
pub(super) fn shown(text: &str) -> String {
    one_line(text, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::WorldDescription;

    fn description() -> SelfDescription {
        SelfDescription {
            name: "match".into(),
            version: "1.0.0".into(),
            summary: "Sets\nheaders.".into(),
            settings_schema: r#"{"type":"object"}"#.into(),
            grants: vec!["body".into()],
            of_world: WorldDescription::of(&serde_json::json!({ "more": 1 })),
        }
    }

    #[test]
    fn a_sound_description_is_taken_in_one_line() {
        let taken = check(description(), "00").unwrap();
        assert_eq!(taken.summary, "Sets headers.");
        // What its world alone has stands beside the rest, and comes back.
        let written = serde_json::to_value(&taken).unwrap();
        assert_eq!((&written["name"], &written["more"]), (&"match".into(), &1.into()));
        assert_eq!(serde_json::from_value::<ComponentDescription>(written).unwrap(), taken);
    }

    #[test]
    fn the_contract_says_these_limits() {
        let contract = crate::limits::tests::contract();
        for said in [
            format!("1 to {LONGEST_NAME} of"),
            format!("of at most {VERSION} bytes"),
            format!("longer than {} KiB is cut", SUMMARY >> 10),
        ] {
            assert!(contract.contains(&said), "{said}");
        }
    }

    #[test]
    fn every_rule_of_a_description_bites() {
        let wrong = |change: fn(&mut SelfDescription)| {
            let mut it = description();
            change(&mut it);
            check(it, "00").unwrap_err()
        };
        assert!(wrong(|it| it.name = "a name".into()).contains("a name"));
        assert!(wrong(|it| it.name = "x".repeat(64)).contains("63"));
        assert!(wrong(|it| it.name = "Match".into()).contains("Match"));
        assert!(wrong(|it| it.name = "match@1.0.0".into()).contains("match@1.0.0"));
        assert!(wrong(|it| it.version = "01.0.0".into()).contains("01.0.0"));
        assert!(wrong(|it| it.version = "1.0".into()).contains("1.0"));
        assert!(wrong(|it| it.version = "1.0.0\n".into()).contains("version"));
        assert!(wrong(|it| it.settings_schema = "{".into()).contains("JSON"));
        assert!(wrong(|it| it.settings_schema = "[]".into()).contains("object"));
        assert!(wrong(|it| it.grants.push("http".into())).contains("http"));
        assert!(wrong(|it| it.settings_schema = r##"{"allOf":[{"$ref":"#"}]}"##.into()).contains("again and again"));
    }

    #[test]
    fn a_refusal_is_short_whatever_was_said() {
        let long = "\u{1b}[2Jx".repeat(100_000);
        let changes: [fn(&mut SelfDescription, String); 4] = [
            |it, long| it.name = long,
            |it, long| it.version = long,
            |it, long| it.grants.push(long),
            |it, long| it.settings_schema = serde_json::json!({ "$ref": long }).to_string(),
        ];
        for change in changes {
            let mut it = description();
            change(&mut it, long.clone());
            let said = check(it, "00").unwrap_err();
            assert!(said.len() < 500 && !said.contains('\u{1b}'), "{} bytes", said.len());
        }
        let mut it = description();
        it.summary = long;
        it.grants = vec!["raw".into(); 100_000];
        let taken = check(it, "00").unwrap();
        assert!(taken.summary.len() <= SUMMARY && !taken.summary.contains('\u{1b}'));
        assert_eq!(taken.grants, [Grant::Raw]);
    }
}
