//! The threads that share a search, a commit or the building of a graph.
//!
//! Rayon's global pool is made once a process and a forked child has it without its threads: whoever
//! gives it work there waits for ever.  These are made anew.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::fork;

static POOL: AtomicPtr<ThreadPool> = AtomicPtr::new(ptr::null_mut());

/// Have the next work make new threads; the pool of the parent is left as it is, for its threads
/// are gone and to drop it is to wait for them.
pub(crate) fn forget() {
    POOL.store(ptr::null_mut(), Ordering::Relaxed);
}

fn pool() -> Option<&'static ThreadPool> {
    let mut known = POOL.load(Ordering::Acquire);
    if known.is_null() {
        fork::watch();
        let made = ThreadPoolBuilder::new().thread_name(|number| format!("nt-memory-{number}")).build().ok()?;
        let made = Box::into_raw(Box::new(made));
        known = match POOL.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(first) => {
                // SAFETY: it came from the box above and nobody else saw it.
                drop(unsafe { Box::from_raw(made) });
                first
            }
        };
    }
    // SAFETY: what is published is never freed.
    Some(unsafe { &*known })
}

/// Run something, the parallel parts of it on all workers, or on those of the pool that asks.
pub(crate) fn share<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match pool() {
        Some(pool) if rayon::current_thread_index().is_none() => pool.install(work),
        _ => work(),
    }
}
