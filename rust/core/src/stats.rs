//! What the store counts and times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::store::Shared;
use crate::tier::hot::HotCache;
use crate::tier::vector::VectorStore;

/// Eight buckets a power of two: percentiles within 9 %.
const SUB: u32 = 3;
const BUCKETS: usize = 64 << SUB;

/// Latencies in nanoseconds.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Histogram {
    pub(crate) fn record(&self, nanos: u64) {
        self.buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn record_since(&self, started: Instant) {
        self.record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// p50, p95 and p99 in nanoseconds; `None` before the first measurement.
    fn percentiles(&self) -> Option<[u64; 3]> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let at = |percent: u64| {
            let rank = (total * percent).div_ceil(100);
            let mut seen = 0;
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            upper_bound(found.unwrap_or(0))
        };
        (total > 0).then(|| [at(50), at(95), at(99)])
    }
}

fn bucket(nanos: u64) -> usize {
    let value = nanos.max(1 << SUB);
    let power = value.ilog2();
    let sub = (value >> (power - SUB)) & ((1 << SUB) - 1);
    (((power - SUB) as usize) << SUB) + sub as usize
}

fn upper_bound(bucket: usize) -> u64 {
    let power = bucket >> SUB;
    let sub = (bucket & ((1 << SUB) - 1)) as u64;
    // The last bucket of all has no bound that fits.
    ((1 << SUB) + sub + 1).checked_shl(u32::try_from(power).unwrap_or(u32::MAX)).unwrap_or(u64::MAX)
}

/// Timers of a store.
#[derive(Default)]
pub(crate) struct Metrics {
    pub hits: Histogram,
    pub misses: Histogram,
    pub commits: Histogram,
    pub recalls: Histogram,
}

/// A snapshot of counters and sizes.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub l1_entries: usize,
    pub l1_bytes: usize,
    /// `None` before the first look-up.
    pub l1_hit_rate: Option<f64>,
    pub l1_evictions: u64,
    pub l2_vectors: usize,
    /// Codes, and the fields that filters and ranking read.
    pub l2_bytes: usize,
    /// What answers the searches of the largest space.
    pub l2_engine: &'static str,
    /// What searches of the largest space compare with: `i8` where memory is short, or was to be saved.
    pub l2_code: &'static str,
    /// Vectors that are searched by a scan until they are linked.
    pub l2_waiting: usize,
    /// Keys and record versions.
    pub l3_entries: i64,
    pub l3_size_bytes: u64,
    /// Most bytes of the durable engine's own cache, which the bound on memory does not count.
    pub l3_cache_bytes: usize,
    pub records: usize,
    pub recalls: i64,
    pub commits: u64,
    /// Groups of commits written since the store was opened; one sync each.
    pub groups: u64,
    /// What was timed, with p50, p95 and p99 in nanoseconds.
    pub latency_ns: Vec<(&'static str, [u64; 3])>,
}

impl Stats {
    pub(crate) fn collect(hot: &HotCache, shared: &Shared, metrics: &Metrics, size: u64, cache: usize) -> Self {
        let (hits, lookups) = hot.hits_and_lookups();
        let timers = [
            ("get_hit", &metrics.hits),
            ("get_miss", &metrics.misses),
            ("commit", &metrics.commits),
            ("recall", &metrics.recalls),
        ];
        let counts = shared.head.counts;
        let spaces = &shared.catalog.spaces;
        let largest = spaces.iter().max_by_key(|space| space.len());
        Self {
            l1_entries: hot.len(),
            l1_bytes: hot.bytes(),
            #[allow(clippy::cast_precision_loss, reason = "a rate needs no more")]
            l1_hit_rate: (lookups > 0).then(|| hits as f64 / lookups as f64),
            l1_evictions: hot.evictions(),
            l2_vectors: shared.catalog.vectors(),
            l2_bytes: shared.catalog.bytes(),
            l2_engine: largest.map_or("exact", VectorStore::engine),
            l2_code: largest.map_or("f16", VectorStore::code_name),
            l2_waiting: spaces.iter().map(VectorStore::waiting).sum(),
            l3_entries: counts.values + counts.versions,
            l3_size_bytes: size,
            l3_cache_bytes: cache,
            records: shared.catalog.len(),
            recalls: counts.recalls,
            commits: shared.head.commit,
            groups: metrics.commits.count(),
            latency_ns: timers.into_iter().filter_map(|(name, timer)| Some((name, timer.percentiles()?))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket_of_the_truth() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentiles(), None);
        (1..=1000).for_each(|micros| histogram.record(micros * 1000));
        let [p50, p95, p99] = histogram.percentiles().unwrap();
        for (found, truth) in [(p50, 500_000), (p95, 950_000), (p99, 990_000)] {
            assert!(found >= truth && found < truth + truth / 8 + 1, "{found} for {truth}");
        }
        histogram.record(u64::MAX);
    }
}
