//! Keys of L3: one letter a table, then length-prefixed parts, so that
//! `("a/b", "c")` and `("a", "b/c")` never meet, then big-endian numbers.

/// Current value of a namespace and key.
pub(crate) const VALUE: u8 = b'k';
/// Earlier and current values of a namespace with history.
pub(crate) const HISTORY: u8 = b'h';
/// Keys by expiry, so that expired ones can be found without a scan.
pub(crate) const EXPIRY: u8 = b'x';
/// Filter fields of a version.
pub(crate) const META: u8 = b'r';
/// Text and payload of a version.
pub(crate) const BODY: u8 = b'b';
/// Payload of an outcome.
pub(crate) const OUTCOME: u8 = b'o';
/// Vector of a version in a space.
pub(crate) const EMBEDDING: u8 = b'e';
/// Tombstone of a record.
pub(crate) const TOMBSTONE: u8 = b't';
/// A logged recall.
pub(crate) const RECALL: u8 = b'l';
/// Logged recalls by what they asked and as of when, so that old ones can be found without a scan.
pub(crate) const RECALLED: u8 = b'a';
/// Options and horizon of a namespace.
pub(crate) const NAMESPACE: u8 = b'n';
/// The store's own state, by name.
pub(crate) const STATE: u8 = b's';

fn start(table: u8, parts: &[&str], extra: usize) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len() + 2).sum::<usize>();
    let mut key = Vec::with_capacity(1 + length + extra);
    key.push(table);
    for part in parts {
        push_part(&mut key, part);
    }
    key
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    // Namespaces, ids and keys are checked to be at most 1,031 bytes long.
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(part.as_bytes());
}

/// Prefix of all keys of a namespace in a table.
pub(crate) fn in_namespace(table: u8, namespace: &str) -> Vec<u8> {
    start(table, &[namespace], 0)
}

/// The key comes last and unprefixed, so that keys of a namespace lie in byte order.
pub(crate) fn value(namespace: &str, key: &str) -> Vec<u8> {
    let mut row = start(VALUE, &[namespace], key.len());
    row.extend_from_slice(key.as_bytes());
    row
}

/// The namespace and key of a value row.
pub(crate) fn parse_value(row: &[u8]) -> Option<(&str, &str)> {
    let (_, rest) = row.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (namespace, key) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(namespace).ok()?, std::str::from_utf8(key).ok()?))
}

pub(crate) fn history_of(namespace: &str, key: &str) -> Vec<u8> {
    start(HISTORY, &[namespace, key], 20)
}

/// Numbers are inverted, so that the newest value comes first.
pub(crate) fn history(namespace: &str, key: &str, recorded_at: i64, commit: u64, index: u32) -> Vec<u8> {
    let mut row = history_until(namespace, key, recorded_at);
    row.extend_from_slice(&(!commit).to_be_bytes());
    row.extend_from_slice(&(!index).to_be_bytes());
    row
}

/// Where the values recorded at or before a time start.
pub(crate) fn history_until(namespace: &str, key: &str, recorded_at: i64) -> Vec<u8> {
    let mut row = history_of(namespace, key);
    row.extend_from_slice(&ordered(!recorded_at));
    row
}

/// The time of a history row, and the length of what comes before it.
pub(crate) fn parse_history(row: &[u8]) -> Option<(&[u8], i64)> {
    let (key, tail) = row.split_at_checked(row.len().checked_sub(20)?)?;
    let time: [u8; 8] = tail[..8].try_into().ok()?;
    Some((key, !(i64::from_be_bytes(time) ^ i64::MIN)))
}

pub(crate) fn expiry(expires_at: i64, namespace: &str, key: &str) -> Vec<u8> {
    let mut row = vec![EXPIRY];
    row.extend_from_slice(&ordered(expires_at));
    push_part(&mut row, namespace);
    row.extend_from_slice(key.as_bytes());
    row
}

/// The time, namespace and key of an expiry row.
pub(crate) fn parse_expiry(row: &[u8]) -> Option<(i64, &str, &str)> {
    let (_, rest) = row.split_first()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (namespace, key) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let time = i64::from_be_bytes(*time) ^ i64::MIN;
    Some((time, std::str::from_utf8(namespace).ok()?, std::str::from_utf8(key).ok()?))
}

