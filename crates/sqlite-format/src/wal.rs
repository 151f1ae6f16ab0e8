//! The write-ahead log: its header, its frames one by one, each valid or not and why not, and the header of the wal-index.
//!
//! Sources: "The Write-Ahead Log", <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>, and "WAL-mode File
//! Format", <https://www.sqlite.org/walformat.html>, for the wal-index (`-shm`).

use std::io;

use super::bytes::read_u32_or_zero;
use super::header::is_page_size;
use super::interrupt::{Interrupt, Interrupted};
use super::source::{Blocks, ReadAt};

/// The length of the log's header, in bytes.
pub const HEADER_LEN: usize = 32;

/// The length of a frame's header, in bytes; a page follows it.
pub const FRAME_HEADER_LEN: usize = 24;

/// The number that a log begins with. Its lowest bit is set when checksums read numbers as big-endian.
pub const MAGIC: u32 = 0x377f_0682;

/// The only format version that exists.
pub const VERSION: u32 = 3_007_000;

/// The two sums of a log's running checksum.
pub type Checksum = [u32; 2];

/// The header of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalHeader {
    /// The page size in bytes.
    pub page_size: u32,
    /// The two salts, which each frame of this generation carries.
    pub salts: [u32; 2],
    /// The byte order in which checksums read numbers.
    pub is_big_endian: bool,
    /// The checksum with which the first frame's begins; `None` when the header is damaged and cannot vouch for it.
    pub checksum: Option<Checksum>,
}

/// The first thing that is wrong with a log's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalHeaderFault {
    /// It does not begin with [`MAGIC`].
    Magic,
    /// Its format version is not [`VERSION`].
    Version(u32),
    /// Its page size is not a power of two from 512 to 65,536.
    PageSize(u32),
    /// Its checksum is wrong.
    Checksum,
}

/// Returns `true` when the bytes begin with the magic of a log, in either byte order.
pub fn has_magic(bytes: &[u8]) -> bool {
    read_u32_or_zero(bytes, 0) & !1 == MAGIC
}

impl WalHeader {
    /// Reads the header as SQLite does. Returns `Ok(None)` for a log that is too short to hold one, which is an empty log.
    ///
    /// # Errors
    /// Fails with the first fault of the header. SQLite then ignores the whole log.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, WalHeaderFault> {
        let Some(bytes) = bytes.get(..HEADER_LEN) else {
            return Ok(None);
        };
        if !has_magic(bytes) {
            return Err(WalHeaderFault::Magic);
        }
        let header = Self::read_fields(bytes);
        if header.checksum.is_none() {
            return Err(WalHeaderFault::Checksum);
        }
        let version = read_u32_or_zero(bytes, 4);
        if version != VERSION {
            return Err(WalHeaderFault::Version(version));
        }
        if !is_page_size(header.page_size) {
            return Err(WalHeaderFault::PageSize(header.page_size));
        }
        Ok(Some(header))
    }

    /// Reads the header of a log that is perhaps damaged. Where its checksum is wrong, the salts are those of the first frame:
    /// each frame is verified by itself, so a wrong guess makes no frame valid. Returns `None` when the magic or the page size
    /// is none.
    pub fn read_damaged(log: &dyn ReadAt) -> Option<Self> {
        let mut bytes = [0; HEADER_LEN];
        log.read_exact_at(&mut bytes, 0).ok()?;
        let mut header = Self::read_fields(&bytes);
        if header.checksum.is_none() {
            let mut frame = [0; FRAME_HEADER_LEN];
            log.read_exact_at(&mut frame, HEADER_LEN as u64).ok()?;
            header.salts = [read_u32_or_zero(&frame, 8), read_u32_or_zero(&frame, 12)];
        }
        (has_magic(&bytes) && is_page_size(header.page_size)).then_some(header)
    }

    fn read_fields(bytes: &[u8]) -> Self {
        let word = |at| read_u32_or_zero(bytes, at);
        let is_big_endian = word(0) & 1 == 1;
        let stored = [word(24), word(28)];
        let computed = checksum(is_big_endian, [0, 0], bytes.get(..24).unwrap_or_default());
        Self {
            page_size: word(8),
            salts: [word(16), word(20)],
            is_big_endian,
            checksum: (computed == stored).then_some(stored),
        }
    }
}

/// Continues a running checksum over bytes whose length is a multiple of 8.
pub fn checksum(is_big_endian: bool, seed: Checksum, bytes: &[u8]) -> Checksum {
    let [mut s0, mut s1] = seed;
    let number = if is_big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    for pair in bytes.chunks_exact(8) {
        let (a, b) = pair.split_at(4);
        let word = |four: &[u8]| four.try_into().map_or(0, number);
        s0 = s0.wrapping_add(word(a)).wrapping_add(s1);
        s1 = s1.wrapping_add(word(b)).wrapping_add(s0);
    }
    [s0, s1]
}

