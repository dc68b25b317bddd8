//! The log of recalls.  An entry may say what was asked; it is kept as long as that can be asked again.

use super::horizon::check_scope;
use super::ops::RecordedBy;
use super::plan::Staged;
use super::sweep::MAX_WORK;
use super::{Inner, Store};
use crate::error::Result;
use crate::keys;
use crate::namespace::Namespace;
use crate::record::validate_id;

/// The scope of a recall that named no namespace.
const EVERYWHERE: &str = "";

impl Store {
    /// Queue a recall's log entry; it goes with the next group.
    ///
    /// With `as_of` it is kept until the horizon of a namespace within `namespace` (all of them
    /// without one) has passed that time; else for ever.
    ///
    /// # Errors
    /// [`crate::Error::Value`] and [`crate::Error::Namespace`] for an id and a name that are not well
    /// formed; for a store that cannot be used.
    pub fn log_recall(
        &self,
        id: &str,
        entry: &[u8],
        as_of: Option<i64>,
        namespace: Option<&str>,
        agent: Option<&str>,
    ) -> Result<()> {
        self.inner.ensure_usable()?;
        validate_id(id)?;
        namespace.map_or(Ok(()), Namespace::validate)?;
        let found_by = as_of.map(|as_of| keys::recalled(namespace.unwrap_or(EVERYWHERE), as_of, id));
        self.inner.queue.log(id, joined(&found_by.unwrap_or_default(), &signed(agent, entry)))
    }

    /// A logged recall and the agent that logged it, as long as what it asked can be asked; waits for those
    /// still queued.
    ///
    /// # Errors
    /// The engine's failure.
    pub fn recall_log(&self, id: &str) -> Result<Option<(Option<String>, Vec<u8>)>> {
        self.flush()?.wait()?;
        let Some(row) = self.inner.row(&keys::named(keys::RECALL, id))? else { return Ok(None) };
        let (found_by, entry) = split(&row);
        let now = self.inner.now();
        let is_erased = keys::parse_recalled(found_by).is_some_and(|(namespace, as_of, _)| {
            let scope = Some(namespace).filter(|namespace| *namespace != EVERYWHERE);
            check_scope(&self.inner.shared.read(), scope, None, now, as_of, RecordedBy::Now).is_err()
        });
        let (agent, entry) = unsigned(entry);
        Ok((!is_erased).then(|| (agent.map(str::to_owned), entry.to_vec())))
    }
}

/// A row of the log: the row that finds it by its time, its length first, and the entry.
fn joined(found_by: &[u8], entry: &[u8]) -> Vec<u8> {
    // A namespace and an id are short.
    let length = u16::try_from(found_by.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, found_by, entry].concat()
}

/// What [`joined`] joined; a row of an older store is all entry.
pub(super) fn split(row: &[u8]) -> (&[u8], &[u8]) {
    let parts = row.split_first_chunk::<2>();
    let parts = parts.and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
    let is_ours = |(found_by, _): &(&[u8], &[u8])| found_by.first().is_none_or(|table| *table == keys::RECALLED);
    parts.filter(is_ours).unwrap_or((&[], row))
}

/// An entry with the agent that logged it in front; `MessagePack` never begins with this byte.
const SIGNED: u8 = 0xc1;

fn signed(agent: Option<&str>, entry: &[u8]) -> Vec<u8> {
    let Some(agent) = agent else { return entry.to_vec() };
    // An id is a segment of a namespace, and short.
    let length = u16::try_from(agent.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[SIGNED], &length[..], agent.as_bytes(), entry].concat()
}

fn unsigned(entry: &[u8]) -> (Option<&str>, &[u8]) {
    let parts = entry.strip_prefix(&[SIGNED]).and_then(|rest| {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (agent, entry) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some((std::str::from_utf8(agent).ok()?, entry))
    });
    parts.map_or((None, entry), |(agent, entry)| (Some(agent), entry))
}

/// Add an entry to a group.
pub(super) fn stage(inner: &Inner, staged: &mut Staged, id: &str, row: &[u8]) -> Result<()> {
    let key = keys::named(keys::RECALL, id);
    let before = match staged.rows.get(&key) {
        Some(row) => row.as_ref().map(|row| row.bytes().into_owned()),
        None => inner.row(&key)?,
    };
    let logged_by = |row: &[u8]| unsigned(split(row).1).0.map(str::to_owned);
    let by = logged_by(row);
    // An agent replaces nobody's entry but its own.
    if by.is_some() && before.as_ref().is_some_and(|before| logged_by(before) != by) {
        return Ok(());
    }
    let is_new = before.is_none();
    staged.counts.recalls += i64::from(is_new);
    let (found_by, _) = split(row);
    if !found_by.is_empty() {
        staged.rows.insert(found_by.to_vec(), Some(Vec::new().into()));
    }
    staged.rows.insert(key, Some(row.to_vec().into()));
    Ok(())
}

/// Erase the entries that asked a namespace, or one above it, as of a time before its horizon.
pub(super) fn erase(inner: &Inner, namespace: &str, horizon: i64, staged: &Staged, work: &mut Staged) -> Result<()> {
    for found_by in behind(inner, namespace, horizon)? {
        let Some((_, _, id)) = keys::parse_recalled(&found_by) else { continue };
        let key = keys::named(keys::RECALL, id);
        if staged.rows.contains_key(&key) {
            continue;
        }
        // A later entry of the same id may have asked something else.
        if inner.row(&key)?.is_some_and(|row| split(&row).0 == found_by) {
            work.rows.insert(key, None);
            work.counts.recalls -= 1;
        }
        work.rows.insert(found_by, None);
    }
    Ok(())
}

fn behind(inner: &Inner, namespace: &str, horizon: i64) -> Result<Vec<Vec<u8>>> {
    let above = namespace.match_indices('/').map(|(at, _)| &namespace[..at]);
    let mut rows = Vec::new();
    for scope in [EVERYWHERE, namespace].into_iter().chain(above) {
        if rows.len() >= MAX_WORK {
            break;
        }
        let start = keys::in_namespace(keys::RECALLED, scope);
        let end = keys::recalled(scope, horizon, "");
        inner.cold(|cold| {
            cold.scan(&start, &end, &mut |row, _| {
                rows.push(row.to_vec());
                Ok(rows.len() < MAX_WORK)
            })
        })?;
    }
    Ok(rows)
}
