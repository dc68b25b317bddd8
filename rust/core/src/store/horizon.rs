//! What can be asked: bounds on time and commits, and the horizons that retention sets.

use super::Shared;
use super::ops::RecordedBy;
use super::state::NamespaceState;
use crate::catalog::Bound;
use crate::error::{Error, Result};
use crate::namespace::Namespace;

pub(crate) fn bound(as_of: i64, recorded_by: RecordedBy) -> Bound {
    let (recorded_by, commit) = match recorded_by {
        RecordedBy::Now => (i64::MAX, u64::MAX),
        RecordedBy::Time(time) => (time, u64::MAX),
        RecordedBy::Commit(commit) => (i64::MAX, commit),
    };
    Bound { as_of, recorded_by, commit }
}

/// Check a question against every configured namespace at or below a prefix.
pub(crate) fn check_scope(
    shared: &Shared,
    prefix: Option<&str>,
    within: Option<&[String]>,
    now: i64,
    at: i64,
    recorded_by: RecordedBy,
) -> Result<()> {
    let in_scope = |name: &str| {
        prefix.is_none_or(|prefix| Namespace::has_prefix(name, prefix))
            && within.is_none_or(|within| within.iter().any(|bound| Namespace::has_prefix(name, bound)))
    };
    let mut scope: Vec<_> = shared.namespaces.iter().filter(|(name, _)| in_scope(name)).collect();
    // The latest horizon decides, so that the error names a time that can be asked for.
    scope.sort_by_key(|(name, state)| (std::cmp::Reverse(state.horizon_at(now)), name.as_str()));
    for (name, state) in scope {
        check_horizon(name, state, now, at)?;
        check_recorded_by(shared, name, state, now, recorded_by)?;
    }
    Ok(())
}

pub(crate) fn check_horizon(namespace: &str, state: &NamespaceState, now: i64, at: i64) -> Result<()> {
    match state.horizon_at(now) {
        Some(horizon) if at < horizon => Err(Error::Horizon {
            message: format!(
                "{namespace:?} has been kept from {horizon} (us) on; {at} lies before: ask at or after the horizon, or raise the retention earlier next time"
            ),
            horizon,
        }),
        _ => Ok(()),
    }
}

/// Check a question for a key's former value: history begins when it is switched on.
pub(crate) fn check_history(namespace: &str, state: &NamespaceState, now: i64, at: i64) -> Result<()> {
    check_horizon(namespace, state, now, at)?;
    match state.history_since {
        Some(since) if at < since => Err(Error::Horizon {
            message: format!(
                "{namespace:?} has kept the history of its keys from {since} (us) on; {at} lies before: ask at or after it"
            ),
            horizon: since,
        }),
        _ => Ok(()),
    }
}

pub(crate) fn check_recorded_by(
    shared: &Shared,
    namespace: &str,
    state: &NamespaceState,
    now: i64,
    recorded_by: RecordedBy,
) -> Result<()> {
    let Some(horizon) = state.horizon_at(now) else { return Ok(()) };
    let commit = match recorded_by {
        RecordedBy::Now => return Ok(()),
        RecordedBy::Time(time) => return check_horizon(namespace, state, now, time),
        RecordedBy::Commit(commit) => commit,
    };
    let first = state.commit.max(shared.catalog.greatest_commit(namespace, horizon));
    if commit >= first {
        return Ok(());
    }
    Err(Error::Horizon {
        message: format!(
            "{namespace:?} can be asked as recorded by commit {first} or later; {commit} lies before its horizon"
        ),
        horizon,
    })
}
