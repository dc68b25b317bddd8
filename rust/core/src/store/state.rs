//! The store's own rows: format, counts, spaces, namespaces.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ops::NamespaceOptions;
use crate::coordination::access::Rights;

pub(crate) const FORMAT: u32 = 1;
pub(crate) const HEAD: &str = "head";
pub(crate) const SPACES: &str = "spaces";
pub(crate) const IDENTITY: &str = "identity";
/// What each agent may do beside its own.
pub(crate) const RIGHTS: &str = "rights";
/// The last number that a lock may be granted with.
pub(crate) const NUMBERS: &str = "numbers";

/// Running numbers; rewritten with every group, so that `verify` has something to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub format: u32,
    pub generation: u64,
    pub commit: u64,
    pub recorded_at: i64,
    pub counts: Counts,
}

impl Default for Head {
    fn default() -> Self {
        Self { format: FORMAT, generation: 0, commit: 0, recorded_at: i64::MIN, counts: Counts::default() }
    }
}

/// Rows a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub values: i64,
    pub versions: i64,
    pub tombstones: i64,
    pub recalls: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.versions += other.versions;
        self.tombstones += other.tombstones;
        self.recalls += other.recalls;
    }
}

/// A configured namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespaceState {
    pub options: NamespaceOptions,
    /// A horizon that was reached and stays, whatever the retention becomes.
    pub horizon: Option<i64>,
    /// Since when keys have a history without a gap.
    pub history_since: Option<i64>,
    /// Greatest commit among the rows that erasing looked at.
    pub commit: u64,
}

impl NamespaceState {
    /// First time that can be asked for; moves with the clock.
    pub(crate) fn horizon_at(&self, now: i64) -> Option<i64> {
        let moving = self.options.retention.map(|retention| now.saturating_sub(retention));
        moving.max(self.horizon)
    }
}

pub(crate) type RightsOf = HashMap<String, Rights>;

pub(crate) type Namespaces = HashMap<String, NamespaceState, foldhash::fast::RandomState>;
