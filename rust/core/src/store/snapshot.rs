//! The graphs on the disk, so that a large store need not link its vectors again when it is opened.
//!
//! L3 stays the only truth.  A file names each vector by a keyed hash of its record, version, commit
//! and time; what L3 does not name is removed, what the file does not have is linked.  A file that is
//! torn, old or another store's is as good as none.  It is read, not mapped: a mapped file that
//! somebody cuts ends the process.

use std::hash::Hasher;
use std::io;
use std::path::{Path, PathBuf};

use hashbrown::HashTable;
use roaring::RoaringBitmap;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::committer::ensure_room;
use super::{Inner, Shared};
use crate::disk;
use crate::error::{Error, Result};
use crate::record;
use crate::tier::vector::blocks::{Blocks, Source, invalid};
use crate::tier::vector::{Image, SearchCode, VectorConfig, VectorEngine, VectorSpace, VectorStore};

/// A space as its file has it, and whom it knows; else why in words, where there is a file that is of no use.
type Outcome = std::result::Result<(VectorStore, Claims), Option<String>>;

/// No such vector.
const NOBODY: u128 = 0;
/// Changes of a small and of a large graph that are worth a file when the store is closed.
const PART_AT_CLOSE: usize = 16;
const MOST_AT_CLOSE: usize = 4096;
/// Part of a graph that is worth one before, where a process may be killed.
const PART_BETWEEN: usize = 4;
const LEAST_BETWEEN: usize = 10_000;

/// Name of a vector, the same whenever the store is opened.
pub(super) fn key(store: u128, id: &str, version: u32, commit: u64, recorded_at: i64) -> u128 {
    let mut hasher = SipHasher13::new_with_key(&store.to_le_bytes());
    hasher.write(id.as_bytes());
    hasher.write(&version.to_le_bytes());
    hasher.write(&commit.to_le_bytes());
    hasher.write(&recorded_at.to_le_bytes());
    hasher.finish128().as_u128().max(NOBODY + 1)
}

fn path(directory: &Path, space: usize) -> PathBuf {
    directory.join(format!("{space}.vectors"))
}

/// Write the graph of a space where enough of it changed since the last time.
pub(super) fn write_if_due(inner: &Inner, space: usize, closes: bool) {
    let Some(directory) = inner.directory().filter(|_| inner.ensure_sound().is_ok()) else { return };
    let (changes, live) = {
        let shared = inner.shared.read();
        let vectors = &shared.catalog.spaces[space];
        (vectors.changes(), vectors.len())
    };
    let least =
        if closes { (live / PART_AT_CLOSE).clamp(1, MOST_AT_CLOSE) } else { (live / PART_BETWEEN).max(LEAST_BETWEEN) };
    if changes >= least && write(inner, directory, space).is_ok_and(|is_written| is_written) {
        inner.shared.read().catalog.spaces[space].settle(changes);
    }
}

/// Whether there was something to write, and it was written to the end.
fn write(inner: &Inner, directory: &Path, space: usize) -> Result<bool> {
    let (commit, image, bytes) = {
        let shared = inner.shared.read();
        let vectors = &shared.catalog.spaces[space];
        (shared.head.commit, vectors.image(), vectors.bytes() as u64)
    };
    let Some(image) = image else { return Ok(false) };
    ensure_room(inner, bytes)?;
    let path = path(directory, space);
    let unfinished = path.with_extension("vectors-new");
    let written = write_file(inner, &unfinished, space, commit, &image).and_then(|is_whole| {
        if is_whole {
            std::fs::rename(&unfinished, &path)?;
            disk::sync_folder(directory)?;
        }
        Ok(is_whole)
    });
    if !matches!(written, Ok(true)) {
        // What is left of it is written over the next time.
        let _ = std::fs::remove_file(&unfinished);
    }
    written.map_err(|error| Error::io(&path, &error))
}

/// Whether nothing came in between.
fn write_file(inner: &Inner, path: &Path, space: usize, commit: u64, image: &Image) -> io::Result<bool> {
    let mut blocks = Blocks::begin(disk::own_file().truncate(true).open(path)?)?;
    blocks.write(&record::encode(&(inner.identity, commit, image)).map_err(io::Error::other)?)?;
    let mut block = Vec::new();
    for slots in image.blocks() {
        block.clear();
        {
            let shared = inner.shared.read();
            let vectors = &shared.catalog.spaces[space];
            if vectors.code() != image.code {
                return Ok(false);
            }
            for slot in slots {
                block.extend(key_of(&shared, inner.identity, space, slot).to_le_bytes());
                vectors.write_row(slot, &mut block);
            }
        }
        blocks.write(&block)?;
    }
    blocks.end()?;
    Ok(true)
}

