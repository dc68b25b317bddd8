//! Attributes of versions, packed into one array of words.

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

/// For each version with attributes: their number, then name, kind and content of each.
#[derive(Default)]
pub(super) struct Attributes {
    words: Vec<u32>,
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
        let at = u32::try_from(self.words.len()).map_err(too_many)?;
        self.add(u32::try_from(all.len()).map_err(too_many)?);
        for (name, attribute) in all {
            self.add(names.intern(name.as_ref()));
            match attribute {
                Attribute::Text(text) => {
                    self.add(TEXT);
                    self.add(names.intern(text.as_ref()));
                }
                Attribute::Number(number) => {
                    let bits = number.to_bits();
                    self.add(NUMBER);
                    for half in [bits >> 32, bits & u64::from(u32::MAX)] {
                        self.add(u32::try_from(half).unwrap_or(u32::MAX));
                    }
                }
                Attribute::List(list) => {
                    self.add(LIST + u32::try_from(list.len()).map_err(too_many)?);
                    for word in list {
                        self.add(names.intern(word.as_ref()));
                    }
                }
            }
        }
        Ok(Some(at))
    }

    fn add(&mut self, word: u32) {
        let length = self.words.len() + 1;
        grow(&mut self.words, length, word);
    }

    /// Keep what another array has at a place, with other numbers for its strings.
    pub(super) fn copy(&mut self, from: &Self, at: u32, mut word: impl FnMut(Symbol) -> Symbol) -> Option<u32> {
        let (count, mut rest) = from.words.get(at as usize..)?.split_first()?;
        let place = u32::try_from(self.words.len()).ok()?;
        self.add(*count);
        for _ in 0..*count {
            let ([name, kind], content) = rest.split_first_chunk::<2>()?;
            let (content, behind) = content.split_at_checked(length_of(*kind))?;
            self.add(word(*name));
            self.add(*kind);
            for part in content {
                self.add(if *kind == NUMBER { *part } else { word(*part) });
            }
            rest = behind;
        }
        Some(place)
    }

    /// Names and words of what is kept at a place; a list has several.
    pub(super) fn words(&self, at: u32) -> Vec<(Symbol, Symbol)> {
        let mut words = Vec::new();
        let Some((count, mut rest)) = self.words.get(at as usize..).and_then(<[u32]>::split_first) else {
            return words;
        };
        for _ in 0..*count {
            let Some(([name, kind], content)) = rest.split_first_chunk::<2>() else { break };
            let Some((content, behind)) = content.split_at_checked(length_of(*kind)) else { break };
            if *kind != NUMBER {
                words.extend(content.iter().map(|word| (*name, *word)));
            }
            rest = behind;
        }
        words
    }

    /// The attribute of a name among those kept at a place.
    pub(super) fn find(&self, at: u32, name: Symbol) -> Option<Value<'_>> {
        let (count, mut rest) = self.words.get(at as usize..)?.split_first()?;
        for _ in 0..*count {
            let ([found, kind], content) = rest.split_first_chunk::<2>()?;
            let (content, behind) = content.split_at_checked(length_of(*kind))?;
            if *found == name {
                return Some(match (*kind, content) {
                    (TEXT, [word]) => Value::Text(*word),
                    (NUMBER, [high, low]) => Value::Number(f64::from_bits(u64::from(*high) << 32 | u64::from(*low))),
                    _ => Value::List(content),
                });
            }
            rest = behind;
        }
        None
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>()
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
