//! Facts about SQL that its text shows, past strings, quoted names and comments: whether it begins or ends a transaction, holds a
//! placeholder or is meant for another database. It is never split here: SQLite does that.

use sqlite_format::sql::lexer::{Lexer, TokenKind};

/// A piece of a text outside strings, quoted names and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// A word: a keyword, a plain name or a number.
    Word(&'a str),
    /// A parameter with its sign: `:name`, `@name`, `$name`.
    Parameter(&'a str),
    /// A string or a quoted name.
    Quoted,
    /// The first character of an operator, or any other.
    Sign(char),
}

/// Returns the pieces of a text, in order. An unended string or comment reaches to the text's end.
fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    Lexer::new(sql).filter(|token| !token.is_blank()).map(|token| match token.kind {
        TokenKind::QuotedName | TokenKind::Text | TokenKind::Blob => Piece::Quoted,
        TokenKind::Word | TokenKind::Number => Piece::Word(token.text),
        TokenKind::Parameter if !token.text.starts_with('?') => Piece::Parameter(token.text),
        _ if token.text == "$" => Piece::Word(token.text),
        _ => Piece::Sign(token.text.chars().next().unwrap_or_default()),
    })
}

/// The effect of the first statement of a text that begins or ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// BEGIN: the text cannot stand within a transaction already.
    Begins,
    /// COMMIT: the text stands within one.
    Commits,
}

/// Returns the effect of the first statement that begins or ends a transaction; `None` where there is none.
///
/// The BEGIN of a trigger's body is not the first word of a statement.
pub(crate) fn first_of_transactions(sql: &str) -> Option<First> {
    let mut at_start = true;
    for piece in pieces(sql) {
        match piece {
            Piece::Sign(';') => at_start = true,
            Piece::Word(word) if at_start && word.eq_ignore_ascii_case("BEGIN") => return Some(First::Begins),
            Piece::Word(word) if at_start && word.eq_ignore_ascii_case("COMMIT") => return Some(First::Commits),
            _ => at_start = false,
        }
    }
    None
}

/// Counts the statements of the text. Those in a trigger's body belong to the trigger.
pub(crate) fn statements(sql: &str) -> usize {
    let mut statements = 0;
    // The words that the statement begins with, as far as they may make a trigger.
    let mut place = 0;
    let mut is_trigger = false;
    let mut before = [Piece::Sign(';'); 2];
    for piece in pieces(sql) {
        let is_word = |word: &str| matches!(piece, Piece::Word(other) if other.eq_ignore_ascii_case(word));
        let is_end = match before {
            [Piece::Sign(';'), Piece::Word(word)] => word.eq_ignore_ascii_case("END"),
            _ => false,
        };
        if piece == Piece::Sign(';') {
            if !is_trigger || is_end {
                (place, is_trigger) = (0, false);
            }
        } else {
            statements += usize::from(place == 0);
            is_trigger |= (place == 1 || place == 2) && is_word("TRIGGER");
            let leads_on = match place {
                0 => is_word("CREATE"),
                1 => is_word("TEMP") || is_word("TEMPORARY"),
                _ => false,
            };
            place = if leads_on { place + 1 } else { 3 };
        }
        before = [before[1], piece];
    }
    statements
}

/// Returns true if the last statement of the text does not end with a semicolon.
pub(crate) fn lacks_last_semicolon(sql: &str) -> bool {
    pieces(sql).last().is_some_and(|last| last != Piece::Sign(';'))
}

/// Returns true if it holds a placeholder that is filled in before SQLite sees it: `${name}`, `{{ name }}`. A brace means nothing in
/// SQL.
pub(crate) fn holds_placeholder(sql: &str) -> bool {
    pieces(sql).any(|piece| piece == Piece::Sign('{'))
}

/// Whose SQL it is where libSQL alone can run it.
pub(crate) const LIBSQL: &str = "libSQL (Turso)";

