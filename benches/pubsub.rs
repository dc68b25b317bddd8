//! Messages between agents: what a publisher pays, and when a reader that waits has them.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nt_memory::{PubSubBroker, Publication, Subscribe, Subscription};

use crate::harness::{Bench, percentiles};

const CALLS: usize = 200_000;
const READERS: usize = 10;
const MESSAGES: usize = 2_000_000;

fn message(payload: &[u8]) -> Publication {
    Publication { topic: "agent_1/updates".into(), payload: payload.to_vec(), ..Publication::default() }
}

fn listen(broker: &Arc<PubSubBroker>, capacity: usize) -> Subscription {
    broker.subscribe(&Subscribe { capacity, ..Subscribe::to("agent_1/updates") }).unwrap()
}

pub fn pubsub(bench: &mut Bench) {
    let broker = Arc::new(PubSubBroker::new());
    bench.latency("pubsub/subscribe", 10_000, 1, |_| {
        black_box(listen(&broker, 1024));
    });
    for (name, readers) in [("pubsub/publish_single", 1), ("pubsub/publish_broadcast_10", READERS)] {
        let _open: Vec<Subscription> = (0..readers).map(|_| listen(&broker, 1024)).collect();
        bench.latency(name, CALLS, 1, |_| {
            black_box(broker.publish(message(&[7; 100])).unwrap());
        });
    }
    wakes(bench);
    stream(bench);
}

/// Ten readers wait; how long after the begin of `publish` each has the message in hand.
fn wakes(bench: &mut Bench) {
    let broker = Arc::new(PubSubBroker::new());
    let (origin, done) = (Instant::now(), AtomicBool::new(false));
    let arrived = AtomicUsize::new(0);
    let times: Vec<u64> = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let subscription = listen(&broker, 1024);
                let (done, arrived) = (&done, &arrived);
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let Some(message) = subscription.recv(Some(Duration::from_millis(50))).unwrap() else {
                            continue;
                        };
                        let now = origin.elapsed().as_nanos() as u64;
                        let sent = u64::from_le_bytes(message.payload[..8].try_into().unwrap());
                        times.push(now - sent);
                        arrived.fetch_add(1, Ordering::Relaxed);
                    }
                    times
                })
            })
            .collect();
        for number in 1..=5_000 {
            let now = origin.elapsed().as_nanos() as u64;
            broker.publish(message(&now.to_le_bytes())).unwrap();
            while arrived.load(Ordering::Relaxed) < number * READERS {
                thread::yield_now();
            }
            // So that all of them sleep again.
            thread::sleep(Duration::from_micros(100));
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    let [p50, _, p99] = percentiles(&times);
    bench.number("pubsub/publish_to_receive_10/p50", p50 as f64 / 1e3, "us");
    bench.number("pubsub/publish_to_receive_10/p99", p99 as f64 / 1e3, "us");
}

/// One publisher and one reader, each on a thread; all messages over all time.
fn stream(bench: &mut Bench) {
    let broker = Arc::new(PubSubBroker::new());
    let subscription = listen(&broker, 1 << 20);
    let started = Instant::now();
    let (delivered, missed) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut delivered, mut missed) = (0, 0);
            while delivered + missed < MESSAGES {
                match subscription.recv(None) {
                    Ok(Some(_)) => delivered += 1,
                    Ok(None) => {}
                    Err(nt_memory::Error::Lagged { missed: more, .. }) => missed += more as usize,
                    Err(other) => panic!("{other}"),
                }
            }
            (delivered, missed)
        });
        for _ in 0..MESSAGES {
            broker.publish(message(&[7; 100])).unwrap();
        }
        reader.join().unwrap()
    });
    let seconds = started.elapsed().as_secs_f64();
    bench.number("pubsub/to_one_subscriber", delivered as f64 / seconds, "messages/s");
    bench.number("pubsub/to_one_subscriber/missed", missed as f64, "messages");
}
