//! Strings by number, so that a version holds four bytes for each.

use std::collections::HashMap;
use std::sync::Arc;

/// An interned string; [`NONE`] stands for an absent one.
pub(crate) type Symbol = u32;
pub(crate) const NONE: Symbol = u32::MAX;

#[derive(Default)]
pub(crate) struct Interner {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Interner {
    pub(crate) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        let name: Arc<str> = name.into();
        // The string with its two counts, and what a vector and a map hold of it.
        self.bytes += name.len() + 2 * size_of::<usize>() + 48;
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub(super) fn optional(&mut self, name: Option<&str>) -> Symbol {
        name.map_or(NONE, |name| self.intern(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<Symbol> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: Symbol) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Symbol, &str)> {
        (0..).zip(self.names.iter().map(|name| &**name))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
