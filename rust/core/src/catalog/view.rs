//! Records and versions as the rest of the store sees them.

use super::attributes::Value;
use super::ids::Id;
use super::profiles::Profile;
use super::rows::NEVER;
use super::words::{NONE, Symbol};
use super::{ABSENT, Catalog};

/// What a question may see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub as_of: i64,
    pub recorded_by: i64,
    pub commit: u64,
}

impl Bound {
    fn admits(self, version: Version<'_>) -> bool {
        if version.visible_at() > self.as_of {
            return false;
        }
        if self.recorded_by == i64::MAX && self.commit == u64::MAX {
            return true;
        }
        let (commit, recorded_at) = version.catalog.rows.recorded(version.row);
        recorded_at <= self.recorded_by && commit <= self.commit
    }
}

/// A record.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(super) catalog: &'a Catalog,
    /// Its number, as long as it is not erased.
    pub record: u32,
    pub(super) head: u32,
}

impl<'a> Entry<'a> {
    pub(crate) fn id(self) -> Id<'a> {
        self.catalog.ids.get(self.record)
    }

    pub(crate) fn forgotten(self) -> bool {
        self.catalog.forgotten.contains(self.record)
    }

    /// The greatest version of all.
    pub(crate) fn latest(self) -> Version<'a> {
        self.catalog.version(self.head)
    }

    /// All versions, the greatest first.
    pub(crate) fn versions(self) -> impl Iterator<Item = Version<'a>> {
        let row = |row: u32| Some(row).filter(|row| *row != NONE);
        let older = move |at: &u32| row(self.catalog.rows.older.get(*at));
        std::iter::successors(Some(self.head), older).map(|row| self.catalog.version(row))
    }

    /// All versions have the same one.
    pub(crate) fn namespace(self) -> &'a str {
        self.catalog.namespaces.name(self.latest().profile().namespace)
    }

    /// The version shown under a bound, expired or not.
    #[inline]
    pub(crate) fn select(self, bound: Bound) -> Option<Version<'a>> {
        self.versions().find(|version| bound.admits(*version))
    }

    /// The slot of an embedding that some version still has.
    pub(crate) fn slot_of(self, space: u16, source: u32) -> Option<u32> {
        self.versions().find(|version| version.source(space) == source && version.slot(space).is_some())?.slot(space)
    }

    /// Whether nothing of the record can be seen at or after the horizon.
    pub(crate) fn is_erased(self, horizon: i64) -> bool {
        let latest = self.latest();
        latest.visible_at() <= horizon && latest.recorded_at() < horizon && latest.is_expired(horizon)
    }
}

/// A version of a record.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    pub(super) catalog: &'a Catalog,
    /// Its number in the catalogue, as long as it is not erased.
    pub row: u32,
}

impl<'a> Version<'a> {
    pub(crate) fn number(self) -> u32 {
        self.catalog.rows.number.get(self.row)
    }

    pub(crate) fn profile_number(self) -> u32 {
        self.catalog.rows.profile[self.row as usize]
    }

    pub(crate) fn profile(self) -> &'a Profile {
        self.catalog.rows.profiles.get(self.profile_number())
    }

    pub(crate) fn known_at(self) -> i64 {
        self.catalog.rows.known_at[self.row as usize]
    }

    pub(crate) fn event_time(self) -> i64 {
        self.known_at().wrapping_add(self.catalog.rows.event_after.get(self.row))
    }

    pub(crate) fn visible_at(self) -> i64 {
        self.catalog.rows.visible_at(self.row)
    }

    pub(crate) fn recorded_at(self) -> i64 {
        self.catalog.rows.recorded(self.row).1
    }

    pub(crate) fn commit(self) -> u64 {
        self.catalog.rows.recorded(self.row).0
    }

    /// [`NEVER`] where nothing says so.
    pub(crate) fn expires_at(self) -> i64 {
        self.catalog.rows.expires_at.get(self.row)
    }

    pub(crate) fn is_expired(self, as_of: i64) -> bool {
        let expires_at = self.expires_at();
        expires_at != NEVER && expires_at <= as_of
    }

    /// The order that decides which of several visible versions is shown.
    pub(crate) fn order(self) -> (i64, i64, u32) {
        (self.visible_at(), self.recorded_at(), self.number())
    }

    pub(crate) fn importance(self) -> f64 {
        self.catalog.rows.importance.get(self.row)
    }

    /// NaN where there is none.
    pub(crate) fn confidence(self) -> f64 {
        self.catalog.rows.confidence.get(self.row)
    }

    pub(crate) fn trust(self) -> f64 {
        self.catalog.rows.trust.get(self.row)
    }

    /// NaN where the version has no outcome.
    pub(crate) fn reward(self) -> f64 {
        self.catalog.rows.reward.get(self.row)
    }

    pub(crate) fn attribute(self, name: Symbol) -> Option<Value<'a>> {
        let at = Some(self.catalog.rows.attributes.get(self.row)).filter(|at| *at != NONE)?;
        self.catalog.rows.kept.find(at, name)
    }

    /// Where its code lies; behind the end of all slots where it was forgotten.
    pub(crate) fn slot(self, space: u16) -> Option<u32> {
        let codes = self.catalog.codes.get(usize::from(space))?;
        Some(codes.slots.get(self.row)).filter(|slot| *slot != ABSENT)
    }

    /// The version that its embedding came with.
    pub(crate) fn source(self, space: u16) -> u32 {
        let source = self.catalog.codes[usize::from(space)].sources.get(self.row);
        if source == NONE { self.number() } else { source }
    }
}
