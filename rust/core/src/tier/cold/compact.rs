//! A store's file grows with what was ever written at a time.  Its rows are copied into a new file
//! beside it, which then takes its name; reads and writes go on meanwhile.

use std::collections::HashSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::sync::MutexGuard;

use super::sealed::{FileEngine, Sealed, State};
use super::{Change, ColdStore, stamp};
use crate::disk;
use crate::error::{Error, Result, value_error};
use crate::progress::Progress;

/// Bytes that are copied at once.
const BATCH: usize = 8 << 20;
/// Rows that writers wait for.
const LAST: usize = 1000;
/// How often what was written meanwhile is copied before writers have to wait for it.
const ROUNDS: usize = 20;

pub(super) fn not_needed() -> Result<()> {
    value_error("this engine frees its space by itself; compact stores of redb")
}

fn copy_of(path: &Path) -> PathBuf {
    path.with_extension("compact")
}

/// Remove what a copy that was broken off left.
pub(super) fn remove_copy(path: &Path) -> Result<()> {
    let copy = copy_of(path);
    match std::fs::remove_file(&copy) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&copy, &error)),
        _ => Ok(()),
    }
}

impl<E: FileEngine> Sealed<E> {
    pub(super) fn copy_and_exchange(&self, progress: &Progress) -> Result<()> {
        {
            let mut state = self.state.lock();
            if state.changed.is_some() {
                return value_error("this store is being compacted already; wait for that");
            }
            state.changed = Some(HashSet::new());
        }
        let done = self.copy(progress).and_then(|(copy, state)| self.exchange(copy, &state));
        self.state.lock().changed = None;
        if done.is_err() {
            // The first error is told; what cannot be removed is removed at the next opening.
            let _ = remove_copy(&self.path);
        }
        done
    }

    /// A copy that holds all rows; nobody can write until the state is let go of.
    fn copy(&self, progress: &Progress) -> Result<(E, MutexGuard<'_, State>)> {
        remove_copy(&self.path)?;
        let mut copy = E::open(&copy_of(&self.path), self.unchecked())?;
        self.copy_snapshot(&copy, progress)?;
        for _ in 0..ROUNDS {
            let changed = self.state.lock().changed.replace(HashSet::new()).unwrap_or_default();
            let is_last = changed.len() < LAST;
            self.copy_rows(&copy, changed, progress)?;
            if is_last {
                break;
            }
        }
        copy.shrink()?;
        let mut state = self.state.lock();
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::Storage("a write failed meanwhile; open the store again before it is compacted".into()));
        }
        let changed = state.changed.take().unwrap_or_default();
        self.copy_rows(&copy, changed, progress)?;
        copy.write(vec![state.stamp.row()], true)?;
        Ok((copy, state))
    }

    fn copy_snapshot(&self, copy: &E, progress: &Progress) -> Result<()> {
        let mut batch: Vec<Change> = Vec::new();
        let mut bytes = 0;
        self.visit_all(&mut |key, row| {
            bytes += key.len() + row.len();
            batch.push((key.to_vec(), Some(row.to_vec())));
            if bytes > BATCH {
                copy.write(std::mem::take(&mut batch), true)?;
                bytes = 0;
            }
            progress.step()?;
            Ok(true)
        })?;
        copy.write(batch, true)
    }

    fn copy_rows(&self, copy: &E, keys: HashSet<Vec<u8>>, progress: &Progress) -> Result<()> {
        let mut batch: Vec<Change> = Vec::new();
        let mut bytes = 0;
        for key in keys.into_iter().filter(|key| key.as_slice() != stamp::KEY) {
            let row = self.get(&key)?;
            bytes += key.len() + row.as_ref().map_or(0, Vec::len);
            batch.push((key, row));
            if bytes > BATCH {
                copy.write(std::mem::take(&mut batch), true)?;
                bytes = 0;
            }
            progress.step()?;
        }
        copy.write(batch, true)
    }

    /// Close both files, give the new one the old one's name, and open it.
    fn exchange(&self, copy: E, _no_writer: &MutexGuard<'_, State>) -> Result<()> {
        let fresh = copy_of(&self.path);
        drop(copy);
        File::open(&fresh).and_then(|file| file.sync_all()).map_err(|error| Error::io(&fresh, &error))?;
        // Readers end what they began, and find the new file then.
        let mut engine = self.engine.write_between_reads();
        drop(engine.take());
        let renamed = std::fs::rename(&fresh, &self.path).map_err(|error| Error::io(&self.path, &error));
        // After a rename that failed the old file goes on.
        *engine = Some(E::open(&self.path, self.unchecked())?);
        renamed?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        disk::sync_folder(folder).map_err(|error| Error::io(folder, &error))
    }
}

#[cfg(test)]
mod tests;
