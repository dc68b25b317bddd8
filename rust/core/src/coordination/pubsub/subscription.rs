//! The reader's side.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use super::backlog;
use super::broker::PubSubBroker;
use super::counts::Counts;
use super::entry::{Entry, Reader};
use super::message::Message;
use super::options::Subscribe;
use super::signal::Wake;
use super::topic::Pattern;
use crate::error::{Error, Result, value_error};
use crate::store::{Inner, Operation, Pending};
use crate::sync::Mutex;

/// A named subscriber's cursor is written after so many messages or rows.
const CURSOR_EVERY: usize = 64;

/// Messages of some topics, for one reader.
///
/// Dropped without [`Subscription::close`], a named one does not count its last message as handled.
pub struct Subscription {
    broker: Arc<PubSubBroker>,
    store: Option<Arc<Inner>>,
    entry: Arc<Entry>,
    state: Mutex<State>,
}

struct State {
    channel: Option<broadcast::Receiver<Arc<Message>>>,
    /// Read from L3 and not delivered yet.
    page: VecDeque<Arc<Message>>,
    /// The first sequence that is still to be read from L3.
    position: u64,
    /// What came after a gap, until the gap was told.
    held: Option<Arc<Message>>,
    /// The last sequence delivered, or before the subscription.
    last: u64,
    /// Messages that were read from L3.
    read: u64,
    delivered: u64,
    /// Matched, and not to be heard any more when its turn came.
    taken_back: u64,
    missed: u64,
    /// Delivered by name, and not handled before the next one is asked for.
    in_hand: Option<u64>,
    /// Messages and rows that the cursor has not been written for.
    unwritten: usize,
    /// The last cursor that nobody waited for.
    on_its_way: Option<Pending>,
    /// How things stood when it was closed.
    end: Option<Counts>,
}

impl Subscription {
    pub(crate) fn open(broker: Arc<PubSubBroker>, store: Option<Arc<Inner>>, options: &Subscribe) -> Result<Self> {
        options.check(store.is_some())?;
        let pattern = Pattern::parse(&options.pattern)?;
        let (sender, receiver) = if options.durable.is_none() {
            let (sender, receiver) = broadcast::channel(options.capacity);
            (Some(sender), Some(receiver))
        } else {
            (None, None)
        };
        let (entry, last) = broker.register(pattern, options, sender)?;
        let mut state = State { channel: receiver, last, ..State::new() };
        let cursor = match (&store, &options.durable) {
            (Some(inner), Some(name)) => backlog::cursor(inner, name).map(Some),
            _ => Ok(options.from_seq),
        };
        let cursor = cursor.inspect_err(|_| broker.unregister(&entry))?;
        // Without a place to begin with, nothing is read from L3.
        state.position = cursor.unwrap_or(u64::MAX);
        if let (Some(reader), Some(cursor)) = (&entry.reader, cursor) {
            reader.handled.store(cursor, Ordering::SeqCst);
            reader.written.store(cursor, Ordering::SeqCst);
        }
        Ok(Self { broker, store, entry, state: Mutex::new(state) })
    }

