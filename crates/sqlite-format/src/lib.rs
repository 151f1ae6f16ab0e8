//! SQLite's file format, read by ourselves: pages, cells, records, overflow chains, freelist, pointer map, schema; and
//! whether a store is sound, in one pass.
//!
//! A store is untrusted input. Nothing here has `unsafe` code, panics on any bytes, follows a circle, or allocates what a
//! number in a file asks for: payloads are held up to a bound and read piece by piece beyond it, and each page is taken into
//! the accounts once. Reads are positional, into buffers of its own.
//!
//! The layers, from below: [`bytes`] and serial types; [`page`]s and their cells, each judged alone; [`cover`], which bytes
//! of a page are used; [`record`]s, whose values are borrowed; [`overflow`] chains; the [`freelist`]; the [`pointer_map`]; a
//! [`source`] of pages, with a log laid over it; the [`schema`]; and above all of it the [`check`].
//!
//! Source of everything: "Database File Format", <https://www.sqlite.org/fileformat2.html>.

pub mod answer;
pub mod bytes;
pub mod check;
pub mod compare;
pub mod cover;
pub mod damage;
pub mod encoding;
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
