//! Which process a store belongs to: a forked child may not use, nor drop, its parent's handles.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Number of forks between the first process that asked and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Have every later fork counted in the child.
pub(crate) fn watch() {
    REGISTERED.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is safe between fork and exec.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}
