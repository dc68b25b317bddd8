//! A node as bytes, and back.

use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::{DEAD, FREE, Graph, PIN};
use crate::workers;

impl Graph {
    /// Slots there is room for.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.states.len()).unwrap_or(u32::MAX)
    }

    /// Whether nobody has a slot.
    pub(crate) fn is_free(&self, slot: u32) -> bool {
        self.state(slot) == FREE
    }

    /// Where walks begin, as a word.
    pub(crate) fn entry_word(&self) -> u64 {
        self.entry.load(Ordering::Acquire)
    }

    /// Begin walks elsewhere; `false` where that cannot be.
    pub(crate) fn set_entry_word(&self, word: u64) -> bool {
        self.entry.store(word, Ordering::Release);
        self.entry()
            .is_none_or(|(level, slot)| slot < self.end() && self.state(slot) != FREE && level == self.level(slot))
    }

    /// A slot's state and its links, level by level.
    pub(crate) fn write_row(&self, slot: u32, out: &mut Vec<u8>) {
        let state = self.state(slot);
        out.push(state);
        for level in 0..=self.level(slot) {
            for link in self.links(level, slot) {
                let word = if state == FREE { 0 } else { link.load(Ordering::Relaxed) };
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Read a slot's row; `None` where there is too little, or no such state.
    pub(crate) fn read_row(&self, slot: u32, bytes: &mut &[u8]) -> Option<()> {
        let (state, rest) = bytes.split_first().filter(|(state, _)| **state <= DEAD)?;
        *bytes = rest;
        for level in 0..=self.level(slot) {
            for link in self.links(level, slot) {
                let (word, rest) = bytes.split_first_chunk()?;
                link.store(u32::from_le_bytes(*word), Ordering::Relaxed);
                *bytes = rest;
            }
        }
        self.set_state(slot, *state);
        Some(())
    }

    /// Whether every link leads to a node of its level, from a node, and walks have a beginning.
    pub(crate) fn is_sound(&self) -> bool {
        let has_entry = self.entry().is_some() || self.len() + self.dead() == 0;
        let slots = (0..self.end()).into_par_iter().with_min_len(4096);
        has_entry && workers::share(|| slots.all(|slot| self.is_sound_at(slot)))
    }

    fn is_sound_at(&self, slot: u32) -> bool {
        let is_node = self.state(slot) != FREE;
        (0..=self.level(slot)).all(|level| {
            let words = self.links(level, slot).iter().map(|link| link.load(Ordering::Relaxed));
            let mut rest = words.skip_while(|word| *word != 0 && is_node && self.leads_to_node(*word, level));
            rest.all(|word| word == 0)
        })
    }

    fn leads_to_node(&self, word: u32, level: usize) -> bool {
        let is_slot = (word & !PIN).checked_sub(1).filter(|next| *next < self.end());
        is_slot.is_some_and(|next| self.state(next) != FREE && (level == 0 || self.level(next) >= level))
    }
}
