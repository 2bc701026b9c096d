//! What a filter's `component` means: settled when the filter is made or its `component` changes, and kept by digest
//! from then on.

use super::Catalogue;
use crate::store::components::ComponentRow;
use postigo_model::component_reference::ComponentReference;
use postigo_model::configured::Filter;

/// Settles what a filter is made of; `before` is the filter as it was. What was written again, and the bare name of
/// what the filter has, keep what it has. The error is a sentence for the key `component`.
pub fn settle(before: Option<&Filter>, filter: &mut Filter, catalogue: &Catalogue) -> Result<(), String> {
    let written = filter.component.clone();
    if let Some(before) = before.filter(|before| before.digest.is_some() || catalogue.is_shipped(&before.component))
        && is_the_same(&written, before, catalogue)
    {
        filter.component.clone_from(&before.component);
        filter.digest.clone_from(&before.digest);
        return Ok(());
    }
    filter.digest = None;
    let reference = written.parse::<ComponentReference>().map_err(|error| error.to_string())?;
    let found = match &reference {
        ComponentReference::Name(name) if catalogue.is_shipped(name) => return Ok(()),
        ComponentReference::Name(name) => Some(newest(name, catalogue)?),
        ComponentReference::Version { name, version } => catalogue.by_version(name, version),
        ComponentReference::Digest(digest) => catalogue.by_digest(digest),
    };
    let Some(found) = found else { return Err(missing(&reference, catalogue)) };
    filter.component = found.shown();
    filter.digest = Some(found.digest.clone());
    Ok(())
}

/// Whether what is written is what the filter is made of.
fn is_the_same(written: &str, before: &Filter, catalogue: &Catalogue) -> bool {
    if written == before.component {
        return true;
    }
    let Some(digest) = &before.digest else { return false };
    match written.parse() {
        Ok(ComponentReference::Digest(written)) => written == *digest,
        Ok(ComponentReference::Name(name)) => {
            // One that is gone is known by how it was shown.
            let shown = before.component.split_once('@').map(|(name, _)| name);
            catalogue.by_digest(digest).map(|component| component.name.as_str()).or(shown) == Some(name.as_str())
        }
        _ => false,
    }
}

fn newest<'c>(name: &str, catalogue: &'c Catalogue) -> Result<&'c ComponentRow, String> {
    if let Some(newest) = catalogue.newest_activated(name) {
        return Ok(newest);
    }
    match catalogue.of_name(name).next() {
        Some(waiting) => Err(not_activated(waiting)),
        None => Err(format!("there is no component \"{name}\": none of this name ships with Postigo or was uploaded.")),
    }
}

impl Catalogue {
    /// Why a settled filter may not run: it is valid, and its component was uploaded and not activated. A sentence for
    /// the key `component`.
    pub fn keeps_from_running(&self, filter: &Filter) -> Option<String> {
        let component = self.by_digest(filter.digest.as_deref()?)?;
        (filter.valid.is_valid() && component.activated_at.is_none()).then(|| not_activated(component))
    }
}

/// What is said where a component that is not activated is to run.
fn not_activated(component: &ComponentRow) -> String {
    let shown = component.shown();
    format!(
        "the component {shown} is uploaded and not activated: an admin lets it act by `postigo component activate {shown}`. \
         Until then it can be named by a filter that is not valid, to be tried."
    )
}

fn missing(reference: &ComponentReference, catalogue: &Catalogue) -> String {
    let known = match reference {
        ComponentReference::Version { name, .. } if catalogue.is_shipped(name) => {
            format!("{name} ships with Postigo, so its name alone says which.")
        }
        ComponentReference::Version { name, .. } => {
            let versions: Vec<&str> = catalogue.of_name(name).map(|component| component.version.as_str()).collect();
            if versions.is_empty() {
                "none of this name was uploaded.".to_owned()
            } else {
                format!("there are {}.", versions.join(", "))
            }
        }
        _ => "nothing with this digest was uploaded.".to_owned(),
    };
    format!("there is no component \"{reference}\": {known}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::components::ComponentRow;

    fn uploaded(version: &str, digest: &str, activated: bool) -> ComponentRow {
        ComponentRow {
            digest: digest.repeat(64),
            name: "urgent".into(),
            version: version.into(),
            title: Some(format!("urgent@{version}")),
            uploaded_at: 1,
            uploaded_by: String::new(),
            activated_at: activated.then_some(1),
            activated_by: None,
        }
    }

    fn catalogue(components: &[(&str, &str, bool)]) -> Catalogue {
        let uploaded =
            components.iter().map(|(version, digest, activated)| uploaded(version, digest, *activated)).collect();
        Catalogue::of(vec!["match"], uploaded)
    }

    /// What a filter is made of once this was written for one that was made as `before`.
    fn settled(before: Option<&Filter>, written: &str, catalogue: &Catalogue) -> Result<Filter, String> {
        let mut filter = Filter { name: "f".into(), component: written.into(), ..Filter::default() };
        settle(before, &mut filter, catalogue).map(|()| filter)
    }

    #[test]
    fn a_name_means_the_highest_version_that_is_activated() {
        let catalogue = catalogue(&[("1.10.0", "a", true), ("1.9.0", "b", true), ("2.0.0", "c", false)]);
        let filter = settled(None, "urgent", &catalogue).unwrap();
        assert_eq!((filter.component.as_str(), filter.digest), ("urgent@1.10.0", Some("a".repeat(64))));
        for written in ["urgent@2.0.0", &format!("sha256:{}", "c".repeat(64))] {
            assert_eq!(settled(None, written, &catalogue).unwrap().component, "urgent@2.0.0");
        }
    }

    #[test]
    fn what_is_written_again_keeps_what_it_means_whatever_was_activated_since() {
        let first = catalogue(&[("1.0.0", "a", true)]);
        let filter = settled(None, "urgent", &first).unwrap();
        let later = catalogue(&[("1.0.0", "a", true), ("1.1.0", "b", true)]);
        for written in ["urgent", "urgent@1.0.0", &format!("sha256:{}", "A".repeat(64))] {
            assert_eq!(settled(Some(&filter), written, &later).unwrap().component, "urgent@1.0.0", "{written}");
        }
        assert_eq!(settled(Some(&filter), "urgent@1.1.0", &later).unwrap().component, "urgent@1.1.0");
        assert_eq!(settled(None, "urgent", &later).unwrap().component, "urgent@1.1.0", "a new filter has the newest");
    }

    #[test]
    fn a_filter_stays_what_it_is_when_its_name_comes_to_ship_with_postigo() {
        let filter = settled(None, "urgent", &catalogue(&[("1.0.0", "a", true)])).unwrap();
        let shipping = Catalogue::of(vec!["urgent"], vec![uploaded("1.0.0", "a", true)]);
        assert_eq!(settled(Some(&filter), "urgent", &shipping).unwrap(), filter);
        assert_eq!(settled(None, "urgent", &shipping).unwrap().digest, None, "a new filter has the shipped one");
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let waiting = catalogue(&[("1.0.0", "a", false)]);
        let told = |written: &str| settled(None, written, &waiting).unwrap_err();
        assert!(told("urgent").contains("postigo component activate urgent@1.0.0"), "{}", told("urgent"));
        assert!(told("urgent@3.0.0").contains("there are 1.0.0"));
        assert!(told("Urgent").contains("there is no component \"Urgent\""), "another case is another name");
        assert!(told("match@1.0.0").contains("ships with Postigo"));
        assert!(told("sha256:12").contains("no digest"));
        assert!(told(&"e".repeat(64)).contains("digest"));
    }
}
