//! The map of a store's pages: a cell for each block, a key in words, and the damaged pages by their numbers.
//!
//! Each cell carries a letter, so that colour is never the only thing that tells; so the map can still be read where there
//! is no colour and no style at all.

use super::{cut, text};
use crate::page_map::{Block, Class, Marked, PageMap, Part, Place, Role, Tree};
use crate::words::{plural, thousands};

/// The tables that have a colour of their own.
const MOST_TABLES: usize = 8;

/// The names that are listed where several share a line.
const MOST_NAMES: usize = 3;

/// The damaged places that are listed.
const MOST_PLACES: usize = 20;

/// The classes that a cell's note names.
const MOST_NOTED: usize = 2;

/// The longest name of a tree in a cell's note, in characters; the key has all of it.
const LONGEST_NOTED: usize = 24;

/// The longest name of a tree where several share a line.
const LONGEST_LISTED: usize = 40;

/// Up to so many cells are drawn larger.
const FEW_CELLS: usize = 300;

/// The cells in a line, where nothing lays them out.
const CELLS_A_LINE: usize = 64;

/// A kind of page that the key has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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

impl Kind {
    /// The letter in the cells.
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

    /// The class of the style.
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

/// How a map's classes are drawn.
struct Key<'a> {
    map: &'a PageMap,
    /// The tables with a colour of their own, those with the most pages first.
    tables: Vec<Tree>,
}

