//! The one clock: wall time that never goes back, and monotonic time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Source of time; nothing else in the core reads one.
#[derive(Debug)]
pub struct Clock {
    kind: Kind,
    last: AtomicI64,
}

#[derive(Debug)]
enum Kind {
    System { origin: Instant },
    Manual { elapsed: AtomicU64 },
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { kind: Kind::System { origin: Instant::now() }, last: AtomicI64::new(i64::MIN) }
    }

    /// A clock that stands at `start_us` until it is moved.
    #[must_use]
    pub fn manual(start_us: i64) -> Self {
        Self { kind: Kind::Manual { elapsed: AtomicU64::new(0) }, last: AtomicI64::new(start_us) }
    }

    /// Whether time moves only by hand.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.kind, Kind::Manual { .. })
    }

    /// Microseconds since the epoch; never less than an earlier answer.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        match self.kind {
            Kind::Manual { .. } => self.last.load(Ordering::Acquire),
            Kind::System { .. } => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX));
                self.last.fetch_max(now, Ordering::AcqRel).max(now)
            }
        }
    }

    /// Microseconds since the clock was made; for leases, timeouts, latency.
    #[must_use]
    pub fn monotonic_us(&self) -> u64 {
        match &self.kind {
            Kind::Manual { elapsed } => elapsed.load(Ordering::Acquire),
            Kind::System { origin } => u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Move a manual clock forward; `false` for a system clock, and where time would end.
    pub fn advance(&self, micros: u64) -> bool {
        let Kind::Manual { elapsed } = &self.kind else { return false };
        let later = |now: i64| now.checked_add_unsigned(micros);
        if self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).is_err() {
            return false;
        }
        elapsed.fetch_add(micros, Ordering::AcqRel);
        true
    }

    /// Set a manual clock to a later time; `false` where it would go back or is no manual clock.
    pub fn set(&self, now_us: i64) -> bool {
        let Kind::Manual { elapsed } = &self.kind else { return false };
        let before = self.last.fetch_max(now_us, Ordering::AcqRel);
        if before > now_us {
            return false;
        }
        elapsed.fetch_add(before.abs_diff(now_us), Ordering::AcqRel);
        true
    }
}
