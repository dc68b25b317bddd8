//! Scores and order.
//!
//! A fast score, from the SIMD cosine, chooses who may be among the best; the
//! score that is given comes from the scalar sum of fixed order, computed for
//! everybody within [`MARGIN`] of the last place.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::Shared;
use super::ops::{Match, Weights};
use super::search::Prepared;
use super::stored::StoredCodes;
use crate::catalog::{Catalog, NONE, Symbol, Value, Version};
use crate::error::{Result, value_error};
use crate::workers;

/// Candidates below which one core is quicker than two.
const PARALLEL_FROM: usize = 8192;
/// Wider than the error of a fast cosine.
const MARGIN: f64 = 1e-5;
/// Matches that diversity chooses among: this many a place, and at least so many.
const POOL_FACTOR: usize = 10;
const POOL_MIN: usize = 100;

/// A record that passed the filter.
pub(super) struct Candidate {
    record: u32,
    row: u32,
    reward: f64,
    cosine: f32,
    /// How far off the cosine may be, and then the score.
    slack: f32,
    score: f64,
}

pub(super) fn candidate(record: u32, version: Version<'_>, cosine: f32, slack: f32) -> Candidate {
    Candidate { record, row: version.row, reward: version.reward(), cosine, slack, score: 0.0 }
}

/// What a recall without a query is ordered by.
#[derive(Clone, Copy)]
pub(super) struct Key {
    field: KeyField,
    descending: bool,
}

#[derive(Clone, Copy)]
enum KeyField {
    EventTime,
    KnownAt,
    RecordedAt,
    VisibleAt,
    Importance,
    Confidence,
    Reward,
    Attribute(Symbol),
}

impl Key {
    pub(super) fn parse(text: &str, catalog: &Catalog) -> Result<Self> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let field = match name {
            "event_time" => KeyField::EventTime,
            "known_at" => KeyField::KnownAt,
            "recorded_at" => KeyField::RecordedAt,
            "visible_at" => KeyField::VisibleAt,
            "importance" => KeyField::Importance,
            "confidence" => KeyField::Confidence,
            "reward" => KeyField::Reward,
            _ => match name.strip_prefix("attributes.") {
                Some(attribute) => KeyField::Attribute(catalog.names.number(attribute).unwrap_or(NONE)),
                None => {
                    return value_error(format!(
                        "order_by is {text:?}; use event_time, known_at, recorded_at, visible_at, importance, confidence, \
                         reward or attributes.NAME, with a leading '-' for the greatest first"
                    ));
                }
            },
        };
        Ok(Self { field, descending })
    }

    #[allow(clippy::cast_precision_loss, reason = "microseconds of this age fit a double")]
    fn read(self, version: Version<'_>) -> Option<f64> {
        let value = match self.field {
            KeyField::EventTime => version.event_time() as f64,
            KeyField::KnownAt => version.known_at() as f64,
            KeyField::RecordedAt => version.recorded_at() as f64,
            KeyField::VisibleAt => version.visible_at() as f64,
            KeyField::Importance => version.importance(),
            KeyField::Confidence => version.confidence(),
            KeyField::Reward => version.reward(),
            KeyField::Attribute(name) => match version.attribute(name) {
                Some(Value::Number(number)) => number,
                _ => f64::NAN,
            },
        };
        // Adding zero makes one zero of the two that there are.
        (!value.is_nan()).then_some(value + 0.0)
    }

    /// The order of two values; what has none comes last.
    fn order(self, a: Option<f64>, b: Option<f64>) -> Ordering {
        match (a, b) {
            (Some(x), Some(y)) if self.descending => y.total_cmp(&x),
            (Some(x), Some(y)) => x.total_cmp(&y),
            (x, y) => y.is_some().cmp(&x.is_some()),
        }
    }
}

/// The parts of a score.
struct Parts {
    similarity: Option<f64>,
    recency: Option<f64>,
    importance: f64,
    outcome: Option<f64>,
}

impl Parts {
    fn score(&self, weights: &Weights) -> f64 {
        let parts = [
            (weights.similarity, self.similarity),
            (weights.recency, self.recency),
            (weights.importance, Some(self.importance)),
            (weights.outcome, self.outcome),
        ];
        let mut total = 0.0;
        let mut weight = 0.0;
        for (w, part) in parts {
            if let Some(part) = part.filter(|_| w > 0.0) {
                total += w * part;
                weight += w;
            }
        }
        if weight > 0.0 { total / weight } else { 0.0 }
    }
}