/// Beginnings of statements, and words in them, that SQLite has never taken, and whose they are.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["CREATE", "EXTENSION"], "PostgreSQL"),
    (&["CREATE", "TYPE"], "PostgreSQL"),
    (&["CREATE", "SCHEMA"], "PostgreSQL"),
    (&["CREATE", "SEQUENCE"], "PostgreSQL"),
    (&["CREATE", "DOMAIN"], "PostgreSQL"),
    (&["CREATE", "FUNCTION"], "another database"),
    (&["CREATE", "OR", "REPLACE"], "another database"),
    (&["CREATE", "MATERIALIZED"], "PostgreSQL"),
    (&["ALTER", "TYPE"], "PostgreSQL"),
    (&["ALTER", "SEQUENCE"], "PostgreSQL"),
    (&["COMMENT", "ON"], "PostgreSQL"),
    (&["DO"], "PostgreSQL"),
    (&["CREATE", "DATABASE"], "another database"),
    (&["GRANT"], "another database"),
    (&["SET"], "another database"),
    (&["DELIMITER"], "MySQL"),
    (&["LOCK"], "MySQL"),
];

/// Returns the database whose SQL it is, if SQLite cannot run it. Only sure signs count.
pub(crate) fn other_database(sql: &str) -> Option<&'static str> {
    let mut words: Vec<&str> = Vec::new(); // the first words of the statement
    let mut only_words = true;
    let mut before = [Piece::Sign(';'); 2];
    // True behind `ALTER TABLE … ALTER COLUMN`.
    let mut alters_column = false;
    for piece in pieces(sql) {
        match (before, piece) {
            // A cast, and a string between dollars: neither is ever SQLite's.
            ([_, Piece::Sign(':')], Piece::Sign(':') | Piece::Parameter(_)) | (_, Piece::Parameter("$$")) => {
                return Some("PostgreSQL");
            }
            ([Piece::Sign(')'), Piece::Word(word)], Piece::Sign('=')) if word.eq_ignore_ascii_case("ENGINE") => {
                return Some("MySQL");
            }
            // Behind a type it is MySQL's; where a column's name would stand, it is one.
            ([_, Piece::Word(_) | Piece::Sign(')')], Piece::Word(word))
                if word.eq_ignore_ascii_case("AUTO_INCREMENT") && changes_a_table(&words) =>
            {
                return Some("MySQL");
            }
            ([_, Piece::Word(alter)], Piece::Word(column))
                if alter.eq_ignore_ascii_case("ALTER")
                    && column.eq_ignore_ascii_case("COLUMN")
                    && changes_a_table(&words) =>
            {
                alters_column = true;
            }
            // `ALTER COLUMN name TO name type`; PostgreSQL and MySQL have SET, DROP or TYPE there.
            ([_, Piece::Word(_) | Piece::Quoted], Piece::Word(to))
                if alters_column && to.eq_ignore_ascii_case("TO") =>
            {
                return Some(LIBSQL);
            }
            ([_, Piece::Word(random)], Piece::Word(rowid))
                if random.eq_ignore_ascii_case("RANDOM")
                    && rowid.eq_ignore_ascii_case("ROWID")
                    && changes_a_table(&words) =>
            {
                return Some(LIBSQL);
            }
            (_, Piece::Word(word)) if word.eq_ignore_ascii_case("libsql_vector_idx") => return Some(LIBSQL),
            _ => {}
        }
        match piece {
            Piece::Sign(';') => {
                words.clear();
                only_words = true;
                alters_column = false;
            }
            Piece::Word(word) if only_words && words.len() < 3 => {
                words.push(word);
                if let Some(whose) = foreign_beginning(&words) {
                    return Some(whose);
                }
            }
            _ => only_words = false,
        }
        before = [before[1], piece];
    }
    None
}

fn changes_a_table(words: &[&str]) -> bool {
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    matches!(words, [verb, table, ..] if (is(verb, "CREATE") || is(verb, "ALTER")) && is(table, "TABLE"))
}

