//! The hot tier, messages and locks beside the crate they were modelled on, and a durable put beside raw redb.

#![allow(missing_docs)]

#[path = "../../../harness/mod.rs"]
mod harness;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use harness::{Bench, calls, keys};
use ours::{
    Clock, ColdEngine, LockRequest, Locking, Operation, PubSubBroker, Publication, Store, StoreConfig, Subscribe,
};

const KEYS: usize = 100_000;
const CALLS: usize = 1_000_000;

fn main() {
    let mut bench = Bench::from_arguments();
    bench.group("l1_cache", l1_cache);
    bench.group("cold", cold);
    bench.group("pubsub", pubsub);
    bench.group("distributed_locks", distributed_locks);
    bench.finish("peers_rust.jsonl");
}

/// Both caches hold the same 100,000 values of 100 bytes and are asked in the same order, in turns.
fn l1_cache(bench: &mut Bench) {
    let pairs = keys(KEYS);
    let joined: Vec<String> = pairs.iter().map(|(namespace, key)| format!("{namespace}/{key}")).collect();
    let ours = ours::HotCache::new(
        ours::CacheConfig { max_entries: KEYS, ..ours::CacheConfig::default() },
        Arc::new(Clock::system()),
    );
    let seed = seed::HotCache::new(seed::CacheConfig {
        max_entries: KEYS,
        ttl: Duration::from_secs(3600),
        track_access: true,
    });
    for ((namespace, key), joined) in pairs.iter().zip(&joined) {
        ours.insert(namespace, key, &[7; 100], None);
        seed.insert(joined, vec![7; 100]);
    }
    for (name, hot, batch) in [("random_hit_100k", KEYS, 1), ("position_hit_1k_batch16", 1000, 16)] {
        let asked = calls(&pairs[..hot], CALLS);
        let asked_joined: Vec<String> = asked.iter().map(|(namespace, key)| format!("{namespace}/{key}")).collect();
        for round in 1..=3 {
            bench.latency(&format!("l1_cache/{name}/seed/{round}"), CALLS, batch, |i| {
                black_box(seed.get(&asked_joined[i]).is_some());
            });
            bench.latency(&format!("l1_cache/{name}/ours/{round}"), CALLS, batch, |i| {
                let (namespace, key) = &asked[i];
                black_box(ours.get(namespace, key).is_some());
            });
        }
    }
    let fresh: Vec<String> = (0..2000).map(|i| format!("swarm/agent-7/new/{i}")).collect();
    bench.latency("l1_cache/insert_at_capacity/seed", fresh.len(), 1, |i| seed.insert(&fresh[i], vec![7; 100]));
    bench.latency("l1_cache/insert_at_capacity/ours", fresh.len(), 1, |i| {
        ours.insert("swarm/agent-7", &fresh[i], &[7; 100], None);
    });
}

/// One durable put of 100 bytes at a time.
fn cold(bench: &mut Bench) {
    let directory = tempfile::tempdir().unwrap();
    let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("rows");
    let raw = redb::Database::create(directory.path().join("raw.redb")).unwrap();
    let store = Store::open(StoreConfig {
        path: Some(directory.path().join("store")),
        engine: ColdEngine::Redb,
        ..StoreConfig::default()
    })
    .unwrap();
    let keys = keys(2000);
    for round in 1..=2 {
        bench.latency(&format!("cold/put_100B_single/raw_redb/{round}"), 1000, 1, |i| {
            let write = raw.begin_write().unwrap();
            write.open_table(table).unwrap().insert(keys[i].1.as_str(), [7_u8; 100].as_slice()).unwrap();
            write.commit().unwrap();
        });
        bench.latency(&format!("cold/put_100B_single/ours/{round}"), 1000, 1, |i| {
            let (namespace, key) = keys[i].clone();
            store.commit(vec![Operation::Put { namespace, key, value: vec![7; 100], ttl: None }]).unwrap();
        });
    }
}

