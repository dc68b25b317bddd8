//! When the index answers in place of a scan, and what it answers.
//!
//! A graph that holds later points is walked on other ways, even where those are filtered out.  So
//! the index answers only where nothing in scope is later than the question, where a scan would be
//! slow, and never under a manual clock: a backtest gives the same bytes with every engine.

use super::Shared;
use super::ops::{Query, RecordedBy};
use super::ranking::{self, Candidate};
use super::search::{Found, Prepared};

/// Candidates below which a scan is quick enough.
const SCAN_BELOW: usize = 10_000;
/// A step of a walk takes as long as a scan of so many.
const SCANNED_A_STEP: usize = 64;
/// Candidates a place, where more than similarity decides.
const CANDIDATES_A_PLACE: usize = 10;
/// Share of what is stored that has to be in scope: a walk does not know the filter.
const LEAST_SHARE: f64 = 0.5;

/// The candidates that the index finds; `None` where a scan has to.
pub(super) fn find(shared: &Shared, prepared: &Prepared<'_>, is_backtest: bool) -> Option<Found> {
    let unit = prepared.unit.as_deref()?;
    let space = shared.catalog.spaces.get(usize::from(prepared.space))?;
    let wanted = wanted(prepared.query, space.ef_search());
    let ef = match prepared.query.exact {
        Some(true) => return None,
        Some(false) => wanted,
        None if is_backtest => return None,
        None => walk_length(shared, prepared, wanted)?,
    };
    let candidates = candidates(shared, prepared, space.nearest(unit, ef)?);
    // Fewer than asked for: who knows whether there are more.
    (candidates.len() >= prepared.query.top_k).then(|| Found { candidates, forgotten: forgotten(shared, prepared) })
}

/// How many nodes a walk keeps; `None` where the answer has to be exact, or a scan is quicker.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
fn walk_length(shared: &Shared, prepared: &Prepared<'_>, wanted: usize) -> Option<usize> {
    let head = shared.head;
    let sees_all = match prepared.query.recorded_by {
        RecordedBy::Now => true,
        RecordedBy::Time(time) => time >= head.recorded_at,
        RecordedBy::Commit(commit) => commit >= head.commit,
    };
    let scope = prepared.matcher.scope();
    if !sees_all || scope.latest > prepared.as_of || scope.versions < SCAN_BELOW {
        return None;
    }
    let share = scope.versions as f64 / shared.catalog.versions().max(1) as f64;
    let ef = (wanted as f64 / share) as usize;
    (share >= LEAST_SHARE && ef * SCANNED_A_STEP <= scope.versions).then_some(ef)
}

/// How many of the most similar are ranked.
fn wanted(query: &Query, ef_search: usize) -> usize {
    let weights = query.weights;
    let others = query.half_life.map_or(0.0, |_| weights.recency) + weights.importance + weights.outcome;
    let is_similarity_alone = others <= 0.0 && query.diversity <= 0.0;
    let places = if is_similarity_alone { 1 } else { CANDIDATES_A_PLACE };
    query.top_k.saturating_mul(places).max(ef_search)
}

/// Of what a walk found, those that the question sees and admits.
fn candidates(shared: &Shared, prepared: &Prepared<'_>, found: Vec<(u32, f32)>) -> Vec<Candidate> {
    let candidate = |(slot, cosine): (u32, f32)| {
        let entry = shared.catalog.owner(prepared.space, slot)?;
        let version = entry.select(prepared.bound)?;
        // A former embedding of a record is not the one that shows.
        let shows = version.slot(prepared.space) == Some(slot) && !entry.forgotten() && prepared.admits(version);
        shows.then(|| ranking::candidate(entry.record, version, cosine.clamp(-1.0, 1.0)))
    };
    found.into_iter().filter_map(candidate).collect()
}

/// Forgotten records that the question would have met.
fn forgotten(shared: &Shared, prepared: &Prepared<'_>) -> usize {
    let shown = shared.catalog.tombstones().filter_map(|entry| entry.select(prepared.bound));
    shown.filter(|version| version.slot(prepared.space).is_some() && prepared.admits(*version)).count()
}
