//! Tells a write-ahead log or a rollback journal that is not the store's, or not of the same time, by fields alone.
//!
//! SQLite plays a log or a hot journal over any database beside which it lies: nothing in the format ties the two. But some
//! fields of the database's first page stand in both, and a store and its own log agree in them in every state that SQLite
//! itself leaves: open, closed, killed in the middle of a transaction, with a checkpoint that was interrupted anywhere.
//! What fits in all these fields may still be of another time, and no field can tell: that is not claimed here.
//!
//! Sources: "The Database Header", "The Rollback Journal" and "The Write-Ahead Log" in SQLite's Database File Format,
//! <https://www.sqlite.org/fileformat2.html>; `pager.c`, `pager_write_changecounter`; `wal.c`, `walCheckpoint`.

use sqlite_format::header::{MAGIC, lock_byte_page};

use crate::text::words::plural;

/// The fields of a database's first page that a log or a journal is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstPage {
    /// The page size in bytes.
    pub page_size: u32,
    /// The file change counter (offset 24).
    pub change_counter: u32,
    /// The size in pages (offset 28).
    pub pages: u32,
    /// The number of pages on the freelist (offset 36).
    pub free_pages: u32,
    /// The schema cookie (offset 40).
    pub schema_cookie: u32,
    /// The largest root page (offset 52): not 0 in a database that can shrink without a VACUUM.
    pub largest_root: u32,
    /// The change counter for which `pages` is right (offset 92).
    pub valid_for: u32,
}

impl FirstPage {
    /// Reads the fields; `None` where the bytes do not begin like a database.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let size = word(16)? >> 16;
        Some(Self {
            page_size: if size == 1 { 65_536 } else { size },
            change_counter: word(24)?,
            pages: word(28)?,
            free_pages: word(36)?,
            schema_cookie: word(40)?,
            largest_root: word(52)?,
            valid_for: word(92)?,
        })
    }

    /// Returns true if the change counter stands in both of its places. Where it does not, one of them may be damaged.
    fn agrees(&self) -> bool {
        self.change_counter == self.valid_for
    }

    /// Returns the size in pages, where the page vouches for it.
    fn vouched_pages(&self) -> Option<u32> {
        (self.pages != 0 && self.agrees()).then_some(self.pages)
    }

    fn can_shrink(&self) -> bool {
        self.largest_root != 0
    }
}

/// The committed frames of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// The page size in the log's header, in bytes.
    pub page_size: u32,
    /// The database's size in pages after the last commit; `None` without a commit.
    pub committed_pages: Option<u32>,
    /// The first page as the last committed frame that holds one has it; `None` where none does.
    pub first_page: Option<FirstPage>,
    /// The numbers of the pages in committed frames, ascending, each once.
    pub page_numbers: Vec<u32>,
}

/// The beginning of a hot rollback journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    /// The page size in its header, in bytes.
    pub page_size: u32,
    /// The first page as it was when the transaction began, where the journal holds it.
    pub first_page: Option<FirstPage>,
    /// The store's size in pages when the transaction began, where nothing in the journal contradicts it.
    pub pages: Option<u32>,
}

/// A sign that a log or journal is another store's, or this store's of another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sign {
    /// Its pages have another size.
    PageSize {
        /// In the log or journal.
        log: u32,
        /// In the file.
        file: u32,
    },
    /// The last commit makes the database as large as this, and the first page that is in force then says otherwise.
    CommittedSize {
        /// The size in pages by the last commit.
        commit: u32,
        /// The size in pages by the first page.
        first_page: u32,
    },
    /// The last commit makes the database longer than the file, which has all of its own pages, and the log lacks pages
    /// between the two.
    Gap {
        /// The first page that is in neither.
        first_missing: u32,
        /// The number of pages of the file.
        file: u32,
        /// The size in pages by the last commit.
        commit: u32,
    },
    /// The log makes the database smaller without holding all of its pages, which only a VACUUM writes.
    Shrinks {
        /// The size in pages by the file's first page.
        file: u32,
        /// The size in pages by the last commit.
        commit: u32,
    },
    /// The first page in the log is of an older change than the file's.
    OlderChange {
        /// The change counter in the log.
        log: u32,
        /// The change counter in the file.
        file: u32,
    },
    /// The first page in the log is of an older schema than the file's.
    OlderSchema {
        /// The schema cookie in the log.
        log: u32,
        /// The schema cookie in the file.
        file: u32,
    },
    /// The journal was begun in a smaller store than the first page says that it has not changed.
    JournalSize {
        /// The size in pages by the journal's header.
        journal: u32,
        /// The size in pages by the file's first page.
        file: u32,
    },
    /// The first page in the journal has a change counter that is neither the file's nor one less.
    JournalChange {
        /// The change counter in the journal.
        journal: u32,
        /// The change counter in the file.
        file: u32,
    },
}

