//! Embeddings that may share one allocation.

use std::ops::{Deref, Range};
use std::sync::Arc;

/// The numbers of one embedding: a part of an allocation that may hold those of a whole batch.
#[derive(Clone)]
pub struct Embedding {
    all: Arc<Vec<f32>>,
    part: Range<usize>,
}

impl Embedding {
    /// A part of what others share, empty where it does not reach so far.
    pub(crate) fn part(all: &Arc<Vec<f32>>, part: Range<usize>) -> Self {
        Self { all: Arc::clone(all), part }
    }

    /// The numbers by themselves, copied only where others share them.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        if self.part != (0..self.all.len()) {
            return self.to_vec();
        }
        Arc::try_unwrap(self.all).unwrap_or_else(|shared| shared.to_vec())
    }
}

impl Deref for Embedding {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.all.get(self.part.clone()).unwrap_or_default()
    }
}

impl From<Vec<f32>> for Embedding {
    fn from(numbers: Vec<f32>) -> Self {
        Self { part: 0..numbers.len(), all: Arc::new(numbers) }
    }
}

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.deref().fmt(f)
    }
}

impl PartialEq for Embedding {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_lies_in_its_range() {
        let all = Arc::new(vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(*Embedding::part(&all, 2..4), [3.0, 4.0]);
        assert_eq!(Embedding::part(&all, 2..4).into_vec(), [3.0, 4.0]);
        assert!(Embedding::part(&all, 3..5).is_empty());
    }

    #[test]
    fn numbers_of_its_own_are_given_back_where_they_lie() {
        let numbers = vec![1.0, 2.0];
        let place = numbers.as_ptr();
        let embedding = Embedding::from(numbers);
        let shared = embedding.clone();
        assert_eq!(shared.into_vec(), [1.0, 2.0]);
        let back = embedding.into_vec();
        assert_eq!(back.as_ptr(), place);
    }
}
