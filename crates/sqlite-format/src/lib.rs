//! SQLite's files, read in safe Rust and without SQLite: databases, write-ahead logs and rollback journals; and a check that tells
//! whether a database is sound, in one pass on several threads.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/healthy.db");
//! use sqlite_format::check::Ask;
//! use sqlite_format::interrupt::Never;
//! use sqlite_format::reader::Reader;
//! use sqlite_format::row::NoVisitor;
//!
//! let file = std::fs::File::open(path)?;
//! let reader = Reader::open(&file, None, false, &Never).map_err(|answer| format!("{answer:?}"))?;
//! for table in &reader.schema().tables {
//!     println!("{}: {} columns, root page {}", table.name, table.columns.len(), table.root);
//! }
//! let checked = reader.check(&NoVisitor, &Ask::default(), &Never)?;
//! assert!(checked.store.is_sound());
//! # Ok(())
//! # }
//! ```
//!
//! # Untrusted input
//!
//! Every file is untrusted. No bytes make anything here panic, follow a circle, or allocate what a number in the file asks for:
//! payloads are held up to a bound and read piece by piece beyond it, and each page is taken into account once. Reads are
//! positional, into buffers of the reader's own. Long reads ask an [`interrupt::Interrupt`] of the caller's. There is no `unsafe`
//! code. A caller that reads a file in use must see to it that nothing writes to it, or compare the file afterwards: no lock is
//! taken.
//!
//! # What is where
//!
//! From below: [`bytes`], numbers; [`header`], the database header and the layout that follows from it; [`page`]s and their cells,
//! each judged alone; [`cover`], the used bytes of a page; [`record`]s, whose values are borrowed; [`encoding`], UTF-16;
//! [`first_page`], by which the header is judged;
//! [`overflow`] chains; the [`freelist`]; the [`pointer_map`]; a [`wal`] frame by frame and a [`journal`] record by record, each
//! valid or not; a [`source`] of pages, with a log laid over a database; [`sql`], tokens; the [`schema`]. Above them stand two ways
//! to read a whole database: the strict [`check`], which finds every fault fast and believes nothing behind one, and the tolerant
//! [`walk`], which goes on where a page is damaged. [`cross_check`] holds each index against its table and looks at the pages that
//! nothing leads to: where a database is not sound, it tells if rows are missing or only derived data is wrong.
//!
//! # What is sound
//!
//! [`check`] answers "sound" only where SQLite's `PRAGMA integrity_check` answers "ok", and "not understood" where it cannot tell:
//! generated columns, virtual tables, collations that are not built in, and conditions and expressions of indexes and CHECK
//! constraints that it does not evaluate. These answers are held against SQLite's own in the tests, on made, damaged and hostile databases.
//!
//! # Sources
//!
//! Each module names the section of "Database File Format", <https://www.sqlite.org/fileformat2.html>, that it follows, or the
//! source file of SQLite where the document leaves something open.

pub mod answer;
pub mod bytes;
pub mod check;
pub mod compare;
pub mod cover;
pub mod cross_check;
pub mod damage;
pub mod encoding;
mod evaluate;
pub mod first_page;
pub mod freelist;
pub mod hash;
pub mod header;
pub mod interrupt;
pub mod journal;
pub mod overflow;
pub mod page;
pub mod pointer_map;
pub mod reader;
pub mod record;
pub mod row;
pub mod scan;
pub mod schema;
pub mod source;
pub mod sql;
pub mod wal;
pub mod walk;
