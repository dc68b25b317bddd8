//! The thread that keeps the graphs up to what is stored.  A search scans what is not linked yet,
//! so nobody waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sync::{Condvar, Mutex};

use super::{Inner, snapshot};
use crate::error::{Error, Result};

/// Vectors linked between two looks at the lock: writers wait for it.
const BATCH: usize = 16;
/// How long nothing is to do before the system gets back what is free.
const REST: Duration = Duration::from_secs(5);

#[derive(Default)]
struct State {
    has_work: bool,
    stopped: bool,
}

/// Wakes the indexer, and stops it.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

impl Signal {
    /// Something was written or removed.
    pub(super) fn wake(&self) {
        self.state.lock().has_work = true;
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Wait for work; `false` when there will be none.
    fn wait(&self) -> bool {
        let is_idle = |state: &mut State| !state.has_work && !state.stopped;
        let (mut state, rested) = self.changed.wait_while(self.state.lock(), REST, is_idle);
        if rested {
            give_back_memory();
        }
        while is_idle(&mut state) {
            state = self.changed.wait(state);
        }
        state.has_work = false;
        !state.stopped
    }
}

/// Opening and linking take and free much that is small, and what is free stays the process's until
/// it is asked for.
pub(super) fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it only returns free pages to the system.
    unsafe {
        libc::malloc_trim(0);
    }
}

pub(super) fn start(inner: Arc<Inner>) -> Result<JoinHandle<()>> {
    inner.indexing.wake();
    std::thread::Builder::new()
        .name("nt-memory-index".into())
        .spawn(move || {
            // Without an indexer more and more waits, and then every answer is exact: slower, and right.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let spaces = inner.shared.read().catalog.spaces.len();
                while inner.indexing.wait() {
                    for space in 0..spaces {
                        link(&inner, space);
                        repair(&inner, space);
                        snapshot::write_if_due(&inner, space, false);
                    }
                }
                for space in 0..spaces {
                    snapshot::write_if_due(&inner, space, true);
                }
            }));
        })
        .map_err(|error| Error::Storage(format!("the indexer cannot start: {error}")))
}

fn link(inner: &Inner, space: usize) {
    while !inner.indexing.is_stopped() && inner.shared.read().catalog.spaces[space].index_some(BATCH) {}
}

fn repair(inner: &Inner, space: usize) {
    let Some(mut repair) = inner.shared.read().catalog.spaces[space].begin_repair() else { return };
    while !inner.shared.read().catalog.spaces[space].advance_repair(&mut repair) {
        if inner.indexing.is_stopped() {
            return;
        }
    }
    // The lock is let go of before what is left is.
    let left = inner.shared.write().catalog.spaces[space].end_repair(repair);
    drop(left);
}
