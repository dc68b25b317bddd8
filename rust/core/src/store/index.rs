//! When the index answers in place of a scan, and what it answers.
//!
//! A graph that holds later points is walked on other ways, even where those are filtered out.  So
//! the index answers only where nothing in scope is later than the question, where a scan would be
//! slow, and never under a manual clock: a backtest gives the same bytes with every engine.

use super::Shared;
use crate::catalog::Version;
use roaring::RoaringBitmap;

use super::ops::RecordedBy;
use super::ranking::{self, Candidate};
use super::search::{Found, Prepared};
use crate::tier::vector::VectorStore;

/// Candidates below which a scan is quick enough.
const SCAN_BELOW: usize = 10_000;
/// The same of candidates that are few of all.
const SCAN_FEW_BELOW: usize = 28_000;
/// Few of all: the ways between them are long, and a walk keeps half as many again.
const FEW: f64 = 0.05;
/// A step of a walk takes as long as a scan of so many.
const SCANNED_A_STEP: usize = 64;
/// Nodes that a walk keeps at most: each goes to its place among them.
const MAX_EF: usize = 4096;
/// Candidates a place.
const CANDIDATES_A_PLACE: usize = 10;
/// Where so many of all are in scope, a walk that does not know the filter meets enough of them.
const MOST: f64 = 0.5;
/// Records that are looked at to know how many pass.
const SAMPLE: usize = 64;
/// Records in scope where a filtered walk begins, beside those near the query.
const SEEDS: usize = 32;

/// The nearest of all, by which it is seen whether those in scope lie elsewhere.
const NEAR: usize = 64;
/// They do where not a third of those expected are among them; fewer expected ones tell nothing.
const ELSEWHERE: f64 = 1.0 / 3.0;
const LEAST_EXPECTED: f64 = 3.0;

/// Where so many of the records that may pass do, a walk goes by those, and leaves the rest out in
/// the end: to look at a record on the way costs more than the way.
const NEARLY_ALL: f64 = 0.9;

/// Who may pass, as a walk asks for some ten thousand of them.
enum Members<'a> {
    /// A bit each, without a look for where it lies.
    Few(Vec<u64>),
    Many(&'a RoaringBitmap),
}

impl<'a> Members<'a> {
    /// To set so many bits is less than a walk saves by them.
    const FEW: u64 = 32_768;
    /// A compressed set has bits itself from so many of all.
    const MANY: u32 = 16;

    fn of(records: &'a RoaringBitmap) -> Self {
        let end = records.max().map_or(0, |last| last + 1);
        if records.len() > Self::FEW && records.len() >= u64::from(end / Self::MANY) {
            return Self::Many(records);
        }
        let mut bits = vec![0; end as usize / 64 + 1];
        for record in records {
            bits[record as usize / 64] |= 1 << (record % 64);
        }
        Self::Few(bits)
    }

    #[inline]
    fn contains(&self, record: u32) -> bool {
        match self {
            Self::Few(bits) => bits.get(record as usize / 64).is_some_and(|word| word >> (record % 64) & 1 == 1),
            Self::Many(records) => records.contains(record),
        }
    }
}

/// A walk that is worth its while.
struct Walk {
    ef: usize,
    /// Share of all that is in scope.
    share: f64,
    /// Where it goes.
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To everybody.
    All,
    /// To records in scope.
    InScope,
    /// To records that may be in scope.
    Likely,
}

/// The candidates that the index finds; `None` where a scan has to.
pub(super) fn find(shared: &Shared, prepared: &Prepared<'_>, is_backtest: bool) -> Option<Found> {
    let unit = prepared.unit.as_deref()?;
    let space = shared.catalog.spaces.get(usize::from(prepared.space))?;
    let wanted = prepared.query.top_k.saturating_mul(CANDIDATES_A_PLACE).max(space.ef_search());
    let walk = match prepared.query.exact {
        Some(true) => return None,
        _ if wanted > MAX_EF => return None,
        Some(false) if prepared.among.is_some() => Walk { ef: wanted, share: 0.0, way: Way::InScope },
        Some(false) => Walk { ef: wanted, share: 1.0, way: Way::All },
        None if is_backtest => return None,
        None => plan(shared, prepared, wanted)?,
    };
    let plain = match walk.way {
        Way::All => candidates(shared, prepared, space.nearest(unit, walk.ef)?),
        _ => Vec::new(),
    };
    let candidates = if plain.len() < prepared.query.top_k {
        // All that is near the query may be out of scope.
        let looks = walk.way != Way::Likely;
        let among = prepared.among.as_ref().map(Members::of);
        let in_scope = |slot| in_scope(shared, prepared, slot, among.as_ref(), looks);
        let seeds = seeds(shared, prepared).into_iter().filter(|slot| in_scope(*slot)).collect::<Vec<_>>();
        let ef = match walk.way {
            Way::All => wanted,
            // The way there leads through others, and round about: it takes more nodes to find as much.
            _ if lies_elsewhere(space, unit, walk.share, in_scope) => 2 * walk.ef,
            _ => walk.ef,
        };
        candidates(shared, prepared, space.nearest_among(unit, ef, &seeds, in_scope)?)
    } else {
        plain
    };
    // Fewer than asked for: who knows whether there are more.
    (candidates.len() >= prepared.query.top_k).then(|| Found { candidates, forgotten: forgotten(shared, prepared) })
}

