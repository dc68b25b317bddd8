use std::collections::{HashMap, HashSet};

use crate::sync::RwLock;

use super::{Change, ColdStore, Visitor};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Largest value that lies in its own row.
const INLINE_MAX: usize = 60 << 10;
/// Parts of the largest value that the store takes, with room to spare.
const MAX_PARTS: u32 = 2048;
const INLINE: u8 = 0;
const CHUNKED: u8 = 1;
/// Names of the keys whose values are chunked; sorts behind every table of the store.
const LARGE: u8 = 0xEF;
/// Parts of large values.
const CHUNK: u8 = 0xF0;
/// How often a reader that meets a writer starts again.
const ATTEMPTS: usize = 100;

/// Cuts large values into rows of their own, far from the small ones.
///
/// redb would copy a large value with every change of a small neighbour, and sled would put it into
/// a file that it never syncs.  Parts are named by the checksum of the whole, so a reader that meets
/// a writer misses a part and starts again, and never mixes two values.
pub struct Chunked<E> {
    inner: E,
    large: RwLock<HashSet<Vec<u8>>>,
}

/// Where the parts of a value are.
struct Parts {
    checksum: [u8; 4],
    count: u32,
}

impl Parts {
    fn key(&self, key: &[u8], index: u32) -> Vec<u8> {
        [&[CHUNK], key, &self.checksum, &index.to_be_bytes()].concat()
    }

    fn row(&self) -> Vec<u8> {
        [self.checksum.as_slice(), &self.count.to_be_bytes(), &[CHUNKED]].concat()
    }

    /// The mark comes last, so that an inline value only loses its last byte.
    fn parse(row: &[u8]) -> Option<Self> {
        let (checksum, count) = row.split_first_chunk::<4>()?;
        let count = u32::from_be_bytes(count.try_into().ok()?);
        (count <= MAX_PARTS).then_some(Self { checksum: *checksum, count })
    }
}

impl<E: ColdStore> Chunked<E> {
    /// Wrap an engine.
    ///
    /// # Errors
    /// The engine's failure.
    pub fn open(inner: E) -> Result<Self> {
        let mut large = HashSet::new();
        inner.scan(&[LARGE], &[CHUNK], &mut |row, _| {
            large.insert(row[1..].to_vec());
            Ok(true)
        })?;
        Ok(Self { inner, large: RwLock::new(large) })
    }

    /// The value of a row; `None` where its parts are being replaced.
    fn assemble(&self, key: &[u8], mut row: Vec<u8>) -> Result<Option<Vec<u8>>> {
        match row.pop() {
            Some(INLINE) => Ok(Some(row)),
            Some(CHUNKED) => {
                let parts = Parts::parse(&row).ok_or_else(broken)?;
                let mut value = Vec::new();
                for index in 0..parts.count {
                    let Some(part) = self.inner.get(&parts.key(key, index))? else { return Ok(None) };
                    value.extend_from_slice(&part);
                }
                Ok(Some(value))
            }
            _ => Err(broken()),
        }
    }

    /// Remove the parts that a key has before this write.
    fn drop_parts(&self, key: &[u8], rows: &mut Vec<Change>) -> Result<()> {
        let Some(mut row) = self.inner.get(key)? else { return Ok(()) };
        if row.pop() == Some(CHUNKED) {
            let parts = Parts::parse(&row).ok_or_else(broken)?;
            rows.extend((0..parts.count).map(|index| (parts.key(key, index), None)));
        }
        rows.push(([&[LARGE], key].concat(), None));
        Ok(())
    }
}

fn put_large(key: &[u8], value: &[u8], rows: &mut Vec<Change>) {
    let chunks = value.chunks(INLINE_MAX);
    let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let parts = Parts { checksum: crc32c::crc32c(value).to_be_bytes(), count };
    rows.push(([&[LARGE], key].concat(), Some(Vec::new())));
    rows.extend((0..).zip(chunks).map(|(index, chunk)| (parts.key(key, index), Some(chunk.to_vec()))));
    rows.push((key.to_vec(), Some(parts.row())));
}

impl<E: ColdStore> ColdStore for Chunked<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        for _ in 0..ATTEMPTS {
            let Some(row) = self.inner.get(key)? else { return Ok(None) };
            if let Some(value) = self.assemble(key, row)? {
                return Ok(Some(value));
            }
        }
        Err(broken())
    }

    fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let value = |(key, row): (&Vec<u8>, Option<Vec<u8>>)| {
            let Some(row) = row else { return Ok(None) };
            self.assemble(key, row)?.map_or_else(|| self.get(key), |value| Ok(Some(value)))
        };
        keys.iter().zip(self.inner.get_all(keys)?).map(value).collect()
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visitor<'_>) -> Result<()> {
        self.inner.scan(start, end.min(&[LARGE]), &mut |key, row| {
            let value = match self.assemble(key, row.to_vec())? {
                Some(value) => Some(value),
                None => self.get(key)?,
            };
            value.map_or(Ok(true), |value| visit(key, &value))
        })
    }

    fn visit_all(&self, visit: &mut Visitor<'_>) -> Result<()> {
        // Parts lie behind all other rows, those of one value in their order, so one pass sees all.
        let mut waiting: HashMap<Vec<u8>, (u32, Vec<u8>)> = HashMap::new();
        self.inner.visit_all(&mut |key, row| match (key.first(), row.split_last()) {
            (Some(&LARGE), _) => Ok(true),
            (Some(&CHUNK), _) => {
                // A checksum and an index of four bytes each end the key.
                let (name, _) = key[1..].split_last_chunk::<8>().ok_or_else(broken)?;
                let (missing, value) = waiting.get_mut(name).ok_or_else(broken)?;
                value.extend_from_slice(row);
                *missing -= 1;
                if *missing > 0 {
                    return Ok(true);
                }
                let (_, value) = waiting.remove(name).ok_or_else(broken)?;
                visit(name, &value)
            }
            (_, Some((&CHUNKED, parts))) => {
                let parts = Parts::parse(parts).filter(|parts| parts.count > 0).ok_or_else(broken)?;
                waiting.insert(key.to_vec(), (parts.count, Vec::new()));
                Ok(true)
            }
            (_, Some((&INLINE, row))) => visit(key, row),
            _ => Err(broken()),
        })?;
        if waiting.is_empty() { Ok(()) } else { Err(broken()) }
    }

    fn has_snapshots(&self) -> bool {
        self.inner.has_snapshots()
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<()> {
        let mut rows = Vec::with_capacity(changes.len());
        let mut added = Vec::new();
        for (key, value) in changes {
            if self.large.read().contains(&key) {
                self.drop_parts(&key, &mut rows)?;
            }
            match value {
                Some(value) if value.len() > INLINE_MAX => {
                    put_large(&key, &value, &mut rows);
                    added.push(key);
                }
                Some(mut value) => {
                    value.push(INLINE);
                    rows.push((key, Some(value)));
                }
                None => rows.push((key, None)),
            }
        }
        // A name too many costs a look-up; one too few would leave parts behind.
        self.large.write().extend(added);
        self.inner.write(rows, durable)
    }

    fn compact(&self, progress: &Progress) -> Result<()> {
        self.inner.compact(progress)
    }

    fn forget_reads(&self) -> Result<()> {
        self.inner.forget_reads()
    }

    fn size_bytes(&self) -> Result<u64> {
        self.inner.size_bytes()
    }
}

fn broken() -> Error {
    Error::Corruption("a part of a large value is missing; run verify() and restore a backup".into())
}
