//! What waits for the committer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::{Condvar, Mutex};

use super::ops::{Commit, Operation};
use crate::error::{Error, Result};

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

pub(super) enum Message {
    Batch(Vec<Operation>, Arc<Slot>),
    /// A batch that is checked and not applied.
    Trial(Vec<Operation>, Arc<Slot>),
    /// The id of a recall, and its row in the log.
    Log(String, Vec<u8>),
    Flush(Arc<Slot>),
}

#[derive(Default)]
pub(super) struct Slot {
    answer: Mutex<Option<Result<Commit>>>,
    answered: Condvar,
}

impl Slot {
    pub(super) fn answer(&self, answer: Result<Commit>) {
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
        let (mut answer, _) = self.0.answered.wait_while(self.0.answer.lock(), timeout, |answer| answer.is_none());
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

    pub(crate) fn log(&self, id: &str, row: Vec<u8>) -> Result<()> {
        let bytes = row.len();
        self.push(Message::Log(id.to_owned(), row), bytes)
    }

    /// Wait until less waits than may; `false` where that takes longer than the timeout.
    pub(crate) fn wait_for_room(&self, timeout: Duration) -> bool {
        let is_full = |waiting: &mut Waiting| waiting.bytes > MAX_QUEUED && !waiting.stopping;
        !self.room.wait_while(self.waiting.lock(), timeout, is_full).1
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
    pub(super) fn take(&self, last_group: usize) -> Option<Vec<Message>> {
        let mut waiting = self.waiting.lock();
        while waiting.messages.is_empty() {
            if waiting.stopping {
                return None;
            }
            waiting = self.ready.wait(waiting);
        }
        if waiting.urgent == 0 && !waiting.stopping {
            (waiting, _) = self.ready.wait_while(waiting, LOG_LINGER, |w| w.urgent == 0 && !w.stopping);
        }
        if last_group > 1 && waiting.urgent < last_group {
            (waiting, _) = self.ready.wait_while(waiting, GROUP_LINGER, |w| w.urgent < last_group && !w.stopping);
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
        Operation::Publish(publication) => publication.payload.len(),
        Operation::Write(record) => {
            let vectors: usize = record.embeddings.iter().map(|(_, vector)| vector.len() * 4).sum();
            256 + vectors + record.payload.as_ref().map_or(0, Vec::len) + record.text.as_ref().map_or(0, String::len)
        }
        Operation::WriteMany(table) => table.bytes(),
        Operation::Settle { outcome, .. } => outcome.payload.as_ref().map_or(0, Vec::len),
        Operation::Forget { ids } => ids.len() * 32,
        _ => 0,
    }
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
