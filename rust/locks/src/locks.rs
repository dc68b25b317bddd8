//! The table among threads.

use std::collections::HashMap;
use std::sync::Arc;
#[cfg(not(feature = "loom"))]
use std::time::Duration;

use crate::sync::{Condvar, Mutex, lock};
use crate::table::{Ask, Lease, Refusal, Stale, Table, Taken, Ticket};

/// What wakes somebody who does not wait in a thread of its own.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// Leases that threads and tasks share.
pub struct Locks(Mutex<Shared>);

#[derive(Default)]
struct Shared {
    table: Table,
    signals: HashMap<Ticket, Arc<Signal>, foldhash::fast::RandomState>,
}

impl Shared {
    fn settle(&mut self, resource: &Arc<str>, now: u64) -> Option<Arc<Signal>> {
        let next = self.table.settle(resource, now);
        self.signal(next)
    }

    fn signal(&self, ticket: Option<Ticket>) -> Option<Arc<Signal>> {
        ticket.and_then(|ticket| self.signals.get(&ticket).cloned())
    }
}

/// The answer to a request.
pub enum Acquired {
    /// It is yours.
    Now(Lease),
    /// You are in the line.
    Waits(Pending),
}

/// A place in a line.  Give it back to [`Locks::take`] until it is granted, or to [`Locks::cancel`].
pub struct Pending {
    ticket: Ticket,
    signal: Arc<Signal>,
}

#[derive(Default)]
struct Signal {
    is_set: Mutex<bool>,
    set: Condvar,
    waker: Option<Waker>,
}

impl Signal {
    fn set(&self) {
        *lock(&self.is_set) = true;
        self.set.notify_all();
        if let Some(waker) = &self.waker {
            waker();
        }
    }
}

impl Pending {
    /// Wait until there is something to take, or so long.
    #[cfg(not(feature = "loom"))]
    pub fn wait(&self, timeout: Duration) {
        let is_unset = |is_set: &mut bool| !*is_set;
        let waited = self.signal.set.wait_timeout_while(lock(&self.signal.is_set), timeout, is_unset);
        *waited.unwrap_or_else(std::sync::PoisonError::into_inner).0 = false;
    }

    #[cfg(all(test, feature = "loom"))]
    pub(crate) fn wait(&self) {
        let mut is_set = lock(&self.signal.is_set);
        while !*is_set {
            is_set = self.signal.set.wait(is_set).unwrap();
        }
        *is_set = false;
    }
}

impl Locks {
    /// Leases whose next number is the one after this.
    #[must_use]
    pub fn after(last_number: u64) -> Self {
        Self(Mutex::new(Shared { table: Table::after(last_number), ..Shared::default() }))
    }

    /// Numbers up to this one may be granted: it is remembered somewhere that outlives us.
    pub fn allow_numbers(&self, last: u64) {
        lock(&self.0).table.allow_numbers(last);
    }

    /// The last number that may be granted, where few or none are left under it.
    pub fn runs_out_at(&self) -> Option<u64> {
        lock(&self.0).table.runs_out_at()
    }

    /// Whether there is a number to grant with.
    pub fn has_numbers(&self) -> bool {
        lock(&self.0).table.has_numbers()
    }

    /// Ask for a lease; `waker` is called when there is something to take.
    ///
    /// # Errors
    /// Those of [`Refusal`].
    pub fn acquire(&self, ask: Ask, now: u64, waker: Option<Waker>) -> Result<Acquired, Refusal> {
        let mut shared = lock(&self.0);
        let next = shared.settle(&ask.resource, now);
        let answer = shared.table.acquire(ask, now).map(|answer| match answer {
            Ok(lease) => Acquired::Now(lease),
            Err(ticket) => {
                let signal = Arc::new(Signal { waker, ..Signal::default() });
                shared.signals.insert(ticket, Arc::clone(&signal));
                Acquired::Waits(Pending { ticket, signal })
            }
        });
        drop(shared);
        wake(next);
        answer
    }

    /// What became of a place in the line; the place is gone where it was granted.
    ///
    /// # Errors
    /// The place and who holds the resource, where it goes on.
    pub fn take(&self, mut pending: Pending, now: u64) -> Result<Lease, (Pending, Taken)> {
        let mut shared = lock(&self.0);
        let mut woken = Vec::new();
        let taken = loop {
            let resource = shared.table.resource_of(pending.ticket);
            woken.extend(resource.and_then(|resource| shared.settle(&resource, now)));
            match shared.table.take(pending.ticket, now) {
                Ok(taken) => break taken,
                Err(ticket) => {
                    shared.signals.remove(&pending.ticket);
                    shared.signals.insert(ticket, Arc::clone(&pending.signal));
                    pending.ticket = ticket;
                }
            }
        };
        if matches!(taken, Taken::Granted(_)) {
            shared.signals.remove(&pending.ticket);
        }
        drop(shared);
        for signal in woken {
            signal.set();
        }
        match taken {
            Taken::Granted(lease) => Ok(lease),
            taken => Err((pending, taken)),
        }
    }

    /// Leave the line; what was granted meanwhile goes to the next.
    pub fn cancel(&self, pending: &Pending, now: u64) {
        let mut shared = lock(&self.0);
        shared.signals.remove(&pending.ticket);
        let next = shared.table.cancel(pending.ticket, now);
        let next = shared.signal(next);
        drop(shared);
        wake(next);
    }

    /// Give a lease back, or one of the times that its owner took it.
    ///
    /// # Errors
    /// [`Stale`] where it is not in force.
    pub fn release(&self, resource: &Arc<str>, number: u64, now: u64) -> Result<(), Stale> {
        self.change(|table| table.release(resource, number, now).map(|next| ((), next)))
    }

    /// Have a lease live so long from now, if that is longer.
    ///
    /// # Errors
    /// [`Stale`] where it is not in force.
    pub fn extend(&self, resource: &Arc<str>, number: u64, ttl: u64, now: u64) -> Result<Lease, Stale> {
        self.change(|table| table.extend(resource, number, ttl, now).map(|lease| (lease, None)))
    }

    /// Begin to write with a lease: nobody else gets the resource before [`Self::end_write`].
    ///
    /// # Errors
    /// [`Stale`] where it is not in force.
    pub fn begin_write(&self, resource: &Arc<str>, number: u64, now: u64) -> Result<(), Stale> {
        self.change(|table| table.begin_write(resource, number, now).map(|()| ((), None)))
    }

    /// The write is done, or given up.
    pub fn end_write(&self, resource: &Arc<str>, number: u64, now: u64) {
        let _: Result<(), Stale> = self.change(|table| Ok(((), table.end_write(resource, number, now))));
    }

    /// The lease in force.
    pub fn held(&self, resource: &Arc<str>, now: u64) -> Option<Lease> {
        lock(&self.0).table.held(resource, now)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> Result<(T, Option<Ticket>), Stale>) -> Result<T, Stale> {
        let mut shared = lock(&self.0);
        let (answer, next) = change(&mut shared.table)?;
        let next = shared.signal(next);
        drop(shared);
        wake(next);
        Ok(answer)
    }

    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize, usize, usize) {
        let shared = lock(&self.0);
        let (resources, waiters, wanted) = shared.table.sizes();
        (resources, waiters, wanted, shared.signals.len())
    }
}

/// Wake who was granted something, outside the lock.
fn wake(signal: Option<Arc<Signal>>) {
    if let Some(signal) = signal {
        signal.set();
    }
}