/// One frame of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The frame's place in the log, counted from 1.
    pub number: u64,
    /// The number of the page that it holds.
    pub page: u32,
    /// The offset in the log at which the page begins.
    pub page_at: u64,
    /// The database's size in pages after the transaction, when this frame ends one.
    pub commit: Option<u32>,
    /// The reason why the frame is not valid; `None` for a valid frame.
    pub fault: Option<FrameFault>,
}

/// The reason why a frame is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// Its salts are not the header's: it was left by an older generation of the log.
    Salts,
    /// It names page 0, which no database has.
    PageNumber,
    /// Its checksum does not continue that of the frame before it.
    Checksum,
}

impl Frame {
    /// Returns `true` when the frame is one that SQLite reads, as long as all frames before it are valid too.
    pub fn is_valid(&self) -> bool {
        self.fault.is_none()
    }

    /// Returns `true` when the frame carries the salts of the log's header.
    pub fn is_of_this_generation(&self) -> bool {
        self.fault != Some(FrameFault::Salts)
    }
}

/// All frames of a log, in order. A frame that is cut off by the end of the file is none.
///
/// Each frame stores the running checksum up to and including itself. A frame is therefore verified from the sums that the
/// frame before it *stores*, and, when that frame is not valid, also from the sums that are computed over it: where its content
/// is damaged the stored ones are right, where the stored ones are damaged the computed ones are. So damage to one frame makes
/// that frame invalid and no other, and the commits behind it can be told from the remains of an older log. SQLite itself stops
/// at the first frame that is not valid.
///
/// An error is that of one frame: the frames behind it follow.
pub struct Frames<'a> {
    header: WalHeader,
    blocks: Blocks<'a>,
    number: u64,
    /// The sums from which the next frame may go on: those that the frame before stores and, when that frame is not valid, those
    /// computed over it. Empty when it could not be read, and before the first frame of a damaged header.
    seeds: Vec<Checksum>,
}

/// The number of sums that are carried on from an invalid frame, apart from those that it stores. With two, a frame is verified
/// behind two damaged ones, whichever part of each is damaged.
const CARRIED: usize = 2;

impl<'a> Frames<'a> {
    /// Reads the frames that follow the header of this log.
    ///
    /// # Errors
    /// Fails with the error of asking for the log's size.
    pub fn new(log: &'a dyn ReadAt, header: &WalHeader) -> io::Result<Self> {
        let frame_len = FRAME_HEADER_LEN + header.page_size as usize;
        Ok(Self {
            header: *header,
            blocks: Blocks::new(log, HEADER_LEN as u64, log.size()?, frame_len),
            number: 0,
            seeds: header.checksum.into_iter().collect(),
        })
    }
}

impl Iterator for Frames<'_> {
    type Item = io::Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.blocks.next()?;
        self.number += 1;
        let (at, bytes) = match block {
            Ok(block) => block,
            Err(error) => {
                self.seeds.clear();
                return Some(Err(error));
            }
        };
        let word = |at| read_u32_or_zero(bytes, at);
        let (page, stored) = (word(0), [word(16), word(20)]);
        // The checksum goes over the first eight bytes of the frame's header and over the page, and not over the salts.
        let sums = |seed: &Checksum| {
            let seed = checksum(self.header.is_big_endian, *seed, bytes.get(..8).unwrap_or_default());
            let page = bytes.get(FRAME_HEADER_LEN..).unwrap_or_default();
            checksum(self.header.is_big_endian, seed, page)
        };
        let mut computed = Vec::new();
        let fault = if [word(8), word(12)] != self.header.salts {
            Some(FrameFault::Salts)
        } else if page == 0 {
            Some(FrameFault::PageNumber)
        } else if self.seeds.iter().map(sums).any(|sum| {
            computed.push(sum);
            sum == stored
        }) {
            computed.clear();
            None
        } else {
            Some(FrameFault::Checksum)
        };
        computed.truncate(CARRIED);
        self.seeds.clear();
        self.seeds.push(stored);
        self.seeds.append(&mut computed);
        let frame = Frame {
            number: self.number,
            page,
            page_at: at + FRAME_HEADER_LEN as u64,
            commit: Some(word(4)).filter(|pages| *pages != 0),
            fault,
        };
        Some(Ok(frame))
    }
}

