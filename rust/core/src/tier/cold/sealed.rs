//! An engine whose files are known: no write is lost, no file changed, without a word.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sync::{Mutex, RwLock};

use super::compact;
use super::digest::{self, Digest};
use super::seal::{Found, Seal, SealFile, way_out};
use super::stamp::{self, Stamp};
use super::{Change, ColdStore, Visitor};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// How an engine opens its files.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Whether to make every check that it has.
    pub check: bool,
    /// Bytes of its own cache.
    pub cache: usize,
}

/// An engine that keeps its rows in a file or folder.
pub trait FileEngine: ColdStore + Sized {
    /// Whether the engine's own checks leave lost and outdated rows unnoticed after a crash, so
    /// that a sum over all rows has to be kept.
    const SUMMED: bool;

    /// Open or create the files.
    ///
    /// # Errors
    /// The engine's failure, with the file named.
    fn open(path: &Path, opening: Opening) -> Result<Self>;

    /// Whether a copy is smaller than what was written to and deleted from for long.
    const COMPACTS: bool;

    /// Give back the room that a new file has and does not need.
    ///
    /// # Errors
    /// The engine's failure.
    fn shrink(&mut self) -> Result<()> {
        Ok(())
    }

    /// After it was dropped: whether the engine is done with its files.
    fn is_done(path: &Path) -> bool;
}

/// Wraps an engine: seals its files when closed and looks at them before they are opened, numbers
/// its writes, and turns its panics into errors.
pub struct Sealed<E: FileEngine> {
    pub(super) engine: RwLock<Option<E>>,
    pub(super) path: PathBuf,
    cache: usize,
    file: SealFile,
    pub(super) state: Mutex<State>,
    /// A panic or a failed write: nothing that the engine says counts any more.
    broken: AtomicBool,
    pub(super) failed: AtomicBool,
}

pub(super) struct State {
    seal: Seal,
    pub stamp: Stamp,
    /// Keys written since a copy was begun.
    pub changed: Option<HashSet<Vec<u8>>>,
}

impl<E: FileEngine> Sealed<E> {
    /// Look at the files, then open them.
    ///
    /// # Errors
    /// [`Error::Corruption`] for files that are not those of the store that was here, or that the
    /// engine cannot read; the engine's failure.
    pub fn open(path: &Path, cache: usize) -> Result<Self> {
        let found = Seal::find(path)?;
        let seal = match found {
            Found::Closed(seal) | Found::Left(seal) => Seal { closed: None, ..seal },
            Found::Nothing | Found::Released => Seal::new()?,
        };
        let file = SealFile::open(path, &seal)?;
        compact::remove_copy(path)?;
        if found != Found::Released {
            file.write(&seal)?;
            file.sync()?;
        }
        let check = matches!(found, Found::Left(_) | Found::Released);
        let opening = Opening { check, cache };
        let engine =
            catch_unwind(AssertUnwindSafe(|| E::open(path, opening))).unwrap_or_else(|_| Err(unreadable(path)))?;
        let sealed = Self {
            engine: RwLock::new(Some(engine)),
            path: path.to_path_buf(),
            cache,
            file,
            state: Mutex::new(State { seal, stamp: Stamp { store: seal.store, ..Stamp::default() }, changed: None }),
            broken: AtomicBool::new(false),
            // Until all of it was found sound nothing is sealed.
            failed: AtomicBool::new(true),
        };
        sealed.examine(found)?;
        sealed.failed.store(false, Ordering::Relaxed);
        Ok(sealed)
    }

    /// Whether the rows are those of the store that the seal tells of.
    fn examine(&self, found: Found) -> Result<()> {
        let path = &self.path;
        let mut state = self.state.lock();
        let stamp = self.guarded(|engine| stamp::read(engine, path))?;
        match stamp {
            Some(stamp) => {
                if E::SUMMED && matches!(found, Found::Left(_) | Found::Released) {
                    self.guarded(|engine| stamp::check_rows(engine, path, &stamp))?;
                }
                state.stamp = stamp;
            }
            None => digest::sync_name(path).map_err(|error| Error::io(path, &error))?,
        }
        if found == Found::Released {
            let stamp = stamp.ok_or_else(|| unreadable(path))?;
            state.seal = Seal { store: stamp.store, sequence: stamp.sequence, closed: None };
            self.file.write(&state.seal)?;
        }
        compare(path, &state.seal, &state.stamp)
    }

