//! Files and folders that are their owner's alone, whatever the umask, and names that a power cut
//! leaves in place: a new one is only certain to be found again once the folder that holds it was synced.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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

/// How to open a file that is made for its owner alone where there is none.
pub(crate) fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Take a folder, and what somebody else's code made in it, from all others.
pub(crate) fn keep_to_owner(folder: &Path) -> Result<()> {
    narrow(folder, 0o700)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry
            .file_type()
            .and_then(|kind| if kind.is_dir() { keep_to_owner(&entry.path()) } else { narrow(&entry.path(), 0o600) })
        {
            // That code removes files meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            narrowed => narrowed?,
        }
    }
    Ok(())
}

fn narrow(path: &Path, mode: u32) -> Result<()> {
    match std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        // What is not ours is not ours to change.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        narrowed => narrowed,
    }
}

/// Put the names in a folder on the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder, and one that is not ours to read is not ours to sync.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) => Ok(()),
        synced => synced,
    }
}
