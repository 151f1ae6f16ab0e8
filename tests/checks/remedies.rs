//! What the rows and `docs/checks.md` tell people to type mends what it is said to mend: typed into the `sqlite3` shell on a
//! broken store, and judged by the binary before and after.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::asking::all_checks;
use crate::support::damage::{self, PAGE_SIZE, leaves, overwrite_page};
use crate::support::{Place, needs};

const VMS: u32 = 600;

/// The folder of a support request: a broken `state.db` in it, and somebody with a shell.
struct Desk {
    place: Place,
}

impl Desk {
    /// With a healthy store, in rollback mode so that its bytes can be changed where they lie.
    fn new() -> Self {
        Self {
            place: Place::with(1, VMS),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.folder().join(name)
    }

    fn store(&self) -> PathBuf {
        self.place.store()
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.store()).unwrap().execute_batch(sql).unwrap();
    }

    /// Types a line that the page of checks has, word for word but for what is put in for names. Gives what went to standard
    /// error.
    fn types(&self, line: &str, put_in: &[(&str, &str)]) -> String {
        let page = include_str!("../../docs/checks.md");
        assert!(page.contains(line), "docs/checks.md no longer says: {line}");
        let line = put_in.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value));
        let ran = Command::new("sh").args(["-c", &line]).current_dir(self.place.folder()).output().unwrap();
        assert!(ran.status.success(), "{line}: {ran:?}");
        String::from_utf8(ran.stderr).unwrap()
    }

    /// The copy that every section begins with.
    fn keeps_a_copy(&self) {
        self.types("mkdir kept && cp -a state.db* kept/", &[]);
    }

    /// The checks whose rows fail, after the rows of all were asked for.
    fn failing(&self, name: &str) -> Vec<String> {
        self.report(name)["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["status"] == "fail")
            .map(|row| row["check"].as_str().unwrap().to_owned())
            .collect()
    }

    fn row(&self, check: &str) -> Value {
        let report = self.report("state.db");
        let row = report["rows"].as_array().unwrap().iter().find(|row| row["check"] == check);
        row.unwrap().clone()
    }

    fn report(&self, name: &str) -> Value {
        let report = self.place.doctor().args(["--format", "json"]).arg(self.path(name)).run().report();
        assert_eq!(report["rows"].as_array().unwrap().len(), all_checks().len());
        report
    }

    /// The pages of a tree that hold its entries.
    fn leaves(&self, tree: &str) -> Vec<usize> {
        leaves(&self.store(), tree)
    }

    /// Changes the file's bytes.
    fn with_bytes(&self, change: impl FnOnce(&mut Vec<u8>)) {
        damage::change(&self.store(), change);
    }

    fn lose_page(&self, page: usize) {
        overwrite_page(&self.store(), page, 0);
    }
}

/// All that is kept of each VM, without its rowid, which a dump does not keep.
fn vms(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut statement = conn.prepare("SELECT * FROM vms NOT INDEXED").unwrap();
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..columns).map(|n| row.get::<_, String>(n)).collect::<Result<Vec<_>, _>>())
        .unwrap();
    let mut vms: Vec<String> = rows.map(|row| row.unwrap().join(" ")).collect();
    vms.sort();
    vms
}

#[test]
fn reindex_mends_an_index() {
    needs!("sqlite3");
    let desk = Desk::new();
    let index = "sqlite_autoindex_vms_2";
    let begin = (desk.leaves(index)[1] - 1) * PAGE_SIZE;
    desk.with_bytes(|bytes| {
        // In one entry, `vm-` becomes `vn-`.
        let page = &mut bytes[begin..begin + PAGE_SIZE];
        let at = page.windows(3).position(|window| window == b"vm-").expect("the index holds names");
        page[at + 1] ^= 0x03;
    });
    assert_eq!(desk.failing("state.db"), ["page-structure"]);
    let row = desk.row("page-structure");
    assert!(row["detail"].as_str().unwrap().starts_with("only an index is wrong"), "{row}");
    assert!(row["remedy"].as_str().unwrap().ends_with("sqlite3 STORE REINDEX"), "{row}");

    let before = vms(&desk.store());
    desk.keeps_a_copy();
    desk.types("sqlite3 state.db REINDEX", &[]);
    assert_eq!(desk.failing("state.db"), [""; 0]);
    assert_eq!(vms(&desk.store()), before, "no row was touched");
}

#[test]
fn vacuum_mends_pages_that_are_unaccounted_for() {
    needs!("sqlite3");
    let desk = Desk::new();
    // A page at the end that the header counts and no tree uses.
    desk.with_bytes(|bytes| {
        bytes.extend([0; PAGE_SIZE]);
        let pages = u32::try_from(bytes.len() / PAGE_SIZE).unwrap();
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    });
    assert_eq!(desk.failing("state.db"), ["page-structure"]);
    let row = desk.row("page-structure");
    assert!(row["detail"].as_str().unwrap().starts_with("pages are unaccounted for"), "{row}");
    assert!(row["remedy"].as_str().unwrap().ends_with("sqlite3 STORE VACUUM"), "{row}");

    let before = vms(&desk.store());
    desk.keeps_a_copy();
    desk.types("sqlite3 state.db VACUUM", &[]);
    assert_eq!(desk.failing("state.db"), [""; 0]);
    assert_eq!(vms(&desk.store()), before, "no row was touched");
}

