//! The store: one committer, three tiers, searches as of a time.

mod backup;
mod committer;
mod config;
mod derived;
mod directory;
mod horizon;
mod index;
mod indexer;
mod load;
mod lock;
mod locking;
mod matcher;
mod messages;
mod ops;
mod plan;
mod plan_messages;
mod plan_records;
mod plan_rights;
mod queue;
mod ranking;
mod read;
mod recalls;
mod search;
mod snapshot;
mod state;
mod stored;
mod sweep;
mod verify;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sync::{Mutex, RwLock, RwLockReadGuard};

pub use config::StoreConfig;
pub use messages::Published;
pub use ops::{Answer, Commit, Match, NamespaceOptions, Operation, Query, RecordedBy, SearchResult, Weights};
pub use queue::Pending;
pub use read::Value;

pub(crate) use plan::split_value;

use self::directory::{let_go, located, lock_directory};
use self::load::Loaded;
use self::lock::Lock;
use self::queue::Queue;
use self::state::{Head, NamespaceState, Namespaces, RightsOf};
use crate::catalog::{Catalog, Entry};
use crate::clock::Clock;
use crate::coordination::locks::DistributedLock;
use crate::coordination::pubsub::PubSubBroker;
use crate::error::{Error, Result};
use crate::fork;
use crate::ids::IdSource;
use crate::progress::Progress;
use crate::stats::Metrics;
use crate::tier::cold::{ColdEngine, ColdStore};
use crate::tier::hot::HotCache;

const CLOSED: u32 = u32::MAX;

/// What is guarded by one lock: the catalogue and the numbers that belong to its state.
pub(crate) struct Shared {
    pub catalog: Catalog,
    pub namespaces: Namespaces,
    pub rights: RightsOf,
    pub head: Head,
}

impl Shared {
    pub(crate) fn namespace(&self, name: &str) -> Option<&NamespaceState> {
        self.namespaces.get(name)
    }

    /// Whether nothing of a record can be seen any more, erased or not yet.
    pub(crate) fn has_erased(&self, entry: Entry<'_>, now: i64) -> bool {
        let horizon = self.namespace(entry.namespace()).and_then(|state| state.horizon_at(now));
        horizon.is_some_and(|horizon| entry.is_erased(horizon))
    }
}

pub(crate) struct Inner {
    pub hot: HotCache,
    pub shared: Lock<Shared>,
    cold: RwLock<Option<Box<dyn ColdStore>>>,
    pub queue: Queue,
    pub locks: DistributedLock,
    /// Held while numbers of locks are written.
    reserving: Mutex<()>,
    pub broker: Arc<PubSubBroker>,
    indexing: indexer::Signal,
    /// Held by the committer from the first row to the last effect, so that who holds it finds disk
    /// and memory at one commit.
    pub writing: Mutex<()>,
    /// Random, and the store's own as long as it is there.
    pub identity: u128,
    /// What was not as it should be when the store was opened, and what is done about it.
    notices: Vec<String>,
    pub clock: Arc<Clock>,
    pub ids: IdSource,
    pub metrics: Metrics,
    pub compression: bool,
    pub durable: bool,
    max_memory_bytes: usize,
    /// Bytes of the durable engine's own cache.
    pub cold_cache_bytes: usize,
    directory: Option<PathBuf>,
    /// Bytes on the disk when it was last asked for them.
    size: AtomicU64,
    /// Why the disk is not asked any more.
    failed: OnceLock<Error>,
    /// Fork generation at open, or [`CLOSED`].
    owner: AtomicU32,
}

impl Inner {
    #[inline]
    pub(crate) fn ensure_usable(&self) -> Result<()> {
        if self.owner.load(Ordering::Relaxed) == fork::generation() {
            return Ok(());
        }
        Err(if self.owner.load(Ordering::Relaxed) == CLOSED { Error::Closed } else { fork::OF_THE_PARENT })
    }

    /// Run something on the durable engine; close waits for it.
    pub(crate) fn cold<T>(&self, run: impl FnOnce(&dyn ColdStore) -> Result<T>) -> Result<T> {
        self.ensure_sound()?;
        let cold: RwLockReadGuard<'_, _> = self.cold.read();
        self.placed(run(cold.as_deref().ok_or(Error::Closed)?))
    }

