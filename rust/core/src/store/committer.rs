//! The one thread that writes: takes what waits, plans it in order, commits
//! it once, applies it to memory, answers all.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::ops::Commit;
use super::plan::{Planner, Row, Staged};
use super::queue::Message;
use super::state::{HEAD, Head};
use super::{Inner, recalls, sweep};
use crate::error::{Error, Result};
use crate::tier::cold::Change;
use crate::tier::vector::VectorStore;
use crate::{frame, keys, record, workers};

/// Rows that are sealed on all cores.
const MANY_ROWS: usize = 10_000;
/// Room that a commit must leave on the disk.
const MIN_FREE: u64 = 16 << 20;

pub(crate) fn start(inner: Arc<Inner>) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("nt-memory-commit".into())
        .spawn(move || run(&inner))
        .map_err(|error| Error::Storage(format!("the committer cannot start: {error}")))
}

fn run(inner: &Inner) {
    let mut last_group = 0;
    let mut due = sweep::Due::default();
    while let Some(group) = inner.queue.take(last_group) {
        let mut waiting = Vec::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| commit_group(inner, &group, &mut due, &mut waiting)))
            .unwrap_or_else(|_| {
                Err(Error::Internal("the committer panicked; reopen the store, and please report it".into()))
            });
        last_group = group.iter().filter(|message| !matches!(message, Message::Log(..))).count();
        // Full was found before the write, or the write has said so itself: the next may go.
        if let Some(error) = outcome.as_ref().err().filter(|error| !matches!(error, Error::Full(_))) {
            inner.fail(error);
        }
        answer(&group, waiting, outcome.as_ref().err());
    }
}

/// Everybody who still waits gets their commit, or the group's error.
fn answer(group: &[Message], planned: Vec<Option<Result<Commit>>>, error: Option<&Error>) {
    let mut planned = planned.into_iter();
    for message in group {
        match message {
            Message::Batch(_, slot) | Message::Trial(_, slot) => {
                let answer = match (planned.next().flatten(), error) {
                    (Some(Err(refused)), _) => Err(refused),
                    (_, Some(error)) => Err(error.clone()),
                    (Some(commit), None) => commit,
                    (None, None) => Err(Error::Internal("a batch was lost".into())),
                };
                slot.answer(answer);
            }
            Message::Flush(slot) => {
                slot.answer(error.map_or_else(
                    || Ok(Commit { number: 0, recorded_at: 0, results: Vec::new() }),
                    |error| Err(error.clone()),
                ));
            }
            Message::Log(..) => {}
        }
    }
}

fn commit_group(
    inner: &Inner,
    group: &[Message],
    due: &mut sweep::Due,
    planned: &mut Vec<Option<Result<Commit>>>,
) -> Result<()> {
    inner.ensure_sound()?;
    let started = inner.clock.monotonic_us();
    let _writing = inner.writing.lock();
    let mut staged = Staged::default();
    let before = inner.shared.read().head;
    let mut head = before;
    let mut flushed = false;
    for message in group {
        match message {
            Message::Batch(operations, _) | Message::Trial(operations, _) => {
                let now = inner.clock.now_us().max(head.recorded_at);
                let number = head.commit + 1;
                let plan = Planner::new(inner, &staged, number, now).plan(operations);
                let plan = plan.inspect_err(|error| stop_if_failed(inner, error));
                let plan = plan.and_then(|plan| reserve(inner, &staged, &plan.0).map(|()| plan));
                planned.push(Some(plan.map(|(batch, results)| {
                    if matches!(message, Message::Batch(..)) {
                        staged.merge(batch);
                        head.commit = number;
                        head.recorded_at = now;
                    }
                    Commit { number, recorded_at: now, results }
                })));
            }
            Message::Log(id, row) => recalls::stage(inner, &mut staged, id, row)?,
            Message::Flush(_) => flushed = true,
        }
    }
    let now = inner.clock.now_us().max(head.recorded_at);
    sweep::sweep(inner, due, &mut staged, now).inspect_err(|error| stop_if_failed(inner, error))?;
    // Where each commit waits for the disk a flush has nothing to do, and needs no room for it.
    if !staged.rows.is_empty() || head != before || (flushed && !inner.durable) {
        head.counts += staged.counts;
        write(inner, &head, std::mem::take(&mut staged.rows), flushed || inner.durable)?;
    }
    apply(inner, head, staged)?;
    inner.metrics.commits.record(inner.clock.monotonic_us().saturating_sub(started).saturating_mul(1000));
    Ok(())
}

