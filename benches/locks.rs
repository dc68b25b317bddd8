//! Locks: what a free one costs, and how long ten agents wait for one that all want.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nt_memory::{Clock, DistributedLock, LockRequest, Locking};

use crate::harness::{Bench, percentiles};

const CALLS: usize = 200_000;
const AGENTS: usize = 10;
const TURNS: usize = 2_000;

fn request(owner: &str) -> LockRequest {
    LockRequest { resource: "market_sync".into(), owner: owner.into(), ttl: 30_000_000, reentrant: false }
}

/// Acquire, waiting as long as it takes, and release; how long the first took.
fn turn(locks: &DistributedLock, request: &LockRequest) -> Duration {
    let begun = Instant::now();
    let lease = match locks.acquire(request, None).unwrap() {
        Locking::Granted(lease) => lease,
        Locking::Waiting(mut wait) => loop {
            if let Some(lease) = wait.take() {
                break lease;
            }
            wait.wait(Duration::from_millis(50));
        },
    };
    let took = begun.elapsed();
    locks.release("market_sync", lease.number).unwrap();
    took
}

pub fn distributed_locks(bench: &mut Bench) {
    let locks = DistributedLock::new(Arc::new(Clock::system()));
    let own = request("agent-0");
    bench.latency("distributed_locks/acquire_release", CALLS, 1, |_| {
        black_box(turn(&locks, &own));
    });
    let begun = Instant::now();
    let waited: Vec<Duration> = std::thread::scope(|scope| {
        let agents: Vec<_> = (0..AGENTS)
            .map(|number| {
                let locks = &locks;
                scope.spawn(move || {
                    let own = request(&format!("agent-{number}"));
                    (0..TURNS).map(|_| turn(locks, &own)).collect::<Vec<_>>()
                })
            })
            .collect();
        agents.into_iter().flat_map(|agent| agent.join().unwrap()).collect()
    });
    let rate = (AGENTS * TURNS) as f64 / begun.elapsed().as_secs_f64();
    let waited: Vec<u64> = waited.iter().map(|took| u64::try_from(took.as_nanos()).unwrap()).collect();
    for (percentile, time) in ["p50", "p95", "p99"].into_iter().zip(percentiles(&waited)) {
        bench.number(&format!("distributed_locks/contention_10_agents/wait {percentile}"), time as f64, "ns");
    }
    bench.number("distributed_locks/contention_10_agents", rate, "turns/s");
}
