//! The one thread that writes: takes what waits, plans it in order, commits
//! it once, applies it to memory, answers all.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::ops::{Commit, Operation};
use super::plan::{Planner, Staged};
use super::state::{HEAD, Head};
use super::{Inner, sweep};
use crate::error::{Error, Result};
use crate::tier::cold::Change;
use crate::{frame, keys, record};

/// Bytes that may wait before callers do.
const MAX_QUEUED: usize = 64 << 20;
/// Bytes of one group; larger batches are a group of their own.
const MAX_GROUP: usize = 8 << 20;
/// How long logged recalls wait for a batch to ride with.
const LOG_LINGER: Duration = Duration::from_millis(50);
/// How long a committer that served several callers waits for them to come back.
const GROUP_LINGER: Duration = Duration::from_micros(200);
/// Logged recalls do not wait; so much more may wait because of them.
const MAX_LOGGED: usize = 16 << 20;
/// How long a caller waits for room in the queue.
pub(super) const MAX_BACKPRESSURE: Duration = Duration::from_secs(30);
/// Room that a commit must leave on the disk.
const MIN_FREE: u64 = 16 << 20;

enum Message {
    Batch(Vec<Operation>, Arc<Slot>),
    /// A batch that is checked and not applied.
    Trial(Vec<Operation>, Arc<Slot>),
    Log(String, Vec<u8>),
    Flush(Arc<Slot>),
}

#[derive(Default)]
struct Slot {
    answer: Mutex<Option<Result<Commit>>>,
    answered: Condvar,
}

impl Slot {
    fn answer(&self, answer: Result<Commit>) {
        *self.answer.lock() = Some(answer);
        self.answered.notify_all();
    }
}

/// A batch that the committer has; drop it to stop waiting (the batch goes on).
pub struct Pending(Arc<Slot>);

impl Pending {
    /// Wait for the answer.
    ///
    /// # Errors
    /// See [`super::Store::commit`].
    pub fn wait(&self) -> Result<Commit> {
        loop {
            if let Some(answer) = self.wait_for(Duration::from_secs(1)) {
                return answer;
            }
        }
    }

    /// Wait at most so long; `None` where there is no answer yet.
    #[must_use]
    pub fn wait_for(&self, timeout: Duration) -> Option<Result<Commit>> {
        let mut answer = self.0.answer.lock();
        if answer.is_none() {
            self.0.answered.wait_for(&mut answer, timeout);
        }
        answer.take()
    }
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Message, usize)>,
    /// Messages that somebody waits for.
    urgent: usize,
    bytes: usize,
    stopping: bool,
}

/// What waits for the committer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
    room: Condvar,
}

impl Queue {
    pub(crate) fn submit(&self, operations: Vec<Operation>, dry_run: bool) -> Result<Pending> {
        let bytes = operations.iter().map(size_of_operation).sum();
        let slot = Arc::new(Slot::default());
        let message = if dry_run { Message::Trial } else { Message::Batch };
        self.push(message(operations, Arc::clone(&slot)), bytes)?;
        Ok(Pending(slot))
    }

    pub(crate) fn flush(&self) -> Result<Pending> {
        let slot = Arc::new(Slot::default());
        self.push(Message::Flush(Arc::clone(&slot)), 0)?;
        Ok(Pending(slot))
    }

    pub(crate) fn log(&self, id: &str, entry: Vec<u8>) -> Result<()> {
        let bytes = entry.len();
        self.push(Message::Log(id.to_owned(), entry), bytes)
    }

    /// Wait until less waits than may; `false` where that takes longer than the timeout.
    pub(crate) fn wait_for_room(&self, timeout: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        let is_full = |waiting: &mut Waiting| waiting.bytes > MAX_QUEUED && !waiting.stopping;
        !is_full(&mut waiting) || !self.room.wait_while_for(&mut waiting, is_full, timeout).timed_out()
    }

    fn push(&self, message: Message, bytes: usize) -> Result<()> {
        let mut waiting = self.waiting.lock();
        if waiting.stopping {
            return Err(Error::Closed);
        }
        let more = if matches!(message, Message::Log(..)) { MAX_LOGGED } else { 0 };
        if waiting.bytes > MAX_QUEUED + more && !matches!(message, Message::Flush(_)) {
            return Err(Error::Storage(format!(
                "the disk does not keep up: {} MiB wait to be written; write less at once, or try again later",
                waiting.bytes >> 20
            )));
        }
        waiting.urgent += usize::from(!matches!(message, Message::Log(..)));
        waiting.bytes += bytes;
        waiting.messages.push_back((message, bytes));
        self.ready.notify_one();
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.waiting.lock().stopping = true;
        self.ready.notify_one();
        self.room.notify_all();
    }

