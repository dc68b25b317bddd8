//! Stored codes of candidates, for the scores that are given: from memory, or from L3 where memory
//! has bytes only.

use std::collections::HashMap;

use rayon::prelude::*;

use super::read::floats;
use super::{Inner, Shared};
use crate::catalog::Version;
use crate::error::Result;
use crate::tier::vector::kernel::dot_exact;
use crate::tier::vector::{SearchCode, VectorStore};
use crate::{keys, workers};

/// Embeddings that one core reads as quickly as two.
const READ_ALONE: usize = 64;

pub(super) struct StoredCodes<'a> {
    inner: &'a Inner,
    shared: &'a Shared,
    space: u16,
    /// Codes by slot, where memory has them not.
    read: HashMap<u32, Vec<f32>, foldhash::fast::RandomState>,
}

impl<'a> StoredCodes<'a> {
    pub(super) fn new(inner: &'a Inner, shared: &'a Shared, space: u16) -> Self {
        Self { inner, shared, space, read: HashMap::default() }
    }

    fn vectors(&self) -> Option<&'a VectorStore> {
        self.shared.catalog.spaces.get(usize::from(self.space))
    }

    /// Have the codes of these versions at hand; `false` where one is being forgotten.
    pub(super) fn fetch(&mut self, versions: impl Iterator<Item = (u32, Version<'a>)>) -> Result<bool> {
        let Some(vectors) = self.vectors().filter(|vectors| vectors.code() == SearchCode::I8) else {
            return Ok(true);
        };
        let (slots, rows): (Vec<u32>, Vec<Vec<u8>>) =
            versions.filter_map(|(record, version)| self.row(record, version)).unzip();
        let read = |rows: &[Vec<u8>]| {
            let code = |value: Option<Vec<u8>>| {
                let Some(value) = value else { return Ok(None) };
                Ok(Some(vectors.definition.quantization.round(&vectors.normalise(&floats(&value))?)))
            };
            self.inner.rows(rows)?.into_iter().map(code).collect::<Result<Option<Vec<_>>>>()
        };
        let codes: Result<Option<Vec<_>>> = if rows.len() < READ_ALONE {
            read(&rows).map(|codes| codes.map(|codes| vec![codes]))
        } else {
            workers::share(|| rows.par_chunks(READ_ALONE).map(read).collect())
        };
        let Some(codes) = codes? else { return Ok(false) };
        self.read.extend(slots.into_iter().zip(codes.into_iter().flatten()));
        Ok(true)
    }

    /// Slot and row of an embedding that was not read yet.
    fn row(&self, record: u32, version: Version<'_>) -> Option<(u32, Vec<u8>)> {
        let slot = version.slot(self.space).filter(|slot| !self.read.contains_key(slot))?;
        let id = self.shared.catalog.record(record)?.id();
        Some((slot, keys::embedding(&id, version.source(self.space), &self.vectors()?.definition.name)))
    }

    /// Cosine of a query with a stored code, by the sum of fixed order.
    pub(super) fn cosine(&self, unit: &[f32], slot: u32) -> f64 {
        let query = unit.iter().map(|q| f64::from(*q));
        dot_exact(query.zip(self.numbers(slot))).clamp(-1.0, 1.0)
    }

    /// Cosine between two stored codes, by the sum of fixed order.
    pub(super) fn cosine_between(&self, a: u32, b: u32) -> f64 {
        dot_exact(self.numbers(a).zip(self.numbers(b))).clamp(-1.0, 1.0)
    }

    fn numbers(&self, slot: u32) -> Box<dyn Iterator<Item = f64> + '_> {
        let in_memory = self.vectors().and_then(|vectors| vectors.numbers(slot));
        in_memory.unwrap_or_else(|| {
            let read = self.read.get(&slot).map(Vec::as_slice).unwrap_or_default();
            Box::new(read.iter().map(|c| f64::from(*c)))
        })
    }
}
