use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{CacheConfig, HotCache};
use crate::clock::Clock;

fn cache(max_entries: usize) -> (HotCache, Arc<Clock>) {
    let clock = Arc::new(Clock::manual(0));
    let config = CacheConfig { max_entries, ..CacheConfig::default() };
    (HotCache::new(config, Arc::clone(&clock)), clock)
}

fn value(cache: &HotCache, key: &str) -> Option<Vec<u8>> {
    cache.get("n", key).map(|entry| entry.value().to_vec())
}

#[test]
fn a_full_cache_evicts_what_was_used_longest_ago() {
    let (cache, _) = cache(4);
    for key in ["a", "b", "c", "d"] {
        cache.insert("n", key, b"v", None);
    }
    for key in ["b", "c", "d"] {
        assert!(value(&cache, key).is_some());
    }
    for round in 0..3 {
        cache.insert("n", &format!("new{round}"), b"v", None);
        assert_eq!(cache.len(), 4);
    }
    assert_eq!(cache.evictions(), 3);
}

#[test]
fn a_copy_goes_stale_after_its_ttl() {
    let (cache, clock) = cache(10);
    cache.insert("n", "a", b"v", None);
    clock.advance(3_600_000_001);
    cache.insert("n", "b", b"v", None);
    assert_eq!(value(&cache, "a"), None);
    assert!(value(&cache, "b").is_some());
}

#[test]
fn a_value_ends_at_its_expiry() {
    let (cache, clock) = cache(10);
    cache.insert("n", "a", b"v", Some(5));
    clock.set(4);
    assert!(value(&cache, "a").is_some());
    clock.set(5);
    assert_eq!(value(&cache, "a"), None);
}

#[test]
fn a_promotion_loses_against_a_later_write() {
    let (cache, _) = cache(10);
    let ticket = cache.ticket("n", "a");
    cache.insert("n", "a", b"new", None);
    cache.remove("n", "a");
    cache.promote("n", "a", b"old", None, ticket);
    assert_eq!(value(&cache, "a"), None);
    cache.promote("n", "a", b"new", None, cache.ticket("n", "a"));
    assert_eq!(value(&cache, "a").unwrap(), b"new");
}

#[test]
fn a_value_too_large_for_the_cache_drops_the_older_copy() {
    let clock = Arc::new(Clock::manual(0));
    let cache = HotCache::new(CacheConfig { max_bytes: 4096, ..CacheConfig::default() }, clock);
    cache.insert("n", "a", b"small", None);
    cache.insert("n", "a", &[0; 4000], None);
    assert_eq!(value(&cache, "a"), None);
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn the_hit_rate_counts_hits_and_misses() {
    let (cache, _) = cache(10);
    cache.insert("n", "a", b"v", None);
    let _ = (value(&cache, "a"), value(&cache, "b"));
    assert_eq!(cache.hits_and_lookups(), (1, 2));
}

#[test]
fn threads_never_read_a_value_that_was_not_written_for_the_key() {
    let (cache, _) = cache(64);
    std::thread::scope(|scope| {
        for seed in 0_u64..4 {
            let cache = &cache;
            scope.spawn(move || {
                let mut state = seed + 1;
                for _ in 0..20_000 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let key = format!("k{}", (state >> 40) % 200);
                    match (state >> 33) % 4 {
                        0 => cache.insert("n", &key, key.as_bytes(), None),
                        1 => cache.remove("n", &key),
                        _ => assert!(value(cache, &key).is_none_or(|value| value == key.as_bytes())),
                    }
                }
            });
        }
    });
    assert!(cache.len() <= 64);
}

proptest! {
    #[test]
    fn a_cache_that_never_fills_is_a_map(steps in proptest::collection::vec((0_u8..3, 0_u8..20, any::<u8>()), 0..200)) {
        let (cache, _) = cache(100);
        let mut model = HashMap::new();
        for (step, key, byte) in steps {
            let key = format!("k{key}");
            match step {
                0 => { cache.insert("n", &key, &[byte], None); model.insert(key, vec![byte]); }
                1 => { cache.remove("n", &key); model.remove(&key); }
                _ => prop_assert_eq!(value(&cache, &key), model.get(&key).cloned()),
            }
            prop_assert_eq!(cache.len(), model.len());
        }
    }

    #[test]
    fn bounds_hold_after_every_insertion(keys in proptest::collection::vec((0_u8..60, 0_usize..400), 1..200)) {
        let clock = Arc::new(Clock::manual(0));
        let cache = HotCache::new(CacheConfig { max_entries: 20, max_bytes: 4096, ..CacheConfig::default() }, clock);
        for (key, size) in keys {
            cache.insert("n", &format!("k{key}"), &vec![0; size], None);
            prop_assert!(cache.len() <= 20 && cache.bytes() <= 4096);
        }
    }
}

/// Requests for keys whose popularity falls with their rank to the power of `skew`.
fn zipf(skew: f64, keys: u32, requests: usize) -> Vec<u32> {
    let mut sum = 0.0;
    let share = |rank: u32| {
        sum += f64::from(rank).powf(-skew);
        sum
    };
    let bounds: Vec<f64> = (1..=keys).map(share).collect();
    let mut seed = 7_u64;
    let mut draw = || {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        f64::from(u32::try_from(seed >> 32).unwrap()) / f64::from(u32::MAX) * bounds[bounds.len() - 1]
    };
    (0..requests)
        .map(|_| {
            let at = draw();
            u32::try_from(bounds.partition_point(|bound| *bound < at)).unwrap().min(keys - 1)
        })
        .collect()
}

/// Hits of a cache that always evicts the least recently used entry.
fn exact_lru_hits(trace: &[u32], capacity: usize) -> usize {
    let mut last = std::collections::HashMap::new();
    let mut order = std::collections::BTreeMap::new();
    let mut hits = 0;
    for (at, key) in trace.iter().enumerate() {
        if let Some(before) = last.insert(*key, at) {
            order.remove(&before);
            hits += 1;
        } else if last.len() > capacity {
            let (_, oldest) = order.pop_first().unwrap();
            last.remove(&oldest);
        }
        order.insert(at, *key);
    }
    hits
}

#[test]
fn the_hit_rate_is_within_a_point_of_exact_lru() {
    for skew in [0.8, 1.0, 1.2] {
        let trace = zipf(skew, 20_000, 200_000);
        let config = CacheConfig { max_entries: 2_000, ..CacheConfig::default() };
        let cache = HotCache::new(config, Arc::new(Clock::manual(0)));
        let mut hits = 0_usize;
        for key in &trace {
            let key = key.to_string();
            if cache.get("n", &key).is_some() {
                hits += 1;
            } else {
                cache.insert("n", &key, b"v", None);
            }
        }
        let exact = exact_lru_hits(&trace, 2_000);
        assert!(hits + trace.len() / 100 >= exact, "skew {skew}: {hits} hits, {exact} of exact LRU");
    }
}