/// The name of a slot's vector, where L3 will name it in the same way.
fn key_of(shared: &Shared, store: u128, space: usize, slot: u32) -> u128 {
    let Ok(space) = u16::try_from(space) else { return NOBODY };
    let named = || {
        let entry = shared.catalog.record(shared.catalog.owner(space, slot)?)?;
        let source = entry.versions().find(|version| version.slot(space) == Some(slot))?.source(space);
        // Where its own version was erased, there is no commit to go by.
        let version = entry.versions().find(|version| version.number() == source)?;
        Some(key(store, &entry.id(), source, version.commit(), version.recorded_at()))
    };
    named().unwrap_or(NOBODY)
}

/// Vectors of a file that L3 did not name yet.
pub(super) struct Claims {
    keys: Vec<u128>,
    slots: HashTable<u32>,
    unclaimed: RoaringBitmap,
    /// Whether the codes came with the links.
    pub has_codes: bool,
}

impl Claims {
    /// The slot of a vector.
    pub(super) fn claim(&mut self, key: u128) -> Option<u32> {
        let slot = *self.slots.find(fold(key), |slot| self.keys[*slot as usize] == key)?;
        self.unclaimed.remove(slot).then_some(slot)
    }

    /// Remove from the store what L3 does not have any more.
    pub(super) fn remove_unclaimed(&self, vectors: &mut VectorStore) {
        for slot in &self.unclaimed {
            vectors.remove(slot);
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "half of a hash is one")]
fn fold(key: u128) -> u64 {
    key as u64
}

/// Who opens a store: its identity and last commit.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub identity: u128,
    pub commit: u64,
}

/// Read the file of a space; one that is of no use is removed.
///
/// # Errors
/// Where the system gives no memory.
pub(super) fn read(
    directory: &Path,
    space: usize,
    owner: Owner,
    definition: &VectorSpace,
    config: VectorConfig,
) -> Result<Outcome> {
    let path = path(directory, space);
    if !matches!(config.engine, VectorEngine::Auto | VectorEngine::Compact) {
        return Ok(Err(None));
    }
    let error = match read_file(&path, owner, definition, config) {
        Ok(found) => return found.map(Ok),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(None)),
        Err(error) => error,
    };
    // It may seem of use again when the store has gone on.
    let _ = std::fs::remove_file(&path);
    Ok(Err(Some(format!(
        "{}: {error}; its graph is made anew, and until then searches of space {:?} look at every vector",
        path.display(),
        definition.name
    ))))
}

/// The error of the file, or of the memory.
fn read_file(
    path: &Path,
    owner: Owner,
    definition: &VectorSpace,
    config: VectorConfig,
) -> io::Result<Result<(VectorStore, Claims)>> {
    let mut source = Source::open(path)?;
    let image = head(&mut source, owner)?;
    if !image.fits(definition, config) {
        return Err(invalid("the graph of a space that was configured in another way"));
    }
    if source.length < u64::from(image.slots) * image.min_row() as u64 {
        return Err(invalid("it was cut off"));
    }
    let mut vectors = match VectorStore::from_image(config, &image) {
        Ok(vectors) => vectors,
        Err(error) => return Ok(Err(error)),
    };
    let claims = read_rows(&mut source, &mut vectors, &image)?;
    Ok(Ok((vectors, claims)))
}

/// What the file begins with, where it is this store's.
fn head(source: &mut Source, owner: Owner) -> io::Result<Image> {
    let (identity, commit, image): (u128, u64, Image) =
        record::decode(&source.block()?, "graph").map_err(|_| invalid("its beginning cannot be read"))?;
    if identity != owner.identity {
        return Err(invalid("the graph of another store"));
    }
    if commit > owner.commit {
        return Err(invalid("the graph of a later state of the store"));
    }
    Ok(image)
}

fn read_rows(source: &mut Source, vectors: &mut VectorStore, image: &Image) -> io::Result<Claims> {
    let mut keys = Vec::with_capacity(image.slots as usize);
    vectors.read_rows(source, image, |bytes| {
        let (key, row) = bytes.split_first_chunk()?;
        keys.push(u128::from_le_bytes(*key));
        *bytes = row;
        Some(())
    })?;
    let unclaimed = vectors.live().clone();
    let mut slots = HashTable::with_capacity(keys.len());
    for slot in unclaimed.iter().filter(|slot| keys[*slot as usize] != NOBODY) {
        slots.insert_unique(fold(keys[slot as usize]), slot, |slot| fold(keys[*slot as usize]));
    }
    let has_codes = image.code == SearchCode::Stored || vectors.code() == SearchCode::I8;
    Ok(Claims { keys, slots, unclaimed, has_codes })
}
