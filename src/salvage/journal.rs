//! A hot rollback journal: the pages as they were before the transaction that was never finished, laid over the file.
//!
//! Each record carries a checksum of its own, so that a damaged one costs its page and no other.
//!
//! Source: "The Rollback Journal", <https://www.sqlite.org/fileformat2.html#the_rollback_journal>, and `pager.c`.

use std::collections::{BTreeMap, BTreeSet};

use super::ended::{Ended, Result};
use super::view::MOST_PAGES;
use crate::format::source::{Overlay, ReadAt};
use crate::stop::Stop;

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What a journal gives.
#[derive(Debug, Default)]
pub struct Before {
    /// The page size.
    pub page_size: usize,
    /// Each page's number, and the offset of its content.
    pub pages: BTreeMap<u32, u64>,
    /// How many pages the database had.
    pub size: u32,
    /// Records that are damaged.
    pub damaged: u64,
    /// Pages of which only the content of the unfinished transaction is there.
    pub behind: BTreeSet<u32>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

/// A record's checksum: the nonce and every 200th byte, counted from the page's end.
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let places = std::iter::successors(page.len().checked_sub(200), |at| at.checked_sub(200)).take_while(|at| *at > 0);
    let bytes = places.filter_map(|at| page.get(at));
    bytes.fold(nonce, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}

/// Reads a hot journal; `None` where it is none, or puts nothing back.
///
/// # Errors
/// When it is time to stop.
pub fn before(journal: &dyn ReadAt, stop: &Stop) -> Result<Option<Before>> {
    let length = journal.size()?;
    let mut out = Before::default();
    let mut at = 0;
    let mut head = [0; 28];
    while at + 28 <= length && journal.read_exact_at(&mut head, at).is_ok() && head.starts_with(&MAGIC) {
        stop.check()?;
        let (records, nonce, sector) = (word(&head, 8), word(&head, 12), u64::from(word(&head, 20)));
        if at == 0 {
            out.size = word(&head, 16);
            out.page_size = word(&head, 24) as usize;
        }
        let page_size = out.page_size;
        if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) || !(32..=65_536).contains(&sector) {
            return Ok(None);
        }
        at += sector;
        let record_len = page_size as u64 + 8;
        let fit = length.saturating_sub(at) / record_len;
        // 0xffffffff: as many as there are, where the journal is never synced.
        let records = if records == u32::MAX {
            fit
        } else {
            u64::from(records).min(fit)
        };
        let mut record = vec![0; page_size + 8];
        for number in 0..records {
            if number.is_multiple_of(64) {
                stop.check()?;
            }
            let place = at + number * record_len;
            let whole = journal.read_exact_at(&mut record, place).is_ok();
            let page = word(&record, 0);
            let content = record.get(4..4 + page_size).unwrap_or_default();
            if !whole || page == 0 || page > MOST_PAGES || checksum(nonce, content) != word(&record, 4 + page_size) {
                out.damaged += 1;
                if (1..=out.size).contains(&page) && page <= MOST_PAGES && !out.pages.contains_key(&page) {
                    out.behind.insert(page);
                }
                continue;
            }
            if page <= out.size {
                out.pages.entry(page).or_insert(place + 4);
            }
            if out.pages.len() > Overlay::MOST_PAGES {
                return Err(Ended::TooMuch("the journal holds more pages than are kept account of"));
            }
        }
        at = (at + records * record_len).next_multiple_of(sector);
    }
    Ok((out.size > 0 && !out.pages.is_empty()).then_some(out))
}
