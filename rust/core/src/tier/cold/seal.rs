//! The file `SEAL`: which store a directory holds, how far it got, and what its files were when it
//! was closed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::digest::{self, Digest};
use crate::disk;
use crate::error::{Error, Result};

pub(super) const NAME: &str = "SEAL";
const MAGIC: [u8; 8] = *b"ntmseal1";
const SIZE: usize = 64;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    /// Tells this store from every other.
    pub store: [u8; 16],
    /// Number of the last write that is on the disk for certain.
    pub sequence: u64,
    /// The engine's files as they were left; `None` while the store is open.
    pub closed: Option<Digest>,
}

/// What a directory looks like before its engine is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing was ever kept here.
    Nothing,
    /// The files are bit for bit those of the last close.
    Closed(Seal),
    /// The store was not closed: a crash.
    Left(Seal),
    /// The seal was emptied by somebody who wants what is there to be taken.
    Released,
}

impl Seal {
    pub(super) fn new() -> Result<Self> {
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|error| Error::Storage(format!("no random bits: {error}")))?;
        Ok(Self { store, sequence: 0, closed: None })
    }

    fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let digest = self.closed.unwrap_or_default();
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.store);
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&u64::from(self.closed.is_some()).to_le_bytes());
        bytes[40..48].copy_from_slice(&digest.length.to_le_bytes());
        bytes[48..52].copy_from_slice(&digest.checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// `None` for anything but what [`Seal::encode`] makes.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let digest = Digest { length: number(40)?, checksum: u32::from_le_bytes(bytes.get(48..52)?.try_into().ok()?) };
        let seal = Self {
            store: bytes.get(8..24)?.try_into().ok()?,
            sequence: number(24)?,
            closed: (number(32)? == 1).then_some(digest),
        };
        (seal.encode() == bytes).then_some(seal)
    }

    /// Look at a directory; `data` is the engine's file or folder in it.
    pub(super) fn find(data: &Path) -> Result<Found> {
        let path = beside(data);
        let there = data.try_exists().map_err(|error| fail(data, &error))?;
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !there => return Ok(Found::Nothing),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(distrust(data, "is missing")),
            Err(error) => return Err(fail(&path, &error)),
        };
        let seal = Self::decode(&bytes);
        if !there && seal.is_none_or(|seal| seal.sequence > 0) {
            return Err(Error::Corruption(format!(
                "{} is missing, and {} says that a store was here: restore a backup of the whole directory, open it \
                 with the engine that made it, or remove {} to begin an empty store",
                data.display(),
                path.display(),
                path.display()
            )));
        }
        match seal {
            None if bytes.is_empty() => Ok(Found::Released),
            None => Err(distrust(data, "is damaged")),
            Some(seal) => match seal.closed {
                None => Ok(Found::Left(seal)),
                Some(digest) if Digest::of(data).map_err(|error| fail(data, &error))? == digest => {
                    Ok(Found::Closed(seal))
                }
                Some(_) => Err(changed(data)),
            },
        }
    }
}

/// The open file of a directory; rewritten in place, in one sector.
pub(super) struct SealFile {
    file: File,
    path: PathBuf,
}

impl SealFile {
    /// Open the file, and make it where there is none.
    pub(super) fn open(data: &Path, seal: &Seal) -> Result<Self> {
        let path = beside(data);
        let open = || {
            if !path.try_exists()? {
                create(&path, seal)?;
            }
            OpenOptions::new().write(true).open(&path)
        };
        let file = open().map_err(|error| fail(&path, &error))?;
        Ok(Self { file, path })
    }

    /// The write need not be synced: what it says happened is on the disk already.
    pub(super) fn write(&self, seal: &Seal) -> Result<()> {
        self.file.write_all_at(&seal.encode(), 0).map_err(|error| fail(&self.path, &error))
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| fail(&self.path, &error))
    }
}

/// Whole or absent, whatever happens meanwhile.
fn create(path: &Path, seal: &Seal) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = disk::own_file().truncate(true).open(&new)?;
    file.write_all(&seal.encode())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    digest::sync_name(path)
}

pub(super) fn beside(data: &Path) -> PathBuf {
    data.with_file_name(NAME)
}

fn fail(path: &Path, error: &std::io::Error) -> Error {
    Error::io(path, error)
}

fn distrust(data: &Path, how: &str) -> Error {
    let path = beside(data);
    Error::Corruption(format!("{} {how}: {}", path.display(), way_out(data)))
}

fn changed(data: &Path) -> Error {
    Error::Corruption(format!(
        "{} is not what the store left there when it was closed: {}",
        data.display(),
        way_out(data)
    ))
}

/// How to go on with files that do not fit their seal.
pub(super) fn way_out(data: &Path) -> String {
    format!(
        "restore a backup of the whole directory, or leave {} as an empty file to open what is sound in {}, which may \
         lack the last writes",
        beside(data).display(),
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seals() -> impl Strategy<Value = Seal> {
        let digest = (any::<u64>(), any::<u32>()).prop_map(|(length, checksum)| Digest { length, checksum });
        let parts = (any::<[u8; 16]>(), any::<u64>(), proptest::option::of(digest));
        parts.prop_map(|(store, sequence, closed)| Seal { store, sequence, closed })
    }

    proptest! {
        #[test]
        fn a_seal_is_read_as_it_was_written(seal in seals()) {
            prop_assert_eq!(Seal::decode(&seal.encode()), Some(seal));
        }

        #[test]
        fn a_flipped_bit_is_noticed(seal in seals(), at in 0..SIZE, bit in 0_u8..8) {
            let mut bytes = seal.encode();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Seal::decode(&bytes), None);
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..2 * SIZE)) {
            prop_assert_eq!(Seal::decode(&bytes), None);
        }
    }
}
