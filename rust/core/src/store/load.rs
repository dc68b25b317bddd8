//! Opening: the store's state and the catalogue, from L3.

use super::indexer::give_back_memory;
use super::messages::load_rules;
use super::snapshot::{self, Claims, Owner};
use super::state::{FORMAT, HEAD, Head, IDENTITY, NUMBERS, NamespaceState, Namespaces, RIGHTS, SPACES};
use super::{Shared, StoreConfig};
use crate::catalog::Catalog;
use crate::coordination::pubsub::Rules;
use crate::error::{Error, Result};
use crate::ids::random_bytes;
use crate::record::{self, Meta};
use crate::store::read::floats;
use crate::tier::cold::{Change, ColdStore};
use crate::tier::vector::{VectorSpace, VectorStore};
use crate::{frame, keys};

/// Records whose reading fills an engine's cache.
const MANY: usize = 100_000;

/// What was there.
pub(super) struct Loaded {
    pub shared: Shared,
    pub identity: u128,
    /// Of a lock: what was allowed may have been granted.
    pub last_number: u64,
    pub notices: Vec<String>,
    pub rules: Rules,
}

pub(super) fn load(cold: &dyn ColdStore, config: &StoreConfig) -> Result<Loaded> {
    let mut head: Head = state_row(cold, HEAD)?.unwrap_or_default();
    if head.format != FORMAT {
        return Err(Error::Storage(format!(
            "the store has format {}, this version reads format {FORMAT}; open it with the version that wrote it",
            head.format
        )));
    }
    let stored: Vec<VectorSpace> = state_row(cold, SPACES)?.unwrap_or_default();
    let spaces = merge_spaces(stored.clone(), &config.spaces)?;
    let named: Option<u128> = state_row(cold, IDENTITY)?;
    let identity = named.map_or_else(|| random_bytes().map(u128::from_le_bytes), Ok)?;
    let owner = Owner { identity, commit: head.commit };
    let mut loader = Loader { cold, owner, catalog: Catalog::default(), claims: Vec::new(), notices: Vec::new() };
    loader.add_spaces(&spaces, config)?;
    loader.load_records()?;
    let (catalog, notices) = loader.finish();
    head.generation += 1;
    let mut changes = vec![state_change(HEAD, &head)?];
    if spaces != stored {
        changes.push(state_change(SPACES, &spaces)?);
    }
    if named.is_none() {
        changes.push(state_change(IDENTITY, &identity)?);
    }
    cold.write(changes, true)?;
    if catalog.len() >= MANY {
        // All was read once, on this thread: the engine's cache is full of what nobody will ask for
        // soon, in a part of the memory that other threads do not use.
        cold.forget_reads()?;
        give_back_memory();
    }
    let last_number = state_row(cold, NUMBERS)?.unwrap_or(0);
    let shared = Shared {
        catalog,
        namespaces: load_namespaces(cold)?,
        rights: state_row(cold, RIGHTS)?.unwrap_or_default(),
        head,
    };
    Ok(Loaded { shared, identity, last_number, notices, rules: load_rules(cold)? })
}

fn state_row<T: serde::de::DeserializeOwned>(cold: &dyn ColdStore, name: &str) -> Result<Option<T>> {
    let key = keys::named(keys::STATE, name);
    let Some(sealed) = cold.get(&key)? else { return Ok(None) };
    record::decode(&frame::open(&key, &sealed)?, "state").map(Some)
}

fn state_change<T: serde::Serialize>(name: &str, value: &T) -> Result<Change> {
    let key = keys::named(keys::STATE, name);
    let sealed = frame::seal(&key, &record::encode(value)?, false);
    Ok((key, Some(sealed)))
}

/// The directory's spaces, and the new ones behind them; one that differs is refused.
fn merge_spaces(mut stored: Vec<VectorSpace>, wanted: &[VectorSpace]) -> Result<Vec<VectorSpace>> {
    for space in wanted {
        space.validate()?;
        let Some(known) = stored.iter().find(|known| known.name == space.name) else {
            stored.push(space.clone());
            continue;
        };
        let encoder_differs = space.encoder.is_some() && space.encoder != known.encoder;
        if known.dim != space.dim || known.quantization != space.quantization || encoder_differs {
            return Err(Error::Vector(format!(
                "space {:?} was made with dim {}, {:?}, encoder {}, and is opened with dim {}, {:?}, encoder {}; \
                 open it as it was made, or use another space",
                space.name,
                known.dim,
                known.quantization,
                known.encoder.as_deref().unwrap_or("none"),
                space.dim,
                space.quantization,
                space.encoder.as_deref().unwrap_or("none"),
            )));
        }
    }
    Ok(stored)
}