    /// Run something on the engine; after a panic it is not asked again.
    pub(super) fn guarded<T>(&self, run: impl FnOnce(&E) -> Result<T>) -> Result<T> {
        // A visitor of a scan may read as well.
        let engine = self.engine.read();
        let engine = engine.as_ref().filter(|_| !self.broken.load(Ordering::Relaxed));
        let engine = engine.ok_or_else(|| unreadable(&self.path))?;
        catch_unwind(AssertUnwindSafe(|| run(engine))).unwrap_or_else(|_| {
            self.broken.store(true, Ordering::Relaxed);
            Err(unreadable(&self.path))
        })
    }

    /// What the stamp is after these changes.
    fn stamped(&self, stamp: &Stamp, changes: &[Change]) -> Result<Stamp> {
        let mut next = Stamp { sequence: stamp.sequence + 1, ..*stamp };
        if E::SUMMED {
            self.guarded(|engine| next.change(engine, changes))?;
        }
        Ok(next)
    }

    /// How the engine is opened again.
    pub(super) fn unchecked(&self) -> Opening {
        Opening { check: false, cache: self.cache }
    }

    fn seal(&self) -> Result<()> {
        let fail = |error: std::io::Error| Error::io(&self.path, &error);
        digest::sync(&self.path).map_err(fail)?;
        let closed = Some(Digest::of(&self.path).map_err(fail)?);
        let mut state = self.state.lock();
        state.seal.closed = closed;
        self.file.write(&state.seal)?;
        self.file.sync()
    }
}

impl<E: FileEngine> ColdStore for Sealed<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.guarded(|engine| engine.get(key))
    }

    fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.guarded(|engine| engine.get_all(keys))
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        // A panic of the visitor is none of the engine.
        let mut cause = None;
        let mut visit = |key: &[u8], value: &[u8]| {
            if key == stamp::KEY {
                return Ok(true);
            }
            catch_unwind(AssertUnwindSafe(|| visit(key, value))).unwrap_or_else(|panic| {
                cause = Some(panic);
                Ok(false)
            })
        };
        let scanned = self.guarded(|engine| engine.scan(start, end, &mut visit));
        cause.map_or(scanned, |cause| resume_unwind(cause))
    }

    fn has_snapshots(&self) -> bool {
        self.engine.read().as_ref().is_some_and(ColdStore::has_snapshots)
    }

    fn write(&self, mut changes: Vec<Change>, durable: bool) -> Result<()> {
        let mut state = self.state.lock();
        let stamp = self.stamped(&state.stamp, &changes)?;
        if let Some(changed) = &mut state.changed {
            changed.extend(changes.iter().map(|(key, _)| key.clone()));
        }
        changes.push(stamp.row());
        self.guarded(|engine| engine.write(changes, durable))
            .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        state.stamp = stamp;
        if durable {
            state.seal.sequence = stamp.sequence;
            self.file.write(&state.seal)?;
        }
        Ok(())
    }

    fn compact(&self, progress: &Progress) -> Result<()> {
        if E::COMPACTS { self.copy_and_exchange(progress) } else { compact::not_needed() }
    }

    fn forget_reads(&self) -> Result<()> {
        // The other engine takes long to be opened again.
        if E::COMPACTS {
            let mut engine = self.engine.write_between_reads();
            drop(engine.take());
            let opened = catch_unwind(AssertUnwindSafe(|| E::open(&self.path, self.unchecked())));
            *engine = Some(opened.unwrap_or_else(|_| Err(unreadable(&self.path)))?);
        }
        Ok(())
    }

    fn size_bytes(&self) -> Result<u64> {
        self.guarded(ColdStore::size_bytes)
    }
}

impl<E: FileEngine> Drop for Sealed<E> {
    fn drop(&mut self) {
        let engine = self.engine.get_mut().take();
        let is_sound = !self.broken.load(Ordering::Relaxed) && !self.failed.load(Ordering::Relaxed);
        let is_closed = catch_unwind(AssertUnwindSafe(|| drop(engine))).is_ok();
        if is_sound && is_closed && E::is_done(&self.path) {
            // Without a seal the files are as after a crash, and are checked at the next opening.
            let _ = self.seal();
        }
    }
}

fn compare(path: &Path, seal: &Seal, stamp: &Stamp) -> Result<()> {
    let what = if stamp.store != seal.store {
        "belongs to another store".to_owned()
    } else if stamp.sequence < seal.sequence {
        format!("lacks the last {} of {} writes", seal.sequence - stamp.sequence, seal.sequence)
    } else {
        return Ok(());
    };
    Err(Error::Corruption(format!("{} {what}: {}", path.display(), way_out(path))))
}

fn unreadable(path: &Path) -> Error {
    Error::Corruption(format!(
        "{} is damaged, and its engine gave up on it: restore a backup of the whole directory",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
