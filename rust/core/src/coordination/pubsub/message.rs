//! A message, how it is checked, and how a durable one lies in L3.

use serde::{Deserialize, Serialize};

use super::topic::validate_topic;
use crate::error::{Error, Result, value_error};
use crate::record;

/// Namespaces whose names no user can give: `~` is not among the characters of a namespace.
pub(crate) const MESSAGES: &str = "~messages";
pub(crate) const TOPICS: &str = "~topics";
pub(crate) const CURSORS: &str = "~cursors";

/// Most bytes of a message.
pub const MAX_PAYLOAD: usize = 1 << 20;
const MAX_RECIPIENTS: usize = 1024;
const MAX_AGENT: usize = 128;

/// What is given to be published.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// Where it goes; no wildcards.
    pub topic: String,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
    /// Who says it, where the payload is an agent's message.
    pub sender: Option<String>,
    /// Who gets it; `None` is everybody.
    pub recipients: Option<Vec<String>>,
    /// The agent through whose handle it is published; it speaks for nobody else.
    pub agent: Option<String>,
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// Grows for every subscriber in the order of delivery.
    pub sequence: u64,
    /// The bytes as they were given.
    pub payload: Vec<u8>,
    /// Who says it, where the payload is an agent's message.
    pub sender: Option<String>,
    /// Who gets it; `None` is everybody.
    pub recipients: Option<Vec<String>>,
}

/// What comes before the payload in a row.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    topic: &'a str,
    sender: Option<&'a str>,
    #[serde(borrow)]
    recipients: Option<Vec<&'a str>>,
}

impl Publication {
    pub(crate) fn check(&self) -> Result<()> {
        validate_topic(&self.topic)?;
        if self.payload.len() > MAX_PAYLOAD {
            return value_error(format!(
                "message on {:?} has {} bytes; keep it to 1 MiB, and put what is larger under a key that it names",
                self.topic,
                self.payload.len()
            ));
        }
        let sender = self.sender.as_deref();
        sender.map_or(Ok(()), |sender| validate_agent("sender", sender))?;
        if let Some((agent, sender)) = self.agent.as_deref().zip(sender).filter(|(agent, sender)| agent != sender) {
            return value_error(format!(
                "sender is {sender:?}, published by {agent:?}; an agent speaks for itself only"
            ));
        }
        let Some(recipients) = &self.recipients else { return Ok(()) };
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            return value_error(format!(
                "recipients has {} agents; name 1 to {MAX_RECIPIENTS}, or none for everybody",
                recipients.len()
            ));
        }
        recipients.iter().try_for_each(|recipient| validate_agent("recipient", recipient))
    }

    pub(crate) fn with_sequence(self, sequence: u64) -> Message {
        let Self { topic, payload, sender, recipients, agent: _ } = self;
        Message { topic, sequence, payload, sender, recipients }
    }
}

impl Message {
    /// Whether an agent, or somebody without identity, is among the recipients.
    pub(crate) fn is_for(&self, agent: Option<&str>) -> bool {
        let Some(recipients) = &self.recipients else { return true };
        agent.is_some_and(|agent| recipients.iter().any(|recipient| recipient == agent))
    }

    /// Length of the head, the head, the payload.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let recipients = self.recipients.as_ref().map(|list| list.iter().map(String::as_str).collect());
        let head = record::encode(&Head { topic: &self.topic, sender: self.sender.as_deref(), recipients })?;
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_be_bytes();
        Ok([&length, head.as_slice(), &self.payload].concat())
    }

    pub(crate) fn decode(sequence: u64, row: &[u8]) -> Result<Self> {
        let broken = || Error::Corruption(format!("message {sequence} is cut off; restore a backup"));
        let (length, rest) = row.split_first_chunk::<4>().ok_or_else(broken)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (head, payload) = rest.split_at_checked(length).ok_or_else(broken)?;
        let head: Head<'_> = record::decode(head, "message")?;
        Ok(Self {
            topic: head.topic.to_owned(),
            sequence,
            payload: payload.to_vec(),
            sender: head.sender.map(str::to_owned),
            recipients: head.recipients.map(|list| list.into_iter().map(str::to_owned).collect()),
        })
    }
}

/// Check the name of an agent or a subscriber.
pub(crate) fn validate_agent(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_AGENT || name.chars().any(char::is_control) {
        let shown: String = name.chars().take(160).collect();
        return value_error(format!("{what} is {shown:?}; use 1 to {MAX_AGENT} bytes without control characters"));
    }
    Ok(())
}

/// The key of a durable message: keys lie in the order of sequences.
pub(crate) fn row_name(sequence: u64) -> String {
    format!("{sequence:016x}")
}

/// A cursor as it lies in L3.
pub(crate) fn encode_cursor(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

pub(crate) fn decode_cursor(row: &[u8]) -> Option<u64> {
    row.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_read_back(
            topic: String, sequence: u64, payload: Vec<u8>, sender: Option<String>, recipients: Option<Vec<String>>,
        ) {
            let message = Message { topic, sequence, payload, sender, recipients };
            prop_assert_eq!(Message::decode(sequence, &message.encode().unwrap()).unwrap(), message);
        }

        #[test]
        fn any_bytes_are_a_message_or_damage(row: Vec<u8>) {
            if let Err(error) = Message::decode(1, &row) {
                prop_assert!(matches!(error, Error::Corruption(_)));
            }
        }

        #[test]
        fn rows_lie_in_the_order_of_sequences(a: u64, b: u64) {
            prop_assert_eq!(row_name(a).cmp(&row_name(b)), a.cmp(&b));
        }
    }
}
