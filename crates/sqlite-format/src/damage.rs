//! The damage of a page, a cell, a record or the whole file: why it is perhaps not sound.

use super::schema::Unsupported;

/// The reason why something is perhaps not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file or its log could not be read there.
    #[error("the page cannot be read")]
    Unreadable,
    /// The file's header is none that SQLite opens.
    #[error("the header is out of range")]
    Header,
    /// The header counts more pages than are there.
    #[error("pages are missing")]
    PagesMissing,
    /// A page number that is 0 or behind the last page.
    #[error("a page number that is none")]
    PageNumber,
    /// A page is used twice.
    #[error("a page is used twice")]
    UsedTwice,
    /// A page is used by nothing.
    #[error("a page is used by nothing")]
    NeverUsed,
    /// The page does not begin as one of its tree.
    #[error("a page of another kind")]
    PageKind,
    /// More cells than a page can hold, or none where some must be.
    #[error("an impossible number of cells")]
    CellCount,
    /// The content area begins within the cell pointers or behind the page's end.
    #[error("the content area begins at an impossible place")]
    ContentStart,
    /// A cell pointer points out of the content area.
    #[error("a cell pointer out of range")]
    CellPointer,
    /// A cell goes past the page's end.
    #[error("a cell past the end of its page")]
    CellSize,
    /// A payload is longer than any can be.
    #[error("an impossible payload size")]
    PayloadSize,
    /// Two cells, or a cell and free space, share a byte.
    #[error("a byte is used twice")]
    Overlap,
    /// The list of free blocks leads out of the content area or backwards.
    #[error("a free block out of place")]
    FreeBlock,
    /// The page counts other fragments than it has.
    #[error("fragments are miscounted")]
    Fragments,
    /// A rowid that does not follow the one before it, or does not belong below its parent.
    #[error("a rowid out of order")]
    RowidOrder,
    /// An index entry that does not follow the one before it, or does not belong below its parent.
    #[error("an index entry out of order")]
    EntryOrder,
    /// A unique index holds a key twice.
    #[error("a key twice in a unique index")]
    NotUnique,
    /// Leaves of a tree lie at different depths.
    #[error("leaves at different depths")]
    Depth,
    /// A tree is deeper than SQLite follows.
    #[error("a tree too deep")]
    TooDeep,
    /// A chain of overflow pages is shorter or longer than its value.
    #[error("an overflow chain of another length")]
    ChainLength,
    /// A record's header does not fit its payload.
    #[error("a record that does not add up")]
    Record,
    /// A serial type that is reserved.
    #[error("a reserved serial type")]
    SerialType,
    /// A number that is none: SQLite reads it as NULL.
    #[error("not a number")]
    NotANumber,
    /// A record has more or fewer fields than its table or index has columns.
    #[error("a record of another number of fields")]
    FieldCount,
    /// NULL in a column that forbids it, or a value of a type that its column never stores.
    #[error("a value that its column forbids")]
    Forbidden,
    /// A value stands where only NULL may, because the rowid is the value.
    #[error("a value beside the rowid")]
    RowidAlias,
    /// Text with a NUL in a collation that stops there.
    #[error("NUL in text of a collation that stops there")]
    NulInText,
    /// The freelist is shorter or longer than the header says, or a trunk counts too many leaves.
    #[error("a freelist of another length")]
    Freelist,
    /// The pointer map says something else than the pages.
    #[error("the pointer map differs from the pages")]
    PointerMap,
    /// The header's largest root page is not the largest.
    #[error("the largest root page is another")]
    LargestRoot,
    /// A row of `sqlite_schema` is none that SQLite writes.
    #[error("a row of sqlite_schema that SQLite does not write")]
    Schema,
    /// An index and its table disagree.
    #[error("an index and its table disagree")]
    Disagree,
    /// A row refers to another that is perhaps not there.
    #[error("a row refers to what is perhaps not there")]
    Dangling,
    /// It was not understood, so that nothing is said.
    #[error("not understood: {0}")]
    Unsupported(Unsupported),
    /// The look was ended before its end.
    #[error("ended before the end")]
    Stopped,
}

/// The result of looking at something.
pub type Result<T, E = Damage> = std::result::Result<T, E>;
