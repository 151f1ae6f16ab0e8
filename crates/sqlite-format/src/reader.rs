//! A store that is open to be read: its header and its schema.

use super::answer::{Answer, Checked, Fault};
use super::check::{self, Ask};
use super::damage::Damage;
use super::header::Header;
use super::page::Page;
use super::row::Visitor;
use super::scan::MOST_LEVELS;
use super::schema::{Schema, Table, link};
use super::source::{Overlay, ReadAt, Source};
use crate::interrupt::{Interrupt, Interrupted};

/// A store.
pub struct Reader<'a> {
    pub(super) source: Source<'a>,
    pub(super) header: Header,
    pub(super) schema: Schema,
}

/// Returns the header and the pages of a database that is perhaps damaged, as many pages as are there. A part of a page
/// at the file's end is a page only where the header counts it.
///
/// # Errors
/// Fails with [`Damage::Header`] for a header that SQLite does not open.
pub fn pages_there<'a>(file: &'a dyn ReadAt, overlay: Option<&'a Overlay<'a>>) -> Result<(Header, Source<'a>), Damage> {
    let (header, source) = all_pages_there(file, overlay)?;
    let pages = header.pages.map_or(source.pages(), |counted| counted.min(source.pages()));
    Ok((header, Source::new(file, overlay, header.layout, pages)))
}

/// Returns the header and the pages of a database that is perhaps damaged, also those behind the last one that the header counts.
///
/// # Errors
/// Fails with [`Damage::Header`] for a header that SQLite does not open.
pub fn all_pages_there<'a>(
    file: &'a dyn ReadAt,
    overlay: Option<&'a Overlay<'a>>,
) -> Result<(Header, Source<'a>), Damage> {
    let header = Header::parse(&Source::first_bytes(file, overlay)?)?;
    let page_size = header.layout.page_size as u64;
    let pages = match Source::pages_there(file, overlay, header.layout) {
        Err(Damage::PagesMissing) => {
            let size = file.size().map_err(|_| Damage::Unreadable)?;
            let (whole, begun) = (size / page_size, size.div_ceil(page_size));
            let there = if header.pages.map(u64::from) > Some(whole) {
                begun
            } else {
                whole
            };
            u32::try_from(there).map_err(|_| Damage::Header)?
        }
        there => there?,
    };
    Ok((header, Source::new(file, overlay, header.layout, pages)))
}

impl<'a> Reader<'a> {
    /// Reads a store's header and schema. `schema_loads` says that SQLite has read this very schema without an error, so
    /// that statements that the reader does not take apart are known to be good.
    ///
    /// # Errors
    /// Fails with the damage, or what is not understood; [`Damage::Stopped`] when `stop` is due.
    pub fn open(
        file: &'a dyn ReadAt,
        overlay: Option<&'a Overlay<'a>>,
        schema_loads: bool,
        stop: &dyn Interrupt,
    ) -> Result<Self, Answer> {
        let odd = |damage| {
            Answer::from(Fault {
                root: 1,
                page: 1,
                damage,
            })
        };
        let header = Header::parse(&Source::first_bytes(file, overlay).map_err(odd)?).map_err(odd)?;
        let there = Source::pages_there(file, overlay, header.layout).map_err(odd)?;
        let pages = header.pages.unwrap_or(there);
        if pages == 0 || pages > there {
            return Err(odd(Damage::PagesMissing));
        }
        let source = Source::new(file, overlay, header.layout, pages);
        let schema = link(&source, &header, schema_loads, stop).map_err(odd)?;
        Ok(Self { source, header, schema })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The pages.
    pub fn source(&self) -> &Source<'a> {
        &self.source
    }

    /// Reads the whole store in one pass.
    ///
    /// # Errors
    /// Fails with [`Interrupted`] when `stop` is due.
    pub fn check<V: Visitor>(
        &self,
        visitor: &V,
        ask: &Ask<'_>,
        stop: &dyn Interrupt,
    ) -> Result<Checked<V::State>, Interrupted> {
        check::check(self, visitor, ask, stop)
    }

    /// The largest rowid of a table, as its rightmost leaf has it; 0 for an empty table.
    pub(super) fn largest_rowid(&self, table: &Table) -> Option<i64> {
        let mut bytes = vec![0; self.source.layout().page_size];
        let mut number = table.root;
        for _ in 0..MOST_LEVELS {
            self.source.page(number, &mut bytes).ok()?;
            let page = Page::parse(self.header.layout, number, &bytes).ok()?;
            if page.kind().is_leaf() {
                return match page.cells().checked_sub(1) {
                    Some(last) => page.cell(last).ok().map(|cell| cell.rowid),
                    None => Some(0),
                };
            }
            number = page.right_child();
        }
        None
    }
}
