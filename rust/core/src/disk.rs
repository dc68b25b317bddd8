//! Names that a power cut leaves in place: a new file or folder is only certain to be found again
//! once the folder that holds it was synced.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Make a folder for its owner alone, and those above it that are missing.
///
/// Each is synced into its parent before the next is made, so whoever died half-way leaves at most
/// one that is not; that one is there when this is called again, and is synced then.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let parent = path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    if !path.is_dir() {
        parent.map_or(Ok(()), create_folder)?;
        let made = DirBuilder::new().mode(0o700).create(path);
        made.or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })?;
    }
    parent.map_or(Ok(()), sync_folder)
}

/// Put the names in a folder on the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder, and one that is not ours to read is not ours to sync.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) => Ok(()),
        synced => synced,
    }
}