/// Ranks the candidates of one search.
pub(super) struct Ranking<'a> {
    pub shared: &'a Shared,
    pub prepared: &'a Prepared<'a>,
    pub codes: StoredCodes<'a>,
}

impl<'a> Ranking<'a> {
    /// The best matches, best first; `None` where one is being forgotten.
    pub(super) fn rank(&mut self, candidates: &mut Vec<Candidate>) -> Result<Option<Vec<Match>>> {
        let query = self.prepared.query;
        let scale = median_reward(candidates);
        let places =
            if query.diversity > 0.0 { query.top_k.saturating_mul(POOL_FACTOR).max(POOL_MIN) } else { query.top_k };
        if let Some(key) = self.prepared.key {
            self.sort_by_key(candidates, key, places);
        } else if !self.sort_by_score(candidates, scale, places)? {
            return Ok(None);
        }
        if query.diversity > 0.0 {
            if !self.fetch(candidates)? {
                return Ok(None);
            }
            self.diversify(candidates, query.top_k);
        }
        Ok(Some(candidates.iter().map(|candidate| self.found(candidate, scale)).collect()))
    }

    fn version(&self, candidate: &Candidate) -> Version<'a> {
        self.shared.catalog.version(candidate.row)
    }

    /// Have the stored codes of candidates at hand.
    fn fetch(&mut self, candidates: &[Candidate]) -> Result<bool> {
        let catalog = &self.shared.catalog;
        self.codes.fetch(candidates.iter().map(|candidate| (candidate.record, catalog.version(candidate.row))))
    }

    fn sort_by_score(&mut self, candidates: &mut Vec<Candidate>, scale: f64, places: usize) -> Result<bool> {
        if candidates.len() < PARALLEL_FROM {
            for candidate in &mut *candidates {
                self.estimate(candidate, scale);
            }
        } else {
            let candidates = candidates.par_iter_mut().with_min_len(PARALLEL_FROM / 2);
            workers::share(|| candidates.for_each(|candidate| self.estimate(candidate, scale)));
        }
        if candidates.len() > places {
            // Scores alone are moved about faster than candidates.
            let lowest = |candidate: &Candidate| candidate.score - f64::from(candidate.slack);
            let mut scores: Vec<f64> = candidates.iter().map(lowest).collect();
            let (_, last, _) = scores.select_nth_unstable_by(places - 1, |a, b| b.total_cmp(a));
            let floor = *last - MARGIN;
            candidates.retain(|candidate| candidate.score + f64::from(candidate.slack) >= floor);
        }
        if self.prepared.unit.is_some() {
            if !self.fetch(candidates)? {
                return Ok(false);
            }
            for candidate in &mut *candidates {
                let parts = self.parts(candidate, scale, self.cosine(candidate));
                candidate.score = parts.score(&self.prepared.query.weights);
            }
        }
        candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then_with(|| self.by_id(a, b)));
        candidates.truncate(places);
        Ok(true)
    }

    /// A score by the fast cosine, and how far off it may be.
    fn estimate(&self, candidate: &mut Candidate, scale: f64) {
        let weights = &self.prepared.query.weights;
        let score = |cosine: f32| self.parts(candidate, scale, f64::from(cosine)).score(weights);
        let estimate = score(candidate.cosine);
        if candidate.slack > 0.0 {
            // A score grows with its cosine, and as far in both directions.
            #[allow(clippy::cast_possible_truncation, reason = "the margin is wider than the rounding")]
            let slack = (score(candidate.cosine + candidate.slack) - estimate) as f32;
            candidate.slack = slack;
        }
        candidate.score = estimate;
    }

    fn sort_by_key(&self, candidates: &mut Vec<Candidate>, key: Key, places: usize) {
        let order = |a: &Candidate, b: &Candidate| {
            key.order(key.read(self.version(a)), key.read(self.version(b))).then_with(|| self.by_id(a, b))
        };
        if let Some((value, id)) = &self.prepared.query.after {
            candidates.retain(|candidate| {
                let by_value = key.order(key.read(self.version(candidate)), *value);
                by_value.then_with(|| self.id(candidate).as_str().cmp(id)).is_gt()
            });
        }
        if candidates.len() > places {
            candidates.select_nth_unstable_by(places - 1, order);
            candidates.truncate(places);
        }
        candidates.sort_unstable_by(order);
        for candidate in candidates {
            candidate.score = key.read(self.version(candidate)).unwrap_or(0.0);
        }
    }

    fn id(&self, candidate: &Candidate) -> String {
        self.shared.catalog.record(candidate.record).map(|entry| entry.id().to_string()).unwrap_or_default()
    }

    fn by_id(&self, a: &Candidate, b: &Candidate) -> Ordering {
        self.shared.catalog.compare_ids(a.record, b.record)
    }

    fn cosine(&self, candidate: &Candidate) -> f64 {
        let slot = self.slot(candidate).unwrap_or(NONE);
        let unit = self.prepared.unit.as_deref().unwrap_or_default();
        self.codes.cosine(unit, slot)
    }

    fn slot(&self, candidate: &Candidate) -> Option<u32> {
        self.version(candidate).slot(self.prepared.space)
    }

    fn parts(&self, candidate: &Candidate, scale: f64, cosine: f64) -> Parts {
        let version = self.version(candidate);
        #[allow(clippy::cast_precision_loss, reason = "microseconds of this age fit a double")]
        let age = self.prepared.as_of.saturating_sub(version.event_time()).max(0) as f64;
        Parts {
            similarity: self.prepared.unit.is_some().then_some(f64::midpoint(1.0, cosine)),
            recency: self.prepared.query.half_life.map(|half_life| (-age / half_life).exp2()),
            importance: importance(version.importance()),
            outcome: (!candidate.reward.is_nan()).then(|| 0.5 + 0.5 * (candidate.reward / scale).tanh()),
        }
    }

    /// Maximal marginal relevance (Carbonell and Goldstein 1998).
    fn diversify(&self, pool: &mut Vec<Candidate>, top_k: usize) {
        let diversity = self.prepared.query.diversity;
        let mut taken: Vec<Candidate> = Vec::with_capacity(top_k);
        let mut nearest = vec![0.0_f64; pool.len()];
        while taken.len() < top_k && !pool.is_empty() {
            let value = |at: usize| (1.0 - diversity) * pool[at].score - diversity * nearest[at];
            let mut best = 0;
            for at in 1..pool.len() {
                if value(at) > value(best) {
                    best = at;
                }
            }
            let chosen = pool.remove(best);
            nearest.remove(best);
            for (at, other) in pool.iter().enumerate() {
                nearest[at] = nearest[at].max(self.similarity_between(&chosen, other));
            }
            taken.push(chosen);
        }
        *pool = taken;
    }

    fn similarity_between(&self, a: &Candidate, b: &Candidate) -> f64 {
        self.slot(a).zip(self.slot(b)).map_or(0.0, |(a, b)| f64::midpoint(1.0, self.codes.cosine_between(a, b)))
    }

    fn found(&self, candidate: &Candidate, scale: f64) -> Match {
        let cosine = if self.prepared.unit.is_some() { self.cosine(candidate) } else { 0.0 };
        let parts = self.parts(candidate, scale, cosine);
        Match {
            id: self.id(candidate),
            version: self.version(candidate).number(),
            score: candidate.score,
            similarity: parts.similarity,
            recency: parts.recency,
            importance: parts.importance,
            outcome: parts.outcome,
            record: None,
        }
    }
}

fn importance(given: f64) -> f64 {
    // Most records have the importance that is given to those that say nothing.
    const USUAL: f64 = 1.0 - 1.0 / std::f64::consts::E;
    if given.to_bits() == 1.0_f64.to_bits() { USUAL } else { 1.0 - (-given).exp() }
}

/// Scale of rewards: the median of their sizes; 1 where there is none or it is zero.
fn median_reward(candidates: &[Candidate]) -> f64 {
    let mut sizes: Vec<f64> =
        candidates.iter().map(|candidate| candidate.reward.abs()).filter(|size| !size.is_nan()).collect();
    if sizes.is_empty() {
        return 1.0;
    }
    let middle = sizes.len() / 2;
    let (below, upper, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp);
    let median = match lower {
        Some(lower) if sizes.len().is_multiple_of(2) => f64::midpoint(lower, upper),
        _ => upper,
    };
    if median > 0.0 { median } else { 1.0 }
}