fn load_namespaces(cold: &dyn ColdStore) -> Result<Namespaces> {
    let mut namespaces = Namespaces::default();
    each(cold, keys::NAMESPACE, |row, value| {
        let state: NamespaceState = record::decode(value, "namespace")?;
        namespaces.insert(String::from_utf8_lossy(&row[1..]).into_owned(), state);
        Ok(())
    })?;
    Ok(namespaces)
}

/// Fills the catalogue from L3, and from the graphs where their files are of use.
struct Loader<'a> {
    cold: &'a dyn ColdStore,
    owner: Owner,
    catalog: Catalog,
    /// What each space's file has.
    claims: Vec<Option<Claims>>,
    notices: Vec<String>,
}

/// Where a version's own embeddings come from: a space's file, or L3 as unit vectors.
#[derive(Default)]
struct Embeddings {
    slots: Vec<(u16, u32)>,
    units: Vec<(String, Vec<f32>)>,
}

impl Loader<'_> {
    fn add_spaces(&mut self, spaces: &[VectorSpace], config: &StoreConfig) -> Result<()> {
        for (number, space) in spaces.iter().enumerate() {
            let read = |directory| snapshot::read(directory, number, self.owner, space, config.vector);
            let (vectors, claims) = match config.path.as_deref().map_or(Ok(Err(None)), read)? {
                Ok((vectors, claims)) => (vectors, Some(claims)),
                Err(notice) => {
                    self.notices.extend(notice);
                    (VectorStore::new(space.clone(), config.vector), None)
                }
            };
            self.catalog.add_space(vectors);
            self.claims.push(claims);
        }
        Ok(())
    }

    fn load_records(&mut self) -> Result<()> {
        let mut forgotten = std::collections::HashSet::new();
        each(self.cold, keys::TOMBSTONE, |row, _| {
            forgotten.insert(row[1..].to_vec());
            Ok(())
        })?;
        each(self.cold, keys::META, |row, value| {
            let (id, _) = keys::parse_version(row)
                .ok_or_else(|| Error::Corruption("a version row has no id; restore a backup".into()))?;
            let meta: Meta<&str> = record::decode(value, "version")?;
            let is_forgotten = !forgotten.is_empty() && forgotten.contains(id.as_bytes());
            let found = if is_forgotten { Embeddings::default() } else { self.embeddings(id, &meta)? };
            self.catalog.add_with_slots(id, &meta, &found.units, &found.slots)?;
            if is_forgotten {
                self.catalog.forget(id);
            }
            Ok(())
        })
    }

    /// The embeddings that came with this version.
    fn embeddings(&mut self, id: &str, meta: &Meta<&str>) -> Result<Embeddings> {
        let mut found = Embeddings::default();
        for (name, source) in &meta.embeddings {
            let (space, _) = self.catalog.space(name)?;
            if self.catalog.entry(id).is_some_and(|entry| entry.slot_of(space, *source).is_some()) {
                continue;
            }
            let claims = self.claims[usize::from(space)].as_mut().filter(|_| *source == meta.version);
            let slot = claims.and_then(|claims| {
                let key = snapshot::key(self.owner.identity, id, *source, meta.commit, meta.recorded_at);
                claims.claim(key).map(|slot| (slot, claims.has_codes))
            });
            match slot {
                Some((slot, true)) => found.slots.push((space, slot)),
                Some((slot, false)) => {
                    let unit = self.unit(id, *source, name)?;
                    self.catalog.spaces[usize::from(space)].write_code(slot, &unit);
                    found.slots.push((space, slot));
                }
                None => found.units.push(((*name).to_owned(), self.unit(id, *source, name)?)),
            }
        }
        Ok(found)
    }

    fn unit(&self, id: &str, source: u32, name: &str) -> Result<Vec<f32>> {
        let key = keys::embedding(id, source, name);
        let sealed = self
            .cold
            .get(&key)?
            .ok_or_else(|| Error::Corruption(format!("an embedding of record {id} is missing; restore a backup")))?;
        let (_, space) = self.catalog.space(name)?;
        space.normalise(&floats(&frame::open(&key, &sealed)?))
    }

    fn finish(mut self) -> (Catalog, Vec<String>) {
        for (vectors, claims) in self.catalog.spaces.iter_mut().zip(&self.claims) {
            if let Some(claims) = claims {
                claims.remove_unclaimed(vectors);
            }
        }
        (self.catalog, self.notices)
    }
}

fn each(cold: &dyn ColdStore, table: u8, mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    cold.scan(&[table], &[table + 1], &mut |row, sealed| {
        visit(row, &frame::open(row, sealed)?)?;
        Ok(true)
    })
}
