//! The parts of a definition that only its text shows: no pragma shows collations, checks, generated columns' expressions, what to do
//! on a conflict, or deferred foreign keys.

use std::collections::BTreeMap;

use super::tokens::{Token, canonical, group, parts, tokens, unwrapped};

/// The parts of a `CREATE TABLE` that the pragmas do not show. Names are in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TableText {
    /// The columns that are compared by another collation than the usual one.
    pub(super) collations: BTreeMap<String, String>,
    /// The expressions of generated columns.
    pub(super) generated: BTreeMap<String, String>,
    /// The conditions that each row is held to.
    pub(super) checks: Vec<String>,
    /// The conflict clauses other than the default.
    pub(super) conflicts: Vec<String>,
    /// The columns of foreign keys that are only held at the end of a transaction.
    pub(super) deferred: Vec<String>,
    /// True if ids are never used twice (AUTOINCREMENT).
    pub(super) autoincrement: bool,
    /// True if each value must be of its column's type.
    pub(super) strict: bool,
    /// True if rows are found by their primary key alone.
    pub(super) without_rowid: bool,
}

/// Reads a `CREATE TABLE` that SQLite has already understood.
pub(super) fn table(sql: &str) -> TableText {
    let tokens = tokens(sql);
    let mut out = TableText::default();
    let open = tokens.iter().position(|token| token.is_symbol("("));
    let Some((body, end)) = open.and_then(|open| group(&tokens, open)) else {
        return out;
    };
    out.strict = tokens[end..].iter().any(|token| token.is_word("strict"));
    out.without_rowid = tokens[end..].iter().any(|token| token.is_word("without"));
    for part in parts(body) {
        let column = column_name(part);
        let (subject, rest) = match &column {
            Some(name) => (name.clone(), &part[1..]),
            None => (columns_of_constraint(part), part),
        };
        out.read_clauses(&subject, rest);
    }
    out.checks.sort();
    out.conflicts.sort();
    out.deferred.sort();
    out
}

/// Returns true if a `CREATE TABLE` may hold a CHECK constraint: where it does not, no such word stands in it.
pub(crate) fn may_have_checks(sql: &str) -> bool {
    tokens(sql).iter().any(|token| token.is_word("check"))
}

/// Returns the module of a virtual table, in lower case.
pub(crate) fn module(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let using = tokens.iter().position(|token| token.is_word("using"))?;
    tokens.get(using + 1)?.name()
}

/// Returns the column that a part of the body defines; `None` where it is a constraint of the table.
fn column_name(part: &[Token]) -> Option<String> {
    const CONSTRAINTS: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];
    let first = part.first()?;
    if CONSTRAINTS.iter().any(|word| first.is_word(word)) {
        return None;
    }
    first.name()
}

/// Returns the columns that a table's constraint is about: `a , b` of `UNIQUE (a, b)`.
fn columns_of_constraint(part: &[Token]) -> String {
    let open = part.iter().position(|token| token.is_symbol("("));
    open.and_then(|open| group(part, open))
        .map_or_else(String::new, |(columns, _)| canonical(columns))
}

impl TableText {
    /// Reads the clauses of one column or one constraint.
    fn read_clauses(&mut self, subject: &str, rest: &[Token]) {
        let mut constraint = "";
        let mut at = 0;
        while let Some(token) = rest.get(at) {
            let next = rest.get(at + 1);
            let grouped = group(rest, at + 1);
            match token {
                Token::Word(word) if word == "check" => {
                    if let Some((condition, _)) = grouped {
                        self.checks.push(canonical(unwrapped(condition)));
                    }
                    constraint = "check";
                }
                Token::Word(word) if word == "as" => {
                    if let Some((expression, _)) = grouped {
                        self.generated.insert(subject.to_owned(), canonical(unwrapped(expression)));
                    }
                }
                Token::Word(word) if word == "collate" => {
                    let name = next.and_then(Token::name).filter(|name| name != "binary");
                    if let Some(name) = name {
                        self.collations.insert(subject.to_owned(), name);
                    }
                }
                Token::Word(word) if word == "autoincrement" => self.autoincrement = true,
                Token::Word(word) if word == "null" => constraint = "not null",
                Token::Word(word) if word == "unique" => constraint = "unique",
                Token::Word(word) if word == "primary" => constraint = "primary key",
                Token::Word(word) if word == "conflict" => {
                    let action = next.and_then(Token::name).filter(|action| action != "abort");
                    if let Some(action) = action {
                        self.conflicts.push(format!("{constraint} ({subject}) on conflict {action}"));
                    }
                }
                Token::Word(word) if word == "initially" && next.is_some_and(|next| next.is_word("deferred")) => {
                    let negated = at >= 2 && rest[at - 2].is_word("not");
                    if !negated {
                        self.deferred.push(subject.to_owned());
                    }
                }
                _ => {}
            }
            // What stands in parentheses has been read, or is no clause of this definition.
            at = match group(rest, at) {
                Some((_, end)) => end,
                None => at + 1,
            };
        }
    }
}

