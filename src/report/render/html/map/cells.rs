//! The cells of a map: one for each block, with a note in words.

use super::PageKind;
use super::{Key, number, span};
use crate::cause::Cause;
use crate::page_map::{PageBlock, PageClass, PageRole, TreeKind};
use crate::report::render::html::{cut, text};

/// The classes that a cell's note names.
const MOST_NOTED: usize = 2;

/// The longest name of a tree in a cell's note.
const LONGEST_NOTED: usize = 24;

impl Key<'_> {
    /// Returns a block, with a note that says what is in it.
    pub(super) fn cell(&self, block: &PageBlock) -> String {
        let most = block.parts.first().map_or(PageClass::Unreached, |(class, _)| *class);
        let kind = if self.is_unreached(block) {
            PageKind::Unreached
        } else {
            self.kind(most)
        };
        let (mut class, letter) = if block.damaged.is_empty() {
            let part = match most {
                PageClass::Tree(_, PageRole::Interior) if kind != PageKind::Unreached => " in",
                PageClass::Tree(_, PageRole::Overflow) if kind != PageKind::Unreached => " ov",
                _ => "",
            };
            (format!("{}{part}", kind.class()), kind.letter())
        } else {
            ("dm".to_owned(), '×')
        };
        if !block.replaced.is_empty() {
            class += " w";
        }
        if self.signs_of(block).next().is_some() {
            class += " sg";
        }
        format!("<i class=\"{class}\" title=\"{}\">{letter}</i>", text(&self.note(block)))
    }

    /// Returns true if one of a block's pages is unreached, which is never hidden. Pages that were not looked at do not count.
    pub(super) fn is_unreached(&self, block: &PageBlock) -> bool {
        block.unreached > 0 && self.map.incomplete_reason().is_none()
    }

    /// Returns the signs that pages of a block show.
    pub(super) fn signs_of(&self, block: &PageBlock) -> impl Iterator<Item = &Cause> {
        let (first, last) = (block.first, block.last());
        self.cause.iter().filter(move |cause| cause.pages.touch(first, last))
    }

    /// Returns the note of a block with the signs of its pages.
    fn note(&self, block: &PageBlock) -> String {
        let mut out = self.note_content(block);
        for cause in self.signs_of(block) {
            out += &format!("; {}", cause.mark);
        }
        out
    }

    /// "pages 513–1,024: 400 notes (table), 100 title (index), 12 others; 2 damaged; 5 replaced by the WAL".
    fn note_content(&self, block: &PageBlock) -> String {
        let mut out = format!("{}: ", span(block.first, block.last()));
        if block.pages == 1 {
            let class = block.parts.first().map_or(PageClass::Unreached, |(class, _)| *class);
            out += &self.noted(class);
            out += if block.damaged.is_empty() { "" } else { "; damaged" };
            out += if block.replaced.is_empty() {
                ""
            } else {
                "; replaced by the WAL"
            };
            return out;
        }
        let mut parts: Vec<(PageClass, u32)> = block.parts.iter().take(MOST_NOTED).copied().collect();
        // What makes the cell's colour is always said.
        if self.is_unreached(block) && parts.iter().all(|(class, _)| *class != PageClass::Unreached) {
            parts.push((PageClass::Unreached, block.unreached));
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

    /// Returns a class in a cell's note.
    fn noted(&self, class: PageClass) -> String {
        let (name, words) = self.words(class, LONGEST_NOTED);
        name + &words
    }

    /// Returns a tree's name, cut to `longest` characters, and the words that follow it; of what is no tree, the words alone.
    pub(super) fn words(&self, class: PageClass, longest: usize) -> (String, String) {
        let PageClass::Tree(tree, part) = class else {
            let words = match class {
                PageClass::FreeTrunk => "freelist trunk",
                PageClass::FreeLeaf => "free",
                PageClass::PointerMap => "pointer map",
                PageClass::LockByte => "lock-byte page",
                PageClass::Unreached | PageClass::Tree(..) => self.unreached_words(),
            };
            return (String::new(), words.to_owned());
        };
        let role = match self.map.tree_kind(tree) {
            TreeKind::Table => "table",
            TreeKind::Index(_) => "index",
        };
        let part = match part {
            PageRole::Leaf => "",
            PageRole::Interior => ", interior",
            PageRole::Overflow => ", overflow",
            PageRole::Unclear => ", of no clear kind",
        };
        (cut(self.map.name(tree), longest), format!(" ({role}{part})"))
    }

    pub(super) fn unreached_words(&self) -> &'static str {
        if self.map.incomplete_reason().is_some() {
            "not looked at"
        } else {
            "unreached"
        }
    }
}