/// A map's part of the page. `is_faulty`: something is wrong with the store's structure, be it at a single page or not.
pub(super) fn drawn(map: &PageMap, is_faulty: bool) -> String {
    let key = Key::of(map);
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
fn marked(marked: Marked) -> String {
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

/// A name that is written from right to left changes the order of nothing beside it.
fn isolated(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!("<bdi>{}</bdi>", text(name))
    }
}

impl<'a> Key<'a> {
    fn of(map: &'a PageMap) -> Self {
        let mut tables: Vec<(u64, Tree)> = Vec::new();
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
        Self { map, tables }
    }

    fn kind(&self, class: Class) -> Kind {
        let Class::Tree(tree, _) = class else {
            return match class {
                Class::FreeTrunk | Class::FreeLeaf => Kind::Free,
                Class::PointerMap => Kind::PointerMap,
                Class::LockByte => Kind::LockByte,
                Class::Unreached | Class::Tree(..) => Kind::Unreached,
            };
        };
        let own = table_of(self.map, class).and_then(|table| self.tables.iter().position(|known| *known == table));
        match (self.map.role(tree), own) {
            (Role::Table, Some(n)) => Kind::Table(n),
            (Role::Index(_), Some(n)) => Kind::IndexesOf(n),
            (Role::Table, None) => Kind::FurtherTable,
            (Role::Index(_), None) => Kind::FurtherIndex,
        }
    }

    /// How many pages of a kind there are.
    fn pages_of(&self, kind: Kind) -> u32 {
        let counts = self.map.counts().iter().filter(|count| self.kind(count.class) == kind);
        counts.map(|count| count.pages).sum()
    }

    /// What is said before the map: how to read it, and what is wrong.
    fn account(&self, is_faulty: bool) -> String {
        let map = self.map;
        let mut out = String::new();
        if let Some(why) = map.ended() {
            out += &format!("<p class=\"note\"><b>Not all of them were looked at:</b> {}.</p>\n", text(why));
        }
        let damaged = map.damaged();
        if damaged.is_empty() {
            out += if is_faulty {
                "<p>No single page was found to be damaged: what the row <code>page-structure</code> says is wrong between them.</p>\n"
            } else {
                "<p>No damaged page was found.</p>\n"
            };
        } else {
            let places: String = map.places().iter().take(MOST_PLACES).map(|place| self.place(place)).collect();
            let shown: u32 = map.places().iter().take(MOST_PLACES).map(|place| place.last - place.first + 1).sum();
            let rest = match damaged.pages.saturating_sub(shown) {
                0 if damaged.at_least => "<li>… and more</li>\n".to_owned(),
                0 => String::new(),
                pages => format!("<li>… and {} more</li>\n", marked(Marked { pages, ..damaged })),
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
        let unreached = self.pages_of(Kind::Unreached);
        if unreached > 0 && map.ended().is_none() {
            let are = if unreached == 1 { "is" } else { "are" };
            out += &format!(
                "<p class=\"note\"><b>{} {are} unreached:</b> nothing that could be read leads there.</p>\n",
                of_pages(unreached)
            );
        }
        let unreached = if map.ended().is_none() { " or unreached" } else { "" };
        let cells = match map.block_pages() {
            1 => "One cell is one page.".to_owned(),
            n => format!(
                "One cell is {}, drawn as what most of them are, but as damaged{unreached} if any of them is.",
                of_pages(n)
            ),
        };
        out + &format!("<p>{} in the order of the file, line by line. {cells}</p>\n", of_pages(map.pages()))
    }

    fn place(&self, place: &Place) -> String {
        let what = place.class.map_or_else(String::new, |class| {
            let (name, words) = self.words(class, usize::MAX);
            format!(": {}{}", isolated(&name), text(&words))
        });
        format!("<li>{}{what}</li>\n", span(place.first, place.last))
    }

    /// A block, with a note that says what is in it.
    fn cell(&self, block: &Block) -> String {
        let most = block.parts.first().map_or(Class::Unreached, |(class, _)| *class);
        let kind = if self.is_unreached(block) {
            Kind::Unreached
        } else {
            self.kind(most)
        };
        let (mut class, letter) = if block.damaged.is_empty() {
            let part = match most {
                Class::Tree(_, Part::Interior) if kind != Kind::Unreached => " in",
                Class::Tree(_, Part::Overflow) if kind != Kind::Unreached => " ov",
                _ => "",
            };
            (format!("{}{part}", kind.class()), kind.letter())
        } else {
            ("dm".to_owned(), '×')
        };
        if !block.replaced.is_empty() {
            class += " w";
        }
        format!("<i class=\"{class}\" title=\"{}\">{letter}</i>", text(&self.note(block)))
    }

    /// Whether one of a block's pages is unreached, which is never hidden; that some were not looked at is no fault of theirs.
    fn is_unreached(&self, block: &Block) -> bool {
        block.unreached > 0 && self.map.ended().is_none()
    }

    /// "pages 513–1,024: 400 notes (table), 100 title (index), 12 others; 2 damaged; 5 replaced by the WAL".
    fn note(&self, block: &Block) -> String {
        let mut out = format!("{}: ", span(block.first, block.last()));
        if block.pages == 1 {
            let class = block.parts.first().map_or(Class::Unreached, |(class, _)| *class);
            out += &self.noted(class);
            out += if block.damaged.is_empty() { "" } else { "; damaged" };
            out += if block.replaced.is_empty() {
                ""
            } else {
                "; replaced by the WAL"
            };
            return out;
        }
        let mut parts: Vec<(Class, u32)> = block.parts.iter().take(MOST_NOTED).copied().collect();
        // What makes the cell's colour is always said.
        if self.is_unreached(block) && parts.iter().all(|(class, _)| *class != Class::Unreached) {
            parts.push((Class::Unreached, block.unreached));
        }
        let others = block.pages - parts.iter().map(|(_, pages)| pages).sum::<u32>();
        let mut said: Vec<String> = parts
            .iter()
            .map(|(class, pages)| format!("{} {}", number(*pages), self.noted(*class)))
            .collect();
        if others > 0 {
            said.push(format!("{} others", number(others)));
        }
        out += &said.join(", ");
        for (mark, words) in [(block.damaged, "damaged"), (block.replaced, "replaced by the WAL")] {
            if !mark.is_empty() {
                let least = if mark.at_least { "at least " } else { "" };
                out += &format!("; {least}{} {words}", number(mark.pages));
            }
        }
        out
    }

    /// A class in a cell's note.
    fn noted(&self, class: Class) -> String {
        let (name, words) = self.words(class, LONGEST_NOTED);
        name + &words
    }

    /// A tree's name, cut to `longest` characters, and the words that follow it; of what is no tree, the words alone.
    fn words(&self, class: Class, longest: usize) -> (String, String) {
        let Class::Tree(tree, part) = class else {
            let words = match class {
                Class::FreeTrunk => "freelist trunk",
                Class::FreeLeaf => "free",
                Class::PointerMap => "pointer map",
                Class::LockByte => "lock-byte page",
                Class::Unreached | Class::Tree(..) => self.untold(),
            };
            return (String::new(), words.to_owned());
        };
        let role = match self.map.role(tree) {
            Role::Table => "table",
            Role::Index(_) => "index",
        };
        let part = match part {
            Part::Leaf => "",
            Part::Interior => ", interior",
            Part::Overflow => ", overflow",
            Part::Unclear => ", of no clear kind",
        };
        (cut(self.map.name(tree), longest), format!(" ({role}{part})"))
    }

    fn untold(&self) -> &'static str {
        if self.map.ended().is_some() {
            "not looked at"
        } else {
            "unreached"
        }
    }

    /// What each letter means, and how many pages it stands for.
    fn table(&self) -> String {
        let total = self.map.pages();
        let lines: String = self.kinds().into_iter().map(|kind| self.line(kind)).collect();
        format!(
            "<div class=\"key\">\n<table>\n<thead><tr><td></td><th scope=\"col\">what</th><th scope=\"col\">pages</th>\
             <th scope=\"col\">share</th></tr></thead>\n<tbody>\n{lines}</tbody>\n\
             <tfoot><tr><td></td><th scope=\"row\">all</th><td>{}</td><td>100 %</td></tr></tfoot>\n</table>\n{}</div>\n",
            number(total),
            self.marks(),
        )
    }

    /// The key's line of a kind, where there are pages of it.
    fn line(&self, kind: Kind) -> String {
        let counts = || self.map.counts().iter().filter(|count| self.kind(count.class) == kind);
        let pages = self.pages_of(kind);
        if pages == 0 {
            return String::new();
        }
        let (before, name, more) = self.named(kind);
        let mut small = Vec::new();
        small.extend((!more.is_empty()).then_some(more));
        // Where the pages were not kept one by one, only the whole map has a figure.
        let damaged: u32 = counts().filter_map(|count| count.damaged).sum();
        small.extend((damaged > 0).then(|| format!("<b>{} damaged</b>", number(damaged))));
        let small = match small.join("; ") {
            small if small.is_empty() => small,
            small => format!(" <small>{small}</small>"),
        };
        format!(
            "<tr><td><i class=\"{}\">{}</i></td><th scope=\"row\">{before}{}{small}</th>\
             <td>{}</td><td>{}</td></tr>\n",
            kind.class(),
            kind.letter(),
            isolated(name),
            number(pages),
            text(&share(pages, self.map.pages())),
        )
    }

    /// The key's lines, in their order.
    fn kinds(&self) -> Vec<Kind> {
        let tables = (0..self.tables.len()).flat_map(|n| [Kind::Table(n), Kind::IndexesOf(n)]);
        let rest = [
            Kind::FurtherTable,
            Kind::FurtherIndex,
            Kind::Free,
            Kind::PointerMap,
            Kind::LockByte,
            Kind::Unreached,
        ];
        tables.chain(rest).collect()
    }

    /// What a line of the key is named, with the words that stand before a tree's name, and what else there is to say (as
    /// HTML).
    fn named(&self, kind: Kind) -> (&'static str, &'a str, String) {
        let own = |n: usize| self.tables.get(n).map_or("", |table| self.map.name(*table));
        match kind {
            Kind::Table(n) => ("", own(n), format!("table: {}", self.parts(kind))),
            Kind::IndexesOf(n) => ("indexes of ", own(n), self.names(kind)),
            Kind::FurtherTable => ("", "further tables", self.names(kind)),
            Kind::FurtherIndex => ("", "further indexes", self.names(kind)),
            Kind::Free => ("", "free", "on the freelist, to be used again".to_owned()),
            Kind::PointerMap => ("", "pointer map", "says which page refers to which".to_owned()),
            Kind::LockByte => ("", "lock-byte page", "holds nothing: SQLite’s locks lie there".to_owned()),
            Kind::Unreached if self.map.ended().is_some() => ("", "not looked at", String::new()),
            Kind::Unreached => ("", "unreached", "nothing that could be read leads there".to_owned()),
        }
    }

    /// "190 leaf, 8 interior, 6 overflow".
    fn parts(&self, kind: Kind) -> String {
        let parts = [
            (Part::Leaf, "leaf"),
            (Part::Interior, "interior"),
            (Part::Overflow, "overflow"),
            (Part::Unclear, "of no clear kind"),
        ];
        let said = parts.iter().filter_map(|(part, words)| {
            let is_part = |class| matches!(class, Class::Tree(_, of) if of == *part) && self.kind(class) == kind;
            let counts = self.map.counts().iter().filter(|count| is_part(count.class));
            let pages: u32 = counts.map(|count| count.pages).sum();
            (pages > 0).then(|| format!("{} {words}", number(pages)))
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// The largest trees that share a line, and how many there are more, as HTML.
    fn names(&self, kind: Kind) -> String {
        let mut trees: Vec<(u32, Tree)> = Vec::new();
        for count in self.map.counts() {
            if let Class::Tree(tree, _) = count.class
                && self.kind(count.class) == kind
            {
                match trees.iter_mut().find(|(_, known)| *known == tree) {
                    Some((pages, _)) => *pages += count.pages,
                    None => trees.push((count.pages, tree)),
                }
            }
        }
        trees.sort_unstable_by_key(|(pages, tree)| (u32::MAX - pages, *tree));
        let named = |(pages, tree): &(u32, Tree)| {
            let name = cut(self.map.name(*tree), LONGEST_LISTED);
            format!("{}: {}", isolated(&name), number(*pages))
        };
        let mut said: Vec<String> = trees.iter().take(MOST_NAMES).map(named).collect();
        if trees.len() > MOST_NAMES {
            said.push(format!("… and {} more", thousands((trees.len() - MOST_NAMES) as u64)));
        }
        said.join(", ")
    }

    /// What else a cell may show, where one does.
    fn marks(&self) -> String {
        let blocks = self.map.blocks();
        let cells = |has: &dyn Fn(&Block) -> bool| blocks.iter().filter(|block| has(block)).count();
        let has_most =
            |block: &Block, part: Part| matches!(block.parts.first(), Some((Class::Tree(_, of), _)) if *of == part);
        let mut out = String::new();
        let mut mark = |class: &str, letter: &str, words: &str| {
            out += &format!("<li><i class=\"{class}\">{letter}</i> {}</li>\n", text(words));
        };
        let (damaged, replaced) = (self.map.damaged(), self.map.replaced());
        if !damaged.is_empty() {
            let cells = cells(&|block| !block.damaged.is_empty());
            mark(
                "dm",
                "×",
                &format!("damaged: {} in {}", marked(damaged), plural(cells as u64, "cell", "cells")),
            );
        }
        if !replaced.is_empty() {
            let cells = cells(&|block| !block.replaced.is_empty());
            let cells = plural(cells as u64, "cell", "cells");
            mark("fr w", "", &format!("replaced by the WAL: {} in {cells}", marked(replaced)));
        }
        if cells(&|block| has_most(block, Part::Interior)) > 0 {
            mark("in", "", "framed: interior pages, which lead to others");
        }
        if cells(&|block| has_most(block, Part::Overflow)) > 0 {
            mark("ov", "", "half: overflow pages, the rest of long rows");
        }
        if out.is_empty() {
            out
        } else {
            format!("<ul class=\"marks\">\n{out}</ul>\n")
        }
    }
}

/// The table that a class belongs to: its own, or that of its index.
fn table_of(map: &PageMap, class: Class) -> Option<Tree> {
    let Class::Tree(tree, _) = class else { return None };
    match map.role(tree) {
        Role::Table => Some(tree),
        Role::Index(table) => table,
    }
}

/// "12.3 %"; what is there is never "0.0 %".
fn share(pages: u32, total: u32) -> String {
    let tenths = u64::from(pages) * 1_000 / u64::from(total.max(1));
    match tenths {
        0 => "< 0.1 %".to_owned(),
        n => format!("{}.{} %", n / 10, n % 10),
    }
}
