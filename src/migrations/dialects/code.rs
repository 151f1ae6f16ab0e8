//! The parts that are common to tools whose migrations are code: their names tell which are applied, pending and unknown, and none can be
//! run here.

use crate::application::{File, Folder};
use crate::migrations::dialects::Dialect;
use crate::migrations::key::MigrationKey;
use crate::migrations::known::{self, KnownMigration, KnownSet, Script, SkipReason};

/// Returns a migration's key and the rest of its name, from the name of a file.
pub(super) type Parse = fn(&str) -> Option<(MigrationKey, String)>;

/// Returns true if a file of the folder is named as a migration, and no SQL file lies beside it: of such a folder, code is a hook.
pub(super) fn looks(folder: &Folder, parse: Parse) -> bool {
    let is_one = |file: &File| known::language(file).is_some() && parse(&file.name()).is_some();
    let is_sql = |file: &File| file.name().ends_with(".sql");
    folder.flat().any(is_one) && !folder.flat().any(is_sql)
}

/// Returns the migrations of the folder, in the order of their keys.
pub(super) fn migrations(dialect: &'static Dialect, folder: &Folder, parse: Parse) -> KnownSet {
    let mut set = KnownSet::new(dialect);
    for file in folder.flat() {
        if let Some(language) = known::language(file)
            && let Some((key, title)) = parse(&file.name())
        {
            set.known.push(migration(key, title, file, language));
        }
    }
    set.known.sort_by_key(|known| known.key.clone());
    set
}

/// Returns a migration that is a step in this language.
pub(super) fn migration(key: MigrationKey, title: String, file: &File, language: &'static str) -> KnownMigration {
    KnownMigration::new(key, title, file, Script::NotReplayable(SkipReason::Code(language)))
}

/// Returns the strings in quotes that Python code assigns to a name on a line of its own: to `down_revision`, say. `None` where nothing
/// is assigned.
pub(super) fn python_strings(text: &str, name: &str) -> Option<Vec<String>> {
    Some(quoted(python_value(text, name)?))
}

/// Returns the pairs of strings in parentheses that Python code assigns to a name: to Django's `dependencies`.
pub(super) fn python_pairs(text: &str, name: &str) -> Vec<(String, String)> {
    let value = without_comments(python_value(text, name).unwrap_or_default());
    let pairs = value.split('(').skip(1).filter_map(|part| {
        let mut strings = quoted(part.split(')').next()?).into_iter();
        match (strings.next(), strings.next(), strings.next()) {
            (Some(first), Some(second), None) => Some((first, second)),
            _ => None,
        }
    });
    pairs.collect()
}

/// Returns the text that is assigned to a name, up to the end of the line, or of a list or tuple.
fn python_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let is_name = line
            .trim_start()
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', ':', '=']) && rest.contains('='));
        if is_name {
            let value = start + line.find('=')? + 1;
            let rest = text.get(value..)?;
            let closing = match rest.trim_start().chars().next() {
                Some('[') => ']',
                // A tuple may hold no other: its strings are revisions.
                Some('(') => ')',
                _ => return text.get(value..end),
            };
            let to = rest.find(closing).map_or(rest.len(), |at| at + 1);
            return rest.get(..to);
        }
        start = end;
    }
    None
}

/// Returns the strings in quotes of a piece of Python, without those in comments.
fn quoted(text: &str) -> Vec<String> {
    let text = without_comments(text);
    let mut out = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['"', '\'']) {
        let (_, after) = rest.split_at(at);
        let mark = if after.starts_with('"') { '"' } else { '\'' };
        let Some((string, behind)) = after.get(1..).and_then(|after| after.split_once(mark)) else {
            break;
        };
        out.push(string.to_owned());
        rest = behind;
    }
    out
}

/// Returns a piece of Python without its comments.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut open, mut is_comment) = (None, false);
    for c in text.chars() {
        match (open, c) {
            (_, '\n') => (open, is_comment) = (None, false),
            (None, '#') => is_comment = true,
            (None, '"' | '\'') if !is_comment => open = Some(c),
            (Some(mark), c) if mark == c => open = None,
            _ => {}
        }
        if !is_comment {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_assigns_is_read_as_far_as_it_is_plain() {
        let strings = |text: &str| python_strings(text, "down_revision");
        assert_eq!(strings("revision = 'a'\n"), None);
        assert_eq!(strings("down_revision = None  # not 'a'\n"), Some(Vec::new()));
        assert_eq!(
            strings("down_revision: Union[str, None] = 'a'\ndepends_on = 'b'\n"),
            Some(vec!["a".to_owned()])
        );
        assert_eq!(
            strings("down_revision = (\n    \"a\",\n    'b',\n)\nx = 'c'"),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(strings("\"\"\"Revises: 'a'\"\"\"\ndown_revision_of = 'b'"), None);
        let text = "    dependencies = [\n  ('notes', '0001_initial'),  # ('x', 'y')\n  swappable(settings.USER), (\"a\", \"b\")]\n  replaces = [('p', 'q')]";
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(python_pairs(text, "dependencies").first(), Some(&pair("notes", "0001_initial")));
        assert_eq!(python_pairs(text, "dependencies").last(), Some(&pair("a", "b")));
        assert_eq!(python_pairs(text, "dependencies").len(), 2);
        assert_eq!(python_pairs(text, "replaces"), [pair("p", "q")]);
        for hostile in [
            "down_revision = (",
            "down_revision = '",
            "down_revision=[\"",
            "dependencies = [(('",
            "down_revision =",
        ] {
            let _ = (strings(hostile), python_pairs(hostile, "dependencies"));
        }
    }
}
