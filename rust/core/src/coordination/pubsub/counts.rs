//! What became of the messages that a subscription matched.

/// `delivered + missed + waiting == matched`, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages whose topic and recipients are the subscription's.
    pub matched: u64,
    /// Those that the reader got.
    pub delivered: u64,
    /// Those that the reader was told it missed.
    pub missed: u64,
    /// Those that are still to come, delivered or told as missed.
    pub waiting: u64,
}
