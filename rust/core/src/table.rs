//! Many records, column by column.

use std::sync::Arc;

use crate::embedding::Embedding;
use crate::error::{Result, value_error};
use crate::record::{Attribute, Outcome, Record};

/// A time that is not given: `NaT`.
pub const NO_TIME: i64 = i64::MIN;

/// Strings: words, and which of them each row has.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    data: String,
    /// Where each word begins, and the last one ends.
    offsets: Vec<usize>,
    /// The number of each row's word; no word's where the row has none.
    rows: Vec<i64>,
}

impl Texts {
    /// Words as the UTF-8 from each offset to the next, and the word of each row; a negative one is none.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for bytes that are no UTF-8, offsets that do not fit them, and words that
    /// there are not.
    pub fn new(data: Vec<u8>, offsets: &[i64], rows: Vec<i64>) -> Result<Self> {
        let Ok(data) = String::from_utf8(data) else {
            return value_error("the bytes of a column are no UTF-8; clean the text first");
        };
        let offsets: Vec<usize> = offsets.iter().map(|at| usize::try_from(*at).unwrap_or(usize::MAX)).collect();
        if !offsets.is_sorted() || !offsets.iter().all(|at| data.is_char_boundary(*at)) {
            return value_error("the offsets of a column do not fit its bytes");
        }
        let words = i64::try_from(offsets.len().saturating_sub(1)).unwrap_or(i64::MAX);
        if let Some(word) = rows.iter().find(|word| **word >= words) {
            return value_error(format!("a column has {words} words, and no number {word}"));
        }
        Ok(Self { data, offsets, rows })
    }

    /// One word in every row.
    fn repeated(word: &str, rows: usize) -> Self {
        Self { data: word.to_owned(), offsets: vec![0, word.len()], rows: vec![0; rows] }
    }

    /// Words of the column; one that no row has may be among them.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.offsets.windows(2).filter_map(|bounds| self.data.get(bounds[0]..bounds[1]))
    }

    /// Rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The string of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let word = usize::try_from(*self.rows.get(row)?).ok()?;
        self.data.get(*self.offsets.get(word)?..*self.offsets.get(word + 1)?)
    }

    fn bytes(&self) -> usize {
        self.data.len() + (self.offsets.len() + self.rows.len()) * 8
    }
}

/// Several strings a row.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Where each row's begin, and the last row's end.
    pub offsets: Vec<i64>,
    /// The strings of all rows, one after the other.
    pub items: Texts,
}

impl Lists {
    fn get(&self, row: usize) -> Vec<String> {
        let bound = |at: usize| self.offsets.get(at).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
        let end = bound(row + 1).min(self.items.len());
        (bound(row)..end).filter_map(|item| self.items.get(item)).map(str::to_owned).collect()
    }
}

/// An embedding a row, in one allocation.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Row by row.
    pub numbers: Arc<Vec<f32>>,
    /// Length of a row.
    pub dim: usize,
    /// Which rows have one; `None` is all of them.
    pub present: Option<Vec<bool>>,
}

impl Matrix {
    fn len(&self) -> usize {
        self.present.as_ref().map_or_else(|| self.numbers.len().checked_div(self.dim).unwrap_or(0), Vec::len)
    }

    fn get(&self, row: usize) -> Option<Embedding> {
        let is_there = self.present.as_ref().is_none_or(|present| present.get(row) == Some(&true));
        is_there.then(|| Embedding::part(&self.numbers, row * self.dim..(row + 1) * self.dim))
    }
}

/// An attribute a row.
#[derive(Debug, Clone)]
pub enum Values {
    /// Words.
    Text(Texts),
    /// Numbers; NaN is none.
    Number(Vec<f64>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Text(texts) => texts.len(),
            Self::Number(numbers) => numbers.len(),
        }
    }

    fn get(&self, row: usize) -> Option<Attribute> {
        match self {
            Self::Text(texts) => texts.get(row).map(|text| Attribute::Text(text.to_owned())),
            Self::Number(numbers) => number(Some(numbers), row).map(Attribute::Number),
        }
    }
}