fn foreign_beginning(words: &[&str]) -> Option<&'static str> {
    let same = |wanted: &[&str]| {
        wanted.len() == words.len() && wanted.iter().zip(words).all(|(wanted, word)| word.eq_ignore_ascii_case(wanted))
    };
    FOREIGN.iter().find(|(wanted, _)| same(wanted)).map(|(_, whose)| *whose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_of_its_own_is_seen_and_a_triggers_body_is_not() {
        for sql in [
            "BEGIN;\nCREATE TABLE a (x);\nCOMMIT;",
            "PRAGMA foreign_keys=OFF;\n-- then\nbegin transaction;",
            "/* BEGIN */ ; \u{feff}Begin Immediate",
        ] {
            assert_eq!(first_of_transactions(sql), Some(First::Begins), "{sql}");
        }
        let out_of_the_tools = "CREATE TABLE a (x); commit;\nPRAGMA foreign_keys=OFF; BEGIN; CREATE TABLE b (x);";
        assert_eq!(first_of_transactions(out_of_the_tools), Some(First::Commits));
        for sql in [
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;",
            "-- BEGIN;\nSELECT 1",
            "INSERT INTO a VALUES ('; BEGIN;')",
            "INSERT INTO a VALUES ('it''s; BEGIN;')",
            "SELECT \"; BEGIN\", [; BEGIN], `; BEGIN`",
            "SELECT 1; /* ; BEGIN",
            "SELECT 1; BEGINNING",
            "",
        ] {
            assert_eq!(first_of_transactions(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_last_statement_without_a_semicolon_is_seen() {
        for sql in [
            "SELECT 1",
            "SELECT 1;\nSELECT 2 -- ;\n",
            "SELECT ';'",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
        ] {
            assert!(lacks_last_semicolon(sql), "{sql}");
        }
        for sql in [
            "",
            "-- nothing",
            "SELECT 1;",
            "SELECT 1; -- done\n",
            "SELECT 1 /* a */ ; /* b */",
        ] {
            assert!(!lacks_last_semicolon(sql), "{sql}");
        }
    }

    #[test]
    fn placeholders_are_seen_outside_strings_only() {
        assert!(holds_placeholder("CREATE TABLE ${prefix}a (x);"));
        assert!(holds_placeholder("CREATE TABLE {{ .Table }} (x);"));
        assert!(!holds_placeholder("INSERT INTO a VALUES ('{\"x\": 1}'); -- ${x}\n/* {{ */"));
        assert!(!holds_placeholder("SELECT $name, :name, ?1"));
    }

    #[test]
    fn another_databases_sql_is_named_only_where_it_is_sure() {
        for (sql, whose) in [
            ("CREATE EXTENSION IF NOT EXISTS citext;", Some("PostgreSQL")),
            ("SELECT '1'::int", Some("PostgreSQL")),
            ("SELECT now() :: date", Some("PostgreSQL")),
            ("DO $$ BEGIN END $$;", Some("PostgreSQL")),
            ("SELECT 1;\nalter type mood ADD VALUE 'x'", Some("PostgreSQL")),
            ("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY)", Some("MySQL")),
            ("CREATE TABLE a (id INT) ENGINE=InnoDB", Some("MySQL")),
            ("SET FOREIGN_KEY_CHECKS=0", Some("another database")),
            ("ALTER TABLE `a` ALTER COLUMN \"b\" TO \"b\" text NOT NULL", Some(LIBSQL)),
            ("ALTER TABLE a ALTER COLUMN b TO c", Some(LIBSQL)),
            ("CREATE TABLE a (b text) RANDOM ROWID;", Some(LIBSQL)),
            ("CREATE INDEX i ON a (libsql_vector_idx(v))", Some(LIBSQL)),
            ("ALTER TABLE a RENAME COLUMN b TO c", None),
            ("CREATE TABLE a (random TEXT, rowid TEXT, alter_column TEXT)", None),
            ("SELECT random() AS rowid FROM a", None),
            (
                "CREATE TABLE type (schema TEXT, sequence INT, auto_increment INT, engine TEXT CHECK (engine = 'x'))",
                None,
            ),
            ("SELECT auto_increment FROM a", None),
            ("UPDATE a SET engine = 'x' WHERE id = 1", None),
            ("CREATE TABLE a (id SERIAL PRIMARY KEY, at TIMESTAMP DEFAULT now)", None),
            ("INSERT INTO a VALUES ('a::b', \"::\")", None),
            ("CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = 1; END", None),
            ("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING", None),
        ] {
            assert_eq!(other_database(sql), whose, "{sql}");
        }
    }
}
