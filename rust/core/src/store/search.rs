//! Searches: filter as of a time, score, rank, fetch.  Where the index does not answer, every
//! record is looked at.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use roaring::RoaringBitmap;

use super::horizon::{bound, check_scope};
use super::matcher::Matcher;
use super::ops::{Match, Query, RecordedBy, SearchResult};
use super::ranking::{self, Candidate, Key, Ranking};
use super::read::missing;
use super::stored::StoredCodes;
use super::{Shared, Store, index};
use crate::catalog::{Bound, Version};
use crate::error::{Result, value_error};
use crate::filter::Filter;
use crate::tier::vector::VectorStore;
use crate::workers;

/// Records below which one core is quicker than two.
const PARALLEL_FROM: u32 = 8192;
/// Records a task.
const CHUNK: u32 = 4096;
/// Records that are asked for before they are read.
const AHEAD: usize = 64;
/// Searches between two looks at the lock: writers wait for it.
const BATCH: usize = 64;
/// Searches that one core does: to hand them out, and to wait for the others, is more than it saves.
const FEW: usize = 16;
/// Most hits that diversity chooses.
const MAX_DIVERSE: usize = 100;
/// How long a search waits for a forget that is between disk and memory.
const SETTLE: Duration = Duration::from_millis(1);
const ATTEMPTS: usize = 1000;

/// A query made ready for one state of the catalogue.
pub(super) struct Prepared<'a> {
    pub query: &'a Query,
    pub as_of: i64,
    pub bound: Bound,
    pub matcher: Matcher<'a>,
    /// Records among which are all matches, where those are few.
    pub among: Option<RoaringBitmap>,
    pub space: u16,
    pub unit: Option<Vec<f32>>,
    pub key: Option<Key>,
}

/// What one pass over the catalogue found.
#[derive(Default)]
pub(super) struct Found {
    pub candidates: Vec<Candidate>,
    pub forgotten: usize,
}

impl Store {
    /// Filter, score and rank records as of a time; every match is looked at.
    ///
    /// # Errors
    /// [`crate::Error::Horizon`] before what retention kept, the vector errors for a query that
    /// does not fit its space, [`crate::Error::Value`] for an argument out of range.
    pub fn search(&self, query: &Query) -> Result<SearchResult> {
        let started = self.begin(query)?;
        for _ in 0..ATTEMPTS {
            if let Some(result) = self.complete(query, self.ranked(query)?)? {
                self.inner.metrics.recalls.record_since(started);
                return Ok(result);
            }
            std::thread::sleep(SETTLE);
        }
        self.inner.placed(Err(missing("of a search")))
    }

    /// The same where the index answers at once; `None` where a scan has to, which may take long, or
    /// where a forget is under way.
    ///
    /// # Errors
    /// Those of [`Self::search`].
    pub fn search_indexed(&self, query: &Query) -> Result<Option<SearchResult>> {
        if query.exact == Some(true) || query.vector.is_none() {
            return Ok(None);
        }
        let started = self.begin(query)?;
        let result = self.complete(query, self.ranked_by_index(query)?)?;
        if result.is_some() {
            self.inner.metrics.recalls.record_since(started);
        }
        Ok(result)
    }

    fn begin(&self, query: &Query) -> Result<Instant> {
        self.inner.ensure_usable()?;
        check_arguments(query)?;
        Ok(Instant::now())
    }

    /// Fetch the records where they are asked for; `None` where one is being forgotten.
    fn complete(&self, query: &Query, result: Option<SearchResult>) -> Result<Option<SearchResult>> {
        let Some(mut result) = result else { return Ok(None) };
        let mut matches: Vec<&mut Match> = result.matches.iter_mut().collect();
        Ok((!query.bodies || self.attach(&mut matches)?).then_some(result))
    }

    /// Ids of all records that pass a filter, whenever they show: by their greatest version,
    /// expired or not, known or not yet; not those that were forgotten.
    ///
    /// # Errors
    /// [`crate::Error::Namespace`], [`crate::Error::Value`] for a filter that cannot be.
    pub fn select(
        &self,
        namespace: Option<&str>,
        within: Option<&[String]>,
        filter: Option<&Filter>,
    ) -> Result<Vec<String>> {
        self.inner.ensure_usable()?;
        let now = self.inner.now();
        let shared = self.inner.shared.read();
        let catalog = &shared.catalog;
        let matcher = Matcher::new(catalog, namespace, within, filter)?;
        let entries = (0..catalog.end()).into_par_iter().filter_map(|record| catalog.record(record));
        let found = entries
            .filter(|entry| !entry.forgotten() && !shared.has_erased(*entry, now) && matcher.admits(entry.latest()));
        let mut ids: Vec<String> = workers::share(|| found.map(|entry| entry.id().to_string()).collect());
        ids.sort_unstable();
        Ok(ids)
    }

