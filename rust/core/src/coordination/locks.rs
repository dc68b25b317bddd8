//! Locks: leases by the store's clock, errors in words, and the writes that carry a lease.

use std::sync::Arc;
use std::time::Duration;

use nt_memory_locks::{Acquired, Ask, Lease, Locks, Pending, Refusal, Stale, Taken};

use crate::clock::Clock;
use crate::error::{Error, Result, value_error};
use crate::fork;

pub use nt_memory_locks::Waker;

/// Longest name of a resource or an owner.
const MAX_NAME: usize = 512;
/// Shortest and longest life of a lease, in microseconds.
const TTL: std::ops::RangeInclusive<u64> = 1_000..=86_400_000_000;
/// How often who waits looks again by itself: a lease may run out, and a manual clock be moved.
const LOOK: Duration = Duration::from_millis(50);

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// Name of what is locked.
    pub resource: String,
    /// Who asks.
    pub owner: String,
    /// How long the lease lives, in microseconds: 1 ms to a day.
    pub ttl: u64,
    /// Whether an owner that holds it gets it once more.
    pub reentrant: bool,
}

impl LockRequest {
    fn ask(&self) -> Result<Ask> {
        for (field, name) in [("resource", &self.resource), ("owner", &self.owner)] {
            check_name(field, name)?;
        }
        check_ttl(self.ttl)?;
        let Self { resource, owner, ttl, reentrant } = self;
        Ok(Ask { resource: resource.as_str().into(), owner: owner.as_str().into(), ttl: *ttl, reentrant: *reentrant })
    }
}

pub(crate) fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return value_error(format!("{field}={name:?}: give 1 to {MAX_NAME} bytes of text without control characters"));
    }
    Ok(())
}