impl Sign {
    /// Describes what was seen, as a clause that follows "the -wal is another store's:".
    pub(crate) fn in_words(self) -> String {
        let pages = |pages: u32| plural(pages.into(), "page", "pages");
        match self {
            Self::PageSize { log, file } => format!("its pages have {log} bytes, and the store's have {file}"),
            Self::CommittedSize { commit, first_page } => {
                format!(
                    "its last commit leaves {}, and the first page that is then in force counts {first_page}",
                    pages(commit)
                )
            }
            Self::Gap {
                first_missing,
                file,
                commit,
            } => format!(
                "its last commit leaves {}, the file ends after page {file}, as its own header says, and page {first_missing} is in neither",
                pages(commit)
            ),
            Self::Shrinks { file, commit } => {
                format!(
                    "it makes the store smaller, from {} to {commit}, without holding all of them",
                    pages(file)
                )
            }
            Self::OlderChange { log, file } => {
                format!("its first page is of an older change ({log}) than the file's ({file})")
            }
            Self::OlderSchema { log, file } => {
                format!("its first page is of an older schema ({log}) than the file's ({file})")
            }
            Self::JournalSize { journal, file } => format!(
                "it was begun when the store had {}, and the first page of the file, of which it holds no earlier state, counts {file}",
                pages(journal)
            ),
            Self::JournalChange { journal, file } => format!(
                "the first page in it is of change {journal} and the file's of change {file}, and a transaction makes one"
            ),
        }
    }
}

/// Returns the signs that a log is not the store's.
///
/// `file` is the first page as it stands in the database file, and `file_pages` the file's length in whole pages.
///
/// The last commit's size and the size on the first page in force agree, since every commit of a changed size writes the
/// first page. The first page in the log is never older than the one in the file, since a checkpoint copies it from the log
/// and a log begins after the last checkpoint. (The change counter wraps around; the comparison does too.)
pub(crate) fn find_signs_in_log(file: &FirstPage, file_pages: u64, log: &Log) -> Vec<Sign> {
    if log.page_size != file.page_size {
        return vec![Sign::PageSize {
            log: log.page_size,
            file: file.page_size,
        }];
    }
    let Some(commit) = log.committed_pages else {
        return Vec::new();
    };
    let mut signs = Vec::new();
    let in_force = log.first_page.as_ref().unwrap_or(file);
    if let Some(first_page) = in_force.vouched_pages()
        && first_page != commit
    {
        signs.push(Sign::CommittedSize { commit, first_page });
    }
    if let Some(logged) = &log.first_page {
        if file.agrees() && is_older(logged.change_counter, file.change_counter) {
            signs.push(Sign::OlderChange {
                log: logged.change_counter,
                file: file.change_counter,
            });
        }
        if is_older(logged.schema_cookie, file.schema_cookie) {
            signs.push(Sign::OlderSchema {
                log: logged.schema_cookie,
                file: file.schema_cookie,
            });
        }
    }
    let is_whole = u64::from(file.pages) == file_pages;
    if is_whole
        && commit > file.pages
        && let Some(first_missing) = first_missing(log, file.pages + 1..=commit, file.page_size)
    {
        signs.push(Sign::Gap {
            first_missing,
            file: file.pages,
            commit,
        });
    }
    if commit < file.pages
        && !file.can_shrink()
        && !in_force.can_shrink()
        && first_missing(log, 1..=commit, file.page_size).is_some()
    {
        signs.push(Sign::Shrinks {
            file: file.pages,
            commit,
        });
    }
    signs
}