    /// Damage is told with the directory where it is.
    pub(crate) fn placed<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| located(self.directory.as_deref(), error))
    }

    /// Bytes on the disk; where it cannot be asked any more, those of the last time.
    pub(crate) fn size(&self) -> Result<u64> {
        match self.cold(|cold| cold.size_bytes()) {
            Ok(size) => self.size.store(size, Ordering::Relaxed),
            Err(Error::Closed) => return Err(Error::Closed),
            Err(_) => {}
        }
        Ok(self.size.load(Ordering::Relaxed))
    }

    /// Whether the disk may still be asked.
    pub(crate) fn ensure_sound(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Ask the disk nothing more: whether a failed write reached it is not known, and what the engine
    /// or the system's cache say of it may not be what is there after the next start.
    pub(crate) fn fail(&self, error: &Error) {
        let stop = "the store asks the disk nothing after a failed write";
        self.failed.get_or_init(|| match error {
            Error::Full(text) => Error::Full(format!("{stop} ({text}); make room and open it again")),
            error => Error::Storage(format!("{stop} ({error}); open it again")),
        });
    }

    /// Time of a call: the clock's, and never before what was committed.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now_us().max(self.shared.read().head.recorded_at)
    }

    /// The hot tier takes what the catalogue and its codes leave; where they take too much, the
    /// spaces that were searched longest ago go on with smaller codes.
    pub(crate) fn share_memory(&self) {
        let mut taken = self.shared.read().catalog.bytes();
        while taken > self.max_memory_bytes && self.shared.write().catalog.shrink_coldest() {
            taken = self.shared.read().catalog.bytes();
        }
        self.hot.set_max_bytes(self.max_memory_bytes.saturating_sub(taken));
    }

    pub(crate) fn max_memory_bytes(&self) -> usize {
        self.max_memory_bytes
    }

    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

/// An open store; share it between threads by reference or `Arc`.
pub struct Store {
    inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
    /// Held while the store is closed, so that whoever closes second waits for the first.
    closing: Mutex<()>,
    generation: u32,
}

impl Store {
    /// Open or create a store.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process owns the directory, [`Error::Corruption`] where a
    /// file is not sound, [`Error::Vector`] where a space does not fit, [`Error::Value`] where a
    /// setting is out of its range, [`Error::Storage`] else.
    pub fn open(config: StoreConfig) -> Result<Self> {
        fork::watch();
        config.vector.check()?;
        let lock = config.path.as_deref().map(lock_directory).transpose()?;
        let directory = config.path.clone().unwrap_or_default();
        let cold = config.engine.open(&directory, config.cold_cache_bytes())?;
        let Loaded { shared, identity, last_number, notices, rules } = match load::load(cold.as_ref(), &config) {
            Ok(loaded) => loaded,
            Err(error) => {
                let_go(cold, true);
                return Err(located(config.path.as_deref(), error));
            }
        };
        let size = cold.size_bytes().unwrap_or(0);
        let cold_cache_bytes = if config.engine == ColdEngine::Memory { 0 } else { config.cold_cache_bytes() };
        let inner = Arc::new(Inner {
            hot: HotCache::new(config.cache, Arc::clone(&config.clock)),
            ids: IdSource::new(config.seed, shared.head.generation),
            broker: Arc::new(PubSubBroker::at(shared.head.commit, rules)),
            shared: Lock::new(shared),
            cold: RwLock::new(Some(cold)),
            queue: Queue::default(),
            locks: DistributedLock::after(Arc::clone(&config.clock), last_number),
            reserving: Mutex::default(),
            indexing: indexer::Signal::default(),
            writing: Mutex::default(),
            identity,
            notices,
            clock: config.clock,
            metrics: Metrics::default(),
            compression: config.compression,
            durable: config.durable,
            cold_cache_bytes,
            max_memory_bytes: config.max_memory_bytes,
            directory: config.path,
            size: AtomicU64::new(size),
            failed: OnceLock::new(),
            owner: AtomicU32::new(fork::generation()),
        });
        inner.share_memory();
        let threads = vec![committer::start(Arc::clone(&inner))?, indexer::start(Arc::clone(&inner))?];
        Ok(Self {
            inner,
            threads: Mutex::new(threads),
            lock: Mutex::new(lock),
            closing: Mutex::new(()),
            generation: fork::generation(),
        })
    }