    /// Answer several queries on all cores.  What is written meanwhile is seen by none, some or all.
    ///
    /// # Errors
    /// Those of [`Self::search`]; then there is no answer for any.
    pub fn search_many(&self, queries: &[Query]) -> Result<Vec<SearchResult>> {
        self.inner.ensure_usable()?;
        queries.iter().try_for_each(check_arguments)?;
        let now = self.inner.now();
        let mut results = Vec::with_capacity(queries.len());
        for batch in queries.chunks(BATCH) {
            results.extend(self.search_some(batch, now)?);
        }
        Ok(results)
    }

    fn search_some(&self, queries: &[Query], now: i64) -> Result<Vec<SearchResult>> {
        for _ in 0..ATTEMPTS {
            if let Some(mut results) = self.ranked_some(queries, now)? {
                let with_bodies = results.iter_mut().zip(queries).filter(|(_, query)| query.bodies);
                let mut matches: Vec<&mut Match> = with_bodies.flat_map(|(result, _)| &mut result.matches).collect();
                if self.attach(&mut matches)? {
                    return Ok(results);
                }
            }
            std::thread::sleep(SETTLE);
        }
        self.inner.placed(Err(missing("of a search")))
    }

    fn ranked_some(&self, queries: &[Query], now: i64) -> Result<Option<Vec<SearchResult>>> {
        // Taken here: a task that waited for it would keep the pool from whoever holds it.
        let shared = self.inner.shared.read();
        let ranked = |query| self.ranked_in(&shared, query, now);
        if queries.len() <= FEW {
            return queries.iter().map(ranked).collect();
        }
        workers::share(|| queries.par_iter().map(ranked).collect())
    }

    /// The matches without their records, from one state of the catalogue; `None` where one is being
    /// forgotten.
    fn ranked(&self, query: &Query) -> Result<Option<SearchResult>> {
        let now = self.inner.now();
        let shared = self.inner.shared.read();
        self.ranked_in(&shared, query, now)
    }

    fn ranked_by_index(&self, query: &Query) -> Result<Option<SearchResult>> {
        let now = self.inner.now();
        let shared = self.inner.shared.read();
        let prepared = prepare(&shared, query, now)?;
        let Some(found) = self.indexed(&shared, &prepared) else { return Ok(None) };
        self.rank(&shared, &prepared, found, false)
    }

    fn ranked_in(&self, shared: &Shared, query: &Query, now: i64) -> Result<Option<SearchResult>> {
        let prepared = prepare(shared, query, now)?;
        match self.indexed(shared, &prepared) {
            Some(found) => self.rank(shared, &prepared, found, false),
            None => self.rank(shared, &prepared, find(shared, &prepared), true),
        }
    }

    fn indexed(&self, shared: &Shared, prepared: &Prepared<'_>) -> Option<Found> {
        index::find(shared, prepared, self.inner.clock.is_manual())
    }

    fn rank(
        &self,
        shared: &Shared,
        prepared: &Prepared<'_>,
        mut found: Found,
        exact: bool,
    ) -> Result<Option<SearchResult>> {
        let codes = StoredCodes::new(&self.inner, shared, prepared.space);
        let count = found.candidates.len();
        let Some(matches) = Ranking { shared, prepared, codes }.rank(&mut found.candidates)? else { return Ok(None) };
        let head = shared.head.commit;
        let commit = match prepared.query.recorded_by {
            RecordedBy::Commit(commit) => commit.min(head),
            _ => head,
        };
        Ok(Some(SearchResult {
            matched: count,
            matches,
            forgotten: found.forgotten,
            exact,
            commit,
            as_of: prepared.as_of,
        }))
    }

    /// Fetch the records of all matches; `false` where one is being forgotten.
    fn attach(&self, matches: &mut [&mut Match]) -> Result<bool> {
        let wanted: Vec<(&str, u32)> = matches.iter().map(|found| (found.id.as_str(), found.version)).collect();
        let Some(records) = self.inner.records(&wanted)? else { return Ok(false) };
        for (found, record) in matches.iter_mut().zip(records) {
            found.record = Some(record);
        }
        Ok(true)
    }
}

fn check_arguments(query: &Query) -> Result<()> {
    let weights = query.weights;
    let all = [weights.similarity, weights.recency, weights.importance, weights.outcome];
    if all.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
        return value_error(format!("weights are {all:?}; use finite numbers >= 0"));
    }
    if query.top_k == 0 {
        return value_error("top_k is 0; use 1 to 10,000");
    }
    if query.half_life.is_some_and(|half_life| !(half_life.is_finite() && half_life > 0.0)) {
        return value_error("half_life is not positive; leave it out for no decay");
    }
    if !(0.0..=1.0).contains(&query.diversity) {
        return value_error(format!("diversity is {}; use 0 to 1", query.diversity));
    }
    if query.diversity > 0.0 && query.top_k > MAX_DIVERSE {
        return value_error(format!(
            "top_k is {} with diversity; each choice is compared with all earlier ones, so use at most {MAX_DIVERSE}",
            query.top_k
        ));
    }
    if query.order_by.is_some() && query.vector.is_some() {
        return value_error("order_by orders a recall without a query; leave out one of the two");
    }
    if query.after.is_some() && (query.order_by.is_none() || query.diversity > 0.0) {
        return value_error("after goes on behind a match in an order; give order_by, and no diversity");
    }
    Ok(())
}