/// Both publish 100 bytes to readers with room for 1,000 messages that read nothing.  A full ring of ours
/// drops the oldest and counts it; the seed's full queue refuses the newest, which costs it less than a
/// send.  Its calls are async; the executor is within its times.
fn pubsub(bench: &mut Bench) {
    const CALLS: usize = 100_000;
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let topic = "agent_1/updates";
    for round in 1..=3 {
        for (name, readers) in [("publish_single", 1), ("publish_broadcast_10", 10)] {
            let seed = seed::PubSubBroker::new();
            let _theirs: Vec<_> = (0..readers).map(|_| executor.block_on(seed.subscribe(topic)).unwrap()).collect();
            bench.latency(&format!("pubsub/{name}/seed/{round}"), CALLS, 1, |_| {
                executor.block_on(seed.publish(topic, vec![7; 100])).unwrap();
            });
            let ours = Arc::new(PubSubBroker::new());
            let _ours: Vec<_> = (0..readers).map(|_| ours.subscribe(&Subscribe::to(topic)).unwrap()).collect();
            bench.latency(&format!("pubsub/{name}/ours/{round}"), CALLS, 1, |_| {
                let payload = vec![7; 100];
                ours.publish(Publication { topic: topic.to_owned(), payload, ..Publication::default() }).unwrap();
            });
        }
        let (seed, ours) = (seed::PubSubBroker::new(), Arc::new(PubSubBroker::new()));
        let mut kept = Vec::new();
        bench.latency(&format!("pubsub/subscribe/seed/{round}"), 1000, 1, |_| {
            kept.push(executor.block_on(seed.subscribe(topic)).unwrap());
        });
        let mut kept = Vec::new();
        bench.latency(&format!("pubsub/subscribe/ours/{round}"), 1000, 1, |_| {
            kept.push(ours.subscribe(&Subscribe::to(topic)).unwrap());
        });
    }
}

/// A free lock, and one that ten agents want: ours with a line, theirs with a look every 10 ms.
fn distributed_locks(bench: &mut Bench) {
    const CALLS: usize = 100_000;
    const TURNS: usize = 50;
    let resource = "market_sync";
    let executor = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seed = seed::DistributedLock::new();
    let ours = ours::DistributedLock::new(Arc::new(Clock::system()));
    let request =
        |owner: String| LockRequest { resource: resource.into(), owner, ttl: 30_000_000, reentrant: false };
    let take = |request: &LockRequest| match ours.acquire(request, None).unwrap() {
        Locking::Granted(lease) => lease.number,
        Locking::Waiting(mut wait) => loop {
            if let Some(lease) = wait.take() {
                break lease.number;
            }
            wait.wait(Duration::from_millis(50));
        },
    };
    let (alone, own) = (executor(), request("agent".into()));
    for round in 1..=3 {
        bench.latency(&format!("distributed_locks/acquire_release/seed/{round}"), CALLS, 1, |_| {
            let token = alone.block_on(seed.acquire(resource, Duration::from_secs(1))).unwrap();
            alone.block_on(seed.release(&token)).unwrap();
        });
        bench.latency(&format!("distributed_locks/acquire_release/ours/{round}"), CALLS, 1, |_| {
            let number = take(&own);
            ours.release(resource, number).unwrap();
        });
    }
    let among_ten = |turn: &(dyn Fn(usize) + Sync)| {
        let begun = std::time::Instant::now();
        std::thread::scope(|scope| (0..10).for_each(|agent| drop(scope.spawn(move || turn(agent)))));
        10.0 * TURNS as f64 / begun.elapsed().as_secs_f64()
    };
    let theirs = among_ten(&|_| {
        let executor = executor();
        for _ in 0..TURNS {
            let token = executor.block_on(seed.acquire(resource, Duration::from_secs(60))).unwrap();
            executor.block_on(seed.release(&token)).unwrap();
        }
    });
    bench.number("distributed_locks/contention_10_agents/seed", theirs, "turns/s");
    let rate = among_ten(&|agent| {
        let own = request(format!("agent-{agent}"));
        for _ in 0..TURNS {
            let number = take(&own);
            ours.release(resource, number).unwrap();
        }
    });
    bench.number("distributed_locks/contention_10_agents/ours", rate, "turns/s");
}
