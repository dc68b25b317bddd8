use std::fs::File;
use std::path::{Path, PathBuf};

use super::{Change, ColdStore, Visitor};
use crate::error::{Error, Result};

/// sled keeps larger values in files of their own that it never syncs, so they are cut into rows.
const CHUNK: usize = 60 << 10;
const INLINE: u8 = 0;
const CHUNKED: u8 = 1;
/// Sorts behind every table of the store.
const CHUNK_TABLE: u8 = 0xF0;

/// sled 0.34: survives a killed process, not a power cut.
pub struct SledCold {
    database: ::sled::Db,
    path: PathBuf,
}

impl SledCold {
    /// Open or create the folder.
    ///
    /// # Errors
    /// [`Error::Corruption`] where sled says so, else [`Error::Storage`].
    pub fn open(path: &Path) -> Result<Self> {
        let config = ::sled::Config::new()
            .path(path)
            .cache_capacity(64 << 20)
            // Each commit flushes by itself; the timer would only add writes.
            .flush_every_ms(None);
        let database = open_patiently(&config).map_err(|error| at(path, &error))?;
        Ok(Self { database, path: path.to_path_buf() })
    }

    fn fail(&self, error: &::sled::Error) -> Error {
        at(&self.path, error)
    }

    /// Chunk rows that a key holds, so that an overwrite can drop them.
    fn chunks_of(&self, key: &[u8]) -> Result<u32> {
        let row = self.database.get(key).map_err(|error| self.fail(&error))?;
        match row.as_deref() {
            Some([CHUNKED, count @ ..]) => chunk_count(count),
            _ => Ok(0),
        }
    }

    fn assemble(&self, key: &[u8], row: &[u8]) -> Result<Vec<u8>> {
        match row.split_first() {
            Some((&INLINE, value)) => Ok(value.to_vec()),
            Some((&CHUNKED, count)) => {
                let mut value = Vec::new();
                for index in 0..chunk_count(count)? {
                    let chunk = self
                        .database
                        .get(chunk_key(key, index))
                        .map_err(|error| self.fail(&error))?
                        .ok_or_else(|| missing(&self.path))?;
                    value.extend_from_slice(&chunk);
                }
                Ok(value)
            }
            _ => Err(missing(&self.path)),
        }
    }

    fn sync(&self) -> Result<()> {
        self.database.flush().map_err(|error| self.fail(&error))?;
        // sled's own flush leaves part of its log to the page cache.
        File::open(self.path.join("db"))
            .and_then(|file| file.sync_all())
            .map_err(|error| Error::Storage(format!("{}: {error}", self.path.display())))
    }
}

impl ColdStore for SledCold {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let row = self.database.get(key).map_err(|error| self.fail(&error))?;
        row.map(|row| self.assemble(key, &row)).transpose()
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        for row in self.database.range(start..end) {
            let (key, row) = row.map_err(|error| self.fail(&error))?;
            if !visit(&key, &self.assemble(&key, &row)?)? {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change], durable: bool) -> Result<()> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in changes {
            for index in 0..self.chunks_of(key)? {
                batch.remove(chunk_key(key, index));
            }
            match value {
                None => batch.remove(key.as_slice()),
                Some(value) if value.len() <= CHUNK => {
                    batch.insert(key.as_slice(), [&[INLINE], value.as_slice()].concat());
                }
                Some(value) => {
                    let mut count = 0_u32;
                    for chunk in value.chunks(CHUNK) {
                        batch.insert(chunk_key(key, count), chunk);
                        count += 1;
                    }
                    batch.insert(key.as_slice(), [&[CHUNKED], count.to_be_bytes().as_slice()].concat());
                }
            }
        }
        self.database.apply_batch(batch).map_err(|error| self.fail(&error))?;
        if durable { self.sync() } else { Ok(()) }
    }

    fn size_bytes(&self) -> Result<u64> {
        self.database.size_on_disk().map_err(|error| self.fail(&error))
    }
}

/// sled lets go of its files some moments after it was dropped, on a thread of its own.  The store
/// holds the directory's lock by now, so nobody else can be using them.
fn open_patiently(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    for _ in 0..1000 {
        match config.open() {
            // The error's kind is lost in sled's own words.
            Err(::sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
    config.open()
}

fn chunk_key(key: &[u8], index: u32) -> Vec<u8> {
    [&[CHUNK_TABLE], key, index.to_be_bytes().as_slice()].concat()
}

fn chunk_count(bytes: &[u8]) -> Result<u32> {
    bytes
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| Error::Corruption("a chunked value has no count; restore a backup".into()))
}

fn missing(path: &Path) -> Error {
    Error::Corruption(format!("{}: a part of a large value is missing; restore a backup", path.display()))
}

fn at(path: &Path, error: &::sled::Error) -> Error {
    let text = format!("{}: {error}", path.display());
    match error {
        ::sled::Error::Corruption { .. } => Error::Corruption(format!("{text}; restore a backup")),
        _ => Error::Storage(text),
    }
}
