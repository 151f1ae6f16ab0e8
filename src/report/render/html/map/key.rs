//! The key of a map: what each letter means, how many pages it stands for, and the marks.

use super::PageKind;
use super::{Key, isolate, marked, number};
use crate::page_map::{PageBlock, PageClass, PageRole, TreeId};
use crate::report::render::html::{cut, text};
use crate::text::words::{plural, thousands};

/// The names that are listed where several share a line.
const MOST_NAMES: usize = 3;

/// The longest name of a tree in the key, in characters.
const LONGEST_KEYED: usize = 64;

/// The longest name of a tree where several share a line.
const LONGEST_LISTED: usize = 40;

impl<'a> Key<'a> {
    /// Returns the meaning of each letter, and the number of its pages.
    pub(super) fn table(&self) -> String {
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

    /// Returns the key's line of a kind, where there are pages of it.
    fn line(&self, kind: PageKind) -> String {
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
            isolate(&cut(name, LONGEST_KEYED)),
            number(pages),
            text(&share(pages, self.map.pages())),
        )
    }

    /// Returns the key's lines, in their order.
    fn kinds(&self) -> Vec<PageKind> {
        let tables = (0..self.tables.len()).flat_map(|n| [PageKind::Table(n), PageKind::IndexesOf(n)]);
        let rest = [
            PageKind::FurtherTable,
            PageKind::FurtherIndex,
            PageKind::Free,
            PageKind::PointerMap,
            PageKind::LockByte,
            PageKind::Unreached,
        ];
        tables.chain(rest).collect()
    }

    /// Returns the name of a line of the key, with the words that stand before a tree's name, and what else there is to say (as
    /// HTML).
    fn named(&self, kind: PageKind) -> (&'static str, &'a str, String) {
        let own = |n: usize| self.tables.get(n).map_or("", |table| self.map.name(*table));
        match kind {
            PageKind::Table(n) => ("", own(n), format!("table: {}", self.parts(kind))),
            PageKind::IndexesOf(n) => ("indexes of ", own(n), self.names(kind)),
            PageKind::FurtherTable => ("", "further tables", self.names(kind)),
            PageKind::FurtherIndex => ("", "further indexes", self.names(kind)),
            PageKind::Free => ("", "free", "on the freelist, to be used again".to_owned()),
            PageKind::PointerMap => ("", "pointer map", "says which page refers to which".to_owned()),
            PageKind::LockByte => ("", "lock-byte page", "holds nothing: SQLite’s locks lie there".to_owned()),
            PageKind::Unreached if self.map.incomplete_reason().is_some() => ("", "not looked at", String::new()),
            PageKind::Unreached => ("", "unreached", "nothing that could be read leads there".to_owned()),
        }
    }

    /// "190 leaf, 8 interior, 6 overflow".
    fn parts(&self, kind: PageKind) -> String {
        let parts = [
            (PageRole::Leaf, "leaf"),
            (PageRole::Interior, "interior"),
            (PageRole::Overflow, "overflow"),
            (PageRole::Unclear, "of no clear kind"),
        ];
        let said = parts.iter().filter_map(|(part, words)| {
            let is_part = |class| matches!(class, PageClass::Tree(_, of) if of == *part) && self.kind(class) == kind;
            let counts = self.map.counts().iter().filter(|count| is_part(count.class));
            let pages: u32 = counts.map(|count| count.pages).sum();
            (pages > 0).then(|| format!("{} {words}", number(pages)))
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// Returns the largest trees that share a line, and how many there are more, as HTML.
    fn names(&self, kind: PageKind) -> String {
        let mut trees: Vec<(u32, TreeId)> = Vec::new();
        for count in self.map.counts() {
            if let PageClass::Tree(tree, _) = count.class
                && self.kind(count.class) == kind
            {
                match trees.iter_mut().find(|(_, known)| *known == tree) {
                    Some((pages, _)) => *pages += count.pages,
                    None => trees.push((count.pages, tree)),
                }
            }
        }
        trees.sort_unstable_by_key(|(pages, tree)| (u32::MAX - pages, *tree));
        let named = |(pages, tree): &(u32, TreeId)| {
            let name = cut(self.map.name(*tree), LONGEST_LISTED);
            format!("{}: {}", isolate(&name), number(*pages))
        };
        let mut said: Vec<String> = trees.iter().take(MOST_NAMES).map(named).collect();
        if trees.len() > MOST_NAMES {
            said.push(format!("… and {} more", thousands((trees.len() - MOST_NAMES) as u64)));
        }
        said.join(", ")
    }

    /// Returns the other marks that cells show, if any.
    fn marks(&self) -> String {
        let blocks = self.map.blocks();
        let cells = |has: &dyn Fn(&PageBlock) -> bool| blocks.iter().filter(|block| has(block)).count();
        let has_most = |block: &PageBlock, part: PageRole| matches!(block.parts.first(), Some((PageClass::Tree(_, of), _)) if *of == part);
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
        for cause in self.cause {
            let cells = cells(&|block| cause.pages.touch(block.first, block.last()));
            if cells > 0 {
                let cells = plural(cells as u64, "cell", "cells");
                mark("fr sg", "", &format!("{}, in {cells} (sign {})", cause.mark, cause.sign));
            }
        }
        if cells(&|block| has_most(block, PageRole::Interior)) > 0 {
            mark("in", "", "framed: interior pages, which lead to others");
        }
        if cells(&|block| has_most(block, PageRole::Overflow)) > 0 {
            mark("ov", "", "half: overflow pages, the rest of long rows");
        }
        if out.is_empty() {
            out
        } else {
            format!("<ul class=\"marks\">\n{out}</ul>\n")
        }
    }
}

/// "12.3 %"; what is there is never "0.0 %", and a part is never "100.0 %".
fn share(pages: u32, total: u32) -> String {
    let total = u64::from(total.max(1));
    let tenths = (u64::from(pages) * 1_000 + total / 2) / total;
    match tenths.min(if u64::from(pages) < total { 999 } else { 1_000 }) {
        0 => "< 0.1 %".to_owned(),
        n => format!("{}.{} %", n / 10, n % 10),
    }
}
