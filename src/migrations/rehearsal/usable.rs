//! Asks a store whether it can still be used: views are prepared, writes to tables with triggers or foreign keys too, and full-text
//! indexes over another table are compared with it.
//!
//! SQLite looks at views and triggers when a table is renamed, and not when one is dropped and made again: a trigger that names a column
//! that is gone then makes every later write fail, with no fault in any page.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sqlite_format::sql::lexer::{Lexer, Token, TokenKind};

use super::references::References;
use crate::error::{Error, Result};
use crate::limits::stop::Stop;
use crate::store::introspect::{self, LONGEST_DEFINITION, ObjectKind, quoted};

/// Something that can be used or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// A view can be read.
    View(String),
    /// A table can be written to: by INSERT, UPDATE or DELETE, or by the several that fail for one reason.
    Write(String, String),
    /// The entries of a full-text index are those of the table that has its content.
    Search(String),
}

/// What cannot be used, and why, in SQLite's words.
pub(super) type Unusable = BTreeMap<Use, String>;

/// The way in which the application uses its store.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedWith {
    pub(super) foreign_keys: bool,
    /// True if words in double quotes may be texts.
    pub(super) double_quoted_text: bool,
}

/// Returns what cannot be used in a copy of a store.
///
/// # Errors
/// Fails at the time limit, and if SQLite cannot read the schema.
pub(super) fn find_unusable(conn: &Connection, with: UsedWith, stop: &Stop) -> Result<Unusable> {
    let before: bool = ask(conn, "PRAGMA foreign_keys")?;
    set(conn, with.foreign_keys, with.double_quoted_text)?;
    let found = find(conn, stop);
    set(conn, before, true)?;
    found
}

/// Returns what could be used before and cannot now. `former` gives the name that a table had before.
pub(super) fn newly_unusable(now: Unusable, before: &Unusable, former: impl Fn(&str) -> String) -> Unusable {
    let was = |of: &Use| {
        let name = |name: &str| former(name).to_ascii_lowercase();
        before.keys().any(|old| match (old, of) {
            (Use::Write(old, verb), Use::Write(table, now)) => verb == now && old.to_ascii_lowercase() == name(table),
            (Use::View(old), Use::View(new)) | (Use::Search(old), Use::Search(new)) => old.eq_ignore_ascii_case(new),
            _ => false,
        })
    };
    let mut out = Unusable::new();
    let mut writes: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (of, why) in now.into_iter().filter(|(of, _)| !was(of)) {
        match of {
            Use::Write(table, verb) => writes.entry((table, why)).or_default().push(verb),
            of => _ = out.insert(of, why),
        }
    }
    let together = writes.into_iter().map(|((table, why), verbs)| (Use::Write(table, verbs.join("/")), why));
    out.extend(together);
    out
}

fn ask(conn: &Connection, sql: &str) -> Result<bool> {
    conn.query_row(sql, [], |row| row.get(0)).map_err(Error::sqlite(sql))
}

fn set(conn: &Connection, foreign_keys: bool, double_quoted_text: bool) -> Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, double_quoted_text),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, double_quoted_text),
    ] {
        conn.set_db_config(setting, on).map_err(Error::sqlite("sqlite3_db_config"))?;
    }
    Ok(())
}

fn find(conn: &Connection, stop: &Stop) -> Result<Unusable> {
    let objects = UsedObjects::read(conn)?;
    let mut out = Unusable::new();
    let mut note = |of: Use, tried: Result<()>| -> Result<()> {
        stop.check()?;
        match tried {
            Ok(()) => Ok(()),
            Err(error) if error.is_own_bound() || error.is_io() => Err(error),
            // It says nothing about the store.
            Err(error) if error.needs_the_application() => Ok(()),
            Err(error) => {
                out.insert(of, error.sqlite_message());
                Ok(())
            }
        }
    };
    for view in objects.views {
        let tried = prepare(conn, &format!("SELECT * FROM main.{} LIMIT 0", quoted(&view)));
        note(Use::View(view), tried)?;
    }
    for table in objects.written {
        let name = quoted(&table);
        let mut columns = Vec::new();
        introspect::each_column(conn, &table, |column| {
            if column.hidden == 0
                && let Ok(name) = std::str::from_utf8(column.name)
            {
                columns.push(format!("{0}={0}", quoted(name)));
            }
        })?;
        let statements = [
            ("INSERT", format!("INSERT INTO main.{name} DEFAULT VALUES")),
            ("UPDATE", format!("UPDATE main.{name} SET {}", columns.join(", "))),
            ("DELETE", format!("DELETE FROM main.{name}")),
        ];
        for (verb, sql) in statements {
            if verb != "UPDATE" || !columns.is_empty() {
                note(Use::Write(table.clone(), verb.to_owned()), prepare(conn, &sql))?;
            }
        }
    }
    for (index, is_fts5) in objects.searched {
        let name = quoted(&index);
        let sql = if is_fts5 {
            format!("INSERT INTO main.{name}({name}, rank) VALUES ('integrity-check', 1)")
        } else {
            format!("INSERT INTO main.{name}({name}) VALUES ('integrity-check')")
        };
        let tried = conn.execute_batch(&sql).map_err(Error::sqlite(&sql));
        note(Use::Search(index), tried)?;
    }
    Ok(out)
}

fn prepare(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare(sql).map(|_| ()).map_err(Error::preparing(sql))
}

/// What is asked whether it can be used.
#[derive(Debug, Default)]
struct UsedObjects {
    views: Vec<String>,
    /// Tables with triggers or foreign keys.
    written: BTreeSet<String>,
    /// Full-text indexes over another table, and true for those of FTS5.
    searched: Vec<(String, bool)>,
}