/// Returns the signs that a hot journal is not the store's.
///
/// A transaction raises the change counter once, on the first page, which the journal then holds as it was before. A file may be longer
/// than its first page says, and then a transaction begins with that length.
pub(crate) fn find_signs_in_journal(file: &FirstPage, journal: &Journal) -> Vec<Sign> {
    if journal.page_size != file.page_size {
        return vec![Sign::PageSize {
            log: journal.page_size,
            file: file.page_size,
        }];
    }
    let mut signs = Vec::new();
    // A transaction that makes the store larger changes the first page, once the journal holds it.
    if journal.first_page.is_none()
        && let (Some(began), Some(vouched)) = (journal.pages, file.vouched_pages())
        && began < vouched
    {
        signs.push(Sign::JournalSize {
            journal: began,
            file: vouched,
        });
    }
    if let Some(before) = &journal.first_page
        && file.agrees()
        && !matches!(file.change_counter.wrapping_sub(before.change_counter), 0 | 1)
    {
        signs.push(Sign::JournalChange {
            journal: before.change_counter,
            file: file.change_counter,
        });
    }
    signs
}

/// Returns true if a counter that wraps around is behind another.
fn is_older(this: u32, other: u32) -> bool {
    this.wrapping_sub(other).cast_signed() < 0
}