/// Returns `true` when a log cannot hold a frame of a database with pages of this size: it is too short for one, or holds zeros
/// alone behind its header. The header may be damaged, when it begins like one or with zeros: it was torn as it was written, and
/// no commit can be lost with it.
///
/// # Errors
/// Fails with the error of reading the log.
pub fn has_no_frame(log: &dyn ReadAt, page_size: u32) -> io::Result<bool> {
    const BLOCK: u64 = 64 << 10;
    let length = log.size()?;
    let header = HEADER_LEN as u64;
    let mut begin = [0; 4];
    if length >= 4 {
        log.read_exact_at(&mut begin, 0)?;
    }
    if !has_magic(&begin) && begin != [0; 4] {
        return Ok(false);
    }
    if length < header + FRAME_HEADER_LEN as u64 + u64::from(page_size) {
        return Ok(true);
    }
    let mut block = Vec::new();
    let mut at = header;
    while at < length {
        let len = BLOCK.min(length - at);
        block.resize(usize::try_from(len).unwrap_or_default(), 0);
        log.read_exact_at(&mut block, at)?;
        if block.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += len;
    }
    Ok(true)
}

/// The committed frames of a log: the pages that SQLite reads from it instead of from the database file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The page size in bytes.
    pub page_size: usize,
    /// The database's size in pages after the last commit; 0 without a commit.
    pub pages: u32,
    /// Each frame's page number and the offset of its page in the log, in the log's order.
    pub frames: Vec<(u32, u64)>,
}

impl Committed {
    /// Reads a log up to its first invalid frame, as SQLite recovers it (`wal.c`, `walIndexRecover`). Returns `None` when the log
    /// cannot be read or has more than `most` valid frames.
    ///
    /// # Errors
    /// Fails with [`Interrupted`] when `interrupt` is due.
    pub fn read(
        log: &dyn ReadAt,
        header: &WalHeader,
        most: usize,
        interrupt: &dyn Interrupt,
    ) -> Result<Option<Self>, Interrupted> {
        let Ok(frames) = Frames::new(log, header) else {
            return Ok(None);
        };
        let mut out = Self {
            page_size: header.page_size as usize,
            ..Self::default()
        };
        let mut committed = 0;
        for frame in frames {
            let Ok(frame) = frame else { return Ok(None) };
            if !frame.is_valid() {
                break;
            }
            out.frames.push((frame.page, frame.page_at));
            if out.frames.len() > most {
                return Ok(None);
            }
            if let Some(pages) = frame.commit {
                out.pages = pages;
                committed = out.frames.len();
            }
            if interrupt.is_due() {
                return Err(Interrupted);
            }
        }
        out.frames.truncate(committed);
        Ok(Some(out))
    }
}

/// The header of the wal-index, with which the `-shm` file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalIndexHeader {
    /// The salts of the log that it indexes.
    pub salts: [u32; 2],
    /// The number of valid and committed frames in that log.
    pub frames: u32,
}

impl WalIndexHeader {
    /// Reads the header. Returns `None` unless the index is initialised and both copies of the header, 48 bytes each in the
    /// machine's own byte order, are whole and equal.
    pub fn parse(shm: &[u8]) -> Option<Self> {
        let (first, second) = (shm.get(..48)?, shm.get(48..96)?);
        let number = |at: usize| first.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_ne_bytes);
        let sum = checksum(cfg!(target_endian = "big"), [0, 0], first.get(..40)?);
        let is_whole = first == second
            && first.get(12) == Some(&1)
            && number(0) == Some(VERSION)
            && [number(40), number(44)] == [Some(sum[0]), Some(sum[1])];
        let frames = number(16)?;
        is_whole.then(|| Self {
            // The index holds the salts in the log's byte order.
            salts: [read_u32_or_zero(first, 32), read_u32_or_zero(first, 36)],
            frames,
        })
    }
}

/// Rewrites the checksums of a log with pages of 512 bytes, that of its header and those of its first `frames` frames,
/// whatever these hold. Without this a fuzzer would never get past the first frame.
pub fn rewrite_checksums(log: &mut [u8], frames: usize) {
    let Some((header, rest)) = log.split_first_chunk_mut::<HEADER_LEN>() else {
        return;
    };
    let put = |bytes: &mut [u8], words: &[u32]| {
        for (four, word) in bytes.chunks_exact_mut(4).zip(words) {
            four.copy_from_slice(&word.to_be_bytes());
        }
    };
    put(&mut header[..12], &[MAGIC, VERSION, 512]);
    let mut sums = checksum(false, [0, 0], &header[..24]);
    put(&mut header[24..], &sums);
    for frame in rest.chunks_exact_mut(FRAME_HEADER_LEN + 512).take(frames) {
        frame[8..16].copy_from_slice(&header[16..24]);
        sums = checksum(false, checksum(false, sums, &frame[..8]), &frame[FRAME_HEADER_LEN..]);
        put(&mut frame[16..24], &sums);
    }
}
