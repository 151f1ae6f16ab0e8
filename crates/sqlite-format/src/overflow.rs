//! Overflow pages: the part of a payload that does not lie in its cell, page by page.
//!
//! Source: "Cell Payload Overflow Pages", <https://www.sqlite.org/fileformat2.html#ovflpgs>.

use super::damage::{Damage, Result};
use super::page::Payload;
use super::source::Source;

/// A chain of overflow pages that is walked forwards.
///
/// It cannot lead in a circle for ever: each page holds a fixed number of bytes of the payload, and the cell says how many bytes
/// that has. A chain is valid when both end together, so that a circle, a cut and a surplus page are all a wrong length.
#[derive(Clone, Copy)]
pub struct Chain<'s> {
    source: &'s Source<'s>,
    next: u32,
    /// The number of bytes of the payload that are still to come.
    left: usize,
}

impl<'s> Chain<'s> {
    /// Returns the chain of a payload; one without overflow pages is at its end.
    pub fn new(source: &'s Source<'s>, payload: &Payload<'_>) -> Self {
        let left = payload.len - payload.local.len();
        Self {
            source,
            next: payload.overflow.unwrap_or(0),
            left,
        }
    }

    /// Returns the number of bytes that are still to come.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Returns the page that comes next; `None` at the end.
    ///
    /// # Errors
    /// Fails with [`Damage::ChainLength`] for a chain that is longer or shorter than its payload.
    pub fn next(&self) -> Result<Option<u32>> {
        match (self.next, self.left) {
            (0, 0) => Ok(None),
            (0, _) | (_, 0) => Err(Damage::ChainLength),
            (next, _) => Ok(Some(next)),
        }
    }

    /// Returns the number of bytes of the payload that the next page holds.
    pub(super) fn here(&self) -> usize {
        self.left.min(self.source.layout().usable - 4)
    }

    /// Reads the next page's part of the payload, at the end of what is there already.
    ///
    /// # Errors
    /// Fails with [`Damage::ChainLength`] at the end of the chain, or the damage of reading the page.
    pub fn read(&mut self, page: &mut Vec<u8>, into: &mut Vec<u8>) -> Result<()> {
        let Some(number) = self.next()? else {
            return Err(Damage::ChainLength);
        };
        let here = self.here();
        page.resize(4 + here, 0);
        self.source.part(number, 0, page)?;
        let (next, content) = page.split_first_chunk::<4>().ok_or(Damage::Unreadable)?;
        into.extend_from_slice(content);
        self.next = u32::from_be_bytes(*next);
        self.left -= here;
        Ok(())
    }

    /// Goes past the next page and returns how many bytes of the payload it holds. Only its first four bytes are read.
    ///
    /// # Errors
    /// Fails with [`Damage::ChainLength`] at the end of the chain, or the damage of reading the page.
    pub fn skip(&mut self) -> Result<usize> {
        let Some(number) = self.next()? else {
            return Err(Damage::ChainLength);
        };
        let mut next = [0; 4];
        self.source.part(number, 0, &mut next)?;
        let here = self.here();
        self.next = u32::from_be_bytes(next);
        self.left -= here;
        Ok(here)
    }
}

/// Puts a whole payload together, if it is no longer than `most`.
///
/// # Errors
/// Fails with [`Damage::PayloadSize`] for a longer payload, or the damage of its chain.
pub fn whole(
    source: &Source<'_>,
    payload: &Payload<'_>,
    most: usize,
    page: &mut Vec<u8>,
    into: &mut Vec<u8>,
) -> Result<()> {
    into.clear();
    if payload.len > most {
        return Err(Damage::PayloadSize);
    }
    into.extend_from_slice(payload.local);
    let mut chain = Chain::new(source, payload);
    while chain.next()?.is_some() {
        chain.read(page, into)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::header::Layout;
    use super::*;

    fn layout() -> Layout {
        Layout::new(512, 12).unwrap()
    }

    /// A file of three pages, of which the second leads to the third.
    fn file() -> Vec<u8> {
        let mut file = vec![1; 1536];
        file[512..516].copy_from_slice(&3_u32.to_be_bytes());
        file[516..1024].fill(2);
        file[1024..1028].fill(0);
        file[1028..].fill(3);
        file
    }

    fn read(len: usize, first: u32, file: &Vec<u8>) -> Result<Vec<u8>> {
        let source = Source::new(file, None, layout(), 3);
        let payload = Payload {
            len,
            local: &[1; 10],
            overflow: Some(first),
        };
        let (mut page, mut out) = (Vec::new(), Vec::new());
        whole(&source, &payload, 2000, &mut page, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_payload_is_put_together_from_its_pages() {
        let wanted = [&[1; 10][..], &[2; 496], &[3; 5]].concat();
        assert_eq!(read(511, 2, &file()), Ok(wanted));
    }

    #[test]
    fn a_chain_has_the_length_of_its_payload() {
        assert_eq!(read(506, 2, &file()), Err(Damage::ChainLength));
        assert_eq!(read(10 + 2 * 496 + 1, 2, &file()), Err(Damage::ChainLength));
        assert_eq!(read(20, 0, &file()), Err(Damage::ChainLength));
        assert_eq!(read(20, 4, &file()), Err(Damage::PageNumber));
        assert_eq!(read(2001, 2, &file()), Err(Damage::PayloadSize));
        let mut circle = file();
        circle[1024..1028].copy_from_slice(&2_u32.to_be_bytes());
        assert_eq!(read(511, 2, &circle), Err(Damage::ChainLength));
    }
}
