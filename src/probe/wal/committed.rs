//! Which pages a log holds by its commits, and where: what SQLite lays over the database when it recovers the log.

use std::fs::File;

use super::{Ended, FRAME_HEADER_LEN, Frame, HEADER_LEN, WalHeader, for_each_frame, frame_checksum};
use crate::limits::stop::{Stop, Stopped};

/// The committed frames of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The size of its pages in bytes.
    pub page_size: usize,
    /// The database's size in pages after the last commit; 0 without one.
    pub pages: u32,
    /// Each frame's page and where its bytes begin in the log, in the log's order.
    pub frames: Vec<(u32, u64)>,
}

/// Reads a log up to the first frame that does not fit, as SQLite does (`wal.c`, `walIndexRecover`). `None` where it cannot be
/// read, or holds more than `most` frames.
///
/// # Errors
/// Where it is time to stop.
pub(crate) fn committed(
    log: &File,
    header: &WalHeader,
    most: usize,
    stop: &Stop,
) -> Result<Option<Committed>, Stopped> {
    let mut found = Committed {
        page_size: header.page_size as usize,
        ..Committed::default()
    };
    let mut committed = 0;
    let mut sums = header.checksum;
    let mut fits = true;
    let mut at = HEADER_LEN as u64;
    let ended = for_each_frame(log, header.page_size, stop, &mut |bytes| {
        let frame = Frame::of(bytes);
        let page_at = at + FRAME_HEADER_LEN as u64;
        at += bytes.len() as u64;
        fits = fits
            && frame.salts == header.salts
            && frame.page != 0
            && frame_checksum(header, sums, bytes) == frame.stored;
        if !fits || found.frames.len() > most {
            return;
        }
        sums = frame.stored;
        found.frames.push((frame.page, page_at));
        if frame.commit != 0 {
            found.pages = frame.commit;
            committed = found.frames.len();
        }
    });
    match ended {
        Err(Ended::Stopped(why)) => Err(why),
        Err(Ended::Io(_)) => Ok(None),
        Ok(()) if found.frames.len() > most => Ok(None),
        Ok(()) => {
            found.frames.truncate(committed);
            Ok(Some(found))
        }
    }
}
