//! The bodies of the fuzz targets. Each takes any bytes, holds what must be true of every input, and must neither panic nor loop.
//!
//! Not part of the library's interface: it is public only because `fuzz/` and `tests/fuzz.rs` are other crates.

use std::path::PathBuf;
use std::sync::OnceLock;

use sqlite_format::wal::rewrite_checksums;

use crate::application::{Content, File, Folder};
use crate::banger::APPLICATION;
use crate::limits::stop::Stop;
use crate::migrations::dialects::Dialect;
use crate::migrations::known::{KnownSet, Script};
use crate::page_map::{self, MapResult, PageClass};
use crate::salvage;

/// A target's name, which is also its folder of seeds, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("sql", sql),
    ("markdown", markdown),
    ("folder", folder),
    ("map", map),
    ("salvage", salvage_of_any_bytes),
];

/// The text of a definition in `sqlite_schema`.
pub fn sql(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    crate::migrations::shape::read_any_definition(&text);
}

/// A folder of migrations: files, each behind a line `=== PATH`. Each tool's rules read it without a panic, and nothing is run that does
/// not stand in one of them.
pub fn folder(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut folder = Folder::default();
    for file in text.split("=== ").skip(1) {
        let (path, text) = file.split_once('\n').unwrap_or((file, ""));
        let path = PathBuf::from(path);
        folder
            .folders
            .extend(path.parent().filter(|parent| parent.components().count() > 0).map(Into::into));
        let content = Content::Text(text.into());
        folder.files.push(File {
            path,
            content,
            is_outside: false,
        });
    }
    folder.files.sort_by(|a, b| a.path.cmp(&b.path));
    folder.files.dedup_by(|a, b| a.path == b.path);
    folder.folders.sort();
    folder.folders.dedup();
    // goose takes its own comments out of a statement: the lines are the file's.
    let stands_in = |sql: &str| {
        let texts = || folder.files.iter().filter_map(File::text);
        sql.lines().all(|line| texts().any(|text| text.contains(line)))
    };
    for dialect in Dialect::names().filter_map(Dialect::of_name) {
        let Ok(set) = KnownSet::of(&folder, dialect) else {
            continue;
        };
        for known in &set.known {
            if let Script::Sql { batches, .. } = &known.script {
                assert!(batches.iter().all(|sql| stands_in(sql)), "{}: {batches:?}", dialect.name);
            }
        }
    }
    drop(KnownSet::possible(&folder));
}

/// Text of a store, as Markdown shows it.
pub fn markdown(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let escaped = crate::text::escape::escape_untrusted(&text, 1_000);
    assert!(!escaped.chars().any(char::is_control), "a control character gets through: {escaped:?}");
    let shown = crate::report::render::markdown::shown(&escaped);
    let cut = shown.replace("<!-- -->", "");
    for markup in ["|", "<", ">", "`"] {
        assert!(!cut.contains(markup), "{markup} gets through: {shown}");
    }
}

/// A database file, as a map of its pages is made: each page is of one class, and stands in one block.
pub fn map(bytes: &[u8]) {
    let known = page_map::KnownDamage::default();
    let MapResult::Map(map) = page_map::map_pages(&bytes.to_vec(), None, &known, &Stop::never()) else {
        return;
    };
    let counted: u32 = map.counts().iter().map(|count| count.pages).sum();
    assert_eq!(counted, map.pages(), "every page is counted once");
    let mut next = 1;
    for block in map.blocks() {
        assert_eq!(block.first, next, "blocks follow one another");
        next += block.pages;
    }
    assert_eq!(next - 1, map.pages(), "every page is in a block");
    assert!(map.damaged().pages <= map.pages(), "no more are damaged than there are");
    for count in map.counts() {
        if let PageClass::Tree(tree, _) = count.class {
            let name = map.name(tree);
            assert!(!name.chars().any(char::is_control), "a control character gets through: {name:?}");
        }
    }
}

/// A store: whatever it holds, what a salvage gives of it loads, and the account says how much that is. The first byte says
/// whether a log lies behind the database, which then has the length that stands in the next four.
pub fn salvage_of_any_bytes(bytes: &[u8]) {
    static KNOWN: OnceLock<Option<salvage::KnownStore>> = OnceLock::new();
    let Some(known) = KNOWN.get_or_init(|| salvage::describe_stores(&APPLICATION).ok()) else {
        return;
    };
    let Some((database, log)) = database_and_log(bytes) else {
        return;
    };
    let files = salvage::Files {
        database: &database,
        journal: None,
        log: log.as_ref().map(|log| log as _),
    };
    let mut out = Vec::new();
    let Ok(account) = salvage::salvage(files, known, &mut out, &|| true, &Stop::never()) else {
        return;
    };
    let sql = String::from_utf8(out).unwrap_or_default();
    let given = account.given() + account.restored_ledger_rows.len() as u64;
    let inserts = sql.lines().filter(|line| line.starts_with("INSERT INTO ")).count() as u64;
    assert_eq!(inserts, given, "as many rows as the account says");
    for table in &account.tables {
        assert!(table.whole() <= table.given, "no more are whole than are given: {table:?}");
    }
    assert_eq!(account.committed, sql.ends_with("\nCOMMIT;\n"), "what is not all there loads nothing");
    if account.committed
        && let Ok(memory) = rusqlite::Connection::open_in_memory()
    {
        let loaded = memory.execute_batch(&sql);
        assert!(loaded.is_ok(), "{loaded:?}");
    }
}

/// A database, and the log behind it, whose checksums are made right where the first byte asks for it.
fn database_and_log(bytes: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let (choice, rest) = bytes.split_first()?;
    if choice & 1 == 0 {
        return Some((rest.to_vec(), None));
    }
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.min(rest.len());
    let (database, log) = rest.split_at(length);
    let mut log = log.to_vec();
    if choice & 2 == 2 {
        rewrite_checksums(&mut log, usize::from(choice >> 2));
    }
    Some((database.to_vec(), Some(log)))
}
