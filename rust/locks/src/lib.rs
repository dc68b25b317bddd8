//! Leases on named resources.  A lease has a number that only grows (a fence), ends by itself, and
//! goes to who waits longest.
//!
//! Time is an argument in microseconds and nothing here reads a clock or a disk, so that a test can
//! try every order of events, and loom every interleaving of threads.

mod locks;
mod sync;
mod table;

#[cfg(test)]
#[cfg(feature = "loom")]
mod loom_tests;
#[cfg(test)]
#[cfg(not(feature = "loom"))]
mod model_tests;
#[cfg(test)]
#[cfg(not(feature = "loom"))]
mod tests;

pub use locks::{Acquired, Locks, Pending, Waker};
pub use table::{Ask, Lease, Refusal, Stale, Taken};
