//! Topics are paths; a pattern may have `*` for one level and `**` for any number of them.

use crate::error::{Result, value_error};

const MAX_LEVELS: usize = 32;
const MAX_BYTES: usize = 512;
const ANY: &str = "**";
const ONE: &str = "*";

/// Check the topic of a message.
pub(crate) fn validate_topic(topic: &str) -> Result<()> {
    validate(topic, "topic")?;
    if topic.contains('*') {
        return value_error(format!(
            "topic {:?} has a wildcard; name one topic to publish, and use wildcards to subscribe",
            shown(topic)
        ));
    }
    Ok(())
}

fn validate(path: &str, what: &str) -> Result<()> {
    let problem = if path.len() > MAX_BYTES {
        "more than 512 bytes"
    } else if path.split('/').any(str::is_empty) {
        "an empty level"
    } else if path.split('/').count() > MAX_LEVELS {
        "more than 32 levels"
    } else if path.chars().any(char::is_control) {
        "a control character"
    } else {
        return Ok(());
    };
    value_error(format!(
        "{what} {:?} has {problem}; use 1 to 32 levels joined by '/', as in agent_1/updates",
        shown(path)
    ))
}

fn shown(path: &str) -> String {
    path.chars().take(160).collect()
}

/// Which topics somebody listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    has_wildcards: bool,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        validate(text, "pattern")?;
        if text.split('/').any(|level| level.contains('*') && level != ONE && level != ANY) {
            return value_error(format!(
                "pattern {:?} has a level with '*' among other characters; a level is a name, '*' or '**'",
                shown(text)
            ));
        }
        Ok(Self { text: text.to_owned(), has_wildcards: text.contains('*') })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Walk both from the left; where they part, let the last `**` take one level more.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        if !self.has_wildcards {
            return self.text == topic;
        }
        let (mut pattern, mut levels) = (self.text.split('/'), topic.split('/'));
        let mut retry = None;
        loop {
            let rest = levels.clone();
            match (pattern.next(), levels.next()) {
                (Some(ANY), _) => {
                    retry = Some((pattern.clone(), rest.clone()));
                    levels = rest;
                }
                (Some(wanted), Some(level)) if wanted == ONE || wanted == level => {}
                (None, None) => return true,
                _ => {
                    let Some((after, from)) = &mut retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, levels) = (after.clone(), from.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(topic)
    }

    /// By the definition: each way in which `**` can take levels.
    fn naive(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern.split_first(), topic.split_first()) {
            (None, _) => topic.is_empty(),
            (Some((&ANY, rest)), _) => (0..=topic.len()).any(|taken| naive(rest, &topic[taken..])),
            (Some((wanted, rest)), Some((level, others))) => (*wanted == ONE || wanted == level) && naive(rest, others),
            (Some(_), None) => false,
        }
    }

    #[test]
    fn a_star_is_one_level_and_two_are_any_number() {
        assert!(matches("agent_1/updates", "agent_1/updates"));
        assert!(matches("*/updates", "agent_1/updates"));
        assert!(!matches("*", "agent_1/updates"));
        assert!(matches("**", "agent_1/updates"));
        assert!(matches("agent_1/updates/**", "agent_1/updates"));
        assert!(matches("**/updates", "updates"));
        assert!(matches("a/**/b/*/c", "a/b/b/x/c"));
        assert!(!matches("a/**/b", "a/b/c"));
    }

    #[test]
    fn bad_topics_and_patterns_are_refused() {
        let (long, deep) = ("a".repeat(513), ["a"; 33].join("/"));
        for bad in ["", "/a", "a/", "a//b", "a\n", "a/\u{7f}", &long, &deep] {
            assert!(validate_topic(bad).is_err(), "{bad:?}");
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
        for wild in ["*", "a/**", "a*"] {
            assert!(validate_topic(wild).unwrap_err().to_string().contains("wildcard"));
        }
        for bad in ["a*", "***", "a/*b/c"] {
            assert!(Pattern::parse(bad).unwrap_err().to_string().contains("among other characters"));
        }
        assert!(validate_topic(&"a".repeat(512)).is_ok());
        assert!(validate_topic(&["ä"; 32].join("/")).is_ok());
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(
            pattern in proptest::collection::vec(prop_oneof!["[ab]", Just("*".to_owned()), Just("**".to_owned())], 1..7),
            topic in proptest::collection::vec("[ab]", 1..8),
        ) {
            let found = matches(&pattern.join("/"), &topic.join("/"));
            let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            let topic: Vec<&str> = topic.iter().map(String::as_str).collect();
            prop_assert_eq!(found, naive(&pattern, &topic));
        }

        #[test]
        fn any_text_is_a_topic_or_an_error(text: String) {
            if validate_topic(&text).is_ok() {
                prop_assert!(matches(&text, &text) && matches("**", &text));
            }
        }
    }
}
