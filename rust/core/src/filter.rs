//! Filters: a tree of tests, compiled against the catalogue's strings.

#![allow(clippy::cast_precision_loss, reason = "numbers are compared as doubles, as the specification says")]

use roaring::RoaringBitmap;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, NEVER, NONE, Profile, Symbol, Value, Version};
use crate::error::{Result, value_error};
use crate::namespace::Namespace;

/// A filter as it is given and logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Every part holds; true without parts.
    And(Vec<Filter>),
    /// Some part holds; false without parts.
    Or(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// A test of one field.
    Test {
        /// `kind`, `agent_id`, ..., `attributes.NAME`.
        field: String,
        /// How to compare.
        op: Op,
        /// With what.
        value: Operand,
    },
}

/// Comparison of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Op {
    Eq,
    Ne,
    In,
    NotIn,
    Contains,
    Gt,
    Ge,
    Lt,
    Le,
    Between,
}

/// Right-hand side of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Operand {
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Operand>),
}

/// A filter with strings replaced by their numbers.
pub(crate) enum Compiled {
    And(Vec<Compiled>),
    Or(Vec<Compiled>),
    Not(Box<Compiled>),
    Test(Field, Test),
}

#[derive(Clone, Copy)]
pub(crate) enum Field {
    Kind,
    AgentId,
    Symbol,
    Regime,
    Namespace,
    Writer,
    Tags,
    EventTime,
    KnownAt,
    RecordedAt,
    VisibleAt,
    ExpiresAt,
    Importance,
    Confidence,
    Reward,
    Attribute(Symbol),
}

pub(crate) enum Test {
    /// One of these words or numbers.
    Among(Vec<Symbol>, Vec<f64>),
    /// Text that holds this part, or a list that holds this word or number.
    Holds(String, Vec<Symbol>),
    /// Between two bounds, each inclusive or not.
    Range {
        low: f64,
        high: f64,
        open_low: bool,
        open_high: bool,
    },
    /// The same for times, which are exact integers.
    Times {
        low: i64,
        high: i64,
    },
    Never,
}

/// Deepest nesting of an encoded filter, so that none is too deep for a stack.
const MAX_DEPTH: usize = 128;

impl Filter {
    /// Read a filter that is encoded as `MessagePack`, with the names of its fields.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for bytes that are none, or one nested too deep.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
        reader.set_max_depth(MAX_DEPTH);
        // An enum does not count as a level, so the levels are counted before.
        let tree = IgnoredAny::deserialize(&mut reader).and_then(|_| rmp_serde::from_slice(bytes));
        tree.or_else(|error| {
            value_error(format!("the filter's tree is not well formed ({error}); build it with Filter"))
        })
    }

    pub(crate) fn compile(&self, catalog: &Catalog) -> Result<Compiled> {
        let all = |parts: &[Self]| parts.iter().map(|part| part.compile(catalog)).collect::<Result<Vec<_>>>();
        Ok(match self {
            Self::And(parts) => Compiled::And(all(parts)?),
            Self::Or(parts) => Compiled::Or(all(parts)?),
            Self::Not(part) => Compiled::Not(Box::new(part.compile(catalog)?)),
            Self::Test { field, op: Op::Ne, value } => negate(catalog, field, Op::Eq, value)?,
            Self::Test { field, op: Op::NotIn, value } => negate(catalog, field, Op::In, value)?,
            Self::Test { field, op, value } => test(catalog, field, *op, value)?,
        })
    }
}

fn negate(catalog: &Catalog, field: &str, op: Op, value: &Operand) -> Result<Compiled> {
    Ok(Compiled::Not(Box::new(test(catalog, field, op, value)?)))
}

fn test(catalog: &Catalog, name: &str, op: Op, value: &Operand) -> Result<Compiled> {
    let field = Field::parse(catalog, name)?;
    let test = match op {
        Op::Eq | Op::Ne => among(catalog, field, std::slice::from_ref(value)),
        Op::In | Op::NotIn => among(catalog, field, list(name, value)?),
        Op::Contains => match value {
            Operand::Text(part) => Test::Holds(part.clone(), catalog.names.number(part).into_iter().collect()),
            _ => Test::Never,
        },
        Op::Gt | Op::Ge | Op::Lt | Op::Le => {
            let bound = std::slice::from_ref(value);
            match op {
                Op::Gt => range(field, bound, &[], true),
                Op::Ge => range(field, bound, &[], false),
                Op::Lt => range(field, &[], bound, true),
                _ => range(field, &[], bound, false),
            }
        }
        Op::Between => match list(name, value)? {
            [low, high] => range(field, std::slice::from_ref(low), std::slice::from_ref(high), false),
            other => {
                return value_error(format!("between on {name:?} has {} bounds; give two", other.len()));
            }
        },
    };
    Ok(Compiled::Test(field, test))
}