    /// The next message; `None` where none came within the timeout (of the machine's time).
    ///
    /// # Errors
    /// [`Error::Lagged`] once where messages were lost, [`Error::Closed`], [`Error::Fork`]; what the disk
    /// says.
    pub fn recv(&self, timeout: Option<Duration>) -> Result<Option<Arc<Message>>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let seen = self.entry.signal.events();
            if let Some(message) = self.try_recv()? {
                return Ok(Some(message));
            }
            let left = deadline.map_or(Duration::from_secs(1), |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            self.entry.signal.wait(seen, left);
        }
    }

    /// The next message, where there is one.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn try_recv(&self) -> Result<Option<Arc<Message>>> {
        loop {
            if let Some(message) = self.pop()? {
                return Ok(Some(message));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The next message that is in memory; asks the disk nothing.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn pop(&self) -> Result<Option<Arc<Message>>> {
        self.ensure_open()?;
        let mut state = self.state.lock();
        self.handle(&mut state);
        if state.page.is_empty() && self.is_behind(&state) {
            return Ok(None);
        }
        let message = loop {
            let Some(message) = state.next()? else {
                self.write_cursor(&mut state);
                return Ok(None);
            };
            if self.entry.may_hear(&message) {
                break message;
            }
            // What was granted when it came was taken back.
            state.taken_back += 1;
        };
        state.delivered += 1;
        state.last = message.sequence;
        state.in_hand = self.entry.reader.as_ref().map(|_| message.sequence);
        Ok(Some(message))
    }

    /// Read the next page of durable messages; `false` where there is nothing to read.
    ///
    /// # Errors
    /// As [`Subscription::recv`].
    pub fn fill(&self) -> Result<bool> {
        self.ensure_open()?;
        let mut state = self.state.lock();
        let Some(inner) = self.store.as_deref().filter(|_| state.page.is_empty() && self.is_behind(&state)) else {
            return Ok(!state.page.is_empty());
        };
        let page = backlog::read(inner, &self.entry, state.position, self.entry.latest.load(Ordering::SeqCst))?;
        state.read += page.messages.len() as u64;
        state.unwritten += page.rows - page.messages.len();
        state.position = page.next;
        state.page.extend(page.messages);
        if let Some(reader) = self.entry.reader.as_ref().filter(|_| state.page.is_empty() && state.in_hand.is_none()) {
            // All before is handled, or not for this subscriber.
            reader.handled.fetch_max(page.next, Ordering::SeqCst);
            self.write_cursor(&mut state);
        }
        Ok(true)
    }

    /// Whether [`Subscription::pop`] or [`Subscription::fill`] has something to do or to say.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        if self.ensure_open().is_err() {
            return true;
        }
        let state = self.state.lock();
        state.waiting() > 0 || self.is_behind(&state)
    }

    /// Whether durable messages are to be read from the disk before anything else.
    ///
    /// # Errors
    /// [`Error::Fork`].
    pub fn needs_fill(&self) -> Result<bool> {
        self.broker.ensure_usable()?;
        let state = self.state.lock();
        Ok(state.page.is_empty() && self.is_behind(&state))
    }

    /// Have the next message write to an event loop, once.
    pub fn arm(&self, wake: &Arc<Wake>) {
        self.entry.signal.arm(wake);
    }

    /// Count what was delivered to a named subscriber as handled, and write so.
    ///
    /// # Errors
    /// [`Error::Value`] where the subscription has no name; what the disk says.
    pub fn acknowledge(&self) -> Result<()> {
        self.ensure_open()?;
        if self.entry.reader.is_none() {
            return value_error("only a subscription with a name acknowledges; subscribe with durable=\"name\"");
        }
        let mut state = self.state.lock();
        self.take_in(&mut state);
        state.unwritten = 0;
        drop(state);
        self.write_now()
    }

    /// What became of the messages that matched.
    ///
    /// # Errors
    /// [`Error::Fork`].
    pub fn counts(&self) -> Result<Counts> {
        self.broker.ensure_usable()?;
        let state = self.state.lock();
        Ok(state.end.unwrap_or_else(|| self.count(&state)))
    }

    /// The topics that it listens to.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.entry.pattern.as_str()
    }

    /// Whether it was closed, or its store.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.entry.is_closed()
    }

    /// End it; what waits is let go of.  A named one counts its last message as handled, unless told otherwise,
    /// and its cursor is on the disk on return.
    ///
    /// # Errors
    /// What the disk says of the cursor; it is closed all the same.
    pub fn close(&self, handled: bool) -> Result<()> {
        self.broker.ensure_usable()?;
        if self.entry.is_closed() {
            return Ok(());
        }
        if handled {
            self.take_in(&mut self.state.lock());
        }
        self.let_go();
        self.write_now()
    }

    fn let_go(&self) {
        self.broker.unregister(&self.entry);
        let mut state = self.state.lock();
        state.end = Some(state.end.unwrap_or_else(|| self.count(&state)));
        state.channel = None;
        state.page.clear();
        state.held = None;
        drop(state);
        self.entry.close();
    }

    fn ensure_open(&self) -> Result<()> {
        self.broker.ensure_usable()?;
        if self.entry.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    fn is_behind(&self, state: &State) -> bool {
        state.position <= self.entry.latest.load(Ordering::SeqCst)
    }

    fn count(&self, state: &State) -> Counts {
        self.broker.between_sends(|| Counts {
            matched: state.read + self.entry.matched.load(Ordering::Relaxed) - state.taken_back,
            delivered: state.delivered,
            missed: state.missed,
            waiting: state.waiting(),
        })
    }

    /// What was delivered is handled when the next is asked for.
    fn handle(&self, state: &mut State) {
        if self.take_in(state) && state.unwritten >= CURSOR_EVERY {
            self.write_cursor(state);
        }
    }

    fn take_in(&self, state: &mut State) -> bool {
        let Some((reader, sequence)) = self.entry.reader.as_ref().zip(state.in_hand.take()) else { return false };
        reader.handled.fetch_max(sequence + 1, Ordering::SeqCst);
        state.unwritten += 1;
        true
    }

    /// Have the cursor written with the next commit, without waiting.
    fn write_cursor(&self, state: &mut State) {
        if std::mem::take(&mut state.unwritten) == 0 {
            return;
        }
        if let Some(pending) = self.submit_cursor() {
            // Where the queue takes none, the next one says as much.
            state.on_its_way = pending.ok();
        }
    }

    /// Have the cursor on the disk.
    fn write_now(&self) -> Result<()> {
        let on_its_way = self.state.lock().on_its_way.take();
        if on_its_way.is_some_and(|pending| pending.wait().is_err()) {
            self.entry.reader.iter().for_each(Reader::forget_written);
        }
        self.submit_cursor().map_or(Ok(()), |pending| pending?.wait().map(|_| ()))
    }

    /// Queue the cursor, where L3 has an older one.
    fn submit_cursor(&self) -> Option<Result<Pending>> {
        let (inner, reader) = self.store.as_deref().zip(self.entry.reader.as_ref())?;
        let (name, sequence) = reader.unwritten()?;
        let pending = inner.queue.submit(vec![Operation::MoveCursor { name, sequence }], false);
        Some(pending.inspect_err(|_| reader.forget_written()))
    }
}

