//! Reads the pages of a damaged store: the file's, wherever it was cut off, with those of its log or its journal laid over them.
//!
//! The part of a page behind the file's end, or that the system cannot read, is filled with zeros, so that intact rows in the rest
//! of it are found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Result, SalvageError};
use crate::limits::stop::Stop;
use sqlite_format::encoding::Encoding;
use sqlite_format::first_page;
use sqlite_format::header::Layout;
use sqlite_format::interrupt::Interrupt;
use sqlite_format::page::{Kind, Page};
use sqlite_format::record::{Classes, Fields};
use sqlite_format::source::ReadAt;
use sqlite_format::walk::Pages;

/// The most pages of a store that is salvaged: 32 GiB with pages of 4,096 bytes.
pub const MOST_PAGES: u32 = 1 << 23;

/// The bytes with which a database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// Pages that lie elsewhere than in the database file.
pub struct PageOverlay<'a> {
    /// The file in which they lie.
    pub from: &'a dyn ReadAt,
    /// The number of each page, and the offset of its bytes.
    pub pages: BTreeMap<u32, u64>,
    /// Pages whose newest content is damaged: an older state of them is read.
    pub stale: BTreeSet<u32>,
}

/// All pages of a store.
pub struct StoreView<'a> {
    file: &'a dyn ReadAt,
    size: u64,
    layout: Layout,
    pages: u32,
    /// The pages that begin before the file's end.
    in_file: u32,
    overlay: Option<PageOverlay<'a>>,
    encoding: Encoding,
    /// The number of pages that are missing at the beginning of the file.
    missing: u32,
}

impl<'a> StoreView<'a> {
    /// Creates a view of a file's pages. `pages` is the size of the database that a log or a journal tells.
    ///
    /// # Errors
    /// Fails if there are more than [`MOST_PAGES`].
    pub fn new(
        file: &'a dyn ReadAt,
        layout: Layout,
        overlay: Option<PageOverlay<'a>>,
        pages: Option<u32>,
    ) -> Result<Self> {
        let size = file.size()?;
        let there = size.div_ceil(layout.page_size as u64);
        // Without a commit that says so, what lies behind the file's end was committed all the same; and no commit makes pages
        // that lie nowhere.
        let last = overlay.as_ref().and_then(|overlay| overlay.pages.keys().next_back().copied());
        let all = there.max(last.unwrap_or(0).into());
        let pages = pages.map_or(all, |pages| all.min(pages.into()));
        let pages = u32::try_from(pages).ok().filter(|pages| *pages <= MOST_PAGES);
        let pages = pages.ok_or(SalvageError::LimitExceeded("the store has more pages than are kept account of"))?;
        Ok(Self {
            file,
            size,
            layout,
            pages,
            in_file: u32::try_from(there).unwrap_or(pages).min(pages),
            overlay,
            encoding: Encoding::Utf8,
            missing: 0,
        })
    }

    /// Shifts the numbers of all pages: so many are missing at the beginning of the file.
    #[must_use]
    pub fn with_missing_pages(mut self, missing: u32) -> Self {
        self.missing = missing;
        self.pages = self.pages.saturating_add(missing).min(MOST_PAGES);
        self.in_file = self.in_file.saturating_add(missing).min(self.pages);
        self
    }

    /// Sets the encoding of text: the one of the header, or the one that the rows show.
    ///
    /// # Errors
    /// Fails if it is time to stop.
    pub fn with_encoding(mut self, stop: &Stop) -> Result<Self> {
        if let Some(encoding) = first_page::encoding(self.layout, &|number, into| self.page(number, into)) {
            self.encoding = encoding;
            return Ok(self);
        }
        let mut first = Vec::new();
        let is_there = self.page(1, &mut first) && first.starts_with(MAGIC);
        let number = first.get(56..60).filter(|_| is_there).and_then(|four| four.try_into().ok());
        self.encoding = match number.map(u32::from_be_bytes) {
            Some(number @ 1..=3) => Encoding::from_number(number).unwrap_or_default(),
            _ => self.guess_encoding(stop)?,
        };
        Ok(self)
    }

    /// Guesses the encoding from the text of rows: Latin letters in UTF-16 have a zero byte beside them.
    fn guess_encoding(&self, stop: &Stop) -> Result<Encoding> {
        const MOST_LOOKS: u32 = 1000;
        let every = (self.pages / MOST_LOOKS).max(1);
        let mut votes = [(0_u32, Encoding::Utf16Be), (0, Encoding::Utf16Le), (0, Encoding::Utf8)];
        let mut fields = Fields::default();
        let want = |number: u32| number.is_multiple_of(every);
        self.each(stop, &want, &mut |number, bytes| {
            let page = Page::parse(self.layout, number, bytes).ok().filter(|page| page.kind() == Kind::TableLeaf);
            let cells = page.iter().flat_map(Page::all_cells).filter_map(std::result::Result::ok);
            for cell in cells.take(100) {
                if fields.read(cell.payload.local, cell.payload.len).is_err() {
                    continue;
                }
                for field in fields.all().iter().filter(|field| field.class == Classes::TEXT) {
                    let text = cell.payload.local.get(field.range()).unwrap_or_default();
                    if let [a, b, ..] = *text
                        && let Some((count, _)) = votes.get_mut(usize::from(a != 0) + usize::from(a != 0 && b != 0))
                    {
                        *count += 1;
                    }
                }
            }
            Ok(())
        })?;
        let most = votes.into_iter().max_by_key(|(count, _)| *count);
        Ok(most.map(|(_, encoding)| encoding).unwrap_or_default())
    }

