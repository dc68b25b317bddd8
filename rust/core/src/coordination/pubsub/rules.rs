//! Which topics are durable, and for how long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::topic::Pattern;
use crate::error::{Result, value_error};

/// How messages on a durable topic are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicOptions {
    /// Microseconds until a message may be erased; `None` keeps it.
    pub retention: Option<i64>,
}

impl TopicOptions {
    pub(crate) fn check(self, pattern: &str) -> Result<()> {
        match self.retention {
            Some(retention) if retention <= 0 => {
                value_error(format!("retention of topics {pattern:?} is not positive; leave it out to keep messages"))
            }
            _ => Ok(()),
        }
    }
}

/// A change of a rule; without options the rule goes.
pub(crate) type RuleChange = (Pattern, Option<TopicOptions>);

/// Rules by their patterns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules(BTreeMap<String, (Pattern, TopicOptions)>);

impl Rules {
    pub(crate) fn change(&mut self, (pattern, options): RuleChange) {
        match options {
            Some(options) => _ = self.0.insert(pattern.as_str().to_owned(), (pattern, options)),
            None => _ = self.0.remove(pattern.as_str()),
        }
    }

    pub(crate) fn is_durable(&self, topic: &str) -> bool {
        self.0.values().any(|(pattern, _)| pattern.matches(topic))
    }

    /// The longest of all that match; `None` where one of them, or none there is, says no end.
    pub(crate) fn retention(&self, topic: &str) -> Option<i64> {
        let matching = self.0.values().filter(|(pattern, _)| pattern.matches(topic));
        let retentions: Option<Vec<i64>> = matching.map(|(_, options)| options.retention).collect();
        retentions?.into_iter().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_retention_that_matches_counts() {
        let mut rules = Rules::default();
        let mut set = |pattern: &str, retention| {
            rules.change((Pattern::parse(pattern).unwrap(), Some(TopicOptions { retention })));
            (rules.is_durable("a/b"), rules.retention("a/b"))
        };
        assert_eq!(set("c", None), (false, None));
        assert_eq!(set("a/*", Some(5)), (true, Some(5)));
        assert_eq!(set("a/**", Some(7)), (true, Some(7)));
        assert_eq!(set("**", None), (true, None));
        rules.change((Pattern::parse("**").unwrap(), None));
        assert_eq!(rules.retention("a/b"), Some(7));
    }
}
