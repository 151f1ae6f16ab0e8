//! The map of a store's pages: a cell for each block, a key in words, and the damaged pages by their numbers.
//!
//! Each cell carries a letter, so that colour is never the only thing that tells; so the map can still be read where there
//! is no colour and no style at all.

mod cells;
mod key;

use super::text;
use crate::cause::Cause;
use crate::page_map::{DamagedRange, MarkCount, PageClass, PageMap, TreeId, TreeKind};
use crate::text::words::{plural, thousands};

/// The tables that have a colour of their own.
const MOST_TABLES: usize = 8;

/// The damaged places that are listed.
const MOST_RANGES: usize = 20;

/// Up to so many cells are drawn larger.
const FEW_CELLS: usize = 300;

/// The cells in a line, where nothing lays them out.
const CELLS_A_LINE: usize = 64;

/// A kind of page that the key has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PageKind {
    /// One of the largest tables.
    Table(usize),
    /// Its indexes.
    IndexesOf(usize),
    FurtherTable,
    FurtherIndex,
    Free,
    PointerMap,
    LockByte,
    Unreached,
}

impl PageKind {
    /// Returns the letter in the cells.
    fn letter(self) -> char {
        let letter = |first: char, n: usize| (first..).nth(n).unwrap_or(first);
        match self {
            Self::Table(n) => letter('A', n),
            Self::IndexesOf(n) => letter('a', n),
            Self::FurtherTable => 'Z',
            Self::FurtherIndex => 'z',
            Self::Free => '·',
            Self::PointerMap => '^',
            Self::LockByte => '#',
            Self::Unreached => '?',
        }
    }

    /// Returns the class of the style.
    fn class(self) -> String {
        match self {
            Self::Table(n) => format!("t{n}"),
            Self::IndexesOf(n) => format!("t{n} x"),
            Self::FurtherTable => "tz".to_owned(),
            Self::FurtherIndex => "tz x".to_owned(),
            Self::Free => "fr".to_owned(),
            Self::PointerMap => "pm".to_owned(),
            Self::LockByte => "lb".to_owned(),
            Self::Unreached => "un".to_owned(),
        }
    }
}

/// The assignment of a map's page classes to letters and colours.
struct Key<'a> {
    map: &'a PageMap,
    /// The tables with a colour of their own, those with the most pages first.
    tables: Vec<TreeId>,
    /// The signs of how the store came to harm.
    cause: &'a [Cause],
}

/// Returns a map's part of the page. `is_faulty`: something is wrong with the store's structure, be it at a single page or not.
pub(super) fn draw(map: &PageMap, is_faulty: bool, cause: &[Cause]) -> String {
    let key = Key::of(map, cause);
    let cells: String = (1..)
        .zip(map.blocks())
        .map(|(n, block)| {
            let end = if n % CELLS_A_LINE == 0 { "\n" } else { "" };
            format!("{}{end}", key.cell(block))
        })
        .collect();
    let large = if map.blocks().len() <= FEW_CELLS { " large" } else { "" };
    format!(
        "{}<div class=\"pages\">\n{}<div class=\"map{large}\" role=\"img\" aria-label=\"{}\">\n{cells}\n</div>\n</div>\n",
        key.account(is_faulty),
        key.table(),
        text(&format!(
            "A map of {}; the table says how many there are of each kind",
            of_pages(map.pages())
        )),
    )
}

fn of_pages(n: u32) -> String {
    plural(u64::from(n), "page", "pages")
}

fn number(n: u32) -> String {
    thousands(u64::from(n))
}

/// "3 pages", "at least 3 pages".
fn marked(marked: MarkCount) -> String {
    format!("{}{}", if marked.at_least { "at least " } else { "" }, of_pages(marked.pages))
}

/// "page 7", "pages 7–9".
fn span(first: u32, last: u32) -> String {
    if first == last {
        format!("page {}", number(first))
    } else {
        format!("pages {}–{}", number(first), number(last))
    }
}

/// Returns a name that is written from right to left changes the order of nothing beside it.
fn isolate(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!("<bdi>{}</bdi>", text(name))
    }
}

impl<'a> Key<'a> {
    fn of(map: &'a PageMap, cause: &'a [Cause]) -> Self {
        let mut tables: Vec<(u64, TreeId)> = Vec::new();
        for count in map.counts() {
            if let Some(table) = table_of(map, count.class) {
                match tables.iter_mut().find(|(_, known)| *known == table) {
                    Some((pages, _)) => *pages += u64::from(count.pages),
                    None => tables.push((u64::from(count.pages), table)),
                }
            }
        }
        tables.sort_unstable_by_key(|(pages, table)| (u64::MAX - pages, *table));
        let tables = tables.into_iter().map(|(_, table)| table).take(MOST_TABLES).collect();
        Self { map, tables, cause }
    }

