//! Looks at a file block by block, without a header and without trees: where it is noise, zeros or text, and where pages of a
//! database begin in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use sqlite_format::header::Layout;
use sqlite_format::page::{Kind, Page};

use crate::limits::stop::Stop;
use crate::probe::first_bytes::looks_encrypted;
use crate::probe::not_a_database::has_form_of_tree_at;

/// The size of a block, in bytes.
pub(super) const BLOCK: usize = 4096;

/// The most bytes of a file that are looked at.
const MOST: u64 = 256 << 20;

/// The bytes at the beginning in which pages are searched for at any offset.
const SEARCHED: usize = 256 << 10;

/// What the blocks of a file look like.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// For each block, whether it is noise. A part of a block at the end is none.
    pub(super) noise: Vec<bool>,
    /// The number of bytes of text at the beginning, up to the end of its last line.
    pub(super) leading_text: usize,
    /// The number of zero bytes at the beginning.
    pub(super) leading_zeros: u64,
    /// The pages of a database that are in the file, by their form.
    pub(super) grid: Option<Grid>,
}

/// Where the pages of a database lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Their size in bytes.
    pub(super) page_size: u32,
    /// The offset of the first whole page.
    pub(super) offset: u32,
    /// The number of pages with the form of a tree's.
    pub(super) trees: u64,
    /// The number of pages by which the numbers in the file are higher than their places, where interior pages tell it.
    pub(super) shift: Option<i64>,
    /// The page in the file's first place has the form of a tree's.
    pub(super) begins_with_tree: bool,
    /// The first page equals another one.
    pub(super) begins_with_copy: bool,
}

/// Reads the blocks of a file.
///
/// # Errors
/// Fails if the file cannot be read.
pub(super) fn read(file: &File, size: u64, stop: &Stop) -> io::Result<Blocks> {
    let mut out = Blocks::default();
    let mut head = Vec::new();
    let mut piece = vec![0; 16 * BLOCK];
    let mut reader = file.take(MOST);
    let mut is_leading = true;
    while stop.reason().is_none() {
        let mut filled = 0;
        while filled < piece.len() {
            match reader.read(&mut piece[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let read = &piece[..filled];
        if read.is_empty() {
            break;
        }
        if head.len() < SEARCHED {
            head.extend_from_slice(read);
        }
        if is_leading {
            let zeros = read.iter().take_while(|byte| **byte == 0).count();
            out.leading_zeros += zeros as u64;
            is_leading = zeros == read.len();
        }
        out.noise.extend(read.chunks_exact(BLOCK).map(looks_encrypted));
    }
    out.leading_text = leading_text(&head);
    out.grid = find_grid(file, &head, size, stop);
    Ok(out)
}

/// Returns the length of the lines of text at the beginning: up to the end of the last one.
fn leading_text(head: &[u8]) -> usize {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e | 0x80..);
    let end = head.iter().position(|byte| !is_text(byte)).unwrap_or(head.len());
    let text = &head[..end];
    // Bytes above 127 are text only as UTF-8.
    let valid = match std::str::from_utf8(text) {
        Ok(_) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    text[..valid].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// Finds where pages begin: for each size, the offset at which most of them have the form of a tree's page.
fn find_grid(file: &File, head: &[u8], size: u64, stop: &Stop) -> Option<Grid> {
    let mut best: Option<(u64, u32, u32)> = None;
    for bits in 9..=16 {
        let page_size = 1_usize << bits;
        let mut counts: HashMap<usize, u64> = HashMap::new();
        for at in 0..head.len().saturating_sub(page_size) {
            if matches!(head[at], 2 | 5 | 10 | 13) && has_form_of_tree_at(&head[at..at + page_size], 0) {
                *counts.entry(at % page_size).or_default() += 1;
            }
        }
        let Some((offset, trees)) = counts.into_iter().max_by_key(|(offset, trees)| (*trees, usize::MAX - offset))
        else {
            continue;
        };
        // Of two sizes with as many, the larger is right: each of its pages begins where one of the smaller does too.
        if best.is_none_or(|(most, ..)| trees >= most) {
            best = Some((trees, 1 << bits, u32::try_from(offset).ok()?));
        }
        if stop.reason().is_some() {
            return None;
        }
    }
    let (trees, page_size, offset) = best.filter(|(trees, ..)| *trees >= 2)?;
    let mut grid = Grid {
        page_size,
        offset,
        trees,
        shift: None,
        begins_with_tree: head.len() >= page_size as usize && has_form_of_tree_at(&head[..page_size as usize], 0),
        begins_with_copy: false,
    };
    grid.count_and_shift(file, size, stop);
    Some(grid)
}

impl Grid {
    /// Returns true if no page begins where the file does.
    pub(super) fn is_moved(&self) -> bool {
        self.offset != 0
    }

    /// Reads all pages: counts those of trees, and finds by how much the numbers in interior pages differ from the places of their
    /// children: the last rowid of a child is mostly the one that its parent gives it.
    fn count_and_shift(&mut self, file: &File, size: u64, stop: &Stop) {
        let page_size = u64::from(self.page_size);
        let Some(layout) = Layout::new(self.page_size as usize, 0) else {
            return;
        };
        let mut bytes = vec![0; self.page_size as usize];
        let mut first = Vec::new();
        let mut by_last_rowid: HashMap<i64, Vec<i64>> = HashMap::new();
        let mut wanted: Vec<(i64, i64)> = Vec::new();
        let mut trees = 0;
        let places = size.min(MOST).saturating_sub(u64::from(self.offset)) / page_size;
        for place in 0..places {
            if stop.reason().is_some()
                || file.read_exact_at(&mut bytes, u64::from(self.offset) + place * page_size).is_err()
            {
                break;
            }
            if place == 0 {
                first.clone_from(&bytes);
            } else if bytes == first {
                self.begins_with_copy = true;
            }
            if !has_form_of_tree_at(&bytes, 0) {
                continue;
            }
            trees += 1;
            let Ok(page) = Page::parse(layout, 2, &bytes) else {
                continue;
            };
            let last = page.cells().checked_sub(1).and_then(|last| page.cell(last).ok());
            let place = i64::try_from(place).unwrap_or(0);
            match page.kind() {
                Kind::TableLeaf => {
                    if let Some(last) = last
                        && by_last_rowid.len() < 1 << 16
                    {
                        by_last_rowid.entry(last.rowid).or_default().push(place);
                    }
                }
                Kind::TableInterior if wanted.len() < 1 << 16 => {
                    wanted.extend(page.all_cells().flatten().map(|cell| (i64::from(cell.child), cell.rowid)));
                }
                _ => {}
            }
        }
        self.trees = trees;
        let mut votes: HashMap<i64, u32> = HashMap::new();
        for (child, rowid) in wanted {
            for place in by_last_rowid.get(&rowid).into_iter().flatten().take(16) {
                *votes.entry(child - 1 - place).or_default() += 1;
            }
        }
        let (shift, most) = votes
            .iter()
            .max_by_key(|(_, votes)| **votes)
            .map_or((0, 0), |(shift, votes)| (*shift, *votes));
        // A single match may be by chance.
        self.shift = (most >= 2).then_some(shift);
    }
}
