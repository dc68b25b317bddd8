//! A backup: one file with every row of one moment, checked as a whole before anything is restored.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::state::FORMAT;
use super::{Store, StoreConfig};
use crate::error::{Error, Result, value_error};
use crate::progress::Progress;
use crate::tier::cold::{Change, ColdEngine};
use crate::{disk, frame};

const MAGIC: &[u8; 8] = b"ntmemory";
const NAME: &str = env!("CARGO_PKG_VERSION");
/// In place of a key's length: the end.
const END: u32 = u32::MAX;
/// Longest key and value that a store has, with room to spare; guards against a corrupt length.
const MAX_KEY: u32 = 1 << 16;
const MAX_VALUE: u32 = 100 << 20;
/// Bytes that are restored at once.
const BATCH: usize = 8 << 20;

impl Store {
    /// Write every row, as of one commit, to a new file; the store goes on meanwhile.
    ///
    /// Returns the number of rows.  With an engine without snapshots commits wait until it is done.
    ///
    /// # Errors
    /// [`Error::Value`] where there is such a file; [`Error::Corruption`] for a damaged row; what the
    /// disk says. No file is left then.
    pub fn backup(&self, file: &Path, progress: &Progress) -> Result<u64> {
        self.flush()?.wait()?;
        if file.exists() {
            return value_error(format!("{} exists; back up to a new file, or remove it", file.display()));
        }
        let partial = beside(file, ".partial");
        let written = self.write_rows(&partial, progress).and_then(|rows| {
            std::fs::rename(&partial, file).map_err(|error| Error::io(file, &error))?;
            sync_parent(file)?;
            Ok(rows)
        });
        if written.is_err() {
            // The first error is told; what cannot be removed is overwritten next time.
            let _ = std::fs::remove_file(&partial);
        }
        written
    }

    fn write_rows(&self, path: &Path, progress: &Progress) -> Result<u64> {
        let mut writer = Writer::create(path)?;
        let _writing = (!self.inner.cold(|cold| Ok(cold.has_snapshots()))?).then(|| self.inner.writing.lock());
        self.inner.cold(|cold| {
            cold.visit_all(&mut |key, sealed| {
                frame::open(key, sealed)?;
                writer.row(key, sealed)?;
                progress.step()?;
                Ok(true)
            })
        })?;
        writer.finish()
    }

    /// Make a store from a backup, in a directory that is new or empty; open it afterwards.
    ///
    /// The file is read twice: nothing is made before all of it was found sound. Returns the number of
    /// rows.
    ///
    /// # Errors
    /// [`Error::Value`] where the directory holds something, [`Error::Corruption`] for a file that is
    /// no whole backup, [`Error::Storage`] for one of another version. No directory is left then.
    pub fn restore(config: &StoreConfig, file: &Path, progress: &Progress) -> Result<u64> {
        let Some(directory) = config.path.as_deref().filter(|_| config.engine != ColdEngine::Memory) else {
            return value_error("a backup is restored into a directory; give a path and a durable engine");
        };
        if std::fs::read_dir(directory).is_ok_and(|mut found| found.next().is_some()) || directory.is_file() {
            return value_error(format!("{} holds something; restore into a new directory", directory.display()));
        }
        check(file, progress)?;
        let partial = beside(directory, ".restoring");
        remove(&partial)?;
        let restored = fill(config.engine, &partial, file, progress).and_then(|rows| {
            std::fs::rename(&partial, directory).map_err(|error| Error::io(directory, &error))?;
            sync_parent(directory)?;
            Ok(rows)
        });
        if restored.is_err() {
            let _ = remove(&partial);
        }
        restored
    }
}

fn check(file: &Path, progress: &Progress) -> Result<()> {
    let mut reader = Reader::open(file)?;
    while reader.row()?.is_some() {
        progress.step()?;
    }
    Ok(())
}

/// Bytes of the engine's cache while a store is filled.
const CACHE: usize = 64 << 20;

fn fill(engine: ColdEngine, directory: &Path, file: &Path, progress: &Progress) -> Result<u64> {
    disk::create_folder(directory).map_err(|error| Error::io(directory, &error))?;
    let cold = engine.open(directory, CACHE)?;
    let mut reader = Reader::open(file)?;
    let mut batch: Vec<Change> = Vec::new();
    let mut bytes = 0;
    while let Some((key, sealed)) = reader.row()? {
        frame::open(&key, &sealed)?;
        bytes += key.len() + sealed.len();
        batch.push((key, Some(sealed)));
        if bytes > BATCH {
            cold.write(std::mem::take(&mut batch), false)?;
            bytes = 0;
        }
        progress.step()?;
    }
    cold.write(batch, true)?;
    drop(cold);
    disk::sync_folder(directory).map_err(|error| Error::io(directory, &error))?;
    Ok(reader.rows)
}

fn remove(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(directory, &error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::sync_folder(parent).map_err(|error| Error::io(parent, &error))
}

/// Header, rows with their lengths, and an end with the number of rows and a checksum of all before it.
struct Writer<'a> {
    file: BufWriter<File>,
    path: &'a Path,
    checksum: u32,
    rows: u64,
}