fn prepare<'a>(shared: &'a Shared, query: &'a Query, now: i64) -> Result<Prepared<'a>> {
    let as_of = query.as_of.unwrap_or(now);
    let prefix = query.namespace.as_deref();
    let matcher = Matcher::new(&shared.catalog, prefix, query.within.as_deref(), query.filter.as_ref())?;
    check_scope(shared, prefix, query.within.as_deref(), now, as_of, query.recorded_by)?;
    let (space, unit) = match &query.vector {
        Some(vector) => {
            let (number, space) = shared.catalog.searched_space(&query.space)?;
            (number, Some(space.normalise(vector)?))
        }
        None => (shared.catalog.space(&query.space).map_or(u16::MAX, |(number, _)| number), None),
    };
    // A small store is read faster than its postings.
    let among = if shared.catalog.end() < PARALLEL_FROM { None } else { matcher.records() };
    Ok(Prepared {
        query,
        as_of,
        bound: bound(as_of, query.recorded_by),
        matcher,
        among,
        space,
        unit,
        key: query.order_by.as_deref().map(|key| Key::parse(key, &shared.catalog)).transpose()?,
    })
}

fn find(shared: &Shared, prepared: &Prepared<'_>) -> Found {
    let Some(among) = &prepared.among else { return find_among_all(shared, prepared) };
    let records: Vec<u32> = among.iter().collect();
    let find_in = |records: &[u32]| find_in(shared, prepared, records.iter().copied());
    if records.len() < CHUNK as usize {
        find_in(&records)
    } else {
        gather(records.par_chunks(CHUNK as usize).map(find_in))
    }
}

fn find_among_all(shared: &Shared, prepared: &Prepared<'_>) -> Found {
    let end = shared.catalog.end();
    if end < PARALLEL_FROM {
        return find_in(shared, prepared, 0..end);
    }
    let starts: Vec<u32> = (0..end).step_by(CHUNK as usize).collect();
    gather(starts.into_par_iter().map(|start| find_in(shared, prepared, start..end.min(start + CHUNK))))
}

fn gather(parts: impl IndexedParallelIterator<Item = Found>) -> Found {
    let parts: Vec<Found> = workers::share(|| parts.collect());
    let mut all = Found::default();
    all.candidates.reserve(parts.iter().map(|part| part.candidates.len()).sum());
    for part in parts {
        all.candidates.extend(part.candidates);
        all.forgotten += part.forgotten;
    }
    all
}

/// Look at some records.  Each is spread over columns that no processor cache holds, so a batch of
/// them is asked for, column by column, before the first is read.
fn find_in(shared: &Shared, prepared: &Prepared<'_>, mut records: impl Iterator<Item = u32>) -> Found {
    let mut found = Found::default();
    let space = shared.catalog.spaces.get(usize::from(prepared.space));
    let query = prepared.unit.as_deref().zip(space);
    let mut batch = Vec::with_capacity(AHEAD);
    let mut shown = Vec::with_capacity(AHEAD);
    loop {
        batch.clear();
        batch.extend(records.by_ref().take(AHEAD));
        if batch.is_empty() {
            return found;
        }
        for record in &batch {
            shared.catalog.prefetch_record(*record);
        }
        for record in &batch {
            shared.catalog.prefetch_version(*record, prepared.space);
        }
        for entry in batch.iter().filter_map(|record| shared.catalog.record(*record)) {
            let Some(version) = entry.select(prepared.bound).filter(|version| prepared.admits(*version)) else {
                continue;
            };
            let slot = version.slot(prepared.space);
            if query.is_some() && slot.is_none() {
                continue;
            }
            if entry.forgotten() {
                found.forgotten += 1;
                continue;
            }
            if let Some(((_, space), slot)) = query.zip(slot) {
                space.prefetch(slot);
            }
            shown.push((entry.record, version, slot));
        }
        for (record, version, slot) in shown.drain(..) {
            let compare = |((unit, space), slot): ((&[f32], &VectorStore), u32)| {
                let cosine = space.cosine_fast(unit, slot);
                (cosine, space.slack(slot, cosine))
            };
            let (cosine, slack) = query.zip(slot).map_or((0.0, 0.0), compare);
            found.candidates.push(ranking::candidate(record, version, cosine, slack));
        }
    }
}

impl Prepared<'_> {
    /// Whether what may pass passes, but for its times.
    pub(super) fn is_decided(&self) -> bool {
        self.matcher.is_decided() && self.query.min_trust.is_none()
    }

    pub(super) fn admits(&self, version: Version<'_>) -> bool {
        self.matcher.admits(version)
            && !version.is_expired(self.as_of)
            && self.query.min_trust.is_none_or(|trust| version.trust() >= trust)
    }
}