impl UsedObjects {
    fn read(conn: &Connection) -> Result<Self> {
        let mut out = Self::default();
        introspect::each_object(conn, LONGEST_DEFINITION, |object| {
            let Ok(name) = std::str::from_utf8(object.name) else {
                return Ok(());
            };
            let definition = object.sql.and_then(|sql| std::str::from_utf8(sql).ok());
            match object.kind {
                ObjectKind::View => out.views.push(name.to_owned()),
                ObjectKind::VirtualTable => {
                    let searched = definition.and_then(version_of_external_content);
                    out.searched.extend(searched.map(|is_fts5| (name.to_owned(), is_fts5)));
                }
                _ => {}
            }
            Ok(())
        })?;
        let ordinary: BTreeSet<String> = introspect::ordinary_tables(conn)?.names.into_iter().collect();
        let sql = "SELECT DISTINCT tbl_name FROM main.sqlite_schema WHERE type = 'trigger'";
        let mut statement = conn.prepare(sql).map_err(Error::preparing(sql))?;
        let mut rows = statement.query([]).map_err(Error::sqlite(sql))?;
        let mut with_triggers = BTreeSet::new();
        while let Some(row) = rows.next().map_err(Error::sqlite(sql))? {
            if let Ok(name) = row.get_ref(0).map_err(Error::sqlite(sql))?.as_str() {
                with_triggers.insert(name.to_ascii_lowercase());
            }
        }
        let references = References::of(conn)?;
        out.written = ordinary;
        out.written.retain(|table| {
            let table = table.to_ascii_lowercase();
            with_triggers.contains(&table) || references.touch(&BTreeSet::from([table]))
        });
        Ok(out)
    }
}

/// Returns true for an index of FTS5, and false for one of FTS3 or FTS4, whose definition names another table for its content; `None` for
/// other virtual tables, and for those that keep their content themselves, or none.
fn version_of_external_content(definition: &str) -> Option<bool> {
    let tokens: Vec<Token<'_>> = Lexer::new(definition).filter(|token| !token.is_blank()).collect();
    let is = |at: usize, word: &str| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
    };
    let using = (0..tokens.len()).find(|at| is(*at, "USING"))?;
    let is_fts5 = is(using + 1, "fts5");
    if !is_fts5 && !is(using + 1, "fts4") {
        return None;
    }
    let content = (using..tokens.len())
        .find(|at| is(*at, "content") && tokens.get(at + 1).is_some_and(|next| next.text == "="))?;
    let table = tokens.get(content + 2)?;
    let is_named = table.kind == TokenKind::Word || !table.unquoted().is_empty();
    is_named.then_some(is_fts5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unusable(sql: &str, with: UsedWith) -> Vec<String> {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(sql).unwrap();
        let found = find_unusable(&conn, with, &Stop::never()).unwrap();
        found.into_iter().map(|(of, why)| format!("{of:?}: {why}")).collect()
    }

    const PLAIN: UsedWith = UsedWith {
        foreign_keys: true,
        double_quoted_text: true,
    };

    #[test]
    fn views_and_triggers_over_what_is_gone_cannot_be_used() {
        let sql = "CREATE TABLE a (x, \"y z\" AS (x)); CREATE TABLE b (x); CREATE VIEW v AS SELECT gone FROM a; CREATE VIEW w AS SELECT x FROM a;
                   CREATE TRIGGER t AFTER UPDATE ON b BEGIN UPDATE a SET gone = 1; END;
                   CREATE TRIGGER u AFTER INSERT ON a BEGIN SELECT application(); END;";
        assert_eq!(
            unusable(sql, PLAIN),
            [
                "View(\"v\"): no such column: gone [1]",
                "Write(\"b\", \"UPDATE\"): no such column: gone [1]"
            ]
        );
    }

    #[test]
    fn a_text_in_double_quotes_cannot_be_used_by_drivers_that_refuse_it() {
        let sql = "CREATE TABLE a (x); CREATE TRIGGER t AFTER INSERT ON a WHEN new.x = \"none\" BEGIN SELECT 1; END;
                   CREATE VIEW v AS SELECT \"none\" FROM a;";
        assert_eq!(unusable(sql, PLAIN), [""; 0]);
        let with = UsedWith {
            double_quoted_text: false,
            ..PLAIN
        };
        assert_eq!(unusable(sql, with).len(), 2);
    }

    #[test]
    fn a_search_index_out_of_step_with_its_table_is_found() {
        for (module, content) in [
            ("fts5", "content='d', content_rowid=id"),
            ("fts5", "content = d"),
            ("fts4", "content=\"d\""),
        ] {
            let made = format!(
                "CREATE TABLE d (id INTEGER PRIMARY KEY, b TEXT); INSERT INTO d VALUES (1, 'zeta');
                 CREATE VIRTUAL TABLE f USING {module}(b, {content}); INSERT INTO f(f) VALUES ('rebuild');"
            );
            assert_eq!(unusable(&made, PLAIN), [""; 0], "{module} {content}");
            let found = unusable(&format!("{made} UPDATE d SET b = 'alpha';"), PLAIN);
            assert!(found.len() == 1 && found[0].starts_with("Search(\"f\")"), "{module}: {found:?}");
        }
        for own in [
            "fts5(b)",
            "fts5(b, content='')",
            "fts4(b)",
            "fts4(b, content='')",
            "fts5(content, b)",
        ] {
            let made = format!("CREATE VIRTUAL TABLE f USING {own}; INSERT INTO f(rowid, b) VALUES (1, 'zeta');");
            assert_eq!(unusable(&made, PLAIN), [""; 0], "{own}");
        }
    }
}
