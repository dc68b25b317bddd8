//! L1: copies of hot values in a sharded map.
//!
//! A hit takes a shard's read lock for the look-up, no write lock and no
//! system call.  The last access is an atomic inside the entry, counted in
//! insertions: order between two evictions is all that eviction needs.  A
//! slab of entries beside each shard gives O(1) samples to evict from.
//! No guard of the map leaves a function.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::sync::Mutex;
use crossbeam_utils::CachePadded;
use dashmap::{DashMap, SharedValue};
use triomphe::ThinArc;

use crate::clock::Clock;

/// Entries looked at to find one to evict.
const SAMPLES: usize = 8;
/// One hit in so many refreshes the coarse time.
const REFRESH: u64 = 64;
const NEVER: i64 = i64::MAX;
const STRIPES: usize = 16;

/// Bounds of the hot tier.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// Most entries.
    pub max_entries: usize,
    /// How long a copy stays, in microseconds.
    pub ttl_us: u64,
    /// Whether reads count for eviction; otherwise the oldest insertion goes.
    pub track_access: bool,
    /// Most bytes, keys and bookkeeping included.
    pub max_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { max_entries: 100_000, ttl_us: 3_600_000_000, track_access: true, max_bytes: 256 << 20 }
    }
}

struct Header {
    hash: u64,
    /// Wall time at which the value itself ends.
    expires_at: i64,
    /// Monotonic time at which this copy ends.
    stale_at: u64,
    last_access: AtomicU64,
    slot: AtomicU32,
    namespace_len: u16,
    key_len: u16,
}

/// A value in the hot tier: bookkeeping, namespace, key and value in one
/// allocation, so that a hit follows one pointer.  Cloning copies that pointer.
#[derive(Clone)]
pub struct CacheEntry(ThinArc<Header, u8>);

impl CacheEntry {
    /// The stored bytes.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let head = self.head();
        &self.0.slice[usize::from(head.namespace_len) + usize::from(head.key_len)..]
    }

    fn head(&self) -> &Header {
        &self.0.header.header
    }

    fn cost(&self) -> usize {
        self.0.slice.len() + OVERHEAD
    }

    fn last_access(&self) -> u64 {
        self.head().last_access.load(Ordering::Relaxed)
    }

    fn is(&self, hash: u64, namespace: &str, key: &str) -> bool {
        let head = self.head();
        head.hash == hash
            && usize::from(head.namespace_len) == namespace.len()
            && usize::from(head.key_len) == key.len()
            && self.0.slice[..namespace.len()] == *namespace.as_bytes()
            && self.0.slice[namespace.len()..namespace.len() + key.len()] == *key.as_bytes()
    }
}

/// Within the map an entry is itself and nothing else; look-ups compare names.
impl PartialEq for CacheEntry {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.head(), other.head())
    }
}

impl Eq for CacheEntry {}

impl Hash for CacheEntry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.head().hash);
    }
}

/// One entry in memory: allocation, two pointers to it, control byte and slack of the table.
const OVERHEAD: usize = 96;

/// The hot tier.
pub struct HotCache {
    map: DashMap<CacheEntry, (), foldhash::fast::RandomState>,
    slabs: Box<[Mutex<Vec<CacheEntry>>]>,
    hasher: foldhash::fast::RandomState,
    config: CacheConfig,
    max_bytes: AtomicUsize,
    clock: Arc<Clock>,
    /// Monotonic time, refreshed by insertions and one hit in 64.
    coarse_us: AtomicU64,
    insertions: AtomicU64,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    evictions: AtomicU64,
    hits: Box<[CachePadded<AtomicU64>]>,
    misses: Box<[CachePadded<AtomicU64>]>,
    /// Rises with every change of a key in its stripe; guards promotions against stale reads.
    stripes: Box<[AtomicU64]>,
}

/// What a reader saw before it went to L3; see [`HotCache::promote`].
#[derive(Debug, Clone, Copy)]
pub struct Ticket(u64);

