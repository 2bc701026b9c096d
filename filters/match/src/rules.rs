//! All filters of a group.

use crate::rule::Rule;
use crate::screen::Screen;
use crate::settings::{Settings, description};
use postigo_filter::pattern::Cache;
use postigo_filter::{Description, FilterSettings, Group, GroupProblem, Mail, Screening, Verdict};
use std::cell::RefCell;

/// All filters of a group.
#[derive(Debug)]
pub struct Rules {
    filters: Vec<Rule>,
    screen: Screen,
    /// The search caches of all conditions, rule after rule.
    caches: Vec<RefCell<Cache>>,
    /// Where the caches of each rule begin.
    starts: Vec<usize>,
}

impl Group for Rules {
    fn describe() -> Description {
        description()
    }

    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        let mut rules = Vec::with_capacity(filters.len());
        let mut problems = Vec::new();
        for (filter, given) in filters.iter().enumerate() {
            match given.read::<Settings>().map_err(|problem| vec![problem]).and_then(|settings| Rule::new(&settings)) {
                Ok(rule) => rules.push(rule),
                Err(mistakes) => problems.extend(mistakes.into_iter().map(|problem| GroupProblem { filter, problem })),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // Filters of one group have the same grants.
        let may_read_body = filters.first().is_some_and(|filter| filter.grants.has("body"));
        let screen = Screen::new(&rules, may_read_body).map_err(|problem| vec![GroupProblem { filter: 0, problem }])?;
        Ok(Self::with_caches(rules, screen))
    }

    fn evaluate(&self, filter: usize, mail: &Mail<'_>) -> Result<Verdict, String> {
        let rule = self.filters.get(filter).zip(self.starts.get(filter));
        let (rule, start) =
            rule.ok_or_else(|| format!("There is no filter {filter} in a group of {}.", self.filters.len()))?;
        rule.evaluate(mail, self.caches.get(*start..).unwrap_or_default())
    }
}

impl Screening for Rules {
    fn screen(&self, mail: &Mail<'_>) -> Vec<u32> {
        self.screen.candidates(mail)
    }
}

impl Rules {
    /// Makes the caches of all rules one after the other, once nothing else is allocated: what a mail writes is then in
    /// few pages.
    fn with_caches(rules: Vec<Rule>, screen: Screen) -> Self {
        let mut starts = Vec::with_capacity(rules.len());
        let mut caches = Vec::with_capacity(rules.iter().map(|rule| rule.conditions.len()).sum());
        for rule in &rules {
            starts.push(caches.len());
            for condition in &rule.conditions {
                caches.push(RefCell::new(condition.warm_cache()));
            }
        }
        Self { filters: rules, screen, caches, starts }
    }
}