    /// What was not as it should be when the store was opened, and what is done about it.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.inner.notices
    }

    /// Apply a batch and wait for it.
    ///
    /// # Errors
    /// What the first operation that cannot be applied says, or the engine's failure; then
    /// nothing of the batch happened.
    pub fn commit(&self, operations: Vec<Operation>) -> Result<Commit> {
        self.wait_for_room(queue::MAX_BACKPRESSURE)?;
        self.submit(operations, false)?.wait()
    }

    /// Wait until the committer can take more; `false` where that takes longer than the timeout.
    ///
    /// # Errors
    /// For a store that cannot be used.
    pub fn wait_for_room(&self, timeout: Duration) -> Result<bool> {
        self.inner.ensure_usable()?;
        Ok(self.inner.queue.wait_for_room(timeout))
    }

    /// Hand a batch to the committer; a dry run is checked and answered, and changes nothing.
    ///
    /// # Errors
    /// For a store that cannot be used, or where too much waits already; all else is said by the answer.
    pub fn submit(&self, operations: Vec<Operation>, dry_run: bool) -> Result<Pending> {
        self.inner.ensure_usable()?;
        self.inner.queue.submit(operations, dry_run)
    }

    /// Hand in a request to be told when all that was queued before is on the disk.
    ///
    /// # Errors
    /// For a store that cannot be used.
    pub fn flush(&self) -> Result<Pending> {
        self.inner.ensure_usable()?;
        self.inner.queue.flush()
    }

    /// Give back the room that the files have and do not need; reads and writes go on meanwhile.
    ///
    /// Returns the bytes on the disk before and after. While it runs both copies are there.
    ///
    /// # Errors
    /// [`Error::Value`] for an engine that frees its space by itself; what the disk says, then the old
    /// files go on.
    pub fn compact(&self, progress: &Progress) -> Result<(u64, u64)> {
        self.inner.ensure_usable()?;
        self.inner.cold(|cold| {
            let before = cold.size_bytes()?;
            committer::ensure_room(&self.inner, before)?;
            cold.compact(progress)?;
            Ok((before, cold.size_bytes()?))
        })
    }

    /// A fresh ULID.
    ///
    /// # Errors
    /// Where the system gives no random bits, or for a store that cannot be used.
    pub fn new_id(&self) -> Result<String> {
        self.inner.ensure_usable()?;
        loop {
            let id = self.inner.ids.next(&self.inner.clock)?;
            // Under a manual clock they are drawn again: a copy may hold them already.
            if self.inner.shared.read().catalog.entry(&id).is_none() {
                return Ok(id);
            }
        }
    }

    /// Write out what is queued and let go of the directory; a second close waits for the first.
    ///
    /// # Errors
    /// [`Error::Fork`] in a child, where the handle is only let go of.
    pub fn close(&self) -> Result<()> {
        let is_closed = || self.inner.owner.load(Ordering::Relaxed) == CLOSED;
        if self.generation != fork::generation() {
            // Nobody here would end a close that was under way in the parent.
            return if is_closed() { Ok(()) } else { Err(fork::OF_THE_PARENT) };
        }
        let _closing = self.closing.lock();
        if is_closed() {
            return Ok(());
        }
        self.inner.close_broker();
        // What was not synced yet is synced; where that fails the callers were told by their commits.
        let _ = self.inner.queue.flush().and_then(|pending| pending.wait());
        self.inner.owner.store(CLOSED, Ordering::Relaxed);
        self.inner.queue.stop();
        self.inner.indexing.stop();
        for thread in self.threads.lock().drain(..) {
            // Both answer every panic themselves; a failed join has nothing to add.
            let _ = thread.join();
        }
        if let Some(cold) = self.inner.cold.write().take() {
            let_go(cold, self.inner.failed.get().is_some());
        }
        if let Some(lock) = self.lock.lock().take() {
            // A forked child shares the lock and would keep it; closing the file alone is not enough.
            let _ = lock.unlock();
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if matches!(self.close(), Err(Error::Fork(_))) {
            // The engine belongs to the parent: dropping it here would write to its files.
            std::mem::forget(Arc::clone(&self.inner));
            std::mem::forget(std::mem::take(self.threads.get_mut()));
            std::mem::forget(self.lock.get_mut().take());
        }
    }
}

#[cfg(test)]
mod tests;
