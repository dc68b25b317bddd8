//! The codes of a space, one a slot.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::Quantization;
use super::arena::Arena;
use super::kernel::{self, Kernels};
use crate::error::Result;

enum Table {
    F16(Arena<f16>),
    F32(Arena<f32>),
}

/// Unit vectors as codes, and the products between them.
pub(crate) struct Codes {
    table: Table,
    kernels: Kernels,
}

impl Codes {
    pub(super) fn new(quantization: Quantization, dim: usize) -> Self {
        let table = match quantization {
            Quantization::F16 => Table::F16(Arena::new(dim)),
            Quantization::F32 => Table::F32(Arena::new(dim)),
        };
        Self { table, kernels: kernel::kernels() }
    }

    pub(super) fn reserve(&mut self, slots: u32) -> Result<()> {
        match &mut self.table {
            Table::F16(codes) => codes.reserve(slots),
            Table::F32(codes) => codes.reserve(slots),
        }
    }

    pub(super) fn write(&mut self, slot: u32, unit: &[f32]) {
        match &mut self.table {
            Table::F16(codes) => codes.row_mut(slot).convert_from_f32_slice(unit),
            Table::F32(codes) => codes.row_mut(slot).copy_from_slice(unit),
        }
    }

    /// The code as floats, for a row that is compared with many others.
    pub(super) fn read(&self, slot: u32, into: &mut Vec<f32>) {
        into.clear();
        match &self.table {
            Table::F16(codes) => into.extend(codes.row(slot).iter().map(|c| c.to_f32())),
            Table::F32(codes) => into.extend_from_slice(codes.row(slot)),
        }
    }

    /// Product with a query, by the fast kernel.
    #[inline]
    pub(super) fn dot(&self, unit: &[f32], slot: u32) -> f32 {
        match &self.table {
            Table::F16(codes) => (self.kernels.f16)(unit, codes.row(slot)),
            Table::F32(codes) => (self.kernels.f32)(unit, codes.row(slot)),
        }
    }

    /// Product of two codes, by the fast kernel.
    #[inline]
    pub(super) fn dot_pair(&self, a: u32, b: u32) -> f32 {
        match &self.table {
            Table::F16(codes) => (self.kernels.f16_pair)(codes.row(a), codes.row(b)),
            Table::F32(codes) => (self.kernels.f32)(codes.row(a), codes.row(b)),
        }
    }

    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        match &self.table {
            Table::F16(codes) => codes.prefetch(slot),
            Table::F32(codes) => codes.prefetch(slot),
        }
    }

    /// The code's numbers, for the sum of fixed order.
    pub(super) fn numbers(&self, slot: u32) -> Box<dyn Iterator<Item = f64> + '_> {
        match &self.table {
            Table::F16(codes) => Box::new(codes.row(slot).iter().map(|c| c.to_f64())),
            Table::F32(codes) => Box::new(codes.row(slot).iter().map(|c| f64::from(*c))),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.table {
            Table::F16(codes) => codes.bytes(),
            Table::F32(codes) => codes.bytes(),
        }
    }

    /// Bytes a slot.
    pub(super) fn slot_bytes(&self) -> usize {
        match &self.table {
            Table::F16(codes) => codes.row_bytes(),
            Table::F32(codes) => codes.row_bytes(),
        }
    }
}
