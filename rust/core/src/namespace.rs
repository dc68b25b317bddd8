//! Namespaces: paths of 1 to 8 segments, `swarm/<agent-id>/**` belonging to that agent.

use crate::error::{Error, Result};

const MAX_SEGMENTS: usize = 8;
const MAX_SEGMENT: usize = 128;
/// Longest key in bytes.
pub const MAX_KEY: usize = 1024;
const SWARM: &str = "swarm/";

/// Helpers over namespace paths; the rules are the ones that every call checks.
#[derive(Debug, Clone, Copy)]
pub struct Namespace;

impl Namespace {
    /// Check a namespace.
    ///
    /// # Errors
    /// [`Error::Namespace`] that names the offending segment.
    pub fn validate(namespace: &str) -> Result<()> {
        if namespace.split('/').count() > MAX_SEGMENTS {
            return Err(Error::Namespace(format!(
                "namespace {namespace:?} has more than {MAX_SEGMENTS} segments; join the last ones with '-' or '.'"
            )));
        }
        namespace.split('/').try_for_each(|segment| validate_segment(namespace, segment))
    }

    /// Split a valid namespace into its segments.
    ///
    /// # Errors
    /// [`Error::Namespace`] for one that is not valid.
    pub fn parse(namespace: &str) -> Result<Vec<&str>> {
        Self::validate(namespace)?;
        Ok(namespace.split('/').collect())
    }

    /// Build `swarm/<agent-id>/<segments...>`.
    ///
    /// # Errors
    /// [`Error::Namespace`] where the result would not be valid.
    pub fn build(agent_id: &str, segments: &[&str]) -> Result<String> {
        let mut namespace = Self::agent_prefix(agent_id)?;
        for segment in segments {
            namespace.push('/');
            namespace.push_str(segment);
        }
        Self::validate(&namespace)?;
        Ok(namespace)
    }

    /// `swarm/<agent-id>`, under which all that the agent owns lies.
    ///
    /// # Errors
    /// [`Error::Namespace`] for an agent id that is not one segment.
    pub fn agent_prefix(agent_id: &str) -> Result<String> {
        validate_segment(agent_id, agent_id)?;
        Ok(format!("{SWARM}{agent_id}"))
    }

    /// The agent that owns a namespace, if any does.
    #[must_use]
    pub fn extract_agent_id(namespace: &str) -> Option<&str> {
        let rest = namespace.strip_prefix(SWARM)?;
        rest.split('/').next().filter(|agent| !agent.is_empty())
    }

    /// What follows `swarm/<agent-id>/`.
    #[must_use]
    pub fn extract_key(namespace: &str) -> Option<&str> {
        let (_, key) = namespace.strip_prefix(SWARM)?.split_once('/')?;
        Some(key).filter(|key| !key.is_empty())
    }

    /// Whether the agent owns the namespace.
    #[must_use]
    pub fn belongs_to_agent(namespace: &str, agent_id: &str) -> bool {
        Self::extract_agent_id(namespace) == Some(agent_id)
    }

    /// Whether `namespace` equals `prefix` or lies below it, by whole segments.
    #[must_use]
    pub fn has_prefix(namespace: &str, prefix: &str) -> bool {
        namespace.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn validate_segment(namespace: &str, segment: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let problem = if segment.is_empty() {
        "an empty segment"
    } else if segment.len() > MAX_SEGMENT {
        "a segment of more than 128 characters"
    } else if segment == "." || segment == ".." {
        "a segment '.' or '..'"
    } else if !segment.bytes().all(legal) {
        "a character outside A-Z a-z 0-9 . _ -"
    } else {
        return Ok(());
    };
    let shown: String = namespace.chars().take(160).collect();
    Err(Error::Namespace(format!(
        "namespace {shown:?} has {problem}; use 1 to 8 segments of [A-Za-z0-9._-] joined by '/'"
    )))
}

/// Check a key.
pub(crate) fn validate_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(Error::Namespace(format!("key has {} bytes; use 1 to {MAX_KEY}", key.len())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_the_rules_forbid() {
        let long = "a".repeat(129);
        let deep = ["a"; 9].join("/");
        for bad in ["", "a//b", "/a", "a/", ".", "a/..", "a b", "ä", &long, &deep] {
            assert!(Namespace::validate(bad).is_err(), "{bad}");
        }
        for good in ["a", "swarm/agent-1/pos.btc", &["a"; 8].join("/")] {
            assert!(Namespace::validate(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn prefix_goes_by_whole_segments() {
        assert!(Namespace::has_prefix("a/b", "a/b"));
        assert!(Namespace::has_prefix("a/b/c", "a/b"));
        assert!(!Namespace::has_prefix("a/bc", "a/b"));
    }

    #[test]
    fn swarm_paths_name_their_agent() {
        assert_eq!(Namespace::build("x", &["pos", "btc"]).unwrap(), "swarm/x/pos/btc");
        assert_eq!(Namespace::extract_agent_id("swarm/x/pos"), Some("x"));
        assert_eq!(Namespace::extract_key("swarm/x/pos/btc"), Some("pos/btc"));
        assert_eq!(Namespace::extract_agent_id("models"), None);
        assert!(!Namespace::belongs_to_agent("swarm/xy/pos", "x"));
    }
}
