//! Messages between agents: what a publisher pays, and when a reader that waits has them.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// Ten readers wait; how long after the begin of `publish` each has the message in hand.  Beside it, what
/// the system takes to wake ten threads that are parked, one after the other.
fn wakes(bench: &mut Bench) {
    let broker = Arc::new(PubSubBroker::new());
    let subscriptions: Vec<Subscription> = (0..READERS).map(|_| listen(&broker, 1024)).collect();
    let origin = Instant::now();
    let read = |number: usize| {
        let message = subscriptions[number].recv(Some(Duration::from_millis(50))).unwrap()?;
        Some(u64::from_le_bytes(message.payload[..8].try_into().unwrap()))
    };
    let times = among_ten(origin, &read, |now, _| _ = broker.publish(message(&now.to_le_bytes())).unwrap());
    let sent: [AtomicU64; READERS] = std::array::from_fn(|_| AtomicU64::new(0));
    let parked = |number: usize| {
        thread::park_timeout(Duration::from_millis(50));
        Some(sent[number].swap(0, Ordering::SeqCst)).filter(|sent| *sent > 0)
    };
    let floor = among_ten(origin, &parked, |now, threads| {
        for (sent, thread) in sent.iter().zip(threads) {
            sent.store(now, Ordering::SeqCst);
            thread.unpark();
        }
    });
    for (name, times) in [("publish_to_receive_10", times), ("unpark_10_threads", floor)] {
        for (percentile, time) in ["p50", "p95", "p99"].into_iter().zip(percentiles(&times)) {
            bench.number(&format!("pubsub/{name}/{percentile}"), time as f64 / 1e3, "us");
        }
    }
}

/// Run a reader a thread; return how long after `send` each of them had what was sent.
fn among_ten(
    origin: Instant,
    read: &(impl Fn(usize) -> Option<u64> + Sync),
    send: impl Fn(u64, &[thread::Thread]),
) -> Vec<u64> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let Some(sent) = read(number) else { continue };
                        times.push(origin.elapsed().as_nanos() as u64 - sent);
                    }
                    times
                })
            })
            .collect();
        let threads: Vec<_> = readers.iter().map(|reader| reader.thread().clone()).collect();
        for _ in 0..5_000 {
            // So that all of them sleep.
            thread::sleep(Duration::from_micros(500));
            send(origin.elapsed().as_nanos() as u64, &threads);
        }
        thread::sleep(Duration::from_millis(10));
        done.store(true, Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    })
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
                    Err(nt_memory::Error::Lagged { missed: more, .. }) => missed += more as usize,
                    other => delivered += usize::from(other.unwrap().is_some()),
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