/// Returns the first page of a range that the log does not hold, apart from the one of SQLite's locks, which no log holds.
fn first_missing(log: &Log, pages: std::ops::RangeInclusive<u32>, page_size: u32) -> Option<u32> {
    let locks = lock_byte_page(page_size);
    let from = log.page_numbers.partition_point(|page| page < pages.start());
    let mut held = log.page_numbers[from..].iter().copied().peekable();
    // Each step takes either a number from the log or a page that ends the search.
    for page in pages {
        if held.peek() == Some(&page) {
            held.next();
        } else if page != locks {
            return Some(page);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FirstPage = FirstPage {
        page_size: 4096,
        change_counter: 9,
        pages: 33,
        free_pages: 2,
        schema_cookie: 5,
        largest_root: 0,
        valid_for: 9,
    };

    fn log(committed: u32, first_page: Option<FirstPage>, page_numbers: &[u32]) -> Log {
        Log {
            page_size: 4096,
            committed_pages: Some(committed),
            first_page,
            page_numbers: page_numbers.to_vec(),
        }
    }

    #[test]
    fn the_stores_own_logs_show_no_sign() {
        let grown = FirstPage {
            pages: 35,
            change_counter: 12,
            valid_for: 12,
            ..FILE
        };
        let vacuumed = FirstPage {
            pages: 3,
            change_counter: 10,
            valid_for: 10,
            schema_cookie: 6,
            ..FILE
        };
        let all: Vec<u32> = (1..=3).collect();
        for (case, log) in [
            (
                "no commit",
                Log {
                    committed_pages: None,
                    ..log(0, None, &[])
                },
            ),
            ("without page 1", log(33, None, &[4, 7])),
            ("of the same size", log(33, Some(FILE), &[1, 7])),
            ("grown", log(35, Some(grown), &[1, 7, 34, 35])),
            ("a VACUUM", log(3, Some(vacuumed), &all)),
        ] {
            assert_eq!(find_signs_in_log(&FILE, 33, &log), [], "{case}");
        }
        // A checkpoint was interrupted: pages of the log are in the file, and its first page is not.
        assert_eq!(find_signs_in_log(&FILE, 35, &log(35, Some(grown), &[1, 34, 35])), []);
        // The counter has wrapped around.
        let (last, next) = (
            FirstPage {
                change_counter: u32::MAX,
                valid_for: u32::MAX,
                ..FILE
            },
            FirstPage {
                change_counter: 0,
                valid_for: 0,
                ..FILE
            },
        );
        assert_eq!(find_signs_in_log(&last, 33, &log(33, Some(next), &[1])), []);
    }

    #[test]
    fn each_sign_of_another_log_is_seen() {
        let older = FirstPage {
            change_counter: 8,
            valid_for: 8,
            ..FILE
        };
        let older_schema = FirstPage {
            schema_cookie: 4,
            ..FILE
        };
        let of_34 = FirstPage {
            pages: 34,
            change_counter: 10,
            valid_for: 10,
            ..FILE
        };
        let of_25 = FirstPage {
            pages: 25,
            change_counter: 10,
            valid_for: 10,
            ..FILE
        };
        for (log, sign) in [
            (log(33, Some(older), &[1]), Sign::OlderChange { log: 8, file: 9 }),
            (log(33, Some(older_schema), &[1]), Sign::OlderSchema { log: 4, file: 5 }),
            (
                log(33, Some(of_34), &[1]),
                Sign::CommittedSize {
                    commit: 33,
                    first_page: 34,
                },
            ),
            (
                log(34, Some(of_34), &[1]),
                Sign::Gap {
                    first_missing: 34,
                    file: 33,
                    commit: 34,
                },
            ),
            (log(25, Some(of_25), &[1, 2]), Sign::Shrinks { file: 33, commit: 25 }),
            (
                Log {
                    page_size: 1024,
                    ..log(33, None, &[])
                },
                Sign::PageSize { log: 1024, file: 4096 },
            ),
        ] {
            assert_eq!(find_signs_in_log(&FILE, 33, &log), [sign]);
        }
        let auto_vacuum = FirstPage {
            largest_root: 9,
            ..of_25
        };
        assert_eq!(find_signs_in_log(&FILE, 33, &log(25, Some(auto_vacuum), &[1, 2])), []);
        // A file that is cut short lacks pages by itself.
        assert_eq!(find_signs_in_log(&FILE, 30, &log(34, Some(of_34), &[1])), []);
    }

    #[test]
    fn the_page_of_locks_is_in_no_log() {
        let last = 262_146;
        let file = FirstPage { pages: 262_144, ..FILE };
        let grown = FirstPage { pages: last, ..FILE };
        assert_eq!(find_signs_in_log(&file, 262_144, &log(last, Some(grown), &[1, last])), []);
    }

    #[test]
    fn a_journal_is_held_against_the_file() {
        let journal = |change_counter: u32| Journal {
            page_size: 4096,
            pages: Some(33),
            first_page: Some(FirstPage {
                change_counter,
                valid_for: change_counter,
                ..FILE
            }),
        };
        for (journal, signs) in [
            (journal(9), vec![]),
            (journal(8), vec![]),
            (journal(7), vec![Sign::JournalChange { journal: 7, file: 9 }]),
            (journal(10), vec![Sign::JournalChange { journal: 10, file: 9 }]),
            (
                Journal {
                    first_page: None,
                    ..journal(1)
                },
                vec![],
            ),
            (
                Journal {
                    page_size: 512,
                    ..journal(9)
                },
                vec![Sign::PageSize { log: 512, file: 4096 }],
            ),
            (
                Journal {
                    first_page: None,
                    pages: Some(32),
                    ..journal(9)
                },
                vec![Sign::JournalSize { journal: 32, file: 33 }],
            ),
            (
                Journal {
                    first_page: None,
                    pages: Some(34),
                    ..journal(9)
                },
                vec![],
            ),
        ] {
            assert_eq!(find_signs_in_journal(&FILE, &journal), signs, "{journal:?}");
        }
        // Of a file whose counter does not stand in both places, one may be damaged.
        let damaged = FirstPage {
            change_counter: 9 + 256,
            ..FILE
        };
        assert_eq!(find_signs_in_journal(&damaged, &journal(8)), []);
        assert_eq!(find_signs_in_log(&damaged, 33, &log(33, Some(FILE), &[1])), []);
    }

    #[test]
    fn a_first_page_is_read() {
        let mut page = vec![0; 100];
        page[..16].copy_from_slice(MAGIC);
        page[16..18].copy_from_slice(&[0, 1]);
        for (at, value) in [(24, 9_u32), (28, 33), (36, 2), (40, 5), (52, 7), (92, 9)] {
            page[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        let expected = FirstPage {
            page_size: 65_536,
            largest_root: 7,
            ..FILE
        };
        assert_eq!(FirstPage::parse(&page), Some(expected));
        assert_eq!(FirstPage::parse(&page[..90]), None);
        assert_eq!(FirstPage::parse(&[0; 100]), None);
    }
}
