//! How agents of one store work together.

pub(crate) mod access;
pub(crate) mod locks;
pub mod pubsub;
