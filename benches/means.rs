//! Means by criterion: `cargo bench -p nt-memory -- l1_cache`.

#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, reason = "a benchmark may end at the first surprise")]

mod harness;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::{Random, keys};
use nt_memory::{CacheConfig, Clock, HotCache, Namespace};

const KEYS: usize = 100_000;

fn l1_cache(criterion: &mut Criterion) {
    let keys = keys(KEYS);
    let cache = HotCache::new(CacheConfig::default(), Arc::new(Clock::system()));
    for (namespace, key) in &keys {
        cache.insert(namespace, key, &[7; 100], None);
    }
    let mut random = Random(1);
    let mut group = criterion.benchmark_group("l1_cache");
    group.bench_function("get_hit", |bencher| {
        bencher.iter(|| {
            let (namespace, key) = &keys[random.below(KEYS)];
            black_box(cache.get(namespace, key))
        });
    });
    group.bench_function("get_miss", |bencher| bencher.iter(|| black_box(cache.get("n", black_box("absent")))));
    group.bench_function("insert", |bencher| {
        bencher.iter(|| {
            let (namespace, key) = &keys[random.below(KEYS)];
            cache.insert(namespace, key, &[8; 100], None);
        });
    });
    group.finish();
}

fn namespace(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("namespace");
    group.bench_function("build", |bencher| bencher.iter(|| Namespace::build(black_box("agent-1"), &["position"])));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Namespace::parse(black_box("swarm/agent-1/position")).unwrap().len())
    });
    group.finish();
}

criterion_group!(benches, l1_cache, namespace);
criterion_main!(benches);