    /// Returns the encoding of text.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the layout of the pages.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the number of pages.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Returns true if a page is stale: only an older state of it can be read.
    pub fn is_stale(&self, number: u32) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.stale.contains(&number))
    }

    /// Reads one page; returns `false` when there is none of this number.
    pub fn page(&self, number: u32, into: &mut Vec<u8>) -> bool {
        into.clear();
        into.resize(self.layout.page_size, 0);
        if number <= self.missing || number > self.pages {
            return false;
        }
        if !self.read_overlaid(number, into) {
            self.read(self.offset(number), into);
        }
        true
    }

    fn offset(&self, number: u32) -> u64 {
        u64::from(number.saturating_sub(1 + self.missing)) * self.layout.page_size as u64
    }

    fn read_overlaid(&self, number: u32, into: &mut [u8]) -> bool {
        let place = self
            .overlay
            .as_ref()
            .and_then(|overlay| Some((overlay.from, *overlay.pages.get(&number)?)));
        place.is_some_and(|(from, offset)| from.read_exact_at(into, offset).is_ok())
    }

    /// Reads the bytes of the file that are there; returns whether the system could read all of them.
    fn read(&self, offset: u64, into: &mut [u8]) -> bool {
        let there = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(into.len());
        let (begin, rest) = into.split_at_mut(there);
        rest.fill(0);
        let read = self.file.read_exact_at(begin, offset).is_ok();
        if !read {
            begin.fill(0);
        }
        read
    }

    /// Hands out each page that is wanted and lies somewhere, in order.
    ///
    /// # Errors
    /// Fails if `each` fails, or it is time to stop.
    pub fn each(
        &self,
        stop: &Stop,
        want: &dyn Fn(u32) -> bool,
        each: &mut dyn FnMut(u32, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let size = self.layout.page_size;
        let count = u32::try_from(BLOCK / size).unwrap_or(1).max(1);
        let mut block = vec![0; size * count as usize];
        let mut first = 1 + self.missing;
        stop.reads_pages(self.in_file.into());
        while first <= self.in_file {
            stop.check()?;
            let past = first.saturating_add(count).min(self.in_file + 1);
            if (first..past).any(want) {
                let whole = self.read(self.offset(first), &mut block);
                for (number, page) in (first..past).zip(block.chunks_exact_mut(size)) {
                    if !want(number) {
                        continue;
                    }
                    // When the system cannot read the whole block, it may read single pages.
                    if !self.read_overlaid(number, page) && !whole {
                        self.read(self.offset(number), page);
                    }
                    each(number, page)?;
                }
            }
            stop.pages_read(u64::from(past - first));
            first = past;
        }
        stop.reads_pages(0);
        block.resize(size, 0);
        let behind = self
            .overlay
            .iter()
            .flat_map(|overlay| overlay.pages.range(self.in_file + 1..).map(|(number, _)| *number));
        for number in behind.filter(|number| *number <= self.pages && want(*number)) {
            stop.check()?;
            block.fill(0);
            self.read_overlaid(number, &mut block);
            each(number, &block)?;
        }
        Ok(())
    }
}

impl Pages for StoreView<'_> {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn read_page(&self, number: u32, into: &mut Vec<u8>) -> bool {
        self.page(number, into)
    }
}

/// The longest row that is held, in bytes.
pub const LONGEST: usize = 12 << 20;

/// Puts payloads together from overflow chains.
///
/// A damaged chain may lead anywhere: in a circle, over the pages of other chains, or to a length that no store has. So a
/// payload is refused before anything is read when it needs more pages than the store has; each page of a chain must be a new one;
/// and the pages of all chains together are bounded. A payload is copied as the chain is walked, up to [`LONGEST`] bytes.
#[derive(Debug)]
pub struct PayloadReader {
    /// The pages that may still be read. Chains of many cells may lead over the same pages, and would cost time without end.
    left: u64,
    seen: HashSet<u32>,
    page: Vec<u8>,
    /// The rows that are longer than [`LONGEST`].
    pub too_long: u64,
}

impl PayloadReader {
    /// Creates a reader for a view with so many pages, each of which may be read a few times.
    pub fn new(pages: u32) -> Self {
        Self {
            left: 4 * u64::from(pages) + 1000,
            seen: HashSet::new(),
            page: Vec::new(),
            too_long: 0,
        }
    }

    /// Puts a payload together: the part in its cell, and its overflow pages. Returns true if all of it was there.
    pub fn read_payload(
        &mut self,
        view: &StoreView<'_>,
        local: &[u8],
        len: usize,
        first: u32,
        into: &mut Vec<u8>,
    ) -> bool {
        into.clear();
        let each = view.layout().usable - 4;
        let needed = len.saturating_sub(local.len()).div_ceil(each) as u64;
        if needed > u64::from(view.pages()) || needed > self.left {
            return false;
        }
        if len > LONGEST {
            self.too_long += 1;
            return false;
        }
        self.seen.clear();
        into.extend_from_slice(local);
        let mut next = first;
        while into.len() < len {
            if next < 2 || !self.seen.insert(next) || !view.page(next, &mut self.page) {
                return false;
            }
            self.left = self.left.saturating_sub(1);
            let here = each.min(len - into.len());
            let Some((head, content)) = self.page.split_first_chunk::<4>() else {
                return false;
            };
            into.extend_from_slice(content.get(..here).unwrap_or_default());
            next = u32::from_be_bytes(*head);
        }
        true
    }
}
