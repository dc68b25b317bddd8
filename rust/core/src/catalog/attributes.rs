//! Attributes of versions, packed into one array of words.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::words::{Interner, Symbol};
use crate::column::grow;
use crate::error::{Error, Result};
use crate::record::Attribute;

const TEXT: u32 = 0;
const NUMBER: u32 = 1;
/// A list of n words has the kind `LIST + n`.
const LIST: u32 = 2;

/// An attribute with its words interned.
pub(crate) enum Value<'a> {
    Text(Symbol),
    Number(f64),
    List(&'a [Symbol]),
}

/// Name and kind of each attribute of a version; most versions of a store have the same.
type Shape = Box<[(Symbol, u32)]>;

/// For each version with attributes: the number of its shape, then the content of each.
#[derive(Default)]
pub(super) struct Attributes {
    words: Vec<u32>,
    shapes: Vec<Shape>,
    numbers: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    shape_bytes: usize,
}

impl Attributes {
    /// Keep a version's attributes; returns where they are.
    pub(super) fn push<S: AsRef<str>>(
        &mut self,
        names: &mut Interner,
        all: &[(S, Attribute<S>)],
    ) -> Result<Option<u32>> {
        if all.is_empty() {
            return Ok(None);
        }
        let too_many = |_| Error::Internal("the attributes take more than 16 GiB".into());
        let mut shape = Vec::with_capacity(all.len());
        for (name, attribute) in all {
            let kind = match attribute {
                Attribute::Text(_) => TEXT,
                Attribute::Number(_) => NUMBER,
                Attribute::List(list) => LIST + u32::try_from(list.len()).map_err(too_many)?,
            };
            shape.push((names.intern(name.as_ref()), kind));
        }
        let at = u32::try_from(self.words.len()).map_err(too_many)?;
        let number = self.shape(shape.into());
        self.add(number);
        for (_, attribute) in all {
            match attribute {
                Attribute::Text(text) => self.add(names.intern(text.as_ref())),
                Attribute::Number(number) => {
                    let bits = number.to_bits();
                    for half in [bits >> 32, bits & u64::from(u32::MAX)] {
                        self.add(u32::try_from(half).unwrap_or(u32::MAX));
                    }
                }
                Attribute::List(list) => list.iter().for_each(|word| self.add(names.intern(word.as_ref()))),
            }
        }
        Ok(Some(at))
    }

    /// The number of a shape, new or known.
    fn shape(&mut self, shape: Shape) -> u32 {
        let Self { shapes, numbers, hasher, .. } = self;
        let hash = hasher.hash_one(&shape);
        if let Some(number) = numbers.find(hash, |number| shapes[*number as usize] == shape) {
            return *number;
        }
        let number = u32::try_from(shapes.len()).unwrap_or(u32::MAX);
        self.shape_bytes += size_of::<Shape>() + size_of_val(&*shape);
        shapes.push(shape);
        numbers.insert_unique(hash, number, |number| hasher.hash_one(&shapes[*number as usize]));
        number
    }

    fn add(&mut self, word: u32) {
        let length = self.words.len() + 1;
        grow(&mut self.words, length, word);
    }

    /// Name, kind and content of each attribute that is kept at a place.
    fn each(&self, at: u32) -> impl Iterator<Item = (Symbol, u32, &[u32])> {
        let kept = self.words.get(at as usize..).and_then(<[u32]>::split_first);
        let shape = kept.and_then(|(shape, _)| self.shapes.get(*shape as usize));
        let mut rest = kept.map(|(_, rest)| rest).unwrap_or_default();
        shape.into_iter().flat_map(|shape| shape.iter()).map_while(move |(name, kind)| {
            let (content, behind) = rest.split_at_checked(length_of(*kind))?;
            rest = behind;
            Some((*name, *kind, content))
        })
    }

    /// Keep what another array has at a place, with other numbers for its strings.
    pub(super) fn copy(&mut self, from: &Self, at: u32, mut word: impl FnMut(Symbol) -> Symbol) -> Option<u32> {
        let place = u32::try_from(self.words.len()).ok()?;
        let shape: Shape = from.each(at).map(|(name, kind, _)| (word(name), kind)).collect();
        let number = self.shape(shape);
        self.add(number);
        for (_, kind, content) in from.each(at) {
            for part in content {
                self.add(if kind == NUMBER { *part } else { word(*part) });
            }
        }
        Some(place)
    }

    /// Names and words of what is kept at a place; a list has several.
    pub(super) fn words(&self, at: u32) -> Vec<(Symbol, Symbol)> {
        let texts = self.each(at).filter(|(_, kind, _)| *kind != NUMBER);
        texts.flat_map(|(name, _, content)| content.iter().map(move |word| (name, *word))).collect()
    }

    /// The attribute of a name among those kept at a place.
    pub(super) fn find(&self, at: u32, name: Symbol) -> Option<Value<'_>> {
        let (_, kind, content) = self.each(at).find(|(found, ..)| *found == name)?;
        Some(match (kind, content) {
            (TEXT, [word]) => Value::Text(*word),
            (NUMBER, [high, low]) => Value::Number(f64::from_bits(u64::from(*high) << 32 | u64::from(*low))),
            _ => Value::List(content),
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>() + self.shape_bytes + self.numbers.allocation_size()
    }
}

/// Words of an attribute's content.
fn length_of(kind: u32) -> usize {
    match kind {
        TEXT => 1,
        NUMBER => 2,
        list => (list - LIST) as usize,
    }
}
