//! Every command in the pages of `docs/` is run, and says what the page says.
//!
//! A block fenced ```` ```console ```` holds commands behind `$ ` and what they print beneath them; `…` stands for anything, alone
//! on a line for any number of lines. Each command runs in a shell of its own, which knows the exit code of the one before
//! (`$?`). A block fenced ```` ```sh ```` is a script that must end with 0. What cannot be run is fenced ```` ```text ````.
//! Every page, and every section of `checks.md`, has a folder of its own with the stores that [`stores`] makes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Home;
use crate::support::home::DOCTOR;
use crate::support::missing::{is_here, skipped};

/// The stores that the pages speak of.
fn stores(place: &Home) {
    place.store("healthy.db");
    place.dangling("dangling.db");
    place.newer("newer.db");
    place.store("older.db");
    place.edit(
        "older.db",
        "ALTER TABLE vms DROP COLUMN workspace_json; DELETE FROM schema_migrations WHERE id=3",
    );
    place.store("state.db");
    place.store(".local/state/banger/state.db");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for sample in ["healthy.db", "damaged.db"] {
        fs::copy(samples.join(sample), place.join(&format!("samples/{sample}"))).unwrap();
    }
    fs::create_dir(place.path().join("hosts")).unwrap();
    for (host, store) in [("alpha", "healthy.db"), ("beta", "newer.db"), ("gamma", "dangling.db")] {
        fs::copy(place.path().join(store), place.join(&format!("hosts/{host}/state.db"))).unwrap();
    }
    for (store, version, dirty) in [("app.db", 42, 0), ("interrupted.db", 43, 1)] {
        place.edit(
            store,
            &format!(
                "CREATE TABLE schema_migrations (version uint64, dirty bool); INSERT INTO schema_migrations VALUES ({version}, {dirty});
                 CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO customers VALUES (1, 'Ada');
                 CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers(id));
                 INSERT INTO orders VALUES (1, 1), (2, 1)"
            ),
        );
    }
    an_application(place);
    std::os::unix::fs::symlink(DOCTOR, place.path().join("doctor.staged")).unwrap();
}

/// An application's folder of migrations, as diesel has it, and a store with rows to which all but the last were applied.
fn an_application(place: &Home) {
    let migrations = [
        (
            "2026-01-10-100000_customers",
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n",
        ),
        (
            "2026-02-03-090000_orders",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers(id) ON DELETE CASCADE);\n",
        ),
        (
            "2026-06-21-153000_emails",
            "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE);\n\
             INSERT INTO new (id, name) SELECT id, name FROM customers;\n\
             DROP TABLE customers;\n\
             ALTER TABLE new RENAME TO customers;\n",
        ),
    ];
    for (folder, sql) in migrations {
        let folder = place.join(&format!("migrations/{folder}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("up.sql"), sql).unwrap();
    }
    fs::create_dir(place.join("fixtures")).unwrap();
    place.edit(
        "fixtures/release-1.4.db",
        &format!(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
             INSERT INTO __diesel_schema_migrations (version) VALUES ('20260110100000'), ('20260203090000');
             {}{}
             INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace'); INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2)",
            migrations[0].1, migrations[1].1
        ),
    );
}

/// A fenced block: its kind, its first line's number and its lines.
struct Block {
    kind: String,
    line: usize,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (n, line) in page.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some((block, _))) => out.push(block),
            (Some(kind), None) => {
                let block = Block {
                    kind: kind.to_owned(),
                    line: n + 1,
                    lines: Vec::new(),
                };
                open = Some((block, indent));
            }
            (None, Some((mut block, indent))) => {
                block.lines.push(line.get(indent..).unwrap_or_default().to_owned());
                open = Some((block, indent));
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    out
}

/// Whether what was printed is what the page shows.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| like(line, first) && matches(rest, others)),
    }
}