/// Whether this shell can `.recover`: some distributions build it without the table that this reads.
fn shell_recovers() -> bool {
    let ran = Command::new("sqlite3")
        .args([":memory:", "SELECT count(*) FROM sqlite_dbpage"])
        .output()
        .unwrap();
    ran.status.success()
}

#[test]
fn recover_saves_the_rows_around_a_damaged_page() {
    needs!("sqlite3");
    let line = "sqlite3 kept/state.db .recover | sqlite3 saved.db";
    if shell_recovers() {
        saves_the_rows_around_a_damaged_page(line);
        return;
    }
    // The page says what then happens.
    let desk = Desk::new();
    desk.keeps_a_copy();
    assert!(desk.types(line, &[]).contains("SQL logic error"), "and nothing is saved");
    assert_eq!(fs::metadata(desk.path("saved.db")).map_or(0, |meta| meta.len()), 0);
}

#[test]
fn a_dump_saves_the_rows_around_a_damaged_page() {
    needs!("sqlite3");
    saves_the_rows_around_a_damaged_page(
        "sqlite3 kept/state.db .dump | sed 's/^ROLLBACK; -- due to errors/COMMIT;/' | sqlite3 saved.db",
    );
}

fn saves_the_rows_around_a_damaged_page(line: &str) {
    let desk = Desk::new();
    let before = vms(&desk.store());
    let leaves = desk.leaves("vms");
    desk.lose_page(leaves[leaves.len() / 2]);
    let row = desk.row("page-structure");
    assert!(row["detail"].as_str().unwrap().starts_with("pages that hold rows are damaged"), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains(".recover | sqlite3 "), "{row}");

    desk.keeps_a_copy();
    desk.types(line, &[]);
    assert_eq!(desk.failing("saved.db"), [""; 0]);
    let saved = vms(&desk.path("saved.db"));
    assert!(saved.iter().all(|vm| before.contains(vm)), "what was saved is what was there");
    // One leaf of several is gone, and the row said how many rows are left.
    let lost = before.len() - saved.len();
    assert!(
        lost > 0 && lost <= before.len() / (leaves.len() - 1),
        "{lost} of {} rows lost",
        before.len()
    );
    let promised = format!("vms: {} of {VMS} rows can still be read", saved.len());
    assert!(row["detail"].as_str().unwrap().contains(&promised), "{promised}: {row}");
}

#[test]
fn an_update_gives_a_row_its_value_back() {
    needs!("sqlite3");
    let desk = Desk::new();
    let before = vms(&desk.store());
    desk.sql("UPDATE vms SET guest_ip = '10.77.0.400' WHERE rowid = 3; DELETE FROM vms WHERE rowid = 4");
    assert_eq!(desk.failing("state.db"), ["row-values"]);
    let finding = &desk.row("row-values")["findings"][0];
    assert_eq!(
        (&finding["table"], &finding["column"], &finding["row"]),
        (&"vms".into(), &"guest_ip".into(), &3.into()),
        "the finding names the row that is typed"
    );

    desk.keeps_a_copy();
    desk.types(
        "sqlite3 -readonly kept/state.db 'SELECT quote(name), quote(guest_ip) FROM vms WHERE rowid = 3'",
        &[],
    );
    desk.types(r#"sqlite3 state.db "UPDATE vms SET guest_ip = '10.77.0.4' WHERE rowid = 3""#, &[]);
    assert_eq!(desk.failing("state.db"), [""; 0]);
    assert_eq!(vms(&desk.store()).len(), before.len() - 1);
}

#[test]
fn dropping_a_trigger_mends_the_shape() {
    needs!("sqlite3");
    let desk = Desk::new();
    desk.sql("CREATE TRIGGER somebodys AFTER UPDATE ON vms BEGIN DELETE FROM images; END");
    assert_eq!(desk.failing("state.db"), ["schema-shape"]);
    let row = desk.row("schema-shape");
    assert!(row.to_string().contains("changes rows behind the daemon's back"), "{row}");

    desk.types("mkdir keep && cp -a state.db state.db-* keep/", &[("state.db-* ", "")]);
    desk.types("sqlite3 keep/state.db .schema", &[]);
    desk.types("sqlite3 keep/state.db 'DROP TRIGGER name'", &[("name", "somebodys")]);
    assert_eq!(desk.failing("keep/state.db"), [""; 0]);
    assert_eq!(desk.failing("state.db"), ["schema-shape"], "the original was left alone");
}
