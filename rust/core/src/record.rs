//! Records as callers give and get them, and the rows that L3 keeps of them.

use serde::{Deserialize, Serialize};

use crate::embedding::Embedding;
use crate::error::{Error, Result, value_error};

/// An indexed attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Attribute<S = String> {
    /// One word.
    Text(S),
    /// A number.
    Number(f64),
    /// Several words.
    List(Vec<S>),
}

/// What a decision led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Finite; its scale is the caller's.
    pub reward: f64,
    /// From when it could be known; `None` takes the time of the commit.
    pub known_at: Option<i64>,
    /// Opaque bytes.
    pub payload: Option<Vec<u8>>,
}

/// One version of a record.  Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields carry the names of the specification")]
pub struct Record {
    pub id: String,
    pub namespace: String,
    pub kind: String,
    pub event_time: i64,
    pub known_at: i64,
    pub agent_id: Option<String>,
    pub symbol: Option<String>,
    pub regime: Option<String>,
    pub expires_at: Option<i64>,
    pub importance: f64,
    pub confidence: Option<f64>,
    pub text: Option<String>,
    pub embeddings: Vec<(String, Embedding)>,
    pub attributes: Vec<(String, Attribute)>,
    pub payload: Option<Vec<u8>>,
    pub outcome: Option<Outcome>,
    pub tags: Vec<String>,
    pub writer: String,
    pub source: Option<String>,
    pub trust: f64,
    pub parents: Vec<String>,
    pub recorded_at: i64,
    pub commit: u64,
    pub version: u32,
}

impl Record {
    /// Check every scalar field (namespaces and embeddings are checked by the store).
    pub(crate) fn validate(&self) -> Result<()> {
        if !self.id.is_empty() {
            validate_id(&self.id)?;
        }
        if self.kind.is_empty() || self.kind.len() > 128 {
            return value_error(format!("kind has {} bytes; use 1 to 128", self.kind.len()));
        }
        unit_interval("confidence", self.confidence.unwrap_or(0.0))?;
        unit_interval("trust", self.trust)?;
        if !(self.importance.is_finite() && self.importance >= 0.0) {
            return value_error(format!("importance is {}; use a finite number >= 0", self.importance));
        }
        for (name, attribute) in &self.attributes {
            if matches!(attribute, Attribute::Number(x) if !x.is_finite()) {
                return value_error(format!("attribute {name:?} is not finite; leave it out where it is unknown"));
            }
        }
        self.outcome.as_ref().map_or(Ok(()), validate_outcome)
    }
}

pub(crate) fn validate_outcome(outcome: &Outcome) -> Result<()> {
    if outcome.reward.is_finite() {
        return Ok(());
    }
    value_error(format!("reward is {}; use a finite number", outcome.reward))
}

fn unit_interval(field: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    value_error(format!("{field} is {value}; use a number from 0 to 1"))
}

pub(crate) fn validate_id(id: &str) -> Result<()> {
    if (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    value_error(format!(
        "id {:?} is not usable; use 1 to 128 printable ASCII characters without spaces, or leave it empty",
        id.chars().take(140).collect::<String>()
    ))
}

/// What filters, ranking and versions need; the catalogue in memory is built from these rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta<S = String> {
    pub namespace: S,
    pub kind: S,
    pub agent_id: Option<S>,
    pub symbol: Option<S>,
    pub regime: Option<S>,
    pub writer: S,
    pub event_time: i64,
    pub known_at: i64,
    pub recorded_at: i64,
    /// The known-at of the outcome where there is one, else of the record.
    pub visible_at: i64,
    pub expires_at: Option<i64>,
    pub commit: u64,
    pub version: u32,
    pub importance: f64,
    pub confidence: Option<f64>,
    pub trust: f64,
    pub outcome: Option<MetaOutcome>,
    pub tags: Vec<S>,
    pub attributes: Vec<(S, Attribute<S>)>,
    /// Space and the version whose row holds the vector.
    pub embeddings: Vec<(S, u32)>,
    /// The version whose row holds text and payload; `None` where there is neither.
    pub body: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct MetaOutcome {
    pub reward: f64,
    pub known_at: i64,
    pub has_payload: bool,
}

/// What only a reader of the whole record needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub text: Option<String>,
    pub source: Option<String>,
    pub parents: Vec<String>,
    #[serde(with = "serde_bytes_option")]
    pub payload: Option<Vec<u8>>,
}

/// `Vec<u8>` as one byte string rather than an array of numbers.
mod serde_bytes_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    struct Bytes(Vec<u8>);

    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Bytes {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Bytes;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a byte string")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Visitor)
        }
    }

    #[allow(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub fn serialize<S: Serializer>(value: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|bytes| Bytes(bytes.clone())).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec(value).map_err(|error| Error::Internal(format!("a row cannot be encoded: {error}")))
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T> {
    rmp_serde::from_slice(bytes)
        .map_err(|error| Error::Corruption(format!("a {what} row cannot be decoded ({error}); restore a backup")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body() -> impl Strategy<Value = Body> {
        let payload = proptest::option::of(any::<Vec<u8>>());
        (proptest::option::of(".{0,20}"), proptest::collection::vec(".{0,9}", 0..3), payload)
            .prop_map(|(text, parents, payload)| Body { text, source: None, parents, payload })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_row_or_an_error(bytes: Vec<u8>) {
            let _ = (decode::<Meta<&str>>(&bytes, "meta"), decode::<Body>(&bytes, "body"));
        }

        #[test]
        fn a_row_with_changed_bytes_is_a_row_or_an_error(body in body(), changes: Vec<(usize, u8)>) {
            let mut bytes = encode(&body).unwrap();
            prop_assert_eq!(&decode::<Body>(&bytes, "body").unwrap(), &body);
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let _ = (decode::<Meta>(&bytes, "meta"), decode::<Body>(&bytes, "body"));
        }
    }

    #[test]
    fn a_row_that_claims_four_billion_items_is_an_error() {
        for head in [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"]
        {
            assert!(decode::<Meta>(head, "meta").is_err());
            assert!(decode::<Body>(&[b"\x94\xc0\xc0\x90", head.as_slice()].concat(), "body").is_err());
        }
    }
}
