//! Durable messages that are read from L3, a page at a time.

use std::sync::Arc;

use super::entry::Entry;
use super::message::{CURSORS, MESSAGES, Message, decode_cursor, row_name};
use crate::error::{Error, Result};
use crate::store::{Inner, split_value};
use crate::{frame, keys};

/// Messages of a page, and rows that are looked at for it.
const PAGE: usize = 64;
const MAX_ROWS: usize = 4096;
/// Bytes of a page: one large message may come on top.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// What was read, and where to go on.
pub(super) struct Page {
    pub messages: Vec<Arc<Message>>,
    pub next: u64,
    pub rows: usize,
}

/// The next durable messages of a subscription from a sequence to the last one that it is to read.
pub(super) fn read(inner: &Inner, entry: &Entry, from: u64, latest: u64) -> Result<Page> {
    let mut page = Page { messages: Vec::new(), next: latest.saturating_add(1), rows: 0 };
    let (start, now) = (keys::value(MESSAGES, &row_name(from)), inner.now());
    let end = keys::value(MESSAGES, &row_name(page.next));
    let prefix = keys::in_namespace(keys::VALUE, MESSAGES).len();
    let mut bytes = 0;
    inner.cold(|cold| {
        cold.scan(&start, &end, &mut |row, sealed| {
            page.rows += 1;
            let (sequence, value) = (sequence(&row[prefix..])?, frame::open(row, sealed)?);
            if let Some((_, stored)) = split_value(&value).filter(|(expires_at, _)| *expires_at > now) {
                let message = Message::decode(sequence, stored)?;
                if entry.takes(&message) {
                    bytes += message.payload.len();
                    page.messages.push(Arc::new(message));
                }
            }
            let is_full = page.messages.len() >= PAGE || page.rows >= MAX_ROWS || bytes >= MAX_PAGE_BYTES;
            if is_full {
                page.next = sequence + 1;
            }
            Ok(!is_full)
        })
    })?;
    Ok(page)
}

fn sequence(name: &[u8]) -> Result<u64> {
    let name = std::str::from_utf8(name).ok().and_then(|name| u64::from_str_radix(name, 16).ok());
    name.ok_or_else(|| Error::Corruption("a message has no sequence; restore a backup".into()))
}

/// Where a named subscriber goes on: at the oldest message that is kept, where it is new.
pub(super) fn cursor(inner: &Inner, name: &str) -> Result<u64> {
    let Some(row) = inner.row(&keys::value(CURSORS, name))? else { return Ok(0) };
    let cursor = split_value(&row).and_then(|(_, cursor)| decode_cursor(cursor));
    cursor.ok_or_else(|| Error::Corruption(format!("the cursor of {name:?} is no sequence; restore a backup")))
}