/// Whether a line is the one shown, `…` standing for anything.
fn like(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (n, part) in parts.iter().enumerate() {
        let last = n + 1 == parts.len();
        let at = if last {
            rest.ends_with(part).then(|| rest.len() - part.len())
        } else {
            rest.find(part)
        };
        match at {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// What `cargo run … -- ARGUMENTS` and `cargo test` are to a page: the program that was built is run, the tests are not.
const CARGO: &str =
    r#"cargo() { [ "$1" = run ] || return 0; while [ "$1" != -- ]; do shift; done; shift; doctor "$@"; }"#;

fn shell(place: &Home, script: &str) -> (String, i32) {
    let ran = place.command("sh").args(["-c", &format!("{CARGO}\n{script}")]).run();
    (ran.stdout + &ran.stderr, ran.code.unwrap_or(-1))
}

fn run_console(place: &Home, block: &Block) -> Result<(), String> {
    let mut code = 0;
    let mut lines = block.lines.iter().map(String::as_str).peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            return Err(format!("line {}: not a command: {line}", block.line));
        };
        let mut command = command.to_owned();
        while command.ends_with('\\') {
            command += &format!("\n{}", lines.next().unwrap_or_default());
        }
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push(line.trim_end());
        }
        let (said, ended) = shell(place, &format!("(exit {code}); {command}"));
        code = ended;
        let printed: Vec<&str> = said.lines().map(str::trim_end).collect();
        if !matches(&shown, &printed) {
            return Err(format!("line {}: `{command}` prints:\n{said}", block.line));
        }
    }
    Ok(())
}

fn run_script(place: &Home, block: &Block) -> Result<(), String> {
    let script = format!("set -eu\n{}", block.lines.join("\n"));
    match shell(place, &script) {
        (_, 0) => Ok(()),
        (said, code) => Err(format!("line {}: ends with {code}:\n{said}", block.line)),
    }
}

/// The first program that a block calls and that is not here.
fn missing(block: &Block) -> Option<&'static str> {
    let mut continues = false;
    let typed = block.lines.iter().filter(|line| {
        let is_typed = continues || block.kind == "sh" || line.starts_with("$ ");
        continues = is_typed && line.ends_with('\\');
        is_typed
    });
    let typed: String = typed
        .map(|line| {
            format!(
                "{line}
"
            )
        })
        .collect();
    let calls = |program: &str| typed.split(|c: char| !c.is_alphanumeric()).any(|word| word == program);
    ["sqlite3", "duckdb", "jq", "python3", "tar"]
        .into_iter()
        .find(|program| calls(program) && !is_here(program))
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.retain(|page| page.extension().is_some_and(|end| end == "md") && page.exists());
    pages.sort();
    pages
}

#[test]
fn every_command_in_the_docs_runs() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    let samples = Home::new();
    stores(&samples);
    for page in pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let content = fs::read_to_string(&page).unwrap();
        // In the page of the checks each section stands alone.
        let parts = if name == "checks.md" {
            content.split("\n## ").collect()
        } else {
            vec![content.as_str()]
        };
        let mut lines_before = 0;
        for section in parts {
            let place = samples.again();
            for mut block in blocks(section) {
                block.line += lines_before;
                if let Some(program) = missing(&block) {
                    skipped!(program, &format!("({name}, line {})", block.line));
                    continue;
                }
                let held = match block.kind.as_str() {
                    "console" => run_console(&place, &block),
                    "sh" => run_script(&place, &block),
                    "text" => continue,
                    other => Err(format!("line {}: a block of kind `{other}`", block.line)),
                };
                ran += 1;
                let title = section.lines().next().unwrap_or_default();
                wrong.extend(held.err().map(|why| format!("{name}, {title}, {why}")));
            }
            lines_before += section.matches('\n').count() + 1;
        }
    }
    assert!(ran > 10, "{ran}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_ellipsis_stands_for_anything() {
    assert!(like("a … c", "a b c") && !like("a … c", "a b d") && like("…", "") && !like("a", "ab"));
    assert!(matches(&["a", "…", "z"], &["a", "b", "c", "z"]) && !matches(&["a", "…"], &["b"]));
}
