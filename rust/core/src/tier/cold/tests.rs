//! One contract for the three engines.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Change, Chunked, ColdEngine, ColdStore, MemoryCold, Visitor};
use crate::error::Result;

/// Bytes of an engine's own cache.
pub(super) const CACHE: usize = 64 << 20;
const ENGINES: [ColdEngine; 3] = [ColdEngine::Redb, ColdEngine::Sled, ColdEngine::Memory];

fn rows(cold: &dyn ColdStore, start: &[u8], end: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    cold.scan(start, end, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(true)
    })
    .unwrap();
    rows
}

fn on_each_engine(test: impl Fn(&dyn ColdStore)) {
    for engine in ENGINES {
        let directory = tempfile::tempdir().unwrap();
        test(engine.open(directory.path(), CACHE).unwrap().as_ref());
    }
}

#[test]
fn a_scan_stops_when_told() {
    on_each_engine(|cold| {
        let changes: Vec<Change> = (0_u8..9).map(|i| (vec![b'k', i], Some(vec![i]))).collect();
        cold.write(changes, true).unwrap();
        let mut seen = 0;
        cold.scan(b"k", b"l", &mut |_, _| {
            seen += 1;
            Ok(seen < 3)
        })
        .unwrap();
        assert_eq!(seen, 3);
    });
}

#[test]
fn an_empty_range_visits_nothing() {
    on_each_engine(|cold| assert!(rows(cold, b"z", b"a").is_empty()));
}

#[test]
fn large_values_come_back_whole_and_leave_nothing_behind() {
    on_each_engine(|cold| {
        let large: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        cold.write(vec![(b"k".to_vec(), Some(large.clone()))], true).unwrap();
        assert_eq!(cold.get(b"k").unwrap().unwrap(), large);
        assert_eq!(rows(cold, &[0], &[255; 9]), [(b"k".to_vec(), large.clone())]);
        cold.write(vec![(b"k".to_vec(), Some(large[..70_000].to_vec()))], true).unwrap();
        assert_eq!(cold.get(b"k").unwrap().unwrap(), large[..70_000]);
        cold.write(vec![(b"k".to_vec(), Some(b"small".to_vec()))], true).unwrap();
        assert_eq!(cold.get(b"k").unwrap().unwrap(), b"small");
        cold.write(vec![(b"k".to_vec(), None)], true).unwrap();
        assert!(rows(cold, &[0], &[255; 9]).is_empty());
    });
}

#[test]
fn parts_of_large_values_go_with_them() {
    for large in [vec![7; 1 << 20], vec![8; 100_000]] {
        let inner = MemoryCold::default();
        let cold = Chunked::open(&inner).unwrap();
        cold.write(vec![(b"k".to_vec(), Some(large))], true).unwrap();
        // Opened anew, the wrapper still knows which keys have parts.
        let cold = Chunked::open(&inner).unwrap();
        cold.write(vec![(b"k".to_vec(), None)], true).unwrap();
        assert!(rows(&&inner, &[0], &[255; 9]).is_empty());
    }
}

#[test]
fn a_reader_never_mixes_two_large_values() {
    on_each_engine(|cold| {
        let done = std::sync::atomic::AtomicBool::new(false);
        let write = |byte: u8| cold.write(vec![(b"k".to_vec(), Some(vec![byte; 200_000]))], false).unwrap();
        write(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let value = cold.get(b"k").unwrap().unwrap();
                    assert!(value.len() == 200_000 && value.iter().all(|byte| *byte == value[0]));
                }
            });
            (0..40).for_each(write);
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}

#[test]
fn a_visit_of_all_sees_what_a_scan_sees() {
    on_each_engine(|cold| {
        let sizes = [0, 10, 61_440, 61_441, 300_000];
        let changes = (0_u8..).zip(sizes).map(|(key, size)| (vec![b'k', key], Some(vec![key; size])));
        cold.write(changes.chain([(vec![b'k', 4, 1], Some(vec![9; 70_000]))]).collect(), true).unwrap();
        let mut seen = Vec::new();
        cold.visit_all(&mut |key, value| {
            seen.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })
        .unwrap();
        seen.sort();
        assert_eq!(seen, rows(cold, &[0], &[255; 9]));
    });
}

#[test]
fn a_visit_of_all_sees_one_state_of_redb() {
    let directory = tempfile::tempdir().unwrap();
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    let write = |byte: u8| {
        let value = |size: usize| Some(vec![byte; size]);
        cold.write(vec![(b"a".to_vec(), value(9)), (b"z".to_vec(), value(200_000))], false).unwrap();
    };
    write(0);
    let mut seen = Vec::new();
    cold.visit_all(&mut |_, value| {
        write(1);
        seen.push(value[0]);
        Ok(true)
    })
    .unwrap();
    assert_eq!(seen, [0, 0]);
}

#[test]
fn an_engine_that_forgot_its_reads_goes_on() {
    on_each_engine(|cold| {
        let row = |byte: u8| (vec![b'k', byte], Some(vec![byte; 100_000]));
        cold.write(vec![row(1)], true).unwrap();
        cold.forget_reads().unwrap();
        assert_eq!(cold.get(b"k\x01").unwrap(), Some(vec![1; 100_000]));
        cold.write(vec![row(2)], true).unwrap();
        assert_eq!(cold.get(b"k\x02").unwrap(), Some(vec![2; 100_000]));
    });
}

#[test]
fn a_reopened_engine_holds_what_was_written() {
    for engine in [ColdEngine::Redb, ColdEngine::Sled] {
        let directory = tempfile::tempdir().unwrap();
        let write = |value: &[u8]| {
            let cold = engine.open(directory.path(), CACHE).unwrap();
            cold.write(vec![(b"k".to_vec(), Some(value.to_vec()))], true).unwrap();
        };
        write(b"one");
        write(b"two");
        let cold = engine.open(directory.path(), CACHE).unwrap();
        assert_eq!(cold.get(b"k").unwrap().unwrap(), b"two");
    }
}

fn batches() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let key = proptest::collection::vec(0_u8..3, 1..3);
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..10));
    proptest::collection::vec(proptest::collection::vec((key, value), 0..6), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn engines_agree_with_an_ordered_map(batches in batches(), low in proptest::collection::vec(0_u8..3, 1..3), high in proptest::collection::vec(0_u8..3, 1..3)) {
        on_each_engine(|cold| {
            let mut model = BTreeMap::new();
            for batch in &batches {
                cold.write(batch.clone(), false).unwrap();
                for (key, value) in batch {
                    match value {
                        Some(value) => model.insert(key.clone(), value.clone()),
                        None => model.remove(key),
                    };
                }
            }
            let inside = model.iter().filter(|(key, _)| **key >= low && **key < high);
            let expected: Vec<_> = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
            assert_eq!(rows(cold, &low, &high), expected);
            for (key, value) in &model {
                assert_eq!(cold.get(key).unwrap().as_ref(), Some(value));
            }
        });
    }
}

/// Lets a test look under a wrapper.
impl ColdStore for &MemoryCold {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        (**self).get(key)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        (**self).scan(start, end, visit)
    }

    fn has_snapshots(&self) -> bool {
        (**self).has_snapshots()
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()> {
        (**self).write(changes, durable)
    }

    fn size_bytes(&self) -> Result<u64> {
        (**self).size_bytes()
    }
}
