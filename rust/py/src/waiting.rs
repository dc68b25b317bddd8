//! Waiting for the core so that signals are seen meanwhile.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use nt_memory::{Pending, Progress, Store};
use pyo3::prelude::*;

use crate::errors::{catch, guarded, to_python};

/// Signals are looked at this often while a call waits.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// How often a batch looks for room in the queue: for half a minute.
const MAX_SLICES: usize = 600;

/// Wait until the queue takes more, and let Ctrl-C end the wait.
pub(crate) fn room(py: Python<'_>, store: &Store) -> PyResult<()> {
    for _ in 0..MAX_SLICES {
        if guarded(py, || store.wait_for_room(SLICE))? {
            break;
        }
        py.check_signals()?;
    }
    Ok(())
}

/// Wait for the committer, and let Ctrl-C end the wait (the batch goes on).
pub(crate) fn wait(py: Python<'_>, pending: &Pending) -> PyResult<nt_memory::Commit> {
    loop {
        if let Some(answer) = py.detach(|| pending.wait_for(SLICE)) {
            return answer.map_err(|error| to_python(py, &error));
        }
        py.check_signals()?;
    }
}

/// Run something long on a thread of its own, so that Ctrl-C is seen meanwhile (it goes on to its end).
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    run: impl FnOnce() -> nt_memory::Result<T> + Send + 'static,
) -> PyResult<T> {
    watched(py, run, || py.check_signals())
}

/// The same for what can be cancelled; `told` is called with the number of rows now and then.
pub(crate) fn with_progress<T: Send + 'static>(
    py: Python<'_>,
    told: Option<&Bound<'_, PyAny>>,
    run: impl FnOnce(&Progress) -> nt_memory::Result<T> + Send + 'static,
) -> PyResult<T> {
    let progress = Arc::new(Progress::default());
    let tell = |rows: u64| told.map_or(Ok(()), |told| told.call1((rows,)).map(|_| ()));
    tell(0)?;
    let seen = Arc::clone(&progress);
    let mut stopped = None;
    let done = watched(
        py,
        move || run(&seen),
        || {
            if stopped.is_none() {
                stopped = py.check_signals().and_then(|()| tell(progress.rows())).err();
                if stopped.is_some() {
                    // Waited for: it undoes what it did.
                    progress.cancel();
                }
            }
            Ok(())
        },
    );
    let done = stopped.map_or(done, Err)?;
    tell(progress.rows())?;
    Ok(done)
}

/// Run something on a thread of its own, and look after it now and then.
fn watched<T: Send + 'static>(
    py: Python<'_>,
    run: impl FnOnce() -> nt_memory::Result<T> + Send + 'static,
    mut look: impl FnMut() -> PyResult<()>,
) -> PyResult<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // A receiver that is gone was interrupted; nobody waits for the answer.
        let _ = sender.send(catch(run));
    });
    // A receiver is not `Sync`; it is only ever used by this thread.
    let receiver = std::sync::Mutex::new(receiver);
    loop {
        let answer =
            py.detach(|| receiver.lock().map_or(Err(mpsc::RecvTimeoutError::Disconnected), |r| r.recv_timeout(SLICE)));
        match answer {
            Ok(answer) => return answer.map_err(|error| to_python(py, &error)),
            Err(mpsc::RecvTimeoutError::Timeout) => look()?,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let error =
                    nt_memory::Error::Internal("a defect in nt-memory: a long call was lost; please report it".into());
                return Err(to_python(py, &error));
            }
        }
    }
}