fn check_ttl(ttl: u64) -> Result<()> {
    if TTL.contains(&ttl) {
        return Ok(());
    }
    value_error(format!("ttl is {} s; use 0.001 to 86,400 s", seconds(ttl)))
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockLease {
    /// Name of what is locked.
    pub resource: String,
    /// Who holds it.
    pub owner: String,
    /// The fence: greater than that of every earlier lease of this store.
    pub number: u64,
    /// How long it still lives, in microseconds.
    pub left: u64,
}

/// The answer to a request.
pub enum Locking {
    /// It is yours.
    Granted(LockLease),
    /// You are in the line.
    Waiting(LockWait),
}

/// Locks by a clock: leases with numbers that grow, and a line for each resource.
pub struct DistributedLock {
    locks: Arc<Locks>,
    clock: Arc<Clock>,
}

impl DistributedLock {
    /// Locks of this process alone, with numbers from 1.
    #[must_use]
    pub fn new(clock: Arc<Clock>) -> Self {
        let own = Self::after(clock, 0);
        own.locks.allow_numbers(u64::MAX);
        own
    }

    /// Locks whose numbers have to be allowed.
    pub(crate) fn after(clock: Arc<Clock>, last_number: u64) -> Self {
        Self { locks: Arc::new(Locks::after(last_number)), clock }
    }

    pub(crate) fn allow_numbers(&self, last: u64) {
        self.locks.allow_numbers(last);
    }

    pub(crate) fn runs_out_at(&self) -> Option<u64> {
        self.locks.runs_out_at()
    }

    pub(crate) fn has_numbers(&self) -> bool {
        self.locks.has_numbers()
    }

    /// Ask for a lock; `waker` is called when there is something to take.
    ///
    /// # Errors
    /// [`Error::Value`] for a request that cannot be, [`Error::Deadlock`] where owners would wait for
    /// each other.
    pub fn acquire(&self, request: &LockRequest, waker: Option<Waker>) -> Result<Locking> {
        let ask = request.ask()?;
        let resource = Arc::clone(&ask.resource);
        match self.locks.acquire(ask, self.clock.monotonic_us(), waker) {
            Ok(Acquired::Now(lease)) => Ok(Locking::Granted(self.lease(&lease))),
            Ok(Acquired::Waits(pending)) => Ok(Locking::Waiting(LockWait {
                locks: Self { locks: Arc::clone(&self.locks), clock: Arc::clone(&self.clock) },
                pending: Some(pending),
                resource,
                held: None,
                generation: fork::generation(),
            })),
            Err(Refusal::Cycle(path)) => Err(deadlock(&resource, &path)),
            Err(Refusal::OutOfNumbers) => {
                Err(Error::Storage("no number is left to grant a lock with; try again when the disk answers".into()))
            }
        }
    }

    /// Give a lock back.
    ///
    /// # Errors
    /// [`Error::Stale`] where it is not held with this number any more.
    pub fn release(&self, resource: &str, number: u64) -> Result<()> {
        let now = self.clock.monotonic_us();
        self.locks.release(&resource.into(), number, now).map_err(|left| stale(resource, number, &left))
    }

    /// Have a lock live so long from now, if that is longer.
    ///
    /// # Errors
    /// [`Error::Stale`] where it is not held with this number any more, [`Error::Value`] for a `ttl`
    /// that cannot be.
    pub fn extend(&self, resource: &str, number: u64, ttl: u64) -> Result<LockLease> {
        check_ttl(ttl)?;
        let extended = self.locks.extend(&resource.into(), number, ttl, self.clock.monotonic_us());
        extended.map(|lease| self.lease(&lease)).map_err(|left| stale(resource, number, &left))
    }

    /// Who holds a resource.
    ///
    /// # Errors
    /// [`Error::Value`] for a name that cannot be.
    pub fn holder(&self, resource: &str) -> Result<Option<LockLease>> {
        check_name("resource", resource)?;
        Ok(self.locks.held(&resource.into(), self.clock.monotonic_us()).map(|lease| self.lease(&lease)))
    }

    /// Begin to write with a lock: nobody else gets it before the guard is dropped.
    pub(crate) fn begin_write(&self, resource: &str, number: u64) -> Result<Writing> {
        let resource: Arc<str> = resource.into();
        let begun = self.locks.begin_write(&resource, number, self.clock.monotonic_us());
        begun.map_err(|left| stale(&resource, number, &left))?;
        Ok(Writing { locks: Arc::clone(&self.locks), clock: Arc::clone(&self.clock), resource, number })
    }

    fn lease(&self, lease: &Lease) -> LockLease {
        LockLease {
            resource: lease.resource.to_string(),
            owner: lease.owner.to_string(),
            number: lease.number,
            left: lease.until.saturating_sub(self.clock.monotonic_us()),
        }
    }
}

fn stale(resource: &str, number: u64, stale: &Stale) -> Error {
    let now = match &stale.held {
        Some(lease) => format!("{:?} holds it now, with {}", lease.owner, lease.number),
        None => "nobody holds it now".to_owned(),
    };
    Error::Stale(format!(
        "the token {number} of {resource:?} is not in force: it was released, or its lease ran out; {now}. Acquire the \
         lock again, and read again what it protects"
    ))
}

fn deadlock(resource: &str, path: &[Arc<str>]) -> Error {
    if let [owner, _] = path {
        return Error::Deadlock(format!(
            "{owner:?} holds {resource:?} already and would wait for itself; pass reentrant=True, or release it first"
        ));
    }
    let path: Vec<String> = path.iter().map(|owner| format!("{owner:?}")).collect();
    Error::Deadlock(format!(
        "to wait for {resource:?} would be a circle: {}; release what you hold, and acquire locks in one order",
        path.join(" waits for ")
    ))
}

/// A place in the line; drop it to leave.
pub struct LockWait {
    locks: DistributedLock,
    pending: Option<Pending>,
    resource: Arc<str>,
    /// Who was in the way when it last looked.
    held: Option<LockLease>,
    /// Fork generation it is of.
    generation: u32,
}

impl LockWait {
    /// Wait until there may be something to take: at most so long, and not much.
    pub fn wait(&self, most: Duration) {
        let left = self.held.as_ref().map_or(Duration::ZERO, |held| Duration::from_micros(held.left));
        // Not less than a scheduler can do: a lease that writes is not over when its time is.
        let look = LOOK.min(left.max(Duration::from_micros(200)));
        if let Some(pending) = &self.pending {
            pending.wait(look.min(most));
        }
    }

    /// The lock, where it is granted.
    pub fn take(&mut self) -> Option<LockLease> {
        match self.locks.locks.take(self.pending.take()?, self.locks.clock.monotonic_us()) {
            Ok(lease) => Some(self.locks.lease(&lease)),
            Err((pending, taken)) => {
                self.pending = Some(pending);
                self.held = match taken {
                    Taken::Held(lease) => Some(self.locks.lease(&lease)),
                    _ => None,
                };
                None
            }
        }
    }

    /// Whether it is free, and there was no number to grant it with.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.held.is_none()
    }

    /// What is said to who waited too long.
    #[must_use]
    pub fn timed_out(&self) -> Error {
        let holder = match &self.held {
            Some(held) => format!("{:?} holds it for another {:.3} s", held.owner, seconds(held.left)),
            None => "nobody holds it, and no number could be had from the disk".to_owned(),
        };
        Error::LockTimeout(format!(
            "{:?} was not to be had in time: {holder}; wait longer, or ask later",
            self.resource
        ))
    }
}

impl Drop for LockWait {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        if self.generation == fork::generation() {
            self.locks.locks.cancel(&pending, self.locks.clock.monotonic_us());
        } else {
            // Its locks may be held by threads that a child has not, and who is woken is the parent's.
            std::mem::forget(pending);
        }
    }
}

/// A write under way with a lock.
pub(crate) struct Writing {
    locks: Arc<Locks>,
    clock: Arc<Clock>,
    resource: Arc<str>,
    number: u64,
}

impl Writing {
    pub(crate) fn is_of(&self, resource: &str) -> bool {
        *self.resource == *resource
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.locks.end_write(&self.resource, self.number, self.clock.monotonic_us());
    }
}
