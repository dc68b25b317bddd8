//! Opening: the store's state and the catalogue, from L3.

use super::state::{FORMAT, HEAD, Head, NamespaceState, Namespaces, SPACES};
use super::{Shared, StoreConfig};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::record::{self, Meta};
use crate::stats::Metrics;
use crate::store::read::floats;
use crate::tier::cold::{Change, ColdStore};
use crate::tier::vector::VectorSpace;
use crate::{frame, keys};

pub(super) fn load(cold: &dyn ColdStore, config: &StoreConfig) -> Result<(Shared, Metrics)> {
    let mut head: Head = state_row(cold, HEAD)?.unwrap_or_default();
    if head.format != FORMAT {
        return Err(Error::Storage(format!(
            "the store has format {}, this version reads format {FORMAT}; open it with the version that wrote it",
            head.format
        )));
    }
    let stored: Vec<VectorSpace> = state_row(cold, SPACES)?.unwrap_or_default();
    let spaces = merge_spaces(stored.clone(), &config.spaces)?;
    let mut catalog = Catalog::default();
    for space in &spaces {
        catalog.add_space(space.clone(), config.vector);
    }
    load_records(cold, &mut catalog)?;
    head.generation += 1;
    let mut changes = vec![state_change(HEAD, &head)?];
    if spaces != stored {
        changes.push(state_change(SPACES, &spaces)?);
    }
    cold.write(changes, true)?;
    let shared = Shared { catalog, namespaces: load_namespaces(cold)?, head };
    Ok((shared, Metrics::default()))
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

fn load_records(cold: &dyn ColdStore, catalog: &mut Catalog) -> Result<()> {
    let mut forgotten = std::collections::HashSet::new();
    each(cold, keys::TOMBSTONE, |row, _| {
        forgotten.insert(row[1..].to_vec());
        Ok(())
    })?;
    each(cold, keys::META, |row, value| {
        let (id, _) = keys::parse_version(row)
            .ok_or_else(|| Error::Corruption("a version row has no id; restore a backup".into()))?;
        let meta: Meta<&str> = record::decode(value, "version")?;
        let is_forgotten = !forgotten.is_empty() && forgotten.contains(id.as_bytes());
        let units = if is_forgotten { Vec::new() } else { units(cold, catalog, id, &meta)? };
        catalog.add(id, &meta, &units)?;
        if is_forgotten {
            catalog.forget(id);
        }
        Ok(())
    })
}

/// Unit vectors of the embeddings that came with this version.
fn units(cold: &dyn ColdStore, catalog: &Catalog, id: &str, meta: &Meta<&str>) -> Result<Vec<(String, Vec<f32>)>> {
    let mut units = Vec::new();
    for (name, source) in &meta.embeddings {
        let (space, _) = catalog.space(name)?;
        if catalog.entry(id).is_some_and(|entry| entry.slot_of(space, *source).is_some()) {
            continue;
        }
        let key = keys::embedding(id, *source, name);
        let sealed = cold
            .get(&key)?
            .ok_or_else(|| Error::Corruption(format!("an embedding of record {id} is missing; restore a backup")))?;
        let (_, space) = catalog.space(name)?;
        units.push(((*name).to_owned(), space.normalise(&floats(&frame::open(&key, &sealed)?))?));
    }
    Ok(units)
}

fn each(cold: &dyn ColdStore, table: u8, mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    cold.scan(&[table], &[table + 1], &mut |row, sealed| {
        visit(row, &frame::open(row, sealed)?)?;
        Ok(true)
    })
}
