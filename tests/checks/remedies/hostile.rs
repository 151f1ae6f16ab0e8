//! Every command that a row, the help or a document gives is safe on a stranger's store, and spares the copy that it reads.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::Desk;
use crate::support::needs;

/// What a stranger hides in a store for whoever types a remedy: a line that the `sqlite3` shell takes for a command.
#[derive(Debug, Clone, Copy)]
enum Planted {
    Definition,
    Name,
    Value,
}

impl Desk {
    /// With a store that holds the line `.shell touch RAN`, and its copy in `kept/`, whose latest commits are in the log.
    fn of_a_stranger(planted: Planted) -> Self {
        let desk = Self::new();
        let line = format!("\n.shell touch {}\n", desk.path("RAN").display());
        let conn = Connection::open(desk.store()).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE z(a); INSERT INTO z VALUES (1)",
        )
        .unwrap();
        conn.execute_batch("CREATE TRIGGER name AFTER UPDATE ON z BEGIN SELECT 1; END").unwrap();
        match planted {
            Planted::Definition => {
                let definition = format!("CREATE TABLE z(a);{line}--");
                conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
                conn.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'z'", [definition]).unwrap();
            }
            Planted::Name => conn
                .execute_batch(&format!(
                    "CREATE TABLE \"t{line}\"(\"c{line}\"); CREATE INDEX \"i{line}\" ON \"t{line}\"(\"c{line}\");
                     INSERT INTO \"t{line}\" VALUES (1)"
                ))
                .unwrap(),
            Planted::Value => {
                conn.execute("INSERT INTO z VALUES (?1)", [&line]).unwrap();
                conn.execute("UPDATE vms SET name = ?1 WHERE rowid IN (2)", [&line]).unwrap();
                conn.execute("UPDATE vms SET guest_ip = ?1 WHERE rowid IN (3)", [&line]).unwrap();
            }
        }
        for folder in ["kept"] {
            fs::create_dir(desk.path(folder)).unwrap();
            for file in ["state.db", "state.db-wal"] {
                fs::copy(desk.path(file), desk.path(folder).join(file)).unwrap();
            }
        }
        desk
    }

    /// The bytes of the copy: of the database and of its log.
    fn copy(&self) -> Vec<Vec<u8>> {
        ["kept/state.db", "kept/state.db-wal"]
            .iter()
            .map(|file| fs::read(self.path(file)).unwrap_or_default())
            .collect()
    }

    /// Puts the store back as it was copied, and takes away what was made of it.
    fn as_before(&self) {
        let _ = fs::remove_dir_all(self.path("fixed"));
        for file in ["saved.db", "state.db-shm"] {
            let _ = fs::remove_file(self.path(file));
        }
        for file in ["state.db", "state.db-wal"] {
            fs::copy(self.path("kept").join(file), self.path(file)).unwrap();
        }
    }

    /// Types a line, whatever comes of it, and tells whether what was planted ran.
    fn runs_what_was_planted(&self, line: &str) -> bool {
        drop(self.shell(line));
        self.path("RAN").exists()
    }
}

/// The files of a folder and of the folders in it that end this way.
fn files(folder: &Path, ending: &str, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, out);
        } else if path.to_string_lossy().ends_with(ending) {
            out.push(path);
        }
    }
}

/// How far a command goes in a line: to a backtick, a semicolon or a parenthesis around it, but not to one within quotes.
fn length_of_command(words: &str) -> usize {
    let mut quote = None;
    for (at, c) in words.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '`' | ';' | '(' | ')') => return at,
            _ => {}
        }
    }
    words.len()
}

/// Every command with `sqlite3` in the documents, as somebody would type it.
fn documented_commands() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    files(&root.join("docs"), ".md", &mut paths);
    let mut out: Vec<String> = Vec::new();
    for path in paths {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let mut rest = line;
            while let Some(at) = rest.find("sqlite3 ") {
                // `mkdir fixed && cp … && sqlite3 …` is one command.
                let begin = rest[..at].rfind("mkdir ").filter(|from| rest[*from..at].ends_with("&& ")).unwrap_or(at);
                let words = &rest[begin..];
                let length = length_of_command(words);
                let command = words[..length].trim();
                let first = rest[at + 8..].split(' ').next().unwrap_or_default();
                let is_a_word = !rest[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric());
                if is_a_word && (first.starts_with('-') || first.contains(".db")) {
                    out.push(command.to_owned());
                }
                rest = &words[length.max(at - begin + 8)..];
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

#[test]
fn no_command_that_is_given_runs_what_stands_in_a_store_or_changes_the_copy_that_it_reads() {
    let commands = documented_commands();
    for known in [
        "sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db",
        "sqlite3 -readonly kept/state.db .schema | cat -v",
    ] {
        assert!(commands.iter().any(|command| command == known), "{known} is not among {commands:#?}");
    }
    for command in &commands {
        // VACUUM cannot run with -safe in SQLite 3.40: it attaches a file. Without a trusted schema it runs nothing of what stands there.
        for part in command.split('|').filter_map(|part| part.split_once("sqlite3 ")) {
            let careful = [
                "-readonly ",
                "-safe ",
                "-bail -safe ",
                "-cmd 'PRAGMA trusted_schema=OFF' ",
            ]
            .iter()
            .any(|with| part.1.starts_with(with));
            assert!(careful, "neither -readonly nor -safe: {command}");
        }
        if let Some((_, sink)) = command.rsplit_once("| sqlite3 ") {
            assert!(sink.starts_with("-safe "), "takes SQL in without -safe: {command}");
        }
    }
    needs!("sqlite3");
    for planted in [Planted::Definition, Planted::Name, Planted::Value] {
        let desk = Desk::of_a_stranger(planted);
        let before = desk.copy();
        assert!(!desk.runs_what_was_planted("doctor --salvage kept/state.db > planted.sql"));
        let sql = fs::read_to_string(desk.path("planted.sql")).unwrap();
        assert!(sql.ends_with("\nCOMMIT;\n") && !sql.lines().any(|line| line.starts_with('.')), "{sql}");
        for command in &commands {
            let line = command.replace("< saved.sql", "< planted.sql");
            assert!(!desk.runs_what_was_planted(&line), "{planted:?}: {line}");
            assert!(desk.copy() == before, "{planted:?}: the copy was changed: {line}");
            desk.as_before();
        }
    }
    // Without -safe it runs: what is refused for another reason would prove nothing.
    let desk = Desk::of_a_stranger(Planted::Definition);
    assert!(desk.runs_what_was_planted("sqlite3 -readonly kept/state.db .dump | sqlite3 saved.db"));
}