/// The fields of [`Record`], a column each; `None` is the field's default in every row.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the fields carry the names of the specification")]
pub struct Table {
    /// How many there are; every column has so many.
    pub rows: usize,
    pub namespace: Texts,
    pub kind: Texts,
    pub event_time: Vec<i64>,
    /// [`NO_TIME`] takes the event time.
    pub known_at: Option<Vec<i64>>,
    pub id: Option<Texts>,
    pub agent_id: Option<Texts>,
    pub symbol: Option<Texts>,
    pub regime: Option<Texts>,
    pub expires_at: Option<Vec<i64>>,
    pub importance: Option<Vec<f64>>,
    /// NaN is none.
    pub confidence: Option<Vec<f64>>,
    pub text: Option<Texts>,
    pub embeddings: Vec<(String, Matrix)>,
    pub attributes: Vec<(String, Values)>,
    /// NaN is no outcome.
    pub reward: Option<Vec<f64>>,
    pub outcome_known_at: Option<Vec<i64>>,
    pub tags: Option<Lists>,
    pub writer: Option<Texts>,
    pub source: Option<Texts>,
    pub trust: Option<Vec<f64>>,
}

impl Table {
    /// Check that all columns are as long as there are rows, and that no row lacks a time.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some((name, rows)) = self.lengths().into_iter().find(|(_, rows)| *rows != self.rows) {
            return value_error(format!("column {name} has {rows} rows, and the table {}", self.rows));
        }
        if let Some(row) = self.event_time.iter().position(|time| *time == NO_TIME) {
            return value_error(format!("row {row}: event_time is not given; every record has one"));
        }
        Ok(())
    }

    /// Namespaces of the rows.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespace.words()
    }

    /// Ids of the rows that have one.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.id.iter().flat_map(Texts::words)
    }

    /// Say who writes it.
    pub(crate) fn set_writer(&mut self, writer: &str) {
        self.writer = Some(Texts::repeated(writer, self.rows));
    }

    fn lengths(&self) -> Vec<(&str, usize)> {
        let texts = [
            ("id", &self.id),
            ("agent_id", &self.agent_id),
            ("symbol", &self.symbol),
            ("regime", &self.regime),
            ("text", &self.text),
            ("writer", &self.writer),
            ("source", &self.source),
        ];
        let times = [
            ("known_at", &self.known_at),
            ("expires_at", &self.expires_at),
            ("outcome.known_at", &self.outcome_known_at),
        ];
        let numbers = [
            ("importance", &self.importance),
            ("confidence", &self.confidence),
            ("trust", &self.trust),
            ("outcome.reward", &self.reward),
        ];
        let required =
            [("namespace", self.namespace.len()), ("kind", self.kind.len()), ("event_time", self.event_time.len())];
        let tags = self.tags.iter().map(|tags| ("tags", tags.offsets.len().saturating_sub(1)));
        let embeddings = self.embeddings.iter().map(|(space, matrix)| (space.as_str(), matrix.len()));
        let attributes = self.attributes.iter().map(|(name, values)| (name.as_str(), values.len()));
        let texts = texts.into_iter().filter_map(|(name, column)| Some((name, column.as_ref()?.len())));
        let times = times.into_iter().filter_map(|(name, column)| Some((name, column.as_ref()?.len())));
        let numbers = numbers.into_iter().filter_map(|(name, column)| Some((name, column.as_ref()?.len())));
        let optional = texts.chain(times).chain(numbers).chain(tags);
        required.into_iter().chain(optional).chain(embeddings).chain(attributes).collect()
    }

    /// One row as a record.
    pub(crate) fn record(&self, row: usize) -> Record {
        let event_time = self.event_time.get(row).copied().unwrap_or(NO_TIME);
        Record {
            id: text(self.id.as_ref(), row).unwrap_or_default(),
            namespace: text(Some(&self.namespace), row).unwrap_or_default(),
            kind: text(Some(&self.kind), row).unwrap_or_default(),
            event_time,
            known_at: time(self.known_at.as_ref(), row).unwrap_or(event_time),
            agent_id: text(self.agent_id.as_ref(), row),
            symbol: text(self.symbol.as_ref(), row),
            regime: text(self.regime.as_ref(), row),
            expires_at: time(self.expires_at.as_ref(), row),
            // NaN is left to be refused: neither of them may be unknown.
            importance: self.importance.as_ref().and_then(|column| column.get(row)).copied().unwrap_or(1.0),
            confidence: number(self.confidence.as_ref(), row),
            text: text(self.text.as_ref(), row),
            embeddings: given(&self.embeddings, |matrix| matrix.get(row)),
            attributes: given(&self.attributes, |values| values.get(row)),
            payload: None,
            outcome: self.outcome(row),
            tags: self.tags.as_ref().map(|tags| tags.get(row)).unwrap_or_default(),
            writer: text(self.writer.as_ref(), row).unwrap_or_else(|| "root".to_owned()),
            source: text(self.source.as_ref(), row),
            trust: self.trust.as_ref().and_then(|column| column.get(row)).copied().unwrap_or(1.0),
            parents: Vec::new(),
            recorded_at: 0,
            commit: 0,
            version: 0,
        }
    }

    fn outcome(&self, row: usize) -> Option<Outcome> {
        let reward = number(self.reward.as_ref(), row)?;
        Some(Outcome { reward, known_at: time(self.outcome_known_at.as_ref(), row), payload: None })
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [&self.id, &self.agent_id, &self.symbol, &self.regime, &self.text, &self.writer, &self.source];
        let words: usize = texts.into_iter().flatten().map(Texts::bytes).sum();
        let vectors: usize = self.embeddings.iter().map(|(_, matrix)| matrix.numbers.len() * 4).sum();
        let tags = self.tags.as_ref().map_or(0, |tags| tags.items.bytes());
        words
            + vectors
            + tags
            + self.namespace.bytes()
            + self.kind.bytes()
            + self.rows * 8 * (8 + self.attributes.len())
    }
}

