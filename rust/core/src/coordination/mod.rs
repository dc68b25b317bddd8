//! How agents talk to each other.

pub mod pubsub;