pub(crate) fn recalled(namespace: &str, as_of: i64, id: &str) -> Vec<u8> {
    let mut row = start(RECALLED, &[namespace], 8 + id.len());
    row.extend_from_slice(&ordered(as_of));
    row.extend_from_slice(id.as_bytes());
    row
}

/// The namespace, time and id of a [`RECALLED`] row.
pub(crate) fn parse_recalled(row: &[u8]) -> Option<(&str, i64, &str)> {
    let (_, rest) = row.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (namespace, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (time, id) = rest.split_first_chunk::<8>()?;
    let time = i64::from_be_bytes(*time) ^ i64::MIN;
    Some((std::str::from_utf8(namespace).ok()?, time, std::str::from_utf8(id).ok()?))
}

pub(crate) fn version(table: u8, id: &str, version: u32) -> Vec<u8> {
    let mut row = start(table, &[id], 4);
    row.extend_from_slice(&version.to_be_bytes());
    row
}

/// The id and version of a [`META`] row.
pub(crate) fn parse_version(row: &[u8]) -> Option<(&str, u32)> {
    let (_, rest) = row.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (id, version) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(id).ok()?, u32::from_be_bytes(version.try_into().ok()?)))
}

pub(crate) fn embedding(id: &str, version: u32, space: &str) -> Vec<u8> {
    let mut row = self::version(EMBEDDING, id, version);
    row.extend_from_slice(space.as_bytes());
    row
}

pub(crate) fn space_of_embedding(row: &[u8]) -> Option<&str> {
    let (length, rest) = row.get(1..)?.split_first_chunk::<2>()?;
    let space = rest.get(usize::from(u16::from_be_bytes(*length)) + size_of::<u32>()..)?;
    std::str::from_utf8(space).ok()
}

/// A row named by one string: a tombstone, a logged recall, a namespace, a piece of state.
pub(crate) fn named(table: u8, name: &str) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + name.len());
    row.push(table);
    row.extend_from_slice(name.as_bytes());
    row
}

/// The first key after all that start with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; 8]
}

/// Signed numbers in byte order.
pub(crate) fn ordered(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn value_keys_of_different_pairs_never_meet(a in "[ab/]{0,6}", b in "[ab/]{0,6}", c in "[ab/]{0,6}", d in "[ab/]{0,6}") {
            prop_assert_eq!(value(&a, &b) == value(&c, &d), (a, b) == (c, d));
        }

        #[test]
        fn ordered_numbers_sort_as_bytes(a: i64, b: i64) {
            prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.cmp(&b));
        }

        #[test]
        fn value_and_expiry_rows_parse_back(time: i64, key in ".{1,20}") {
            let row = value("a/b", &key);
            prop_assert_eq!(parse_value(&row), Some(("a/b", key.as_str())));
            let row = expiry(time, "a/b", &key);
            prop_assert_eq!(parse_expiry(&row), Some((time, "a/b", key.as_str())));
            let row = recalled("a/b", time, &key);
            prop_assert_eq!(parse_recalled(&row), Some(("a/b", time, key.as_str())));
        }

        #[test]
        fn any_bytes_can_be_parsed(row in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_value(&row), parse_expiry(&row), parse_recalled(&row));
            let _ = (parse_history(&row), parse_version(&row));
        }

        #[test]
        fn history_and_version_rows_parse_back(time: i64, commit: u64, number: u32, key in ".{1,20}") {
            let row = history("a/b", &key, time, commit, number);
            let of = history_of("a/b", &key);
            prop_assert_eq!(parse_history(&row), Some((of.as_slice(), time)));
            let row = version(META, &key, number);
            prop_assert_eq!(parse_version(&row), Some((key.as_str(), number)));
        }

        #[test]
        fn prefix_end_bounds_exactly_the_prefix(prefix in proptest::collection::vec(any::<u8>(), 1..4), rest in proptest::collection::vec(any::<u8>(), 0..4)) {
            let end = after_prefix(&prefix);
            let inside = [prefix.clone(), rest].concat();
            prop_assert!(prefix.iter().all(|byte| *byte == u8::MAX) || inside < end);
        }
    }
}
