//! Columns: one value a row, and little room for what is the same in most rows.

use crate::tier::vector::kernel;

/// A column that ends with its last value that is not the default.
pub(crate) struct Sparse<T> {
    values: Vec<T>,
    default: T,
}

impl<T: Copy> Sparse<T> {
    pub(crate) fn new(default: T) -> Self {
        Self { values: Vec::new(), default }
    }

    #[inline]
    pub(crate) fn get(&self, row: u32) -> T {
        self.values.get(row as usize).copied().unwrap_or(self.default)
    }

    /// Ask for a value before it is read.
    #[inline]
    pub(crate) fn prefetch(&self, row: u32) {
        prefetch_at(&self.values, row);
    }

    /// Set a value; `None` is the default, and takes no room behind the last other one.
    pub(crate) fn set(&mut self, row: u32, value: Option<T>) {
        let row = row as usize;
        if row < self.values.len() {
            self.values[row] = value.unwrap_or(self.default);
        } else if let Some(value) = value {
            grow(&mut self.values, row + 1, self.default);
            self.values[row] = value;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }
}

/// A column of numbers that mostly are those of their rows.
#[derive(Default)]
pub(crate) struct Near {
    /// From the row to its number.
    apart: Vec<u32>,
    /// Rows that were set, or are before one that was.
    rows: u32,
}

impl Near {
    #[inline]
    pub(crate) fn get(&self, row: u32) -> Option<u32> {
        let apart = self.apart.get(row as usize).copied().unwrap_or(0);
        (row < self.rows).then(|| row.wrapping_add(apart))
    }

    pub(crate) fn set(&mut self, row: u32, number: u32) {
        let apart = number.wrapping_sub(row);
        self.rows = self.rows.max(row + 1);
        if apart != 0 || (row as usize) < self.apart.len() {
            if row as usize >= self.apart.len() {
                grow(&mut self.apart, row as usize + 1, 0);
            }
            self.apart[row as usize] = apart;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.apart.capacity() * size_of::<u32>()
    }
}

/// Ask for a value of a column before it is read.
#[inline]
pub(crate) fn prefetch_at<T>(column: &[T], row: u32) {
    kernel::prefetch(column.get(row as usize..=row as usize).unwrap_or_default());
}

/// Set a value of a column that has one for every row.
pub(crate) fn put<T: Copy>(column: &mut Vec<T>, row: u32, value: T) {
    let row = row as usize;
    if row >= column.len() {
        grow(column, row + 1, value);
    }
    column[row] = value;
}

/// Make room in steps of an eighth: doubling would leave half of a large column empty.
pub(crate) fn grow<T: Copy>(values: &mut Vec<T>, length: usize, fill: T) {
    if length > values.capacity() {
        values.reserve_exact(length - values.len() + (values.len() / 8).max(16));
    }
    values.resize(values.len().max(length), fill);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_near_column_reads_as_a_dense_one(sets in proptest::collection::vec((0_u32..40, 0_u32..60, any::<bool>()), 0..60)) {
            let mut near = Near::default();
            let mut dense = std::collections::BTreeMap::new();
            for (row, number, own) in sets {
                let number = if own { row } else { number };
                near.set(row, number);
                dense.insert(row, number);
            }
            prop_assert!(dense.iter().all(|(row, number)| near.get(*row) == Some(*number)));
            prop_assert_eq!(near.get(dense.last_key_value().map_or(0, |(row, _)| row + 1)), None);
        }

        #[test]
        fn a_sparse_column_reads_as_a_dense_one(sets in proptest::collection::vec((0_u32..40, proptest::option::of(0_u8..5)), 0..60)) {
            let mut sparse = Sparse::new(9);
            let mut dense = [9; 41];
            for (row, value) in sets {
                sparse.set(row, value);
                dense[row as usize] = value.unwrap_or(9);
            }
            prop_assert!((0..41).all(|row| sparse.get(row) == dense[row as usize]));
        }
    }
}