/// Make room for the embeddings of a batch, behind those of its group: after the write it is too
/// late to say that there is none.
fn reserve(inner: &Inner, group: &Staged, batch: &Staged) -> Result<()> {
    for (space, more) in &batch.embeddings {
        let before = group.embeddings.get(space).copied().unwrap_or(0);
        inner.shared.write().catalog.reserve(space, before + more)?;
    }
    Ok(())
}

/// A read may be told of a write that the engine goes on with by itself and that failed; such an
/// engine does not write any more, not even nothing.
fn stop_if_failed(inner: &Inner, error: &Error) {
    let takes_no_writes = || inner.cold(|cold| cold.write(Vec::new(), true)).is_err();
    if matches!(error, Error::Full(_)) || (matches!(error, Error::Storage(_)) && takes_no_writes()) {
        inner.fail(error);
    }
}

fn write(inner: &Inner, head: &Head, rows: BTreeMap<Vec<u8>, Option<Row>>, durable: bool) -> Result<()> {
    let head_row = (keys::named(keys::STATE, HEAD), Some(record::encode(head)?.into()));
    let seal = |(key, row): (Vec<u8>, Option<Row>)| {
        let sealed = row.map(|row| frame::seal(&key, &row.bytes(), inner.compression));
        (key, sealed)
    };
    let mut changes: Vec<Change> = if rows.len() < MANY_ROWS {
        rows.into_iter().map(seal).collect()
    } else {
        workers::share(|| rows.into_par_iter().map(seal).collect())
    };
    changes.push(seal(head_row));
    ensure_space(inner, &changes)?;
    inner.cold(|cold| cold.write(changes, durable)).inspect_err(|error| inner.fail(error))
}

fn ensure_space(inner: &Inner, changes: &[Change]) -> Result<()> {
    let bytes: u64 = changes.iter().map(|(key, value)| (key.len() + value.as_ref().map_or(0, Vec::len)) as u64).sum();
    ensure_room(inner, bytes * 3)
}

/// Whether the disk has so much room, and some to spare.
pub(super) fn ensure_room(inner: &Inner, bytes: u64) -> Result<()> {
    let Some(directory) = inner.directory() else { return Ok(()) };
    let needed = bytes + MIN_FREE;
    match free_bytes(directory) {
        Some(free) if free < needed => Err(Error::Full(format!(
            "{} has {free} bytes free and this write needs {needed}; make room and try again",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

fn free_bytes(directory: &std::path::Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(directory.as_os_str().as_bytes()).ok()?;
    let mut stats = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a NUL and `stats` is only read after a success.
    let stats = unsafe {
        if libc::statvfs(path.as_ptr(), stats.as_mut_ptr()) != 0 {
            return None;
        }
        stats.assume_init()
    };
    Some(stats.f_bavail.saturating_mul(stats.f_frsize))
}

fn apply(inner: &Inner, head: Head, staged: Staged) -> Result<()> {
    for change in staged.values {
        match change.value {
            Some((value, expires_at)) => inner.hot.insert(&change.namespace, &change.key, &value, expires_at),
            None => inner.hot.remove(&change.namespace, &change.key),
        }
    }
    let (grown, has_work) = {
        let mut shared = inner.shared.write();
        let before = shared.catalog.bytes();
        for effect in staged.effects {
            effect.apply(&mut shared)?;
        }
        shared.catalog.tidy_if_due();
        shared.head = head;
        (shared.catalog.bytes() != before, shared.catalog.spaces.iter().any(VectorStore::has_work))
    };
    if let Some(rights) = &staged.rights {
        inner.broker.regrant(rights);
    }
    inner.broker.apply(head.commit, staged.topics, staged.messages);
    if has_work {
        inner.indexing.wake();
    }
    if grown {
        inner.share_memory();
    }
    Ok(())
}
