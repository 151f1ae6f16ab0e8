//! Compares the verdict of SQLite on a store with that of the reader.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sqlite_format::answer::{Answer, Checked};
use sqlite_format::check::Ask;
use sqlite_format::interrupt::Never;
use sqlite_format::reader::Reader;
use sqlite_format::row::{NoVisitor, Visitor};
use sqlite_format::source::{Overlay, ReadAt};

/// SQLite's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// True if it reads the schema.
    pub loads: bool,
    /// True if its integrity check says "ok" and nothing else.
    pub sound: bool,
    /// True if no row refers to one that is not there.
    pub references_hold: bool,
}

/// Opens a file that nobody writes to.
pub fn open(path: &Path, query: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    #[expect(clippy::disallowed_methods, reason = "what SQLite itself makes of a file")]
    Connection::open_with_flags(format!("file:{}?{query}", path.display()), flags)
}

fn rows(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec());
    }
    Ok(out)
}

/// Asks SQLite.
pub fn verdict(conn: &Connection) -> Verdict {
    Verdict {
        loads: conn.prepare("SELECT 1 FROM sqlite_schema").is_ok(),
        sound: rows(conn, "PRAGMA integrity_check(1)").is_ok_and(|rows| rows == [b"ok"]),
        references_hold: rows(conn, "PRAGMA foreign_key_check").is_ok_and(|rows| rows.is_empty()),
    }
}

/// Writes a file and asks SQLite.
pub fn verdict_of(bytes: &[u8], path: &Path) -> Verdict {
    std::fs::write(path, bytes).unwrap();
    open(path, "immutable=1").map_or(
        Verdict {
            loads: false,
            sound: false,
            references_hold: false,
        },
        |conn| verdict(&conn),
    )
}

/// Asks the reader, with a visitor.
pub fn visited<V: Visitor>(
    file: &dyn ReadAt,
    overlay: Option<&Overlay<'_>>,
    loads: bool,
    visitor: &V,
    threads: Option<usize>,
) -> Result<Checked<V::State>, Answer> {
    let reader = Reader::open(file, overlay, loads, &Never)?;
    let ask = Ask {
        threads: threads.and_then(std::num::NonZero::new),
        progress: None,
    };
    Ok(reader.check(visitor, &ask, &Never).unwrap())
}

/// The verdict of the reader on a store and on its foreign keys together.
pub fn answers(file: &dyn ReadAt, loads: bool) -> (Answer, Answer) {
    match visited(file, None, loads, &NoVisitor, None) {
        Ok(checked) => (checked.store, checked.foreign_keys),
        Err(answer) => (answer, answer),
    }
}

/// Holds the reader against SQLite on the same bytes: what it calls sound is sound. Gives SQLite's word and the reader's.
pub fn hold_against_sqlite(bytes: &Vec<u8>, path: &Path) -> Result<(Verdict, Answer, Answer), String> {
    let verdict = verdict_of(bytes, path);
    let (store, keys) = answers(bytes, verdict.loads);
    let (alone, keys_alone) = answers(bytes, false);
    if (store.is_sound() || alone.is_sound()) && !verdict.sound {
        return Err("the reader calls sound what SQLite does not".to_owned());
    }
    if (keys.is_sound() || keys_alone.is_sound()) && !verdict.references_hold {
        return Err("the reader finds what rows refer to, and SQLite does not".to_owned());
    }
    Ok((verdict, store, keys))
}

/// Runs the body of the fuzz target: any bytes, given to both.
///
/// # Panics
/// Panics if the reader calls a store sound that SQLite does not.
pub fn hold_any_bytes(bytes: &[u8]) {
    let folder = Some(Path::new("/dev/shm")).filter(|folder| folder.is_dir());
    let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let name = format!("doctor-fuzz-{}-{:?}.db", std::process::id(), std::thread::current().id());
    let path = folder.join(name);
    let held = hold_against_sqlite(&bytes.to_vec(), &path);
    let _ = std::fs::remove_file(&path);
    assert!(held.is_ok(), "{held:?}");
}

/// Changes every so many bytes of a database, each by four masks, and holds the reader against SQLite on each. Gives the number that the
/// reader calls sound, and the number that SQLite finds damaged.
pub fn hold_changed_bytes_against_sqlite(healthy: &[u8], step: usize) -> Result<(u32, u32), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.db");
    let (mut sound, mut seen) = (0, 0);
    for at in (0..healthy.len()).step_by(step) {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut bytes = healthy.to_vec();
            bytes[at] ^= mask;
            let (verdict, store, _) =
                hold_against_sqlite(&bytes, &path).map_err(|why| format!("byte {at} ^ {mask}: {why}"))?;
            sound += u32::from(store.is_sound());
            seen += u32::from(!verdict.sound);
        }
    }
    Ok((sound, seen))
}
