//! One row a version, column by column.

use super::attributes::Attributes;
use super::profiles::{Profile, Profiles};
use super::words::{Interner, NONE};
use crate::column::{Sparse, prefetch_at, put};
use crate::error::Result;
use crate::record::Meta;

pub(crate) const NEVER: i64 = i64::MAX;
/// Commits whose place is remembered, so that the versions of one share it.
const RECENT: usize = 4096;

pub(super) struct Rows {
    pub profile: Vec<u32>,
    pub known_at: Vec<i64>,
    pub commit: Vec<u32>,
    /// The next smaller version of the same record.
    pub older: Sparse<u32>,
    pub number: Sparse<u32>,
    /// From the known-at to the event.
    pub event_after: Sparse<i64>,
    /// From the known-at to when the version shows: its outcome's.
    pub shows_after: Sparse<i64>,
    pub expires_at: Sparse<i64>,
    pub importance: Sparse<f64>,
    /// NaN where there is none.
    pub confidence: Sparse<f64>,
    pub trust: Sparse<f64>,
    /// NaN where the version has no outcome.
    pub reward: Sparse<f64>,
    pub attributes: Sparse<u32>,
    free: Vec<u32>,
    len: u32,
    /// Versions erased since the catalogue was tidied last.
    pub erased: usize,
    pub commits: Commits,
    pub profiles: Profiles,
    pub kept: Attributes,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            profile: Vec::new(),
            known_at: Vec::new(),
            commit: Vec::new(),
            older: Sparse::new(NONE),
            number: Sparse::new(0),
            event_after: Sparse::new(0),
            shows_after: Sparse::new(0),
            expires_at: Sparse::new(NEVER),
            importance: Sparse::new(1.0),
            confidence: Sparse::new(f64::NAN),
            trust: Sparse::new(1.0),
            reward: Sparse::new(f64::NAN),
            attributes: Sparse::new(NONE),
            free: Vec::new(),
            len: 0,
            erased: 0,
            commits: Commits::default(),
            profiles: Profiles::default(),
            kept: Attributes::default(),
        }
    }
}

impl Rows {
    /// Fill a row, a freed one where there is one; it is not among its record's versions yet.
    pub(super) fn insert<S: AsRef<str>>(
        &mut self,
        names: &mut Interner,
        namespaces: &mut Interner,
        meta: &Meta<S>,
    ) -> Result<u32> {
        let attributes = self.kept.push(names, &meta.attributes)?;
        let word = |word: &S, names: &mut Interner| names.intern(word.as_ref());
        let profile = Profile {
            namespace: namespaces.intern(meta.namespace.as_ref()),
            kind: word(&meta.kind, names),
            agent_id: names.optional(meta.agent_id.as_ref().map(AsRef::as_ref)),
            symbol: names.optional(meta.symbol.as_ref().map(AsRef::as_ref)),
            regime: names.optional(meta.regime.as_ref().map(AsRef::as_ref)),
            writer: word(&meta.writer, names),
            tags: meta.tags.iter().map(|tag| names.intern(tag.as_ref())).collect(),
        };
        let row = self.free.pop().unwrap_or_else(|| {
            self.len += 1;
            self.len - 1
        });
        let profile = self.profiles.intern(profile);
        self.profiles.add(profile, meta.visible_at);
        put(&mut self.profile, row, profile);
        put(&mut self.known_at, row, meta.known_at);
        put(&mut self.commit, row, self.commits.place(meta.commit, meta.recorded_at));
        self.older.set(row, None);
        let other = |number: f64, usual: f64| Some(number).filter(|number| number.to_bits() != usual.to_bits());
        let apart = |time: i64| Some(time.wrapping_sub(meta.known_at)).filter(|after| *after != 0);
        self.number.set(row, Some(meta.version).filter(|number| *number != 0));
        self.event_after.set(row, apart(meta.event_time));
        self.shows_after.set(row, apart(meta.visible_at));
        self.expires_at.set(row, meta.expires_at);
        self.importance.set(row, other(meta.importance, 1.0));
        self.confidence.set(row, meta.confidence);
        self.trust.set(row, other(meta.trust, 1.0));
        self.reward.set(row, meta.outcome.map(|outcome| outcome.reward));
        self.attributes.set(row, attributes);
        Ok(row)
    }

    /// Ask for what most searches read of a row.
    #[inline]
    pub(super) fn prefetch(&self, row: u32) {
        prefetch_at(&self.known_at, row);
        prefetch_at(&self.profile, row);
        self.shows_after.prefetch(row);
        self.expires_at.prefetch(row);
        self.reward.prefetch(row);
    }

    pub(super) fn remove(&mut self, row: u32) {
        self.profiles.remove(self.profile[row as usize]);
        self.free.push(row);
        self.erased += 1;
    }

    /// Versions there are.
    pub(super) fn len(&self) -> usize {
        self.len as usize - self.free.len()
    }

    #[inline]
    pub(super) fn visible_at(&self, row: u32) -> i64 {
        self.known_at[row as usize].wrapping_add(self.shows_after.get(row))
    }

    /// The number and time of the commit that wrote a row.
    pub(super) fn recorded(&self, row: u32) -> (u64, i64) {
        self.commits.get(self.commit[row as usize])
    }

    pub(super) fn bytes(&self) -> usize {
        let four = self.profile.capacity() + self.commit.capacity() + self.free.capacity();
        let times = self.event_after.bytes() + self.shows_after.bytes() + self.expires_at.bytes();
        let scores = self.importance.bytes() + self.confidence.bytes() + self.trust.bytes() + self.reward.bytes();
        let small = self.number.bytes() + self.attributes.bytes() + self.older.bytes();
        let shared = self.commits.all.capacity() * 16 + self.profiles.bytes() + self.kept.bytes();
        four * 4 + self.known_at.capacity() * 8 + times + scores + small + shared
    }
}

/// Numbers and times of commits.
pub(super) struct Commits {
    all: Vec<(u64, i64)>,
    recent: Box<[u32]>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { all: Vec::new(), recent: vec![NONE; RECENT].into() }
    }
}

impl Commits {
    pub(super) fn get(&self, place: u32) -> (u64, i64) {
        self.all[place as usize]
    }

    /// Where a commit is kept; one that was not seen for long may be kept twice.
    #[allow(clippy::cast_possible_truncation, reason = "the rest of a division by 4096")]
    pub(super) fn place(&mut self, commit: u64, recorded_at: i64) -> u32 {
        let recent = &mut self.recent[(commit % RECENT as u64) as usize];
        if self.all.get(*recent as usize) != Some(&(commit, recorded_at)) {
            *recent = u32::try_from(self.all.len()).unwrap_or(NONE);
            self.all.push((commit, recorded_at));
        }
        *recent
    }
}
