//! What the rows and `docs/checks.md` tell people to type mends what it is said to mend: typed into the `sqlite3` shell on a
//! broken store, and judged by the binary before and after.

mod hostile;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::asking::{all_checks, commands};
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
        let ran = self.shell(&line);
        assert!(ran.status.success(), "{line}: {ran:?}");
        String::from_utf8(ran.stderr).unwrap()
    }

    /// Types the commands of a row's remedy, and gives what went to standard error.
    fn types_remedy(&self, row: &Value) -> String {
        let typed = commands(row);
        assert!(typed.len() >= 2 && typed[0].starts_with("umask 077 && mkdir kept && cp -a "), "{row}");
        let mut said = String::new();
        for command in typed {
            let output = self.shell(command);
            // A salvage ends with 1 where something is lost, and the doctor where something fails.
            assert!(output.status.success() || command.contains("doctor"), "{command}: {output:?}");
            said += &String::from_utf8(output.stderr).unwrap();
        }
        said
    }

    /// Somebody's shell, in which `doctor` is this binary.
    fn shell(&self, line: &str) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_doctor")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env("PATH", path).env("HOME", self.place.home());
        shell.current_dir(self.place.folder()).output().unwrap()
    }

    /// The copy that every section begins with.
    fn keeps_a_copy(&self) {
        self.types("umask 077 && mkdir kept && cp -a state.db* kept", &[]);
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
    let before = vms(&desk.store());
    desk.types_remedy(&row);
    assert_eq!(desk.failing("fixed/state.db"), [""; 0]);
    assert_eq!(vms(&desk.path("fixed/state.db")), before, "no row was touched");
    assert_eq!(desk.failing("state.db"), ["page-structure"], "the original was left alone");
}

#[test]
fn a_salvage_has_all_rows_of_a_store_with_pages_that_are_unaccounted_for() {
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
    let before = vms(&desk.store());
    desk.types_remedy(&row);
    assert_eq!(desk.failing("saved.db"), [""; 0]);
    assert_eq!(vms(&desk.path("saved.db")), before, "every row is there");
}

#[test]
fn a_salvage_saves_the_rows_around_a_damaged_page() {
    needs!("sqlite3");
    let desk = Desk::new();
    let before = vms(&desk.store());
    let leaves = desk.leaves("vms");
    desk.lose_page(leaves[leaves.len() / 2]);
    let row = desk.row("page-structure");
    assert!(row["detail"].as_str().unwrap().starts_with("pages that hold rows are damaged"), "{row}");

    let said = desk.types_remedy(&row);
    assert_eq!(desk.failing("saved.db"), [""; 0]);
    let saved = vms(&desk.path("saved.db"));
    assert!(saved.iter().all(|vm| before.contains(vm)), "what was saved is what was there");
    // One leaf of several is gone, and each row that was on it is named.
    let lost = before.len() - saved.len();
    assert!(
        lost > 0 && lost <= before.len() / (leaves.len() - 1),
        "{lost} of {} rows lost",
        before.len()
    );
    assert!(said.contains(&format!("{} rows given, {lost} lost", saved.len())), "{said}");
    assert_eq!(said.matches("· lost: row ").count(), lost, "{said}");
}

#[test]
fn a_salvage_saves_every_row_of_what_is_no_database_any_more() {
    needs!("sqlite3");
    let desk = Desk::new();
    let before = vms(&desk.store());
    desk.with_bytes(|bytes| bytes[..PAGE_SIZE].fill(0x20));
    let row = desk.row("file");
    // Without the first page nobody can tell whether a table whose index is one page had more: it says so.
    let said = desk.types_remedy(&row);
    assert!(
        said.contains("how many rows images had is not known") && said.contains("pass  vms "),
        "{said}"
    );
    assert_eq!(desk.failing("saved.db"), [""; 0]);
    assert_eq!(vms(&desk.path("saved.db")), before, "every row is there");
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
        "sqlite3 -readonly kept/state.db 'SELECT quote(name), quote(guest_ip) FROM vms WHERE rowid = 3' | cat -v",
        &[],
    );
    desk.types(
        r#"umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db "UPDATE vms SET guest_ip = '10.77.0.4' WHERE rowid = 3" && doctor fixed/state.db"#,
        &[],
    );
    assert_eq!(desk.failing("fixed/state.db"), [""; 0]);
    assert_eq!(vms(&desk.path("fixed/state.db")).len(), before.len() - 1);
}

#[test]
fn dropping_a_trigger_mends_the_shape() {
    needs!("sqlite3");
    let desk = Desk::new();
    desk.sql("CREATE TRIGGER somebodys AFTER UPDATE ON vms BEGIN DELETE FROM images; END");
    assert_eq!(desk.failing("state.db"), ["schema-shape"]);
    let row = desk.row("schema-shape");
    assert!(row.to_string().contains("changes rows behind the daemon's back"), "{row}");

    desk.keeps_a_copy();
    desk.types("sqlite3 -readonly kept/state.db .schema | cat -v", &[]);
    desk.types(
        "umask 077 && mkdir fixed && cp -a kept/state.db* fixed && sqlite3 -safe fixed/state.db 'DROP TRIGGER name' && doctor fixed/state.db",
        &[("name", "somebodys")],
    );
    assert_eq!(desk.failing("fixed/state.db"), [""; 0]);
    assert_eq!(desk.failing("kept/state.db"), ["schema-shape"], "the copy was left alone");
    assert_eq!(desk.failing("state.db"), ["schema-shape"], "the original was left alone");
}