fn list<'a>(name: &str, value: &'a Operand) -> Result<&'a [Operand]> {
    match value {
        Operand::List(values) => Ok(values),
        _ => value_error(format!("the filter on {name:?} needs a list of values")),
    }
}

fn among(catalog: &Catalog, field: Field, values: &[Operand]) -> Test {
    let mut symbols = Vec::new();
    let mut numbers = Vec::new();
    for value in values {
        match value {
            Operand::Text(text) if matches!(field, Field::Namespace) => symbols.extend(
                catalog.namespaces.iter().filter(|(_, name)| Namespace::has_prefix(name, text)).map(|(id, _)| id),
            ),
            Operand::Text(text) => symbols.extend(catalog.names.number(text)),
            Operand::Integer(number) => numbers.push(*number as f64),
            Operand::Number(number) => numbers.push(*number),
            Operand::List(_) => {}
        }
    }
    Test::Among(symbols, numbers)
}

/// At most one bound a side; `open` leaves the given bound itself out.
fn range(field: Field, low: &[Operand], high: &[Operand], open: bool) -> Test {
    if field.is_time() {
        let time = |bound: &[Operand], default| match bound {
            [] => Some(default),
            [Operand::Integer(time)] => Some(*time),
            _ => None,
        };
        let (Some(mut from), Some(mut to)) = (time(low, i64::MIN), time(high, i64::MAX)) else { return Test::Never };
        if open && !low.is_empty() {
            from = from.saturating_add(1);
        }
        if open && !high.is_empty() {
            to = to.saturating_sub(1);
        }
        return Test::Times { low: from, high: to };
    }
    let number = |bound: &[Operand], default| match bound {
        [] => Some(default),
        [Operand::Integer(number)] => Some(*number as f64),
        [Operand::Number(number)] => Some(*number),
        _ => None,
    };
    match (number(low, f64::NEG_INFINITY), number(high, f64::INFINITY)) {
        (Some(from), Some(to)) => {
            Test::Range { low: from, high: to, open_low: open && !low.is_empty(), open_high: open && !high.is_empty() }
        }
        _ => Test::Never,
    }
}

impl Field {
    fn parse(catalog: &Catalog, name: &str) -> Result<Self> {
        Ok(match name {
            "kind" => Self::Kind,
            "agent_id" => Self::AgentId,
            "symbol" => Self::Symbol,
            "regime" => Self::Regime,
            "namespace" => Self::Namespace,
            "writer" => Self::Writer,
            "tags" => Self::Tags,
            "event_time" => Self::EventTime,
            "known_at" => Self::KnownAt,
            "recorded_at" => Self::RecordedAt,
            "visible_at" => Self::VisibleAt,
            "expires_at" => Self::ExpiresAt,
            "importance" => Self::Importance,
            "confidence" => Self::Confidence,
            "reward" => Self::Reward,
            _ => match name.strip_prefix("attributes.") {
                Some(attribute) => Self::Attribute(catalog.names.number(attribute).unwrap_or(NONE)),
                None => {
                    return value_error(format!(
                        "there is no field {name:?} to filter on; use kind, agent_id, symbol, regime, namespace, \
                         writer, tags, event_time, known_at, recorded_at, visible_at, expires_at, importance, \
                         confidence, reward or attributes.NAME"
                    ));
                }
            },
        })
    }

    fn is_time(self) -> bool {
        matches!(self, Self::EventTime | Self::KnownAt | Self::RecordedAt | Self::VisibleAt | Self::ExpiresAt)
    }

    /// The field of a version, borrowed in the shape that tests compare.
    fn read(self, version: Version<'_>) -> Read<'_> {
        let number = |number: f64| if number.is_nan() { Read::Missing } else { Read::Number(number) };
        match self {
            Self::EventTime => Read::Time(version.event_time()),
            Self::KnownAt => Read::Time(version.known_at()),
            Self::RecordedAt => Read::Time(version.recorded_at()),
            Self::VisibleAt => Read::Time(version.visible_at()),
            Self::ExpiresAt if version.expires_at() == NEVER => Read::Missing,
            Self::ExpiresAt => Read::Time(version.expires_at()),
            Self::Importance => number(version.importance()),
            Self::Confidence => number(version.confidence()),
            Self::Reward => number(version.reward()),
            Self::Attribute(name) => match version.attribute(name) {
                Some(Value::Text(text)) => Read::Word(text),
                Some(Value::Number(value)) => Read::Number(value),
                Some(Value::List(words)) => Read::Words(words),
                None => Read::Missing,
            },
            _ => self.read_profile(version.profile()).unwrap_or(Read::Missing),
        }
    }

    /// The field where it is one of the profile's.
    fn read_profile(self, profile: &Profile) -> Option<Read<'_>> {
        let word = |symbol: Symbol| if symbol == NONE { Read::Missing } else { Read::Word(symbol) };
        Some(match self {
            Self::Kind => word(profile.kind),
            Self::AgentId => word(profile.agent_id),
            Self::Symbol => word(profile.symbol),
            Self::Regime => word(profile.regime),
            Self::Namespace => word(profile.namespace),
            Self::Writer => word(profile.writer),
            Self::Tags => Read::Words(&profile.tags),
            _ => return None,
        })
    }
}