impl State {
    fn new() -> Self {
        Self {
            channel: None,
            page: VecDeque::new(),
            position: u64::MAX,
            held: None,
            last: 0,
            read: 0,
            delivered: 0,
            taken_back: 0,
            missed: 0,
            in_hand: None,
            unwritten: 0,
            on_its_way: None,
            end: None,
        }
    }

    fn next(&mut self) -> Result<Option<Arc<Message>>> {
        if let Some(message) = self.page.pop_front().or_else(|| self.held.take()) {
            return Ok(Some(message));
        }
        let Some(channel) = &mut self.channel else { return Ok(None) };
        let mut missed = 0;
        loop {
            match channel.try_recv() {
                Ok(message) if missed == 0 => return Ok(Some(message)),
                Ok(message) => {
                    let (first_seq, last_seq) = (self.last + 1, message.sequence - 1);
                    self.missed += missed;
                    self.held = Some(message);
                    return Err(Error::Lagged { missed, first_seq, last_seq });
                }
                Err(TryRecvError::Lagged(more)) => missed += more,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(None),
            }
        }
    }

    fn waiting(&self) -> u64 {
        let live = self.channel.as_ref().map_or(0, broadcast::Receiver::len);
        (live + self.page.len() + usize::from(self.held.is_some())) as u64
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.broker.is_of_the_parent() {
            // Its locks may be held by threads that a child has not: let go of nothing.
            std::mem::forget(std::mem::replace(self.state.get_mut(), State::new()));
            std::mem::forget((Arc::clone(&self.entry), Arc::clone(&self.broker), self.store.clone()));
        } else if !self.entry.is_closed() {
            self.let_go();
        }
    }
}
