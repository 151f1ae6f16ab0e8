//! The source of pages: a database file, with the committed frames of a write-ahead log laid over it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::damage::{Damage, Result};
use super::header::Layout;

/// Bytes that can be read at any offset.
pub trait ReadAt: Sync {
    /// Fills the buffer from this offset on.
    ///
    /// # Errors
    /// Fails with the error of the system, or with `UnexpectedEof` if there are fewer bytes.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;

    /// Returns the number of bytes.
    ///
    /// # Errors
    /// Fails with the error of the system.
    fn size(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, into, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.get(from..from.checked_add(into.len())?));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// A reader of consecutive blocks of equal size: the frames of a log, the records of a journal. They are read many at
/// a time; if that fails, one by one, so that an error is that of one block, and the blocks behind it follow.
pub(crate) struct Blocks<'a> {
    file: &'a dyn ReadAt,
    /// The offset of the next block, and that at which the last one must have ended.
    at: u64,
    end: u64,
    block_len: usize,
    buffer: Vec<u8>,
    /// The number of bytes of the buffer that were returned.
    used: usize,
}

impl<'a> Blocks<'a> {
    /// The number of bytes that are read at once.
    const READ_AHEAD: usize = 256 * 1024;

    /// Creates a reader of the blocks between two offsets, without a block that is cut off at the end.
    pub(crate) fn new(file: &'a dyn ReadAt, begin: u64, end: u64, block_len: usize) -> Self {
        Self {
            file,
            at: begin,
            end,
            block_len,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// Returns the next block and its offset.
    pub(crate) fn next(&mut self) -> Option<io::Result<(u64, &[u8])>> {
        let at = self.at;
        if self.used >= self.buffer.len() {
            let left = self.end.checked_sub(at)? / self.block_len as u64;
            let count = usize::try_from(left).ok()?.min((Self::READ_AHEAD / self.block_len).max(1));
            if count == 0 {
                return None;
            }
            self.used = 0;
            self.buffer.resize(count * self.block_len, 0);
            if self.file.read_exact_at(&mut self.buffer, at).is_err() {
                self.buffer.truncate(self.block_len);
                if let Err(error) = self.file.read_exact_at(&mut self.buffer, at) {
                    self.buffer.clear();
                    self.at += self.block_len as u64;
                    return Some(Err(error));
                }
            }
        }
        self.at += self.block_len as u64;
        let from = self.used;
        self.used += self.block_len;
        self.buffer.get(from..self.used).map(|block| Ok((at, block)))
    }
}

/// The committed frames of a log.
pub struct Overlay<'a> {
    log: &'a dyn ReadAt,
    page_size: usize,
    /// The database's size in pages after the last commit.
    pages: u32,
    /// Page numbers in ascending order, each once, with the offset of the page in the log.
    numbers: Vec<u32>,
    offsets: Vec<u64>,
}

impl<'a> Overlay<'a> {
    /// The maximum number of different pages of a log that are laid over a file; each costs 12 bytes.
    pub const MOST_PAGES: usize = 1 << 19;

    /// Lays frames over a file: the page's number, and the offset of its bytes in the log, in the log's order, up to the
    /// last commit and no further. `page_size` is the log's, and `pages` the size of the database that this commit carries.
    ///
    /// Returns `None` if there are more pages than the maximum.
    pub fn new(
        log: &'a dyn ReadAt,
        page_size: usize,
        pages: u32,
        frames: impl IntoIterator<Item = (u32, u64)>,
    ) -> Option<Self> {
        let mut latest = std::collections::BTreeMap::new();
        for (number, offset) in frames {
            latest.insert(number, offset);
            if latest.len() > Self::MOST_PAGES {
                return None;
            }
        }
        let (numbers, offsets) = latest.into_iter().unzip();
        Some(Self {
            log,
            page_size,
            pages,
            numbers,
            offsets,
        })
    }

    /// Returns the pages in the log, in ascending order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.numbers.iter().copied()
    }

    fn offset(&self, number: u32) -> Option<u64> {
        let at = self.numbers.binary_search(&number).ok()?;
        self.offsets.get(at).copied()
    }

    /// Returns true if the log contains any of the `count` pages from `first` on.
    fn touches(&self, first: u32, count: u32) -> bool {
        let next = self.numbers.partition_point(|number| *number < first);
        self.numbers.get(next).is_some_and(|number| *number - first < count)
    }
}

/// All pages of a store, by number.
pub struct Source<'a> {
    file: &'a dyn ReadAt,
    overlay: Option<&'a Overlay<'a>>,
    layout: Layout,
    pages: u32,
}

impl<'a> Source<'a> {
    /// The first 100 bytes of page 1, if it exists.
    pub(super) fn first_bytes(file: &dyn ReadAt, overlay: Option<&Overlay<'_>>) -> Result<[u8; 100]> {
        let mut head = [0; 100];
        match overlay.and_then(|overlay| Some((overlay.log, overlay.offset(1)?))) {
            Some((log, offset)) => log.read_exact_at(&mut head, offset),
            None => file.read_exact_at(&mut head, 0),
        }
        .map_err(|_| Damage::Unreadable)?;
        Ok(head)
    }

