//! Guesses the page size of a file whose header is gone: the one with which most rows can be read.

use super::Result;
use super::gaps::{adds_up, free_space};
use crate::limits::stop::Stop;
use sqlite_format::first_page;
use sqlite_format::header::{Header, HeaderFields, Layout};
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::Fields;
use sqlite_format::source::ReadAt;

/// Every page size that there is.
const SIZES: [usize; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// The most pages that are read for each size.
const MOST_LOOKS: u64 = 1000;

/// Returns the layout of the file's own header, if it begins as a database does; with another page size, if the first page adds up
/// with that only.
pub fn of_header(file: &dyn ReadAt, head: &[u8; 100]) -> Option<Layout> {
    if let Ok(header) = Header::parse(head) {
        let size = HeaderFields::parse(head)
            .and_then(|fields| first_page::page_size(file, fields.page_size, fields.reserved))
            .and_then(|size| Layout::new(size as usize, header.layout.page_size - header.layout.usable));
        return size.or(Some(header.layout));
    }
    let [
        b'S',
        b'Q',
        b'L',
        b'i',
        b't',
        b'e',
        b' ',
        b'f',
        b'o',
        b'r',
        b'm',
        b'a',
        b't',
        b' ',
        b'3',
        0,
        high,
        low,
        ..,
    ] = *head
    else {
        return None;
    };
    let size = match usize::from(u16::from_be_bytes([high, low])) {
        1 => 65_536,
        size => size,
    };
    SIZES.contains(&size).then(|| Layout::new(size, 0)).flatten()
}

/// Returns the layout with which most rows of the file can be read.
///
/// # Errors
/// Fails if it is time to stop.
pub fn guess(file: &dyn ReadAt, stop: &Stop) -> Result<Option<Layout>> {
    let size = file.size()?;
    let mut best: Option<(u64, Layout)> = None;
    for page_size in SIZES {
        let Some(layout) = Layout::new(page_size, 0) else {
            continue;
        };
        let pages = size.div_ceil(page_size as u64);
        let every = pages.div_ceil(MOST_LOOKS).max(1);
        let mut looks = 0;
        let mut good = 0;
        let mut page = vec![0; page_size];
        let mut number = 1;
        while number < pages {
            stop.check()?;
            looks += 1;
            if file.read_exact_at(&mut page, number * page_size as u64).is_ok() {
                good += count_rows(layout, &page);
            }
            number += every;
        }
        // As many rows for each byte that was looked at.
        let score = good * 1_000_000 / (looks.max(1) * page_size as u64);
        if score > 0 && best.is_none_or(|(most, _)| score >= most) {
            best = Some((score, layout));
        }
    }
    Ok(best.map(|(_, layout)| layout))
}

/// The share of pages that add up, of a thousand, from which on the size is certain: by chance none does.
const CERTAIN: u64 = 150;

/// Returns the layout that the pages show, if it is certain: pages of that size add up, and those of the header's size do not.
///
/// # Errors
/// Fails if it is time to stop.
pub fn of_pages(file: &dyn ReadAt, header: Option<Layout>, stop: &Stop) -> Result<Option<Layout>> {
    let own = match header {
        Some(layout) => count_sound_pages(file, layout, stop)?,
        None => 0,
    };
    let mut best: Option<(u64, Layout)> = None;
    for size in SIZES {
        for reserved in RESERVED {
            // Extensions that reserve bytes are rare: without them most of a store's pages add up.
            if reserved > 0 && best.is_some_and(|(most, _)| most >= CERTAIN) {
                break;
            }
            let Some(layout) = Layout::new(size, reserved) else {
                continue;
            };
            let sound = count_sound_pages(file, layout, stop)?;
            if sound > 0 && best.is_none_or(|(most, _)| sound > most) {
                best = Some((sound, layout));
            }
        }
    }
    let least = if header.is_some() { CERTAIN } else { 3 };
    Ok(best.filter(|(sound, _)| *sound >= least && *sound > 4 * own).map(|(_, layout)| layout))
}

/// Returns the number of bytes in the sound pages of b-trees with cells, in units of the smallest page, of those that were looked at.
fn count_sound_pages(file: &dyn ReadAt, layout: Layout, stop: &Stop) -> Result<u64> {
    const LOOKS: u64 = 400;
    let size = layout.page_size as u64;
    let pages = file.size()? / size;
    let every = pages.div_ceil(LOOKS).max(1);
    let mut page = vec![0; layout.page_size];
    let mut free = Vec::new();
    let mut sound = 0;
    let mut looks = 0_u64;
    let mut number = 1;
    while number < pages {
        stop.check()?;
        looks += 1;
        if file.read_exact_at(&mut page, number * size).is_ok() {
            free.clear();
            sound += u64::from(Page::parse(layout, 2, &page).is_ok_and(|page| {
                free_space(&page, &mut free);
                page.cells() > 0 && adds_up(&page, &free)
            }));
        }
        number += every;
    }
    // A share of all bytes, so that sizes compare.
    Ok(sound * 1_000 / looks.max(1))
}

/// Returns by how many pages the beginning of a file is missing: so many too high are the numbers in all of its pages.
///
/// # Errors
/// Fails if it is time to stop.
pub fn missing_pages(file: &dyn ReadAt, layout: Layout, stop: &Stop) -> Result<u32> {
    const MOST_PAGES: u64 = 100_000;
    const MOST_MISSING: usize = 1_000;
    const MOST_PARENTS: usize = 60;
    let size = layout.page_size as u64;
    let pages = (file.size()? / size).min(MOST_PAGES);
    // For each page, its kind, and the least and the greatest rowid on it.
    let mut seen: Vec<Option<(Kind, i64, i64)>> = Vec::new();
    let mut children: Vec<(u32, Kind, i64, i64)> = Vec::new();
    let mut parents = 0;
    let mut bytes = vec![0; layout.page_size];
    for number in 0..pages {
        stop.check()?;
        let page = file
            .read_exact_at(&mut bytes, number * size)
            .is_ok()
            .then(|| Page::parse(layout, 2, &bytes).ok())
            .flatten();
        let Some(page) = page.filter(|page| page.cells() > 0) else {
            seen.push(None);
            continue;
        };
        let kind = page.kind();
        let cells: Vec<_> = page.all_cells().filter_map(std::result::Result::ok).collect();
        let rowids = || cells.iter().map(|cell| cell.rowid);
        seen.push(Some((kind, rowids().min().unwrap_or(0), rowids().max().unwrap_or(0))));
        if !kind.is_leaf() && parents < MOST_PARENTS {
            parents += 1;
            let mut from = i64::MIN;
            for cell in &cells {
                children.push((cell.child, kind, from, cell.rowid));
                from = cell.rowid;
            }
        }
    }
    let mut best = (0, 0);
    for missing in 0..=MOST_MISSING {
        let mut fit = 0;
        for (child, parent, from, to) in &children {
            let at = (*child as usize).checked_sub(missing + 1);
            let Some(Some((kind, least, greatest))) = at.and_then(|at| seen.get(at)) else {
                continue;
            };
            let is_within = !parent.is_table() || (least > from && greatest <= to);
            fit += u32::from(kind.is_table() == parent.is_table() && is_within);
        }
        if fit > best.0 {
            best = (fit, missing);
        }
    }
    Ok(if best.0 >= 2 {
        u32::try_from(best.1).unwrap_or(0)
    } else {
        0
    })
}

/// Returns the number of rows of a page that can be read.
fn count_rows(layout: Layout, bytes: &[u8]) -> u64 {
    let Ok(page) = Page::parse(layout, 2, bytes) else {
        return 0;
    };
    if page.kind() != Kind::TableLeaf || page.content_at() > layout.page_size {
        return 0;
    }
    let mut fields = Fields::default();
    let cells = page.all_cells().filter_map(std::result::Result::ok);
    cells
        .filter(|cell| cell.payload.len > 0 && fields.read(cell.payload.local, cell.payload.len).is_ok())
        .count() as u64
}

/// The numbers of bytes that extensions in use reserve at each page's end, for a nonce or a checksum.
const RESERVED: [usize; 13] = [0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80];

/// Returns the layout with as many reserved bytes as the pages show: with the right number, a page's cells and its free space are
/// all that it has. When no other number fits more pages, the layout stays as it is.
///
/// # Errors
/// Fails if it is time to stop.
pub fn with_reserved(file: &dyn ReadAt, layout: Layout, stop: &Stop) -> Result<Layout> {
    let size = layout.page_size;
    let pages = file.size()? / size as u64;
    let every = pages.div_ceil(MOST_LOOKS).max(1);
    let others = RESERVED.iter().filter_map(|reserved| Layout::new(size, *reserved));
    let mut layouts: Vec<(u64, Layout)> = Vec::from([(0, layout)]);
    layouts.extend(others.filter(|other| other.usable != layout.usable).map(|other| (0, other)));
    let mut page = vec![0; size];
    let mut free = Vec::new();
    let mut number = 1;
    while number < pages {
        stop.check()?;
        if file.read_exact_at(&mut page, number * size as u64).is_ok() {
            for (good, layout) in &mut layouts {
                free.clear();
                *good += u64::from(Page::parse(*layout, 2, &page).is_ok_and(|page| {
                    free_space(&page, &mut free);
                    page.cells() > 0 && adds_up(&page, &free)
                }));
            }
        }
        number += every;
    }
    let mut best = (0, layout);
    for (good, layout) in layouts {
        if good > best.0 {
            best = (good, layout);
        }
    }
    Ok(best.1)
}
