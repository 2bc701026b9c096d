//! A component's filters together: what a component really is. Most authors never see this; [`Each`] does it for them.

use crate::{Description, Filter, Grants, Mail, Problem, Screen, Verdict};
use serde::de::DeserializeOwned;

/// All filters of a component that were configured together.
///
/// Implement it instead of [`Filter`] where filters share something: one automaton over the patterns of all, one model.
/// Export it by `export!(group TYPE)`, or `export!(screened group TYPE)` where it implements [`Screening`] too.
pub trait Group: Sized + 'static {
    /// What the component says of itself.
    fn describe() -> Description;

    /// Takes the settings of all filters of the group, once, before any mail.
    ///
    /// # Errors
    /// Every mistake of every filter.
    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>>;

    /// Judges a mail by the filter of this index in what `configure` was given.
    ///
    /// # Errors
    /// A sentence for the log; the filter's failure policy follows.
    fn evaluate(&self, filter: usize, mail: &Mail<'_>) -> Result<Verdict, String>;
}

/// A group that can tell beforehand which of its filters might match.
pub trait Screening: Group {
    /// The indices of all filters that might match the mail as it is now; one missing is a bug.
    fn screen(&self, mail: &Mail<'_>) -> Vec<u32>;
}

/// One filter's settings as the host gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSettings {
    /// The filter's name.
    pub name: String,
    /// Its settings, JSON.
    pub settings: String,
    /// What it was granted.
    pub grants: Grants,
}

impl FilterSettings {
    /// Reads the settings into a type.
    ///
    /// # Errors
    /// The first thing that does not fit, with its place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let json = &mut serde_json::Deserializer::from_str(&self.settings);
        serde_path_to_error::deserialize(json).map_err(|error| {
            Problem::new(pointer(error.path()), format!("These settings do not fit: {}.", error.inner()))
        })
    }
}

/// A mistake in the settings of one filter of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProblem {
    /// The filter's index.
    pub filter: usize,
    /// The mistake.
    pub problem: Problem,
}

/// A group of filters that share nothing: a value of `F` for each.
#[derive(Debug)]
pub struct Each<F>(Vec<F>);

impl<F: Filter> Group for Each<F> {
    fn describe() -> Description {
        F::describe()
    }

    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        let mut made = Vec::with_capacity(filters.len());
        let mut problems = Vec::new();
        for (filter, settings) in filters.iter().enumerate() {
            match settings.read().map_err(|problem| vec![problem]).and_then(|read| F::new(read, &settings.grants)) {
                Ok(one) => made.push(one),
                Err(mistakes) => problems.extend(mistakes.into_iter().map(|problem| GroupProblem { filter, problem })),
            }
        }
        if problems.is_empty() { Ok(Self(made)) } else { Err(problems) }
    }

    fn evaluate(&self, filter: usize, mail: &Mail<'_>) -> Result<Verdict, String> {
        let one =
            self.0.get(filter).ok_or_else(|| format!("There is no filter {filter} in a group of {}.", self.0.len()))?;
        one.evaluate(mail)
    }
}

impl<F: Screen> Screening for Each<F> {
    fn screen(&self, mail: &Mail<'_>) -> Vec<u32> {
        (0..).zip(&self.0).filter(|(_, one)| one.might_match(mail)).map(|(index, _)| index).collect()
    }
}

/// A path of `serde_path_to_error` as a JSON Pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.extend(["/", &index.to_string()]),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            // The variant of an enum is no step in the JSON; an unknown segment has no name to give.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
