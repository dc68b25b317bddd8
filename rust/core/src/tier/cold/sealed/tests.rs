use std::path::{Path, PathBuf};

use super::{FileEngine, Opening, Sealed};
use crate::error::{Error, Result};
use crate::tier::cold::tests::CACHE;
use crate::tier::cold::{Change, Chunked, ColdStore, MemoryCold, RedbCold, Visitor};

/// An engine of one empty file, which panics where the name of its file says so.
struct Fragile {
    rows: MemoryCold,
    path: PathBuf,
}

impl Fragile {
    #[allow(clippy::panic, reason = "it is what this engine is for")]
    fn at(&self, operation: &str) {
        assert!(!self.path.ends_with(operation), "as told");
    }
}

impl FileEngine for Fragile {
    const SUMMED: bool = true;
    const COMPACTS: bool = false;

    fn open(path: &Path, _opening: Opening) -> Result<Self> {
        std::fs::write(path, b"").unwrap();
        let engine = Self { rows: MemoryCold::default(), path: path.to_path_buf() };
        engine.at("open");
        Ok(engine)
    }

    fn is_done(_path: &Path) -> bool {
        true
    }
}

impl ColdStore for Fragile {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if key == b"k" {
            self.at("get");
        }
        self.rows.get(key)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        self.at("scan");
        self.rows.scan(start, end, visit)
    }

    fn has_snapshots(&self) -> bool {
        false
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()> {
        self.at("write");
        self.rows.write(changes, durable)
    }

    fn size_bytes(&self) -> Result<u64> {
        self.rows.size_bytes()
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.at("drop");
    }
}

fn put(cold: &dyn ColdStore, value: &[u8]) -> Result<()> {
    cold.write(vec![(b"k".to_vec(), Some(value.to_vec()))], true)
}

fn used(path: &Path) -> Result<()> {
    let cold = Sealed::<Fragile>::open(path, CACHE)?;
    put(&cold, b"v")?;
    cold.get(b"k")?;
    cold.scan(b"a", b"z", &mut |_, _| Ok(true))
}

#[test]
fn a_panic_of_the_engine_is_damage_of_its_file() {
    for operation in ["open", "get", "scan", "write"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(operation);
        let error = used(&path).unwrap_err();
        assert!(matches!(&error, Error::Corruption(text) if text.contains(path.to_str().unwrap())), "{error}");
    }
}

#[test]
fn an_engine_that_panicked_is_not_asked_again_nor_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scan");
    let cold = Sealed::<Fragile>::open(&path, CACHE).unwrap();
    put(&cold, b"v").unwrap();
    assert!(cold.scan(b"a", b"z", &mut |_, _| Ok(true)).is_err());
    assert!(cold.get(b"k").is_err());
    drop(cold);
    assert!(matches!(super::Seal::find(&path), Ok(super::Found::Left(_))));
}

#[test]
fn a_panic_while_closing_leaves_the_store_unsealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("drop");
    used(&path).unwrap();
    assert!(matches!(super::Seal::find(&path), Ok(super::Found::Left(_))));
}

#[test]
#[should_panic(expected = "of the visitor")]
fn a_panic_of_a_visitor_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let cold = Sealed::<Fragile>::open(&directory.path().join("none"), CACHE).unwrap();
    put(&cold, b"v").unwrap();
    let _ = cold.scan(b"a", b"z", &mut |_, _| panic!("of the visitor"));
}

#[test]
fn a_closed_store_is_sealed_and_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    put(&Sealed::<RedbCold>::open(&path, CACHE).unwrap(), b"v").unwrap();
    assert!(matches!(super::Seal::find(&path), Ok(super::Found::Closed(_))));
    assert_eq!(Sealed::<RedbCold>::open(&path, CACHE).unwrap().get(b"k").unwrap().unwrap(), b"v");
}

/// Bring back the engine's file of an earlier moment, as after a crash.
fn with_an_earlier_file(path: &Path) -> Result<()> {
    let cold = Sealed::<RedbCold>::open(path, CACHE)?;
    put(&cold, b"1")?;
    let earlier = std::fs::read(path).unwrap();
    put(&cold, b"2")?;
    put(&cold, b"3")?;
    std::mem::forget(cold);
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, earlier).unwrap();
    Sealed::<RedbCold>::open(path, CACHE).map(|_| ())
}

#[test]
fn an_earlier_file_lacks_the_last_writes() {
    let directory = tempfile::tempdir().unwrap();
    let error = with_an_earlier_file(&directory.path().join("file")).unwrap_err().to_string();
    assert!(error.contains("lacks the last 2 of 3 writes"), "{error}");
}

#[test]
fn writes_that_were_not_synced_may_be_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let cold = Sealed::<RedbCold>::open(&path, CACHE).unwrap();
    put(&cold, b"1").unwrap();
    let earlier = std::fs::read(&path).unwrap();
    cold.write(vec![(b"k".to_vec(), Some(b"2".to_vec()))], false).unwrap();
    std::mem::forget(cold);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, earlier).unwrap();
    assert_eq!(Sealed::<RedbCold>::open(&path, CACHE).unwrap().get(b"k").unwrap().unwrap(), b"1");
}

#[test]
fn a_count_of_parts_that_no_value_has_is_damage() {
    let inner = MemoryCold::default();
    let row = [[0; 4].as_slice(), &u32::MAX.to_be_bytes(), &[1]].concat();
    inner.write(vec![(b"k".to_vec(), Some(row)), (b"\xEFk".to_vec(), Some(Vec::new()))], true).unwrap();
    let cold = Chunked::open(inner).unwrap();
    assert!(cold.get(b"k").is_err());
    assert!(put(&cold, b"v").is_err());
}
