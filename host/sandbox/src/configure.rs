//! `describe`, `configure` and what follows it: what a component is asked once, outside any message.

use super::assets::GroupAssets;
use super::bindings::exports::postigo::plugin::setup::FilterSettings;
use super::contract::{CallFailure, GroupMember, SettingsMistake, WorldDescription};
use super::guest_log::one_line;
use super::refusal::PrepareError;
use super::template::{Instance, LinkedComponent};
use super::world::SelfDescription;
use postigo_model::guest::FailureKind;
use postigo_model::guest::Grant;
use std::sync::Arc;

/// Problems that are passed on.
const PROBLEMS: usize = 1000;
/// Bytes of what a guest wrote before it failed that are repeated.
const LAST_WORDS: usize = 600;
/// Bytes of a problem's place or reason.
const SENTENCE: usize = 4096;

/// Asks a component what it is.
pub(super) fn describe(template: &LinkedComponent, instance: &mut Instance) -> Result<SelfDescription, CallFailure> {
    instance.store.data_mut().begin(None);
    instance.store.data_mut().give_assets(Some(Arc::default()));
    let asked = template.plugin().describe(&mut instance.store, &instance.raw).and_then(|mut described| {
        template.calls().describe(&mut instance.store, &instance.raw, &mut described)?;
        Ok(described)
    });
    let wrote = last_words(instance);
    asked.map_err(|error| instance.store.data().failure(&error).with_last_words(&wrote))
}

/// Gives a component the settings of all filters of a group.
pub(super) fn configure(
    template: &LinkedComponent,
    instance: &mut Instance,
    members: &[GroupMember],
    grants: &[Grant],
) -> Result<(), PrepareError> {
    let settings: Vec<_> = members
        .iter()
        .map(|member| FilterSettings {
            name: member.name.to_string(),
            settings: member.settings.to_string(),
            grants: grants.iter().map(|grant| grant.name().to_owned()).collect(),
        })
        .collect();
    instance.store.data_mut().begin(None);
    instance.store.data_mut().give_assets(Some(Arc::new(GroupAssets::of(members))));
    let configured = template.plugin().configure(&mut instance.store, &instance.raw, &settings);
    instance.store.data_mut().give_assets(None);
    // What it wrote is nobody's log: no message is there yet.
    let wrote = last_words(instance);
    let problems = match configured {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(problems)) => problems,
        Err(error) => return Err(PrepareError::Failed(instance.store.data().failure(&error).with_last_words(&wrote))),
    };
    let named = problems.into_iter().take(PROBLEMS).map(|problem| {
        let member = members.get(problem.filter as usize)?;
        let (place, reason) = (one_line(&problem.place, SENTENCE), one_line(&problem.reason, SENTENCE));
        Some(SettingsMistake { filter: member.name.to_string(), place, reason })
    });
    match named.collect::<Option<Vec<_>>>() {
        Some(problems) if !problems.is_empty() => Err(PrepareError::Problems(problems)),
        Some(_) => Err(output("the component refused the settings without naming a problem")),
        None => Err(output("the component named a problem of a filter that does not exist")),
    }
}

/// Asks a configured component what those of its world alone say then.
pub(super) fn ask_configured(
    template: &LinkedComponent,
    instance: &mut Instance,
    members: &[GroupMember],
) -> Result<WorldDescription, PrepareError> {
    let filters = u32::try_from(members.len()).unwrap_or(u32::MAX);
    instance.store.data_mut().begin(None);
    let asked = template.calls().ask_configured(&mut instance.store, &instance.raw, filters);
    let wrote = last_words(instance);
    asked
        .unwrap_or_else(|error| Err(instance.store.data().failure(&error)))
        .map_err(|failure| PrepareError::Failed(failure.with_last_words(&wrote)))
}

/// The last of what the guest logged or wrote, in one line: where a call failed, the language's own words for it.
pub(super) fn last_words(instance: &mut Instance) -> String {
    let lines: Vec<String> =
        instance.store.data_mut().take_log().into_iter().map(|line| one_line(line.text.trim(), LAST_WORDS)).collect();
    let mut room = LAST_WORDS;
    let kept = lines.iter().rev().take_while(|line| {
        let fits = line.len() <= room;
        room = room.saturating_sub(line.len());
        fits
    });
    let kept = kept.count();
    lines.get(lines.len() - kept..).unwrap_or_default().join(" / ")
}

fn output(message: &str) -> PrepareError {
    PrepareError::Failed(CallFailure { kind: FailureKind::Output, message: message.into() })
}