impl HotCache {
    /// An empty cache.
    #[must_use]
    pub fn new(config: CacheConfig, clock: Arc<Clock>) -> Self {
        let shards = (config.max_entries / 256).clamp(2, 64).next_power_of_two();
        let padded = || (0..STRIPES).map(|_| CachePadded::new(AtomicU64::new(0))).collect();
        Self {
            map: DashMap::with_hasher_and_shard_amount(foldhash::fast::RandomState::default(), shards),
            slabs: (0..shards).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            max_bytes: AtomicUsize::new(config.max_bytes),
            config,
            coarse_us: AtomicU64::new(clock.monotonic_us()),
            clock,
            insertions: AtomicU64::new(0),
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            evictions: AtomicU64::new(0),
            hits: padded(),
            misses: padded(),
            stripes: (0..1024).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Look a key up.
    #[inline]
    #[must_use]
    pub fn get(&self, namespace: &str, key: &str) -> Option<CacheEntry> {
        let hash = self.hash(namespace, key);
        let entry = {
            let shard = self.map.shards()[self.map.determine_shard(hash_as_usize(hash))].read();
            shard.get(hash, |(entry, _)| entry.is(hash, namespace, key)).map(|(entry, _)| entry.clone())
        };
        let Some(entry) = entry.filter(|entry| self.is_live(entry.head())) else {
            self.misses[stripe()].fetch_add(1, Ordering::Relaxed);
            return None;
        };
        if self.config.track_access {
            let tick = self.insertions.load(Ordering::Relaxed);
            if entry.head().last_access.load(Ordering::Relaxed) != tick {
                entry.head().last_access.store(tick, Ordering::Relaxed);
            }
        }
        if self.hits[stripe()].fetch_add(1, Ordering::Relaxed).is_multiple_of(REFRESH) {
            self.refresh();
        }
        Some(entry)
    }

    #[inline]
    fn is_live(&self, head: &Header) -> bool {
        head.stale_at > self.coarse_us.load(Ordering::Relaxed)
            && (head.expires_at == NEVER || head.expires_at > self.clock.now_us())
    }

    /// Set a value; `expires_at` is the wall time at which it ends, if it does.
    pub fn insert(&self, namespace: &str, key: &str, value: &[u8], expires_at: Option<i64>) {
        let hash = self.hash(namespace, key);
        self.stripe_of(hash).fetch_add(1, Ordering::AcqRel);
        self.place(hash, namespace, key, value, expires_at, None);
    }

    /// Drop a key.
    pub fn remove(&self, namespace: &str, key: &str) {
        let hash = self.hash(namespace, key);
        self.stripe_of(hash).fetch_add(1, Ordering::AcqRel);
        let index = self.map.determine_shard(hash_as_usize(hash));
        let mut shard = self.map.shards()[index].write();
        if let Some((entry, _)) = shard.remove_entry(hash, |(entry, _)| entry.is(hash, namespace, key)) {
            self.forget(&mut self.slabs[index].lock(), &entry);
        }
    }

    /// Note the state of a key before reading it from L3.
    #[must_use]
    pub fn ticket(&self, namespace: &str, key: &str) -> Ticket {
        Ticket(self.stripe_of(self.hash(namespace, key)).load(Ordering::Acquire))
    }

    /// Insert what was read from L3 unless the key changed since the ticket was taken.
    pub fn promote(&self, namespace: &str, key: &str, value: &[u8], expires_at: Option<i64>, ticket: Ticket) {
        let hash = self.hash(namespace, key);
        self.place(hash, namespace, key, value, expires_at, Some(ticket));
    }

    fn place(
        &self,
        hash: u64,
        namespace: &str,
        key: &str,
        value: &[u8],
        expires_at: Option<i64>,
        ticket: Option<Ticket>,
    ) {
        self.refresh();
        let entry = self.build(hash, namespace, key, value, expires_at);
        if entry.cost() > self.max_bytes.load(Ordering::Relaxed) / 4 {
            // One value may not sweep the whole cache; an older copy must still go.
            if ticket.is_none() {
                self.remove(namespace, key);
            }
            return;
        }
        let index = self.map.determine_shard(hash_as_usize(hash));
        {
            let mut shard = self.map.shards()[index].write();
            let mut slab = self.slabs[index].lock();
            // Checked under the shard's lock, which every writer of this key takes after raising the stripe.
            if ticket.is_some_and(|ticket| self.stripe_of(hash).load(Ordering::Acquire) != ticket.0) {
                return;
            }
            if let Some((old, _)) = shard.remove_entry(hash, |(entry, _)| entry.is(hash, namespace, key)) {
                self.forget(&mut slab, &old);
            }
            self.account(&entry);
            entry.head().slot.store(u32::try_from(slab.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
            slab.push(entry.clone());
            shard.insert(hash, (entry, SharedValue::new(())), |(entry, _)| entry.head().hash);
            while self.is_over() && slab.len() > 1 {
                let victim = self.choose(&slab, slab.len() - 1);
                shard.remove_entry(victim.head().hash, |(entry, _)| *entry == victim);
                self.forget(&mut slab, &victim);
                self.evictions.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.evict_elsewhere(index);
    }

    /// Make room in the shards behind this one, and in itself at last: with a single entry it could
    /// not make room for that.
    fn evict_elsewhere(&self, start: usize) {
        for step in 1..=self.slabs.len() {
            if !self.is_over() {
                return;
            }
            let index = (start + step) % self.slabs.len();
            let mut shard = self.map.shards()[index].write();
            let mut slab = self.slabs[index].lock();
            while self.is_over() && !slab.is_empty() {
                let victim = self.choose(&slab, slab.len());
                shard.remove_entry(victim.head().hash, |(entry, _)| *entry == victim);
                self.forget(&mut slab, &victim);
                self.evictions.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn build(&self, hash: u64, namespace: &str, key: &str, value: &[u8], expires_at: Option<i64>) -> CacheEntry {
        let mut content = Vec::with_capacity(namespace.len() + key.len() + value.len());
        content.extend_from_slice(namespace.as_bytes());
        content.extend_from_slice(key.as_bytes());
        content.extend_from_slice(value);
        let head = Header {
            hash,
            expires_at: expires_at.unwrap_or(NEVER),
            stale_at: self.coarse_us.load(Ordering::Relaxed).saturating_add(self.config.ttl_us),
            last_access: AtomicU64::new(self.insertions.fetch_add(1, Ordering::Relaxed) + 1),
            slot: AtomicU32::new(0),
            namespace_len: u16::try_from(namespace.len()).unwrap_or(u16::MAX),
            key_len: u16::try_from(key.len()).unwrap_or(u16::MAX),
        };
        CacheEntry(ThinArc::from_header_and_slice(head, &content))
    }

    /// The least recently used of a few entries among the first `end` of the slab.
    fn choose(&self, slab: &[CacheEntry], end: usize) -> CacheEntry {
        let mut seed = self.insertions.load(Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut oldest = &slab[0];
        for _ in 0..SAMPLES.min(end) {
            seed = (seed ^ (seed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let sample = &slab[((seed >> 33) as usize) % end];
            if sample.last_access() < oldest.last_access() {
                oldest = sample;
            }
        }
        oldest.clone()
    }

    fn account(&self, entry: &CacheEntry) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(entry.cost(), Ordering::Relaxed);
    }

    fn forget(&self, slab: &mut Vec<CacheEntry>, entry: &CacheEntry) {
        let slot = entry.head().slot.load(Ordering::Relaxed);
        slab.swap_remove(slot as usize);
        if let Some(moved) = slab.get(slot as usize) {
            moved.head().slot.store(slot, Ordering::Relaxed);
        }
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(entry.cost(), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.entries.load(Ordering::Relaxed) > self.config.max_entries
            || self.bytes.load(Ordering::Relaxed) > self.max_bytes.load(Ordering::Relaxed)
    }

    /// Give the cache less (or again more) room; what is over goes at once.
    pub fn set_max_bytes(&self, max_bytes: usize) {
        self.max_bytes.store(max_bytes.min(self.config.max_bytes), Ordering::Relaxed);
        self.evict_elsewhere(0);
    }

    fn hash(&self, namespace: &str, key: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(namespace.as_bytes());
        hasher.write_u8(u8::MAX);
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    fn stripe_of(&self, hash: u64) -> &AtomicU64 {
        &self.stripes[(hash >> 20) as usize % self.stripes.len()]
    }

    fn refresh(&self) {
        self.coarse_us.store(self.clock.monotonic_us(), Ordering::Relaxed);
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, bookkeeping included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Entries dropped to make room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Look-ups that found their key, and all look-ups.
    #[must_use]
    pub fn hits_and_lookups(&self) -> (u64, u64) {
        let sum = |cells: &[CachePadded<AtomicU64>]| cells.iter().map(|cell| cell.load(Ordering::Relaxed)).sum::<u64>();
        let hits = sum(&self.hits);
        (hits, hits + sum(&self.misses))
    }
}

fn hash_as_usize(hash: u64) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "the map spreads by whatever bits there are")]
    let hash = hash as usize;
    hash
}

/// Threads count in cells of their own, so that hits on one core do not slow another.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    MINE.with(|mine| *mine)
}

#[cfg(test)]
mod tests;
