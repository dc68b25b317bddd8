//! Locks of a store: their numbers outlive it.

use std::time::Duration;

use super::ops::Operation;
use super::{Inner, Store};
use crate::coordination::locks::{LockLease, LockRequest, LockWait, Locking, Waker};
use crate::error::Result;

/// Numbers that are allowed at a time: so many at most are left out after a crash.
const BLOCK: u64 = 1_000;

impl Inner {
    /// Have numbers on the disk before they are granted.  Where some are left, one thread sees to it
    /// and the others go on.
    fn ensure_numbers(&self) -> Result<()> {
        let Some(last) = self.locks.runs_out_at() else { return Ok(()) };
        let _reserving = self.reserving.lock();
        if self.locks.runs_out_at() != Some(last) {
            return Ok(());
        }
        match self.allow_numbers(last + BLOCK) {
            // What is left is granted while the disk has no room for more.
            Err(_) if self.locks.has_numbers() => Ok(()),
            done => done,
        }
    }

    fn allow_numbers(&self, last: u64) -> Result<()> {
        self.queue.submit(vec![Operation::AllowNumbers { last }], false)?.wait()?;
        if !self.durable {
            self.queue.flush()?.wait()?;
        }
        self.locks.allow_numbers(last);
        Ok(())
    }
}

impl Store {
    /// Ask for a lock; `waker` is called when there is something to take.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a request that cannot be, [`crate::Error::Deadlock`] where owners
    /// would wait for each other, the engine's failure.
    pub fn acquire_lock(&self, request: &LockRequest, waker: Option<Waker>) -> Result<Locking> {
        self.inner.ensure_usable()?;
        self.inner.ensure_numbers()?;
        self.inner.locks.acquire(request, waker)
    }

    /// Wait in the line, at most so long and not much; the lock where it is granted.
    ///
    /// # Errors
    /// [`crate::Error::Closed`], the engine's failure.
    pub fn await_lock(&self, wait: &mut LockWait, most: Duration) -> Result<Option<LockLease>> {
        wait.wait(most);
        self.ensure_lock_numbers()?;
        self.take_lock(wait)
    }

    /// Have numbers to grant locks with; it may wait for the disk.
    ///
    /// # Errors
    /// [`crate::Error::Closed`], the engine's failure where none is left.
    pub fn ensure_lock_numbers(&self) -> Result<()> {
        self.inner.ensure_usable()?;
        self.inner.ensure_numbers()
    }

    /// The lock, where it is granted; it never waits for the disk.
    ///
    /// # Errors
    /// [`crate::Error::Closed`].
    pub fn take_lock(&self, wait: &mut LockWait) -> Result<Option<LockLease>> {
        self.inner.ensure_usable()?;
        Ok(wait.take())
    }

    /// Give a lock back.
    ///
    /// # Errors
    /// [`crate::Error::Stale`] where it is not held with this number any more.
    pub fn release_lock(&self, resource: &str, number: u64) -> Result<()> {
        self.inner.ensure_usable()?;
        self.inner.locks.release(resource, number)
    }

    /// Have a lock live so long from now, if that is longer (microseconds).
    ///
    /// # Errors
    /// [`crate::Error::Stale`] where it is not held with this number any more, [`crate::Error::Value`]
    /// for a `ttl` that cannot be.
    pub fn extend_lock(&self, resource: &str, number: u64, ttl: u64) -> Result<LockLease> {
        self.inner.ensure_usable()?;
        self.inner.locks.extend(resource, number, ttl)
    }

    /// Who holds a resource.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a name that cannot be.
    pub fn lock_holder(&self, resource: &str) -> Result<Option<LockLease>> {
        self.inner.ensure_usable()?;
        self.inner.locks.holder(resource)
    }

    /// What tells this store's locks from another's.
    #[must_use]
    pub fn identity(&self) -> u128 {
        self.inner.identity
    }
}