enum Read<'a> {
    Missing,
    Word(Symbol),
    Words(&'a [Symbol]),
    Number(f64),
    Time(i64),
}

impl Compiled {
    pub(crate) fn holds(&self, version: Version<'_>, catalog: &Catalog) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(version, catalog)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(version, catalog)),
            Self::Not(part) => !part.holds(version, catalog),
            Self::Test(field, test) => test.holds(*field, &field.read(version), catalog),
        }
    }

    /// Records among which are all that it can hold for, where attributes say so.
    pub(crate) fn records(&self, catalog: &Catalog) -> Option<RoaringBitmap> {
        match self {
            Self::And(parts) => parts.iter().filter_map(|part| part.records(catalog)).reduce(|a, b| a & b),
            Self::Or(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(|part| part.records(catalog)).collect();
                all?.into_iter().reduce(|a, b| a | b)
            }
            Self::Test(Field::Attribute(name), Test::Among(words, numbers)) if numbers.is_empty() => {
                Some(catalog.with_words(*name, words))
            }
            _ => None,
        }
    }

    /// Whether it holds for every version with a profile, or for none; `None` where that depends on
    /// the version.
    pub(crate) fn holds_for(&self, profile: &Profile, catalog: &Catalog) -> Option<bool> {
        match self {
            Self::And(parts) => decided(parts, false, profile, catalog),
            Self::Or(parts) => decided(parts, true, profile, catalog),
            Self::Not(part) => part.holds_for(profile, catalog).map(|holds| !holds),
            Self::Test(field, test) => Some(test.holds(*field, &field.read_profile(profile)?, catalog)),
        }
    }
}

/// `decisive` where one part is, its opposite where all parts are, else open.
fn decided(parts: &[Compiled], decisive: bool, profile: &Profile, catalog: &Catalog) -> Option<bool> {
    let mut all = Some(!decisive);
    for part in parts {
        match part.holds_for(profile, catalog) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

impl Test {
    fn holds(&self, field: Field, read: &Read<'_>, catalog: &Catalog) -> bool {
        match (self, read) {
            (Self::Among(words, _), Read::Word(word)) => words.contains(word),
            (Self::Among(wanted, _) | Self::Holds(_, wanted), Read::Words(words)) => {
                words.iter().any(|word| wanted.contains(word))
            }
            (Self::Among(_, numbers), Read::Number(number)) => numbers.contains(number),
            (Self::Among(_, numbers), Read::Time(time)) => numbers.contains(&(*time as f64)),
            (Self::Holds(part, _), Read::Word(word)) => {
                let names = if matches!(field, Field::Namespace) { &catalog.namespaces } else { &catalog.names };
                names.name(*word).contains(part.as_str())
            }
            (Self::Range { low, high, open_low, open_high }, Read::Number(number)) => {
                (if *open_low { number > low } else { number >= low })
                    && (if *open_high { number < high } else { number <= high })
            }
            (Self::Times { low, high }, Read::Time(time)) => (low..=high).contains(&time),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree() -> impl Strategy<Value = Filter> {
        let value = prop_oneof![any::<i64>().prop_map(Operand::Integer), ".{0,9}".prop_map(Operand::Text)];
        let test = (".{0,9}", value).prop_map(|(field, value)| Filter::Test { field, op: Op::Eq, value });
        test.prop_recursive(6, 20, 3, |part| {
            prop_oneof![
                part.clone().prop_map(|part| Filter::Not(Box::new(part))),
                proptest::collection::vec(part, 0..3).prop_map(Filter::And),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_filter_or_an_error(bytes: Vec<u8>) {
            let _ = Filter::decode(&bytes);
        }

        #[test]
        fn a_filter_with_changed_bytes_is_a_filter_or_an_error(tree in tree(), changes: Vec<(usize, u8)>) {
            let mut bytes = rmp_serde::to_vec_named(&tree).unwrap();
            prop_assert_eq!(&Filter::decode(&bytes).unwrap(), &tree);
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            if let Ok(filter) = Filter::decode(&bytes) {
                let _ = filter.compile(&Catalog::default());
            }
        }
    }

    #[test]
    fn a_filter_too_deep_for_the_stack_is_an_error() {
        let bytes = b"\x81\xa3not".repeat(1_000_000);
        assert!(Filter::decode(&bytes).is_err());
    }
}
