//! Rules of the source that neither the compiler nor clippy checks: the order of the rooms, and one place for banger.
//!
//! `clippy.toml` bans the ways to a store other than the read-only handle.

use std::fs;
use std::path::{Path, PathBuf};

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns every source file below a folder, without its comments and unit tests.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            out.push((path, code.join("\n")));
        }
    }
    out
}

/// Returns the library's rooms in the order of `src/lib.rs`.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Returns the room that a file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(path: &Path, modules: &[String]) -> Option<usize> {
    let first = path.strip_prefix(src()).unwrap().components().next().unwrap();
    let name = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
    modules.iter().position(|module| *module == name)
}

#[test]
fn each_room_imports_only_from_those_above_it() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (path, code) in files(&src()) {
        let Some(own) = module_of(&path, &modules) else {
            continue;
        };
        for (other, name) in modules.iter().enumerate().skip(own + 1) {
            if code.contains(&format!("crate::{name}::")) {
                wrong.push(format!("{} imports from {name}, which is below {}", path.display(), modules[own]));
            }
            assert_ne!(own, other);
        }
        assert!(
            !code.contains("use crate::{"),
            "{}: one module a line, so that this test sees them",
            path.display()
        );
    }
    assert!(modules.len() > 10 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_program_does_not_call_sqlite() {
    let is_program = |path: &Path| path.strip_prefix(src()).unwrap().to_str().unwrap().starts_with("program");
    for (path, code) in files(&src()).into_iter().filter(|(path, _)| is_program(path)) {
        assert!(!code.contains("rusqlite"), "{} calls SQLite", path.display());
    }
}

/// Reads a source file with its comments, without its unit tests.
fn with_comments(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// Returns the names of banger's columns that contain an underscore: others are common words.
fn columns_of_banger() -> Vec<String> {
    let text = with_comments(&src().join("banger/columns.rs"));
    let quoted = text.split('"').skip(1).step_by(2);
    let is_name = |text: &&str| text.contains('_') && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    quoted.filter(is_name).map(str::to_owned).collect()
}

#[test]
fn banger_is_named_in_its_own_module_alone() {
    let mut named = ["banger", "vm", "vms", "image", "images"].map(str::to_owned).to_vec();
    let words = named.len();
    named.extend(columns_of_banger());
    assert!(named.len() > 15, "src/banger/columns.rs lists banger's columns: {named:?}");
    let is_own = |path: &Path| {
        let path = path.strip_prefix(src()).unwrap();
        path.starts_with("banger") || path == Path::new("banger.rs") || path == Path::new("lib.rs")
    };
    let mut wrong = Vec::new();
    for (path, _) in files(&src()).into_iter().filter(|(path, _)| !is_own(path)) {
        // Another tool's ledger may have a column of the same name.
        let is_dialect = path.starts_with(src().join("migrations"));
        let named = if is_dialect { &named[..words] } else { &named[..] };
        for (n, line) in with_comments(&path).lines().enumerate() {
            let line = line.replace("banger_doctor::banger", "").replace("crate::banger", "");
            let line = line.replace("banger_doctor", "").to_lowercase();
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            if let Some(word) = words.find(|word| named.iter().any(|name| name == word)) {
                wrong.push(format!("{}:{}: {word}", path.display(), n + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "what is known of banger, its VMs, its images and their columns belongs in src/banger/; a message that has to name the \
         application takes `application.name()`, and what to do about a problem belongs in the application's `advice`:\n{}",
        wrong.join("\n")
    );
}
