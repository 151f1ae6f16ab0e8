//! What another program can call, item by item: the list in `docs/public-api.txt` changes only where somebody means it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its tests and its comments.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    expand_check_id(&lines.map(str::to_owned).collect::<Vec<_>>())
}

/// Expands the macro that makes `CheckId` from the table of the checks, where these lines hold it.
fn expand_check_id(lines: &[String]) -> Vec<String> {
    let Some(start) = lines.iter().position(|line| line == "macro_rules! define_check_id {") else {
        return lines.to_vec();
    };
    let variants = lines[..start].iter().filter_map(|line| line.trim().split_once(" => "));
    let variants: Vec<String> = variants
        .filter(|(_, rest)| rest.ends_with(';'))
        .map(|(variant, _)| format!("    {variant},"))
        .collect();
    let expand = |line: &String| match line.strip_prefix("        ") {
        Some("    $($(#[$doc])+ $variant,)+") => variants.clone(),
        Some(line) => vec![line.to_owned()],
        None => vec![line.clone()],
    };
    lines.iter().flat_map(expand).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs"))
        .collect()
}

/// What `lib.rs` gives out, by the path that it gives: `error::opaque::Error`.
fn exported(lib: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    for statement in lib.join(" ").split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        match path.split_once("::{") {
            None => paths.push(path.to_owned()),
            Some((module, names)) => {
                let names = names.trim_end_matches('}').split(',').map(str::trim).filter(|name| !name.is_empty());
                paths.extend(names.map(|name| format!("{module}::{name}")));
            }
        }
    }
    paths
}

/// The lines from here up to the one that opens a body or ends the item, as one line.
fn signature(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        text = format!("{text} {}", line.trim());
        if line.ends_with('{') || line.ends_with(';') || line.ends_with('}') {
            break;
        }
    }
    let text = text.trim().trim_end_matches(['{', ';']).trim().replace("( ", "(").replace(", )", ")");
    text.strip_prefix("pub ").unwrap_or(&text).to_owned()
}

/// The lines of a body that begins behind this line, which is set in by nothing.
fn body(lines: &[String]) -> &[String] {
    let is_open = lines[0].ends_with('{');
    let end = lines.iter().position(|line| line == "}").filter(|_| is_open);
    &lines[1..end.unwrap_or(1)]
}

/// An item's own line with the attributes that callers notice, and what is public in its body.
fn definition(name: &str, lines: &[String]) -> Option<Vec<String>> {
    let starts = |line: &String, word: &str| {
        let rest = line.strip_prefix(&format!("pub {word} {name}"));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let words = ["struct", "enum", "fn", "type", "trait", "const"];
    let at = lines.iter().position(|line| words.iter().any(|word| starts(line, word)))?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let noticed = attributes.filter(|line| line.starts_with("#[derive") || line.starts_with("#[non_exhaustive"));
    let own = signature(&lines[at..]);
    // What a tuple holds is its own.
    let own = own
        .split_once('(')
        .filter(|_| own.starts_with("struct"))
        .map_or(own.as_str(), |(own, _)| own);
    let own = noticed.fold(own.to_owned(), |own, attribute| format!("{own} {attribute}"));
    let mut out = vec![own];
    if lines[at].starts_with("pub enum") || lines[at].starts_with("pub struct") {
        let is_enum = lines[at].starts_with("pub enum");
        let members = body(&lines[at..]).iter().filter_map(|line| line.strip_prefix("    "));
        let members = members.filter(|line| {
            if is_enum {
                line.starts_with(char::is_uppercase)
            } else {
                line.starts_with("pub ")
            }
        });
        out.extend(members.map(|line| format!("{name}::{}", line.trim_start_matches("pub ").trim_end_matches(','))));
    }
    Some(out)
}

/// The public functions and constants of a type, and the traits that are implemented for it by hand.
fn implementations(name: &str, lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((before, _)) = line.split_once(&format!(" for {name} {{"))
            && before.starts_with("impl")
        {
            out.push(format!("{before} for {name}"));
        }
        if *line != format!("impl {name} {{") {
            continue;
        }
        let inside = body(&lines[at..]);
        for (n, line) in inside.iter().enumerate().filter(|(_, line)| line.starts_with("    pub ")) {
            let constant = line.strip_prefix("    pub const ").and_then(|line| line.split_once(" = "));
            let constant = constant.map(|(constant, _)| format!("const {constant}"));
            out.push(format!("{name}: {}", constant.unwrap_or_else(|| signature(&inside[n..]))));
        }
    }
    out
}

/// Every public item in a line of its own.
fn public_items() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all: Vec<Vec<String>> = sources(&src).iter().map(|path| code(path)).collect();
    let mut items = BTreeSet::new();
    for path in exported(&code(&src.join("lib.rs"))) {
        let (module, name) = path.rsplit_once("::").unwrap();
        let file = src.join(module.replace("::", "/")).with_extension("rs");
        let defined =
            definition(name, &code(&file)).unwrap_or_else(|| panic!("{name} is defined in {}", file.display()));
        items.extend(defined);
        let theirs: Vec<String> = if name == "Error" {
            // The one inside has the same name.
            implementations(name, &code(&file))
        } else {
            all.iter().flat_map(|lines| implementations(name, lines)).collect()
        };
        items.extend(theirs.into_iter().filter(|item| !item.starts_with("impl From<Cause>")));
    }
    items
}

#[test]
fn the_public_items_are_those_of_the_list() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/public-api.txt");
    let items = public_items();
    if std::env::var_os("WRITE_PUBLIC_API").is_some() {
        fs::write(&page, items.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
    }
    let text = fs::read_to_string(&page).unwrap_or_default();
    let listed: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let (new, gone): (Vec<_>, Vec<_>) = (items.difference(&listed).collect(), listed.difference(&items).collect());
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:#?}, gone: {gone:#?}; where that is meant: WRITE_PUBLIC_API=1 cargo test --test it public_api"
    );
}

#[test]
fn no_type_of_the_driver_is_in_a_public_signature() {
    for item in public_items() {
        assert!(!item.contains("rusqlite") && !item.contains("Connection"), "{item}");
    }
}
