//! Erasing what nobody can see any more: expired values, and what retention
//! has put behind a namespace's horizon, logged recalls too.  Reads check the horizon themselves,
//! so when this runs is nobody's business but the disk's.

use std::collections::{HashMap, HashSet};

use super::plan::{Effect, Staged, split_value};
use super::state::NamespaceState;
use super::{Inner, Shared, recalls};
use crate::catalog::{Catalog, Entry, Version};
use crate::error::Result;
use crate::record::{self, Meta};
use crate::{frame, keys};

/// Rows or records that one pass takes on, so that no commit waits long.
pub(super) const MAX_WORK: usize = 4096;
/// A namespace is looked at again after this part of its retention.
const PARTS: i64 = 16;

/// When each namespace is to be looked at again.
pub(crate) type Due = HashMap<String, i64>;

/// Add to a group what can be erased at `now`.
pub(crate) fn sweep(inner: &Inner, due: &mut Due, staged: &mut Staged, now: i64) -> Result<()> {
    if staged.rows.is_empty() {
        return Ok(());
    }
    expire_values(inner, staged, now)?;
    let shared = inner.shared.read();
    for (name, state) in &shared.namespaces {
        let Some((retention, horizon)) = state.options.retention.zip(state.horizon_at(now)) else { continue };
        if staged.namespaces.contains_key(name) || due.get(name).is_some_and(|due| now < *due) {
            continue;
        }
        let mut work = Staged::default();
        erase_records(inner, &shared, name, horizon, staged, &mut work)?;
        erase_history(inner, name, horizon, &mut work)?;
        recalls::erase(inner, name, horizon, staged, &mut work)?;
        let is_cut = work.effects.len().max(work.rows.len()) >= MAX_WORK;
        due.insert(name.clone(), if is_cut { now } else { now.saturating_add(retention / PARTS) });
        if !work.rows.is_empty() {
            raise_horizon(&shared.catalog, name, state, horizon, &mut work)?;
            staged.merge(work);
        }
    }
    Ok(())
}

fn expire_values(inner: &Inner, staged: &mut Staged, now: i64) -> Result<()> {
    let mut expired = Vec::new();
    let end = keys::expiry(now.saturating_add(1), "", "");
    inner.cold(|cold| {
        cold.scan(&[keys::EXPIRY], &end, &mut |row, _| {
            expired.push(row.to_vec());
            Ok(expired.len() < MAX_WORK)
        })
    })?;
    for row in expired {
        if let Some((time, namespace, key)) = keys::parse_expiry(&row) {
            let value_key = keys::value(namespace, key);
            if !staged.rows.contains_key(&value_key) && holds_expiry(inner, &value_key, time)? {
                staged.rows.insert(value_key, None);
                staged.counts.values -= 1;
            }
        }
        staged.rows.entry(row).or_insert(None);
    }
    Ok(())
}

/// Whether a value still has this expiry (a later put may have given it another).
fn holds_expiry(inner: &Inner, value_key: &[u8], time: i64) -> Result<bool> {
    let Some(row) = inner.row(value_key)? else { return Ok(false) };
    Ok(split_value(&row).is_some_and(|(expires_at, _)| expires_at == time))
}

fn erase_records(
    inner: &Inner,
    shared: &Shared,
    namespace: &str,
    horizon: i64,
    staged: &Staged,
    work: &mut Staged,
) -> Result<()> {
    let Some(symbol) = shared.catalog.namespaces.number(namespace) else { return Ok(()) };
    for entry in shared.catalog.entries().filter(|entry| entry.latest().profile().namespace == symbol) {
        let erasable = erasable(entry, horizon);
        let id = entry.id();
        if erasable.is_empty() || staged.concerns(&id) {
            continue;
        }
        let numbers = entry.versions().map(Version::number);
        let kept: Vec<u32> = numbers.filter(|number| !erasable.contains(number)).collect();
        erase_versions(work, &id, &erasable, &kept, &|number| stored_meta(inner, &id, number))?;
        if kept.is_empty() && entry.forgotten() {
            erase_tombstone(work, &id);
        }
        work.effects.push(Effect::Erase(id.to_string(), erasable));
        if work.effects.len() >= MAX_WORK {
            break;
        }
    }
    Ok(())
}

fn stored_meta(inner: &Inner, id: &str, number: u32) -> Result<Option<Meta>> {
    let row = inner.row(&keys::version(keys::META, id, number))?;
    inner.placed(row.map(|row| record::decode(&row, "version")).transpose())
}

