//! Stores with a past, and the truth about them: each version of each row that was ever committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::random::Random;

/// The values of a row of `vms`, without its rowid.
pub type Row = Vec<Value>;

/// A store and what is true of it.
pub struct Made {
    /// The database file.
    pub bytes: Vec<u8>,
    /// Its log, where it was left.
    pub log: Option<Vec<u8>>,
    /// What is committed, by rowid.
    pub live: BTreeMap<i64, Row>,
    /// Each version of each row, by id.
    pub ever: BTreeMap<String, Vec<Row>>,
    /// Ids of rows that were deleted.
    pub deleted: BTreeSet<String>,
    /// The page size.
    pub page_size: usize,
}

#[expect(clippy::disallowed_methods, reason = "a store is made")]
pub fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

pub fn uuid(random: &mut Random) -> String {
    let (a, b) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// A value; text that is no UTF-8 as a blob.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
        other => other.try_into().unwrap(),
    }
}

/// The rows of `vms`, by rowid.
pub fn rows(connection: &Connection) -> BTreeMap<i64, Row> {
    let mut statement = connection.prepare("SELECT rowid, * FROM vms").unwrap();
    let count = statement.column_count();
    statement
        .query_map([], |row| {
            Ok((row.get(0)?, (1..count).map(|at| row.get_ref(at).map(value)).collect::<Result<Row, _>>()?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

pub fn id(row: &Row) -> String {
    match &row[0] {
        Value::Text(id) => id.clone(),
        other => format!("{other:?}"),
    }
}

pub fn insert(connection: &Connection, random: &mut Random, number: usize) {
    let image = "11111111-2222-4333-8444-555555555555";
    let long = if random.once_in(12) {
        random.below(9000)
    } else {
        random.below(200)
    };
    let values = [
        uuid(random),
        format!("vm-{number}"),
        image.to_owned(),
        format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255),
        "running".to_owned(),
        "2026-04-28T18:41:31Z".to_owned(),
        format!("2026-05-{:02}T18:41:31Z", random.below(28) + 1),
        "2026-04-28T18:41:31Z".to_owned(),
        "{\"vcpu_count\":2}".to_owned(),
        format!("{{\"pid\":{number}}}"),
        format!("{{\"log\":\"{}\"}}", "x".repeat(long)),
        "{}".to_owned(),
    ];
    let count = connection
        .query_row("SELECT count(*) FROM pragma_table_info('vms')", [], |row| row.get::<_, u8>(0))
        .unwrap();
    let count = usize::from(count);
    let marks = vec!["?"; count].join(",");
    connection
        .execute(&format!("INSERT INTO vms VALUES ({marks})"), params_from_iter(values.iter().take(count)))
        .unwrap();
}

/// A new store as the daemon makes one.
#[expect(clippy::disallowed_methods, reason = "a store is made")]
pub fn begin(path: &Path) -> Vec<i64> {
    banger_doctor::Store::open(path).unwrap().migrated().to_vec()
}

/// Makes a store; the same number makes the same.
pub fn make(seed: u64, folder: &Path) -> Made {
    let mut random = Random(seed);
    let path = folder.join("state.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("state.db{suffix}")));
    }
    let page_size = 512 << random.below(5);
    let connection = open(&path);
    let wal = random.once_in(3);
    let journal_mode = if wal { "wal" } else { "delete" };
    connection
        .execute_batch(&format!(
            "PRAGMA page_size={page_size}; PRAGMA journal_mode={journal_mode}; PRAGMA synchronous=OFF; PRAGMA secure_delete=OFF;
             CREATE TABLE first(x); DROP TABLE first;"
        ))
        .unwrap();
    begin(&path);
    connection
        .execute(
            "INSERT INTO images(id, name, rootfs_path, kernel_path, created_at, updated_at)
             VALUES ('11111111-2222-4333-8444-555555555555', 'image', '/r', '/k', '2026-04-28T18:41:31Z', '2026-04-28T18:41:31Z')",
            [],
        )
        .unwrap();
    let mut made = Made {
        bytes: Vec::new(),
        log: None,
        live: BTreeMap::new(),
        ever: BTreeMap::new(),
        deleted: BTreeSet::new(),
        page_size,
    };
    let mut number = 0;
    for _ in 0..=random.below(6) {
        connection.execute_batch("BEGIN").unwrap();
        for _ in 0..random.below(60) {
            number += 1;
            insert(&connection, &mut random, number);
        }
        connection.execute_batch("COMMIT").unwrap();
        made.note(&connection);
        connection.execute_batch("BEGIN").unwrap();
        for rowid in made.live.keys().copied().collect::<Vec<_>>() {
            if random.once_in(9) {
                connection.execute("DELETE FROM vms WHERE rowid = ?1", [rowid]).unwrap();
            } else if random.once_in(6) {
                let sql = "UPDATE vms SET stats_json = ?2, updated_at = ?3 WHERE rowid = ?1";
                let stats = format!("{{\"log\":\"{}\"}}", "y".repeat(random.below(900)));
                let at = format!("2026-06-{:02}T{:02}:00:00Z", random.below(28) + 1, random.below(24));
                connection.execute(sql, (rowid, stats, at)).unwrap();
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        made.note(&connection);
    }
    made.bytes = std::fs::read(&path).unwrap();
    if wal && random.once_in(2) {
        made.log = std::fs::read(folder.join("state.db-wal")).ok().filter(|log| !log.is_empty());
    } else {
        drop(connection);
        made.bytes = std::fs::read(&path).unwrap();
    }
    made
}

impl Made {
    fn note(&mut self, connection: &Connection) {
        self.live = rows(connection);
        for row in self.live.values() {
            let versions = self.ever.entry(id(row)).or_default();
            if versions.last() != Some(row) {
                versions.push(row.clone());
            }
        }
        let live: BTreeSet<String> = self.live.values().map(id).collect();
        self.deleted = self.ever.keys().filter(|id| !live.contains(*id)).cloned().collect();
    }
}