/// The walk; `None` where the answer has to be exact, or a scan is quicker.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
fn plan(shared: &Shared, prepared: &Prepared<'_>, wanted: usize) -> Option<Walk> {
    let head = shared.head;
    let sees_all = match prepared.query.recorded_by {
        RecordedBy::Now => true,
        RecordedBy::Time(time) => time >= head.recorded_at,
        RecordedBy::Commit(commit) => commit >= head.commit,
    };
    let scope = prepared.matcher.scope();
    if !sees_all || scope.latest > prepared.as_of {
        return None;
    }
    let most = prepared.among.as_ref().map_or(scope.versions, |among| among.len() as usize);
    if most < SCAN_BELOW {
        return None;
    }
    let likely = if prepared.is_decided() { 1.0 } else { passing_share(shared, prepared) };
    let passing = most as f64 * likely;
    let share = passing / shared.catalog.versions().max(1) as f64;
    let way = match &prepared.among {
        _ if share >= MOST => Way::All,
        Some(_) if likely >= NEARLY_ALL => Way::Likely,
        _ => Way::InScope,
    };
    let (ef, least) = match way {
        Way::All => (((wanted as f64 / share) as usize).min(MAX_EF), SCAN_BELOW),
        _ if share < FEW => (wanted + wanted / 2, SCAN_FEW_BELOW),
        _ => (wanted, SCAN_BELOW),
    };
    let is_quicker = passing as usize >= least.max(ef.saturating_mul(SCANNED_A_STEP));
    is_quicker.then_some(Walk { ef, share, way })
}

/// Whether what is near the query is out of scope more often than by chance.
#[allow(clippy::cast_precision_loss, reason = "a small number")]
fn lies_elsewhere(space: &VectorStore, unit: &[f32], share: f64, in_scope: impl Fn(u32) -> bool) -> bool {
    let expected = NEAR as f64 * share;
    if expected < LEAST_EXPECTED {
        return false;
    }
    let near = space.nearest(unit, NEAR).unwrap_or_default();
    let met = near.iter().filter(|(slot, _)| in_scope(*slot)).count();
    (met as f64) < expected * ELSEWHERE
}

/// About how many of the records that may pass do.
#[allow(clippy::cast_precision_loss, reason = "a small number")]
fn passing_share(shared: &Shared, prepared: &Prepared<'_>) -> f64 {
    let passing = sample(shared, prepared, SAMPLE).filter(|version| prepared.admits(*version));
    passing.count() as f64 / SAMPLE as f64
}

/// Versions that show, of records spread over those that may pass.
fn sample<'a>(shared: &'a Shared, prepared: &Prepared<'a>, count: usize) -> impl Iterator<Item = Version<'a>> {
    let among = prepared.among.as_ref();
    let all = among.map_or(u64::from(shared.catalog.end()), RoaringBitmap::len);
    let nth = move |n: usize| u32::try_from(all * n as u64 / count as u64).unwrap_or(u32::MAX);
    let record = move |n: u32| among.map_or(Some(n), |among| among.select(n));
    let (catalog, bound, space) = (&shared.catalog, prepared.bound, prepared.space);
    let records: Vec<u32> = (0..count).filter_map(|n| record(nth(n))).collect();
    // They lie far apart: all are asked for before the first is read.
    for record in &records {
        catalog.prefetch_record(*record);
    }
    for record in &records {
        catalog.prefetch_version(*record, space);
    }
    records.into_iter().filter_map(move |record| catalog.record(record)?.select(bound))
}

fn seeds(shared: &Shared, prepared: &Prepared<'_>) -> Vec<u32> {
    sample(shared, prepared, SEEDS).filter_map(|version| version.slot(prepared.space)).collect()
}

/// Whether a filtered walk may go to a slot, by a look at its record or not; what this does not look
/// at is looked at in the end.
#[inline]
fn in_scope(shared: &Shared, prepared: &Prepared<'_>, slot: u32, among: Option<&Members<'_>>, looks: bool) -> bool {
    let Some(record) = shared.catalog.owner(prepared.space, slot) else { return false };
    let admits = || {
        let shown = shared.catalog.record(record).and_then(|entry| entry.select(prepared.bound));
        shown.is_some_and(|version| prepared.admits(version))
    };
    match among {
        Some(among) => among.contains(record) && (!looks || prepared.is_decided() || admits()),
        None => admits(),
    }
}

/// Of what a walk found, those that the question sees and admits.
fn candidates(shared: &Shared, prepared: &Prepared<'_>, found: Vec<(u32, f32)>) -> Vec<Candidate> {
    let space = &shared.catalog.spaces[usize::from(prepared.space)];
    let candidate = |(slot, cosine): (u32, f32)| {
        let entry = shared.catalog.record(shared.catalog.owner(prepared.space, slot)?)?;
        let version = entry.select(prepared.bound)?;
        // A former embedding of a record is not the one that shows.
        let shows = version.slot(prepared.space) == Some(slot) && !entry.forgotten() && prepared.admits(version);
        shows.then(|| ranking::candidate(entry.record, version, cosine.clamp(-1.0, 1.0), space.slack(slot, cosine)))
    };
    found.into_iter().filter_map(candidate).collect()
}

/// Forgotten records that the question would have met.
fn forgotten(shared: &Shared, prepared: &Prepared<'_>) -> usize {
    let among = prepared.among.as_ref();
    let tombstones = shared.catalog.tombstones().filter(|entry| among.is_none_or(|among| among.contains(entry.record)));
    let shown = tombstones.filter_map(|entry| entry.select(prepared.bound));
    shown.filter(|version| version.slot(prepared.space).is_some() && prepared.admits(*version)).count()
}