    /// Returns the number of complete pages in the file, without regard to the header.
    pub(super) fn pages_there(file: &dyn ReadAt, overlay: Option<&Overlay<'_>>, layout: Layout) -> Result<u32> {
        if let Some(overlay) = overlay {
            // Pages of another size are none of this file's.
            return if overlay.page_size == layout.page_size {
                Ok(overlay.pages)
            } else {
                Err(Damage::Header)
            };
        }
        let size = file.size().map_err(|_| Damage::Unreadable)?;
        let page_size = layout.page_size as u64;
        if !size.is_multiple_of(page_size) {
            return Err(Damage::PagesMissing);
        }
        u32::try_from(size / page_size).map_err(|_| Damage::Header)
    }

    pub(super) fn new(file: &'a dyn ReadAt, overlay: Option<&'a Overlay<'a>>, layout: Layout, pages: u32) -> Self {
        Self {
            file,
            overlay,
            layout,
            pages,
        }
    }

    /// Returns the number of pages of the database.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Returns the layout of the pages.
    #[inline]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the offset at which a page begins in the file.
    fn offset(&self, number: u32) -> u64 {
        u64::from(number.saturating_sub(1)) * self.layout.page_size as u64
    }

    /// Reads a whole page. The buffer must have the length of a page.
    ///
    /// # Errors
    /// Fails with [`Damage::PageNumber`] for a page that the database does not have, [`Damage::Unreadable`] for one that cannot be read.
    pub fn page(&self, number: u32, into: &mut [u8]) -> Result<()> {
        self.part(number, 0, into)
    }

    /// Reads a part of a page.
    ///
    /// # Errors
    /// Fails with [`Damage::PageNumber`] for a page that the database does not have, [`Damage::Unreadable`] for one that cannot be read.
    pub fn part(&self, number: u32, at: usize, into: &mut [u8]) -> Result<()> {
        if number == 0 || number > self.pages {
            return Err(Damage::PageNumber);
        }
        if at.checked_add(into.len()).is_none_or(|end| end > self.layout.page_size) {
            return Err(Damage::PageNumber);
        }
        let (bytes, page_at) = match self.overlay.and_then(|overlay| Some((overlay.log, overlay.offset(number)?))) {
            Some(framed) => framed,
            None => (self.file, self.offset(number)),
        };
        let offset = page_at.checked_add(at as u64).ok_or(Damage::Unreadable)?;
        bytes.read_exact_at(into, offset).map_err(|_| Damage::Unreadable)
    }

    /// Reads consecutive pages, as many as the buffer holds.
    ///
    /// # Errors
    /// Fails with [`Damage::PageNumber`] for a page that the database does not have, [`Damage::Unreadable`] for one that cannot be read.
    pub fn run(&self, first: u32, into: &mut [u8]) -> Result<()> {
        let count = u32::try_from(into.len() / self.layout.page_size).map_err(|_| Damage::PageNumber)?;
        let past = first.checked_add(count).ok_or(Damage::PageNumber)?;
        if first == 0 || past - 1 > self.pages {
            return Err(Damage::PageNumber);
        }
        if self.overlay.is_some_and(|overlay| overlay.touches(first, count)) {
            for (number, page) in (first..past).zip(into.chunks_exact_mut(self.layout.page_size)) {
                self.page(number, page)?;
            }
            return Ok(());
        }
        self.file.read_exact_at(into, self.offset(first)).map_err(|_| Damage::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(512, 0).unwrap()
    }

    #[test]
    fn the_log_lies_over_the_file_and_the_last_frame_of_a_page_counts() {
        let file: Vec<u8> = [[1; 512], [2; 512], [3; 512]].concat();
        let log: Vec<u8> = [[9; 512], [8; 512], [7; 512]].concat();
        let overlay = Overlay::new(&log, 512, 4, [(2, 0), (4, 512), (2, 1024)]).unwrap();
        let source = Source::new(&file, Some(&overlay), layout(), 4);
        let mut page = [0; 512];
        let mut seen = Vec::new();
        for number in 1..=4 {
            source.page(number, &mut page).unwrap();
            seen.push(page[511]);
        }
        assert_eq!(seen, [1, 7, 3, 8]);
        let mut run = [0; 1536];
        source.run(1, &mut run).unwrap();
        assert_eq!([run[0], run[512], run[1024]], [1, 7, 3]);
        assert_eq!(source.page(0, &mut page), Err(Damage::PageNumber));
        assert_eq!(source.page(5, &mut page), Err(Damage::PageNumber));
        assert_eq!(source.run(3, &mut run), Err(Damage::PageNumber));
        assert_eq!(source.part(1, 500, &mut [0; 13]), Err(Damage::PageNumber));
    }

    #[test]
    fn a_part_of_a_page_at_the_end_is_a_page_missing() {
        let file = vec![0; 1000];
        assert_eq!(Source::pages_there(&file, None, layout()), Err(Damage::PagesMissing));
        let short = Source::new(&file, None, layout(), 2);
        assert_eq!(short.page(2, &mut [0; 512]), Err(Damage::Unreadable));
    }
}
