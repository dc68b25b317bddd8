//! L3: ordered, durable, transactional key-value engines behind one trait.

mod chunked;
mod compact;
mod digest;
mod memory;
mod redb;
mod seal;
mod sealed;
mod sled;
mod stamp;

use std::path::Path;

pub use chunked::Chunked;
pub use memory::MemoryCold;
pub use redb::RedbCold;
pub use sealed::{FileEngine, Sealed};
pub use sled::SledCold;

use crate::disk;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// One change: a key with its new value, or `None` to remove it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Receives a key and value; answers whether to go on.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

/// What the store asks of a durable engine.
pub trait ColdStore: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The engine's failure.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// The values of several keys, in their order.
    ///
    /// # Errors
    /// The engine's failure.
    fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Visit `start <= key < end` in byte order until the visitor says stop.
    ///
    /// # Errors
    /// The engine's failure, or the visitor's.
    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()>;

    /// Visit every row, in any order; all of them as they were at one moment if the engine has snapshots.
    ///
    /// # Errors
    /// The engine's failure, or the visitor's.
    fn visit_all(&self, visit: &mut Visitor<'_>) -> Result<()> {
        self.scan(&[], &[u8::MAX; 2], visit)
    }

    /// Whether a scan sees one state, whatever is written meanwhile.
    fn has_snapshots(&self) -> bool;

    /// Apply all changes at once; on return they are on the disk if `durable`.
    ///
    /// # Errors
    /// The engine's failure; then none of the changes is visible.
    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()>;

    /// Copy what is there into new files, which take the place of the old ones; reads and writes go on.
    ///
    /// # Errors
    /// [`Error::Value`] for an engine that frees its space by itself; the engine's failure, then the old
    /// files go on.
    fn compact(&self, _progress: &Progress) -> Result<()> {
        compact::not_needed()
    }

    /// Let go of what was read and is kept in memory; nobody may be at work.
    ///
    /// # Errors
    /// The engine's failure.
    fn forget_reads(&self) -> Result<()> {
        Ok(())
    }

    /// Bytes on the disk.
    ///
    /// # Errors
    /// The engine's failure.
    fn size_bytes(&self) -> Result<u64>;
}

/// Engines by the name that the configuration uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColdEngine {
    /// Copy-on-write B-tree; survives power cuts in every measured image.
    Redb,
    /// Log-structured; survives a killed process, not a power cut.
    Sled,
    /// Keeps nothing.
    Memory,
}

impl ColdEngine {
    /// Name of the file or folder inside the store's directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Redb => "store.redb",
            Self::Sled => "store.sled",
            Self::Memory => "",
        }
    }

    /// Open or create the engine in a directory, with so many bytes for its own cache.
    ///
    /// # Errors
    /// The engine's failure, with the file named.
    pub fn open(self, directory: &Path, cache: usize) -> Result<Box<dyn ColdStore>> {
        let path = directory.join(self.file_name());
        let cold: Box<dyn ColdStore> = match self {
            Self::Redb => Box::new(Chunked::open(Sealed::<RedbCold>::open(&path, cache)?)?),
            Self::Sled => Box::new(Chunked::open(Sealed::<SledCold>::open(&path, cache)?)?),
            Self::Memory => return Ok(Box::new(MemoryCold::default())),
        };
        // What is committed from now on must be found again.
        let folders: &[&Path] = if path.is_dir() { &[&path, directory] } else { &[directory] };
        for folder in folders {
            disk::sync_folder(folder).map_err(|error| Error::io(folder, &error))?;
        }
        Ok(cold)
    }
}

#[cfg(test)]
mod tests;