/// The parts of a `CREATE INDEX` that the pragmas do not show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IndexText {
    /// Each column's name or expression, without its collation and order.
    pub(super) columns: Vec<String>,
    /// The condition of a partial index.
    pub(super) filter: Option<String>,
}

/// Reads a `CREATE INDEX` that SQLite has already understood.
pub(super) fn index(sql: &str) -> IndexText {
    let tokens = tokens(sql);
    let open = tokens.iter().position(|token| token.is_symbol("("));
    let Some((columns, end)) = open.and_then(|open| group(&tokens, open)) else {
        return IndexText::default();
    };
    let filter = match &tokens[end..] {
        [first, condition @ ..] if first.is_word("where") => Some(canonical(unwrapped(condition))),
        _ => None,
    };
    IndexText {
        columns: parts(columns).into_iter().map(|part| canonical(unwrapped(bare(part)))).collect(),
        filter,
    }
}

/// Returns an indexed expression without what the pragma shows: its order and its collation.
fn bare(mut part: &[Token]) -> &[Token] {
    if let [rest @ .., last] = part
        && (last.is_word("asc") || last.is_word("desc"))
    {
        part = rest;
    }
    if let [rest @ .., collate, _] = part
        && collate.is_word("collate")
    {
        part = rest;
    }
    part
}

/// Returns the canonical text of a view, a trigger or a virtual table, from its name on.
pub(super) fn object(sql: &str) -> String {
    let tokens = tokens(sql);
    let skipped = [
        "create",
        "temp",
        "temporary",
        "trigger",
        "view",
        "virtual",
        "table",
        "if",
        "not",
        "exists",
    ];
    let begin = tokens.iter().position(|token| !skipped.iter().any(|word| token.is_word(word)));
    canonical(&tokens[begin.unwrap_or(tokens.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_pragma_tells_is_read_from_the_text() {
        let text = table(
            "CREATE TABLE \"t\" (a INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, (\n [b c] TEXT NOT NULL ON CONFLICT IGNORE COLLATE NoCase,
             d AS ((a + 1)) STORED, e DEFAULT (1) CHECK (e > 0) REFERENCES u(x) DEFERRABLE INITIALLY DEFERRED,
             f REFERENCES u NOT DEFERRABLE INITIALLY DEFERRED, g COLLATE BINARY,
             CONSTRAINT k UNIQUE (a, \"e\") ON CONFLICT REPLACE CHECK ((a < e)), FOREIGN KEY (a) REFERENCES u DEFERRABLE INITIALLY DEFERRED) STRICT",
        );
        assert_eq!(
            text,
            TableText {
                collations: [("b c".to_owned(), "nocase".to_owned())].into(),
                generated: [("d".to_owned(), "a + 1".to_owned())].into(),
                checks: vec!["a < e".to_owned(), "e > 0".to_owned()],
                conflicts: vec![
                    "not null (b c) on conflict ignore".to_owned(),
                    "unique (a , e) on conflict replace".to_owned()
                ],
                deferred: vec!["a".to_owned(), "e".to_owned()],
                autoincrement: true,
                strict: true,
                without_rowid: false,
            }
        );
    }

    #[test]
    fn a_check_is_told_from_names_texts_and_comments() {
        assert!(may_have_checks("CREATE TABLE t(a, CONSTRAINT k Check(a > 0))"));
        let none = "CREATE TABLE t(\"check\" DEFAULT 'CHECK (1)', last_check, [check (] /* CHECK (0) */) -- check";
        assert!(!may_have_checks(none));
    }

    #[test]
    fn a_virtual_table_names_its_module() {
        let module = |sql| module(sql);
        assert_eq!(module("CREATE VIRTUAL TABLE \"using x\" USING FTS5(a, b)").as_deref(), Some("fts5"));
        assert_eq!(module("CREATE VIRTUAL TABLE t using\"Vec0\"").as_deref(), Some("vec0"));
        assert_eq!(module("CREATE VIRTUAL TABLE t"), None);
    }

    #[test]
    fn an_index_is_read_without_its_order_and_collation() {
        assert_eq!(
            index("CREATE INDEX i ON t(a COLLATE nocase DESC, (lower(\"B\"))) WHERE (a IS NOT NULL)"),
            IndexText {
                columns: vec!["a".to_owned(), "lower ( b )".to_owned()],
                filter: Some("a is not null".to_owned()),
            }
        );
    }

    #[test]
    fn a_trigger_is_read_from_its_name_on() {
        let plain = object("CREATE TRIGGER x AFTER UPDATE ON vms BEGIN SELECT 1; END");
        assert_eq!(
            object("create temp trigger if not exists \"X\" after update on [VMS] begin select 1; end"),
            plain
        );
        assert_ne!(object("CREATE TRIGGER x AFTER UPDATE ON vms BEGIN SELECT 2; END"), plain);
    }
}
