//! Which versions a question is about.

use rayon::prelude::*;
use roaring::RoaringBitmap;

use crate::catalog::{Catalog, Profile, Usage, Version};
use crate::error::Result;
use crate::filter::{Compiled, Filter};
use crate::namespace::Namespace;
use crate::workers;

/// Profiles below which one core is quicker than two.
const PARALLEL_FROM: usize = 8192;

/// A filter and a namespace, decided once a profile where the profile decides.
pub(super) struct Matcher<'a> {
    catalog: &'a Catalog,
    filter: Option<Compiled>,
    /// By profile; empty where every version passes.
    verdicts: Vec<Verdict>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    All,
    None,
    /// The versions' own fields decide.
    Each,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        prefix: Option<&str>,
        bounds: Option<&[String]>,
        filter: Option<&Filter>,
    ) -> Result<Self> {
        if let Some(prefix) = prefix {
            Namespace::validate(prefix)?;
        }
        let filter = filter.map(|filter| filter.compile(catalog)).transpose()?;
        let mut matcher = Self { catalog, filter, verdicts: Vec::new() };
        if prefix.is_some() || bounds.is_some() || matcher.filter.is_some() {
            let names = catalog.namespaces.iter();
            let is_within = |name: &str| {
                prefix.is_none_or(|prefix| Namespace::has_prefix(name, prefix))
                    && bounds.is_none_or(|bounds| bounds.iter().any(|bound| Namespace::has_prefix(name, bound)))
            };
            let within: Vec<bool> = names.map(|(_, name)| is_within(name)).collect();
            let verdict = |profile: &Profile| matcher.verdict(profile, &within);
            let profiles = catalog.profiles();
            matcher.verdicts = if profiles.len() < PARALLEL_FROM {
                profiles.iter().map(verdict).collect()
            } else {
                workers::share(|| profiles.par_iter().map(verdict).collect())
            };
        }
        Ok(matcher)
    }

    fn verdict(&self, profile: &Profile, within: &[bool]) -> Verdict {
        if !within[profile.namespace as usize] {
            return Verdict::None;
        }
        match self.filter.as_ref().map_or(Some(true), |filter| filter.holds_for(profile, self.catalog)) {
            Some(true) => Verdict::All,
            Some(false) => Verdict::None,
            None => Verdict::Each,
        }
    }

    /// Versions that may pass, and the latest time at which one of them shows.
    pub(super) fn scope(&self) -> Usage {
        let mut scope = Usage { versions: 0, latest: i64::MIN };
        for profile in 0..self.catalog.profiles().len() {
            if self.verdicts.get(profile) != Some(&Verdict::None) {
                let usage = self.catalog.usage(profile);
                scope.versions += usage.versions;
                scope.latest = scope.latest.max(usage.latest);
            }
        }
        scope
    }

    /// Records among which are all that pass; `None` where that would be most of them.
    pub(super) fn records(&self) -> Option<RoaringBitmap> {
        let by_word = self.filter.as_ref().and_then(|filter| filter.records(self.catalog));
        let is_few = self.scope().versions * 2 < self.catalog.versions();
        let passing = (0..self.verdicts.len()).filter(|profile| self.verdicts[*profile] != Verdict::None);
        let by_profile = is_few.then(|| self.catalog.with_profiles(passing));
        match (by_word, by_profile) {
            (Some(a), Some(b)) => Some(a & b),
            (a, b) => a.or(b),
        }
    }

    /// Whether a version passes as soon as its profile does.
    pub(super) fn is_decided(&self) -> bool {
        !self.verdicts.contains(&Verdict::Each)
    }

    #[inline]
    pub(super) fn admits(&self, version: Version<'_>) -> bool {
        match self.verdicts.get(version.profile_number() as usize) {
            Some(Verdict::None) => false,
            Some(Verdict::Each) => self.filter.as_ref().is_none_or(|filter| filter.holds(version, self.catalog)),
            Some(Verdict::All) | None => true,
        }
    }
}
