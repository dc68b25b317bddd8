//! How agents of one store work together.

pub(crate) mod locks;
