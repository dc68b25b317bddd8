//! What the disk adds.

use std::sync::Arc;
use std::thread;

use super::*;
use crate::{Clock, Store, StoreConfig};

/// A store with a topic `kept/**` that is durable.
fn durable(retention: Option<i64>, clock: &Arc<Clock>) -> Store {
    let store = Store::open(StoreConfig { clock: Arc::clone(clock), ..StoreConfig::default() }).unwrap();
    store.configure_topic("kept/**", Some(TopicOptions { retention })).unwrap();
    store
}

fn send(store: &Store, topic: &str, numbers: std::ops::Range<u8>) -> Vec<u64> {
    numbers.map(|number| store.publish(publication(topic, &[number])).unwrap()).collect()
}

fn read(subscription: &Subscription) -> Vec<u8> {
    std::iter::from_fn(|| subscription.try_recv().unwrap()).map(|message| message.payload[0]).collect()
}

#[test]
fn what_is_kept_comes_before_what_is_live_without_a_gap_or_a_double() {
    let store = durable(None, &Arc::new(Clock::system()));
    let sequences = send(&store, "kept/a", 0..200);
    send(&store, "other", 0..3);
    let from = |from_seq| store.subscribe(&Subscribe { from_seq, ..Subscribe::to("**") }).unwrap();
    let (all, some, live) = (from(Some(0)), from(Some(sequences[150])), from(None));
    send(&store, "other", 200..203);
    let last = send(&store, "kept/b", 203..205);
    assert_eq!(read(&all), (0..205).collect::<Vec<u8>>());
    assert_eq!(read(&some), (150..205).collect::<Vec<u8>>());
    assert_eq!(read(&live), (200..205).collect::<Vec<u8>>());
    assert!(balanced(all.counts().unwrap()));
    assert_eq!(all.counts().unwrap().matched, 205);
    let later = from(Some(last[1] + 1));
    send(&store, "other", 0..1);
    assert_eq!(read(&later), [0]);
}

#[test]
fn a_named_subscriber_goes_on_behind_what_it_handled() {
    let store = durable(None, &Arc::new(Clock::system()));
    let named = || store.subscribe(&Subscribe { durable: Some("audit".into()), ..Subscribe::to("kept/*") }).unwrap();
    send(&store, "kept/a", 0..100);
    send(&store, "kept/deeper/b", 0..100);
    let first = named();
    assert!(matches!(
        store.subscribe(&Subscribe { durable: Some("audit".into()), ..Subscribe::to("**") }),
        Err(Error::Coordination(_))
    ));
    for number in 0..10 {
        assert_eq!(first.recv(None).unwrap().unwrap().payload, [number]);
    }
    first.close(false).unwrap();
    let second = named();
    assert_eq!(second.recv(None).unwrap().unwrap().payload, [9]);
    second.acknowledge().unwrap();
    drop(second);
    let third = named();
    send(&store, "kept/a", 100..110);
    assert_eq!(read(&third), (10..110).collect::<Vec<u8>>());
    third.close(true).unwrap();
    assert_eq!(read(&named()), []);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn a_named_subscriber_that_waits_is_woken_by_durable_messages_only() {
    let store = durable(None, &Arc::new(Clock::system()));
    let named = store.subscribe(&Subscribe { durable: Some("audit".into()), ..Subscribe::to("**") }).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| named.recv(None).unwrap().unwrap().payload.clone());
        send(&store, "other", 1..2);
        send(&store, "kept/a", 2..3);
        assert_eq!(reader.join().unwrap(), [2]);
    });
}

#[test]
fn retention_hides_and_erases_messages() {
    let clock = Arc::new(Clock::manual(0));
    let store = durable(Some(1_000), &clock);
    send(&store, "kept/a", 0..5);
    clock.advance(600);
    send(&store, "kept/a", 5..10);
    let all = || read(&store.subscribe(&Subscribe { from_seq: Some(0), ..Subscribe::to("**") }).unwrap());
    assert_eq!(all().len(), 10);
    clock.advance(600);
    assert_eq!(all(), (5..10).collect::<Vec<u8>>());
    let before = store.stats().unwrap().l3_entries;
    send(&store, "kept/a", 10..11);
    assert_eq!(store.stats().unwrap().l3_entries, before - 4);
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn sequences_and_rules_grow_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let path = Some(directory.path().to_path_buf());
        Store::open(StoreConfig { path, engine: crate::ColdEngine::Redb, ..StoreConfig::default() }).unwrap()
    };
    let store = open();
    store.configure_topic("kept/**", Some(TopicOptions::default())).unwrap();
    let before = send(&store, "kept/a", 0..3);
    store.close().unwrap();
    let store = open();
    assert!(store.is_durable("kept/a"));
    let live = store.subscribe(&Subscribe { from_seq: Some(before[1]), ..Subscribe::to("**") }).unwrap();
    send(&store, "other", 3..4);
    send(&store, "kept/a", 4..6);
    let sequences: Vec<u64> = std::iter::from_fn(|| live.try_recv().unwrap()).map(|message| message.sequence).collect();
    assert_eq!(sequences.len(), 5);
    assert_eq!(sequences[..2], before[1..]);
    assert!(sequences.is_sorted_by(|a, b| a < b));
    store.configure_topic("kept/**", None).unwrap();
    store.close().unwrap();
    assert!(!open().is_durable("kept/a"));
}

#[test]
fn a_store_has_sequences_after_the_last_of_a_commit() {
    let store = Store::open(StoreConfig::default()).unwrap();
    let live = store.subscribe(&Subscribe::to("**")).unwrap();
    let before = store.publish(publication("a", b"")).unwrap();
    store.broker().use_up();
    let after = store.publish(publication("a", b"")).unwrap();
    assert!(after >> 32 > before >> 32);
    assert_eq!(live.counts().unwrap().waiting, 2);
}

#[test]
fn a_closed_store_ends_its_subscriptions_and_keeps_their_cursors() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let path = Some(directory.path().to_path_buf());
        Store::open(StoreConfig { path, engine: crate::ColdEngine::Redb, ..StoreConfig::default() }).unwrap()
    };
    let named = |store: &Store| {
        store.subscribe(&Subscribe { durable: Some("audit".into()), ..Subscribe::to("kept/*") }).unwrap()
    };
    let store = open();
    store.configure_topic("kept/**", Some(TopicOptions::default())).unwrap();
    send(&store, "kept/a", 0..10);
    let audit = named(&store);
    for _ in 0..5 {
        audit.try_recv().unwrap().unwrap();
    }
    store.close().unwrap();
    assert!(matches!(audit.try_recv(), Err(Error::Closed)));
    audit.close(true).unwrap();
    drop(store);
    let store = open();
    // The fifth was delivered, and nobody asked for the next one.
    assert_eq!(read(&named(&store)), (4..10).collect::<Vec<u8>>());
}

#[test]
fn users_cannot_reach_the_rows_of_messages() {
    let store = durable(None, &Arc::new(Clock::system()));
    for namespace in [MESSAGES, TOPICS, CURSORS] {
        assert!(matches!(store.scan(namespace, "", 1, None), Err(Error::Namespace(_))));
    }
    let hot = store.stats().unwrap().l1_entries;
    send(&store, "kept/a", 0..3);
    assert_eq!(store.stats().unwrap().l1_entries, hot);
}