/// Versions that no question at or after the horizon can be answered with.  What was recorded after
/// the horizon waits: its commit still counts in what can be asked.
fn erasable(entry: Entry<'_>, horizon: i64) -> Vec<u32> {
    let is_old = |version: &Version<'_>| version.recorded_at() < horizon;
    if entry.is_erased(horizon) {
        let all_old = entry.versions().all(|version| is_old(&version));
        return if all_old { entry.versions().map(Version::number).collect() } else { Vec::new() };
    }
    // What the horizon shows stays, even expired: it hides versions that are written late with an
    // early known-at.  The highest number stays, so that none is given twice.
    let highest = entry.versions().map(Version::number).max();
    let later = |version: &Version<'_>| version.visible_at() > horizon || !is_old(version);
    let replaced = entry.versions().skip_while(later).skip(1).filter(is_old).map(Version::number);
    replaced.filter(|number| Some(*number) != highest).collect()
}

/// Remove versions, and the rows of content that only they refer to.
pub(crate) fn erase_versions(
    work: &mut Staged,
    id: &str,
    erased: &[u32],
    kept: &[u32],
    meta: &dyn Fn(u32) -> Result<Option<Meta>>,
) -> Result<()> {
    let mut needed = HashSet::new();
    for number in kept {
        needed.extend(meta(*number)?.iter().flat_map(|meta| content_rows(id, meta)));
    }
    for number in erased {
        let rows = meta(*number)?.map(|meta| content_rows(id, &meta)).unwrap_or_default();
        work.rows.extend(rows.into_iter().filter(|row| !needed.contains(row)).map(|row| (row, None)));
        work.rows.insert(keys::version(keys::META, id, *number), None);
        work.counts.versions -= 1;
    }
    Ok(())
}

/// Remove a record's tombstone.
pub(crate) fn erase_tombstone(work: &mut Staged, id: &str) {
    work.rows.insert(keys::named(keys::TOMBSTONE, id), None);
    work.counts.tombstones -= 1;
}

/// The rows of text, payloads and vectors that a version refers to; settlements share them.
pub(crate) fn content_rows(id: &str, meta: &Meta) -> Vec<Vec<u8>> {
    let body = meta.body.map(|source| keys::version(keys::BODY, id, source));
    let outcome = meta.outcome.filter(|outcome| outcome.has_payload);
    let outcome = outcome.map(|_| keys::version(keys::OUTCOME, id, meta.version));
    let vectors = meta.embeddings.iter().map(|(space, source)| keys::embedding(id, *source, space));
    body.into_iter().chain(outcome).chain(vectors).collect()
}

/// Of each key, what was replaced before the horizon.
fn erase_history(inner: &Inner, namespace: &str, horizon: i64, work: &mut Staged) -> Result<()> {
    let start = keys::in_namespace(keys::HISTORY, namespace);
    let end = keys::after_prefix(&start);
    let mut shown: Vec<u8> = Vec::new();
    let mut erasable = Vec::new();
    inner.cold(|cold| {
        cold.scan(&start, &end, &mut |row, sealed| {
            let Some((key, time)) = keys::parse_history(row) else { return Ok(true) };
            if time >= horizon {
                return Ok(true);
            }
            // Newest first: the first one before the horizon is what the horizon shows.
            let is_shown = shown != key;
            let ended = is_shown && {
                shown = key.to_vec();
                let value = frame::open(row, sealed)?;
                split_value(&value).is_none_or(|(expires_at, _)| expires_at <= horizon)
            };
            if !is_shown || ended {
                erasable.push(row.to_vec());
            }
            Ok(erasable.len() < MAX_WORK)
        })
    })?;
    work.rows.extend(erasable.into_iter().map(|row| (row, None)));
    Ok(())
}

/// Keep the horizon that rows were erased for.
fn raise_horizon(catalog: &Catalog, name: &str, state: &NamespaceState, horizon: i64, work: &mut Staged) -> Result<()> {
    let commit = state.commit.max(catalog.greatest_commit(name, horizon));
    let state = NamespaceState { horizon: Some(horizon), commit, ..state.clone() };
    work.rows.insert(keys::named(keys::NAMESPACE, name), Some(record::encode(&state)?.into()));
    work.effects.push(Effect::Namespace(name.to_owned(), state));
    Ok(())
}
