use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::Progress;
use crate::tier::cold::tests::CACHE;
use crate::tier::cold::{Change, ColdEngine, ColdStore};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn rows(cold: &dyn ColdStore) -> Rows {
    let mut rows = Rows::new();
    cold.scan(&[], &[255; 9], &mut |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        Ok(true)
    })
    .unwrap();
    rows
}

fn change(key: u32, size: usize) -> Change {
    (format!("k{key:05}").into_bytes(), Some(vec![key.to_le_bytes()[0]; size]))
}

#[test]
fn a_file_with_little_in_it_becomes_small() {
    let directory = tempfile::tempdir().unwrap();
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    cold.write((0..5000).map(|key| change(key, 2000)).collect(), true).unwrap();
    cold.write((0..4900).map(|key| (change(key, 0).0, None)).collect(), true).unwrap();
    cold.write(vec![change(9000, 300_000)], true).unwrap();
    let (before, content) = (cold.size_bytes().unwrap(), rows(cold.as_ref()));
    cold.compact(&Progress::default()).unwrap();
    assert!(cold.size_bytes().unwrap() * 5 < before);
    assert_eq!(rows(cold.as_ref()), content);
    cold.write(vec![change(1, 10)], true).unwrap();
    drop(cold);
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    assert_eq!(rows(cold.as_ref()).len(), content.len() + 1);
}

#[test]
fn reads_and_writes_go_on_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    cold.write((0..3000).map(|key| change(key, 1000)).collect(), true).unwrap();
    let done = AtomicBool::new(false);
    let mut model = rows(cold.as_ref());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = Vec::new();
            let mut key = 0;
            while !done.load(Ordering::Relaxed) {
                key += 7;
                let batch = vec![change(key % 4000, 90_000), (change(key % 3000 + 1, 0).0, None)];
                cold.write(batch.clone(), true).unwrap();
                written.extend(batch);
            }
            written
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(!rows(cold.as_ref()).is_empty());
            }
        });
        for _ in 0..3 {
            cold.compact(&Progress::default()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for (key, value) in writer.join().unwrap() {
            match value {
                Some(value) => model.insert(key, value),
                None => model.remove(&key),
            };
        }
    });
    assert_eq!(rows(cold.as_ref()), model);
    drop(cold);
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    assert_eq!(rows(cold.as_ref()), model);
}

#[test]
fn a_cancelled_copy_leaves_nothing_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let cold = ColdEngine::Redb.open(directory.path(), CACHE).unwrap();
    cold.write((0..10).map(|key| change(key, 10)).collect(), true).unwrap();
    let progress = Progress::default();
    progress.cancel();
    assert!(cold.compact(&progress).is_err());
    let files = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().contains("compact")));
    cold.write(vec![change(10, 10)], true).unwrap();
    cold.compact(&Progress::default()).unwrap();
    assert_eq!(rows(cold.as_ref()).len(), 11);
}

#[test]
fn a_copy_that_a_crash_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    drop(ColdEngine::Redb.open(directory.path(), CACHE).unwrap());
    let left = directory.path().join("store.compact");
    std::fs::write(&left, b"half").unwrap();
    drop(ColdEngine::Redb.open(directory.path(), CACHE).unwrap());
    assert!(!left.exists());
}

#[test]
fn other_engines_say_that_they_need_none() {
    for engine in [ColdEngine::Sled, ColdEngine::Memory] {
        let directory = tempfile::tempdir().unwrap();
        let cold = engine.open(directory.path(), CACHE).unwrap();
        let error = cold.compact(&Progress::default()).unwrap_err().to_string();
        assert!(error.contains("by itself"), "{error}");
    }
}