    /// The next group; `None` when the store closes and nothing waits.
    fn take(&self, last_group: usize) -> Option<Vec<Message>> {
        let mut waiting = self.waiting.lock();
        while waiting.messages.is_empty() {
            if waiting.stopping {
                return None;
            }
            self.ready.wait(&mut waiting);
        }
        if waiting.urgent == 0 && !waiting.stopping {
            self.ready.wait_while_for(&mut waiting, |w| w.urgent == 0 && !w.stopping, LOG_LINGER);
        }
        if last_group > 1 && waiting.urgent < last_group {
            self.ready.wait_while_for(&mut waiting, |w| w.urgent < last_group && !w.stopping, GROUP_LINGER);
        }
        let mut group = Vec::new();
        let mut total = 0;
        while let Some((message, bytes)) = waiting.messages.pop_front() {
            waiting.bytes -= bytes;
            waiting.urgent -= usize::from(!matches!(message, Message::Log(..)));
            group.push(message);
            total += bytes;
            if total >= MAX_GROUP {
                break;
            }
        }
        self.room.notify_all();
        Some(group)
    }
}

fn size_of_operation(operation: &Operation) -> usize {
    64 + match operation {
        Operation::Put { value, .. } => value.len(),
        Operation::Write(record) => {
            let vectors: usize = record.embeddings.iter().map(|(_, vector)| vector.len() * 4).sum();
            256 + vectors + record.payload.as_ref().map_or(0, Vec::len) + record.text.as_ref().map_or(0, String::len)
        }
        Operation::Settle { outcome, .. } => outcome.payload.as_ref().map_or(0, Vec::len),
        Operation::Forget { ids } => ids.len() * 32,
        _ => 0,
    }
}

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
                let plan = plan.inspect_err(|error| stop_if_full(inner, error));
                planned.push(Some(plan.map(|(batch, results)| {
                    if matches!(message, Message::Batch(..)) {
                        staged.merge(batch);
                        head.commit = number;
                        head.recorded_at = now;
                    }
                    Commit { number, recorded_at: now, results }
                })));
            }
            Message::Log(id, entry) => {
                let row = keys::named(keys::RECALL, id);
                let is_new = !staged.rows.contains_key(&row) && inner.row(&row)?.is_none();
                staged.counts.recalls += i64::from(is_new);
                staged.rows.insert(row, Some(entry.clone()));
            }
            Message::Flush(_) => flushed = true,
        }
    }
    sweep::sweep(inner, due, &mut staged, head.recorded_at).inspect_err(|error| stop_if_full(inner, error))?;
    // Where each commit waits for the disk a flush has nothing to do, and needs no room for it.
    if !staged.rows.is_empty() || head != before || (flushed && !inner.durable) {
        head.counts += staged.counts;
        write(inner, &head, std::mem::take(&mut staged.rows), flushed || inner.durable)?;
    }
    apply(inner, head, staged)?;
    inner.metrics.commits.record(inner.clock.monotonic_us().saturating_sub(started).saturating_mul(1000));
    Ok(())
}

/// Before the space is checked only an engine can say so, of a write that it goes on with by itself.
fn stop_if_full(inner: &Inner, error: &Error) {
    if matches!(error, Error::Full(_)) {
        inner.fail(error);
    }
}

fn write(inner: &Inner, head: &Head, rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>, durable: bool) -> Result<()> {
    let head_row = (keys::named(keys::STATE, HEAD), Some(record::encode(head)?));
    let changes: Vec<Change> = rows
        .into_iter()
        .chain(std::iter::once(head_row))
        .map(|(key, value)| {
            let sealed = value.map(|value| frame::seal(&key, &value, inner.compression));
            (key, sealed)
        })
        .collect();
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
    let grown = {
        let mut shared = inner.shared.write();
        let before = shared.catalog.bytes();
        for effect in staged.effects {
            effect.apply(&mut shared)?;
        }
        shared.catalog.tidy_if_due();
        shared.head = head;
        shared.catalog.bytes() != before
    };
    if grown {
        inner.share_memory();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(bytes: usize) -> Vec<Operation> {
        vec![Operation::Put { namespace: "n".into(), key: "k".into(), value: vec![0; bytes], ttl: None }]
    }

    #[test]
    fn a_full_queue_takes_no_batch_until_there_is_room() {
        let queue = Queue::default();
        queue.submit(put(MAX_QUEUED), false).unwrap();
        assert!(!queue.wait_for_room(Duration::from_millis(1)));
        assert!(matches!(queue.submit(put(1), false), Err(Error::Storage(_))));
        queue.flush().unwrap();
        assert!(queue.take(0).is_some());
        assert!(queue.wait_for_room(Duration::ZERO));
        queue.submit(put(1), false).unwrap();
    }

    #[test]
    fn logged_recalls_take_little_of_a_full_queue() {
        let queue = Queue::default();
        queue.submit(put(MAX_QUEUED), false).unwrap();
        queue.log("recall", vec![0; MAX_LOGGED]).unwrap();
        assert!(matches!(queue.log("recall", vec![0; 1]), Err(Error::Storage(_))));
    }

    #[test]
    fn who_waits_for_room_is_told_when_there_is() {
        let queue = Arc::new(Queue::default());
        queue.submit(put(MAX_QUEUED), false).unwrap();
        let waiter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.wait_for_room(Duration::from_secs(60))
        });
        assert!(queue.take(0).is_some());
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn a_stopped_queue_takes_nothing() {
        let queue = Queue::default();
        queue.submit(put(MAX_QUEUED), false).unwrap();
        queue.stop();
        assert!(queue.wait_for_room(Duration::ZERO));
        assert!(matches!(queue.submit(put(1), false), Err(Error::Closed)));
    }
}
