use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::sealed::Opening;
use super::{Change, ColdStore, FileEngine, Visitor};
use crate::error::{Error, Result};
use crate::{disk, fork};

/// How often, and how long apart, sled is asked whether it has let go of its files.
const PATIENCE: usize = 1000;
const PAUSE: Duration = Duration::from_millis(5);
/// How long a flush may take before it is woken to look whether it failed.
const FLUSH_PATIENCE: Duration = Duration::from_millis(250);

/// Said where sled's threads, which it has one set of for the process, were the parent's.
const WITHOUT_THREADS: Error = Error::Fork(
    "sled was in use before this process was forked and does not work in the child; use redb, or start the child with \
     multiprocessing's spawn",
);
/// The fork generation that sled was first used in, and one more; 0 before.
static USED_IN: AtomicU32 = AtomicU32::new(0);

/// sled 0.34: survives a killed process, not a power cut.
pub struct SledCold {
    database: ::sled::Db,
    path: PathBuf,
}

impl SledCold {
    fn fail(&self, error: &::sled::Error) -> Error {
        at(&self.path, error)
    }

    /// sled does not always wake its flush when the write that it waits for fails, but each further
    /// flush wakes those before it.
    fn flush(&self) -> ::sled::Result<usize> {
        let waker = Arc::new(Waiter(std::thread::current())).into();
        let mut context = Context::from_waker(&waker);
        let mut flushed = pin!(self.database.flush_async());
        loop {
            if let Poll::Ready(result) = flushed.as_mut().poll(&mut context) {
                return result;
            }
            let asked = Instant::now();
            std::thread::park_timeout(FLUSH_PATIENCE);
            if asked.elapsed() >= FLUSH_PATIENCE {
                // It goes on by itself once it was begun.
                let _ = pin!(self.database.flush_async()).poll(&mut context);
            }
        }
    }

    fn sync(&self) -> Result<()> {
        self.flush().map_err(|error| self.fail(&error))?;
        // sled's own flush leaves part of its log to the page cache.
        File::open(self.path.join("db")).and_then(|file| file.sync_all()).map_err(|error| Error::io(&self.path, &error))
    }
}

impl Drop for SledCold {
    /// sled made more files meanwhile; nobody else could reach them in its folder.
    fn drop(&mut self) {
        let _ = disk::keep_to_owner(&self.path);
    }
}

impl FileEngine for SledCold {
    /// Its log ends for sled where it is damaged.
    const SUMMED: bool = true;
    const COMPACTS: bool = false;

    fn open(path: &Path, opening: Opening) -> Result<Self> {
        let io = |error| Error::io(path, &error);
        ensure_threads()?;
        if path.exists() { remove_unfinished(path) } else { create(path, opening.cache) }.map_err(io)?;
        // sled makes files as the umask says; the folder keeps others from them until they are narrowed.
        disk::keep_to_owner(path).map_err(io)?;
        let database = open_patiently(&config(path, opening.cache)).map_err(|error| at(path, &error))?;
        disk::keep_to_owner(path).map_err(io)?;
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

fn ensure_threads() -> Result<()> {
    let now = fork::generation() + 1;
    match USED_IN.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Err(first) if first != now => Err(WITHOUT_THREADS),
        _ => Ok(()),
    }
}

/// Wakes the thread that waits for a flush.
struct Waiter(Thread);

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
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

fn config(path: &Path, cache: usize) -> ::sled::Config {
    // Each commit flushes by itself; the timer would only add writes.
    ::sled::Config::new().path(path).cache_capacity(cache as u64).flush_every_ms(None)
}

/// sled does not open a folder whose making was broken off, so it gets its name when it is whole.
fn create(path: &Path, cache: usize) -> io::Result<()> {
    let unfinished = path.with_extension("sled-new");
    match std::fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    disk::create_folder(&unfinished)?;
    let database = config(&unfinished, cache).open()?;
    database.flush()?;
    drop(database);
    for name in ["conf", "db"] {
        File::open(unfinished.join(name))?.sync_all()?;
    }
    disk::sync_folder(&unfinished)?;
    std::fs::rename(&unfinished, path)
}

/// sled takes a snapshot whose writing was broken off for one that is whole.
fn remove_unfinished(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "generating") {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
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