impl<'a> Writer<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let options = disk::own_file().truncate(true).open(path);
        let file = options.map_err(|error| Error::io(path, &error))?;
        let mut writer = Self { file: BufWriter::with_capacity(1 << 20, file), path, checksum: 0, rows: 0 };
        writer.put(MAGIC)?;
        writer.put(&FORMAT.to_le_bytes())?;
        writer.put(&length(NAME.as_bytes()))?;
        writer.put(NAME.as_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.file.write_all(bytes).map_err(|error| Error::io(self.path, &error))
    }

    fn row(&mut self, key: &[u8], sealed: &[u8]) -> Result<()> {
        self.rows += 1;
        self.put(&length(key))?;
        self.put(&length(sealed))?;
        self.put(key)?;
        self.put(sealed)
    }

    fn finish(mut self) -> Result<u64> {
        self.put(&END.to_le_bytes())?;
        self.put(&self.rows.to_le_bytes())?;
        let checksum = self.checksum;
        self.put(&checksum.to_le_bytes())?;
        let file = self.file.into_inner().map_err(|error| Error::io(self.path, error.error()))?;
        file.sync_all().map_err(|error| Error::io(self.path, &error))?;
        Ok(self.rows)
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(END - 1).to_le_bytes()
}

struct Reader<'a> {
    file: BufReader<File>,
    path: &'a Path,
    checksum: u32,
    rows: u64,
}

impl<'a> Reader<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, &error))?;
        let mut reader = Self { file: BufReader::with_capacity(1 << 20, file), path, checksum: 0, rows: 0 };
        if reader.take(8)? != MAGIC {
            return Err(Error::Corruption(format!("{} is no backup of nt-memory", path.display())));
        }
        let format = reader.number()?;
        let size = reader.number()?.min(100);
        let version = String::from_utf8_lossy(&reader.take(size)?).into_owned();
        if format != FORMAT {
            return Err(Error::Storage(format!(
                "{} has format {format} and was written by nt-memory {version}; this is {NAME}, which reads format \
                 {FORMAT}: restore it with the version that wrote it",
                path.display()
            )));
        }
        Ok(reader)
    }

    /// The next row; `None` behind the last, when all was as it was written.
    fn row(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let key = self.number()?;
        if key == END {
            self.end()?;
            return Ok(None);
        }
        let value = self.number()?;
        if key > MAX_KEY || value > MAX_VALUE {
            return Err(self.damaged());
        }
        self.rows += 1;
        Ok(Some((self.take(key)?, self.take(value)?)))
    }

    fn end(&mut self) -> Result<()> {
        let [low, high] = [self.number()?, self.number()?].map(u64::from);
        let checksum = self.checksum;
        let is_whole = high << 32 | low == self.rows && self.number()? == checksum;
        let is_last = self.file.read(&mut [0]).map_err(|error| Error::io(self.path, &error))? == 0;
        if is_whole && is_last { Ok(()) } else { Err(self.damaged()) }
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        bytes.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(|| self.damaged())
    }

    fn take(&mut self, length: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged(),
            _ => Error::io(self.path, &error),
        })?;
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes);
        Ok(bytes)
    }

    fn damaged(&self) -> Error {
        Error::Corruption(format!("{} is damaged or cut off; take another backup", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Operation;

    fn filled(engine: ColdEngine, path: &Path) -> Store {
        let config = StoreConfig { path: Some(path.to_path_buf()), engine, ..StoreConfig::default() };
        let store = Store::open(config).unwrap();
        let put = |key: u8| {
            let value = vec![key; if key == 7 { 200_000 } else { 10 }];
            Operation::Put { namespace: "n".into(), key: key.to_string(), value, ttl: None }
        };
        store.commit((0..20).map(put).collect()).unwrap();
        store
    }

    fn restored(engine: ColdEngine, path: &Path, file: &Path) -> Result<u64> {
        let config = StoreConfig { path: Some(path.to_path_buf()), engine, ..StoreConfig::default() };
        Store::restore(&config, file, &Progress::default())
    }

    #[test]
    fn a_backup_moves_between_engines() {
        for (from, to) in [(ColdEngine::Redb, ColdEngine::Sled), (ColdEngine::Sled, ColdEngine::Redb)] {
            let directory = tempfile::tempdir().unwrap();
            let (source, file, target) =
                (directory.path().join("a"), directory.path().join("b"), directory.path().join("c"));
            let store = filled(from, &source);
            let rows = store.backup(&file, &Progress::default()).unwrap();
            assert_eq!(restored(to, &target, &file).unwrap(), rows);
            let config = StoreConfig { path: Some(target), engine: to, ..StoreConfig::default() };
            let again = Store::open(config).unwrap();
            assert_eq!(again.get("n", "7").unwrap().unwrap().bytes(), vec![7; 200_000]);
            assert_eq!(again.verify().unwrap(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_damaged_backup_is_refused_and_nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let (file, target) = (directory.path().join("b"), directory.path().join("c"));
        filled(ColdEngine::Redb, &directory.path().join("a")).backup(&file, &Progress::default()).unwrap();
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            std::fs::write(&file, damaged).unwrap();
            assert!(restored(ColdEngine::Redb, &target, &file).is_err(), "byte {at}");
            std::fs::write(&file, &whole[..at]).unwrap();
            assert!(restored(ColdEngine::Redb, &target, &file).is_err(), "cut at {at}");
        }
        std::fs::write(&file, [whole.as_slice(), b"x"].concat()).unwrap();
        assert!(restored(ColdEngine::Redb, &target, &file).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "something was left");
    }

    #[test]
    fn another_format_is_refused_by_name_and_version() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("b");
        let header = [MAGIC.as_slice(), &0_u32.to_le_bytes(), &5_u32.to_le_bytes(), b"0.0.9"].concat();
        std::fs::write(&file, header).unwrap();
        let error = restored(ColdEngine::Redb, &directory.path().join("c"), &file).unwrap_err().to_string();
        assert!(error.contains("format 0") && error.contains("0.0.9"), "{error}");
    }

    #[test]
    fn a_cancelled_backup_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = filled(ColdEngine::Redb, &directory.path().join("a"));
        let progress = Progress::default();
        progress.cancel();
        assert!(store.backup(&directory.path().join("b"), &progress).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
