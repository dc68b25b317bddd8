//! Which process a store belongs to: a forked child may not use, nor drop, its parent's handles.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;
use crate::workers;

/// Said by a handle in a child.
pub(crate) const OF_THE_PARENT: Error =
    Error::Fork("this store was opened before a fork and cannot be used in the child; open a new one there");

static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

extern "C" fn in_child() {
    workers::forget();
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Number of forks between the first process that asked and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Have every later fork counted in the child.
pub(crate) fn watch() {
    REGISTERED.call_once(|| {
        // SAFETY: the handler only sets atomics, which is safe between fork and exec.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}
