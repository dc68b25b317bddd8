//! A store's directory: who owns it, and how its engine is let go of.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::disk;
use crate::error::{Error, Result};
use crate::tier::cold::ColdStore;

/// How long an engine may take to close.
const CLOSE: Duration = Duration::from_secs(30);
/// How long one that failed may.
const FAILED_CLOSE: Duration = Duration::from_secs(1);

/// One process owns a directory: an advisory lock on a file that names its pid.
pub(super) fn lock_directory(path: &Path) -> Result<File> {
    let fail = |error: std::io::Error| Error::io(path, &error);
    disk::create_folder(path).map_err(fail)?;
    let name = path.join("LOCK");
    let mut file = disk::own_file().read(true).truncate(false).open(name).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            let pid = text.trim().parse().ok();
            let owner = pid.map_or_else(|| "another process".to_owned(), |pid: u32| format!("process {pid}"));
            let message = format!(
                "{} is open in {owner}; one process owns a directory: close it there, or give this one a directory of its own",
                path.display()
            );
            return Err(Error::Locked { message, pid });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    file.set_len(0).map_err(fail)?;
    file.rewind().map_err(fail)?;
    write!(file, "{}", std::process::id()).map_err(fail)?;
    Ok(file)
}

pub(super) fn located(directory: Option<&Path>, error: Error) -> Error {
    let place = directory.unwrap_or(Path::new("")).display().to_string();
    match error {
        Error::Corruption(text) if !text.contains(&place) => Error::Corruption(format!("{place}: {text}")),
        error => error,
    }
}

/// Close an engine.  One that failed may panic over that, or wait for what it could not write; its
/// own lock keeps others from its files until it is done.
pub(super) fn let_go(cold: Box<dyn ColdStore>, failed: bool) {
    let (done, closed) = std::sync::mpsc::channel();
    let close = move || {
        // There is nobody to tell: what was acknowledged is on the disk.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(cold)));
        let _ = done.send(());
    };
    // Without a thread the closure is dropped here, and the engine with it.
    if std::thread::Builder::new().name("nt-memory-close".into()).spawn(close).is_ok() {
        let _ = closed.recv_timeout(if failed { FAILED_CLOSE } else { CLOSE });
    }
}
