use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Change, ColdStore, FileEngine, Visitor};
use crate::error::{Error, Result};

/// How often, and how long apart, sled is asked whether it has let go of its files.
const PATIENCE: usize = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// sled 0.34: survives a killed process, not a power cut.
pub struct SledCold {
    database: ::sled::Db,
    path: PathBuf,
}

impl SledCold {
    fn fail(&self, error: &::sled::Error) -> Error {
        at(&self.path, error)
    }

    fn sync(&self) -> Result<()> {
        self.database.flush().map_err(|error| self.fail(&error))?;
        // sled's own flush leaves part of its log to the page cache.
        File::open(self.path.join("db")).and_then(|file| file.sync_all()).map_err(|error| Error::io(&self.path, &error))
    }
}

impl FileEngine for SledCold {
    /// Its log ends for sled where it is damaged.
    const SUMMED: bool = true;

    fn open(path: &Path, _check: bool) -> Result<Self> {
        let config = ::sled::Config::new()
            .path(path)
            .cache_capacity(64 << 20)
            // Each commit flushes by itself; the timer would only add writes.
            .flush_every_ms(None);
        let database = open_patiently(&config).map_err(|error| at(path, &error))?;
        Ok(Self { database, path: path.to_path_buf() })
    }

    fn is_done(path: &Path) -> bool {
        let Ok(file) = File::open(path.join("db")) else { return false };
        (0..PATIENCE).any(|_| {
            let is_free = file.try_lock().is_ok();
            if !is_free {
                std::thread::sleep(PAUSE);
            }
            is_free
        })
    }
}

impl ColdStore for SledCold {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let row = self.database.get(key).map_err(|error| self.fail(&error))?;
        Ok(row.map(|row| row.to_vec()))
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        for row in self.database.range(start..end) {
            let (key, row) = row.map_err(|error| self.fail(&error))?;
            if !visit(&key, &row)? {
                break;
            }
        }
        Ok(())
    }

    fn has_snapshots(&self) -> bool {
        false
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
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
    for _ in 0..PATIENCE {
        match config.open() {
            // The error's kind is lost in sled's own words.
            Err(::sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
    config.open()
}

fn at(path: &Path, error: &::sled::Error) -> Error {
    let text = format!("{}: {error}", path.display());
    match error {
        ::sled::Error::Corruption { .. } => Error::Corruption(format!("{text}; restore a backup")),
        ::sled::Error::Io(error) => Error::io(path, error),
        _ => Error::Storage(text),
    }
}