fn text(column: Option<&Texts>, row: usize) -> Option<String> {
    column?.get(row).map(str::to_owned)
}

fn time(column: Option<&Vec<i64>>, row: usize) -> Option<i64> {
    column?.get(row).copied().filter(|time| *time != NO_TIME)
}

fn number(column: Option<&Vec<f64>>, row: usize) -> Option<f64> {
    column?.get(row).copied().filter(|number| !number.is_nan())
}

/// Names with what they have in a row, where they have something.
fn given<C, T>(columns: &[(String, C)], get: impl Fn(&C) -> Option<T>) -> Vec<(String, T)> {
    columns.iter().filter_map(|(name, column)| Some((name.clone(), get(column)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(texts: Result<Texts>) -> String {
        texts.unwrap_err().to_string()
    }

    #[test]
    fn a_row_has_the_word_that_it_names() {
        let texts = Texts::new("aüb".into(), &[0, 1, 3, 4], vec![2, -1, 1, 1]).unwrap();
        let rows: Vec<_> = (0..5).map(|row| texts.get(row)).collect();
        assert_eq!(rows, [Some("b"), None, Some("ü"), Some("ü"), None]);
    }

    #[test]
    fn columns_that_do_not_fit_together_are_refused() {
        assert!(told(Texts::new(vec![0xff], &[0, 1], vec![0])).contains("UTF-8"));
        assert!(told(Texts::new("ab".into(), &[0, 3], vec![0])).contains("offsets"));
        assert!(told(Texts::new("ab".into(), &[1, 0], vec![0])).contains("offsets"));
        assert!(told(Texts::new("ü".into(), &[0, 1, 2], vec![0])).contains("offsets"));
        assert!(told(Texts::new("ab".into(), &[0, 1, 2], vec![2])).contains("2 words"));
    }

    #[test]
    fn rows_share_the_numbers_of_a_matrix() {
        let numbers = Arc::new(vec![1.0, 2.0, 3.0, 4.0]);
        let matrix = Matrix { numbers: Arc::clone(&numbers), dim: 2, present: Some(vec![false, true]) };
        assert_eq!(matrix.get(0), None);
        assert_eq!(*matrix.get(1).unwrap(), [3.0, 4.0]);
        assert!(std::ptr::eq(&raw const matrix.get(1).unwrap()[0], &raw const numbers[2]));
    }

    proptest! {
        #[test]
        fn any_columns_are_strings_or_an_error(data: Vec<u8>, offsets: Vec<i64>, rows: Vec<i64>) {
            if let Ok(texts) = Texts::new(data, &offsets, rows) {
                let _: Vec<_> = (0..texts.len()).map(|row| texts.get(row)).collect();
            }
        }
    }
}