    fn kind(&self, class: PageClass) -> PageKind {
        let PageClass::Tree(tree, _) = class else {
            return match class {
                PageClass::FreeTrunk | PageClass::FreeLeaf => PageKind::Free,
                PageClass::PointerMap => PageKind::PointerMap,
                PageClass::LockByte => PageKind::LockByte,
                PageClass::Unreached | PageClass::Tree(..) => PageKind::Unreached,
            };
        };
        let own = table_of(self.map, class).and_then(|table| self.tables.iter().position(|known| *known == table));
        match (self.map.tree_kind(tree), own) {
            (TreeKind::Table, Some(n)) => PageKind::Table(n),
            (TreeKind::Index(_), Some(n)) => PageKind::IndexesOf(n),
            (TreeKind::Table, None) => PageKind::FurtherTable,
            (TreeKind::Index(_), None) => PageKind::FurtherIndex,
        }
    }

    /// Returns the number of pages of a kind.
    fn pages_of(&self, kind: PageKind) -> u32 {
        let counts = self.map.counts().iter().filter(|count| self.kind(count.class) == kind);
        counts.map(|count| count.pages).sum()
    }

    /// Returns the text before the map: how to read it, and what is wrong.
    fn account(&self, is_faulty: bool) -> String {
        let map = self.map;
        let mut out = String::new();
        if let Some(why) = map.incomplete_reason() {
            out += &format!("<p class=\"note\"><b>Not all pages were looked at:</b> {}.</p>\n", text(why));
        }
        let damaged = map.damaged();
        if damaged.is_empty() {
            out += if is_faulty {
                "<p>No single page was found to be damaged: what the row <code>page-structure</code> says is wrong between them.</p>\n"
            } else if map.incomplete_reason().is_some() {
                "<p>No damaged page was found among those that were looked at.</p>\n"
            } else {
                "<p>No damaged page was found.</p>\n"
            };
        } else {
            let places: String = map.damaged_ranges().iter().take(MOST_RANGES).map(|place| self.place(place)).collect();
            let shown: u32 = map
                .damaged_ranges()
                .iter()
                .take(MOST_RANGES)
                .map(|place| place.last - place.first + 1)
                .sum();
            let rest = match damaged.pages.saturating_sub(shown) {
                0 if damaged.at_least => "<li>… and more</li>\n".to_owned(),
                0 => String::new(),
                pages => format!("<li>… and {} more</li>\n", marked(MarkCount { pages, ..damaged })),
            };
            let are = if damaged.pages == 1 && !damaged.at_least {
                "is"
            } else {
                "are"
            };
            out += &format!(
                "<div class=\"note\">\n<p><b>{} {are} damaged:</b></p>\n<ul>\n{places}{rest}</ul>\n</div>\n",
                marked(damaged)
            );
        }
        let unreached = self.pages_of(PageKind::Unreached);
        if unreached > 0 && map.incomplete_reason().is_none() {
            let are = if unreached == 1 { "is" } else { "are" };
            out += &format!(
                "<p class=\"note\"><b>{} {are} unreached:</b> nothing that could be read leads there.</p>\n",
                of_pages(unreached)
            );
        }
        let unreached = if map.incomplete_reason().is_none() {
            " or unreached"
        } else {
            ""
        };
        let cells = match map.block_pages() {
            1 => "One cell is one page.".to_owned(),
            n => format!(
                "One cell is {}, drawn as what most of them are, but as damaged{unreached} if any of them is.",
                of_pages(n)
            ),
        };
        out + &format!("<p>{} in the order of the file, line by line. {cells}</p>\n", of_pages(map.pages()))
    }

    fn place(&self, place: &DamagedRange) -> String {
        let what = place.class.map_or_else(String::new, |class| {
            let (name, words) = self.words(class, usize::MAX);
            format!(": {}{}", isolate(&name), text(&words))
        });
        format!("<li>{}{what}</li>\n", span(place.first, place.last))
    }
}

/// Returns the table that a class belongs to: its own, or that of its index.
fn table_of(map: &PageMap, class: PageClass) -> Option<TreeId> {
    let PageClass::Tree(tree, _) = class else { return None };
    match map.tree_kind(tree) {
        TreeKind::Table => Some(tree),
        TreeKind::Index(table) => table,
    }
}
