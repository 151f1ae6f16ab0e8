//! Writes the statements of an untrusted schema again: on one line, without comments, and without the clauses that a plain SQLite
//! may not know or should not evaluate.
//!
//! A statement is cut into tokens, and only tokens are written. A name that holds a control character, a parameter or an incomplete
//! token make the whole statement unusable. Clauses are judged one by one: a function or a collation that is not SQLite's own, and
//! an expression that takes long on every row, cost their clause and not the table. Whoever calls this also lets SQLite prepare
//! the result.

use sqlite_format::schema::Affinity;
use sqlite_format::sql::lexer::{Lexer, Token, TokenKind};

use super::literal::is_plain;

/// The longest statement that is taken apart, in bytes.
const LONGEST_STATEMENT: usize = 4 << 20;

/// The longest expression that the new store has to evaluate for each row, in bytes.
const LONGEST_EVALUATED: usize = 2_000;

/// The longest literal that stands as a default, in bytes: a short row repeats it.
const LONGEST_DEFAULT: usize = 10_000;

/// Functions of every SQLite since 3.40 whose result depends on their arguments alone, and that take no longer than to read them.
const FUNCTIONS: &[&str] = &[
    "abs",
    "char",
    "coalesce",
    "date",
    "datetime",
    "glob",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "printf",
    "format",
    "quote",
    "random",
    "randomblob",
    "replace",
    "round",
    "rtrim",
    "sign",
    "strftime",
    "substr",
    "substring",
    "time",
    "trim",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
    "zeroblob",
];

/// Other functions of SQLite and its shell.
const BUILT_IN: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "changes",
    "char",
    "concat",
    "concat_ws",
    "count",
    "current_date",
    "current_time",
    "current_timestamp",
    "decimal",
    "format",
    "glob",
    "group_concat",
    "hex",
    "highlight",
    "instr",
    "json",
    "json_patch",
    "json_set",
    "last_insert_rowid",
    "like",
    "match",
    "max",
    "min",
    "printf",
    "random",
    "randomblob",
    "regexp",
    "regexpi",
    "replace",
    "rtreecheck",
    "rtreenode",
    "sha3",
    "snippet",
    "soundex",
    "string_agg",
    "sum",
    "total",
    "total_changes",
    "unhex",
    "zeroblob",
];

/// Functions that fail on some arguments. A row on which one fails cannot be inserted.
const FALLIBLE: &[&str] = &[
    "abs",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_object",
    "json_type",
    "strftime",
];

/// Functions that reach outside the database. Whatever calls one of them is not made anew.
const FORBIDDEN: &[&str] = &[
    "edit",
    "fts3_tokenizer",
    "fts5",
    "fsdir",
    "load_extension",
    "lsdir",
    "lsmode",
    "readfile",
    "sha3_query",
    "shell_add_schema",
    "shell_module_schema",
    "shell_putsnl",
    "sqlar_compress",
    "sqlar_uncompress",
    "sqlite_log",
    "usleep",
    "writefile",
    "zipfile",
    "zipfile_cds",
];

/// Keywords before a parenthesis that are no functions.
const NO_FUNCTIONS: &[&str] = &[
    "and",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "distinct",
    "else",
    "escape",
    "exists",
    "filter",
    "from",
    "glob",
    "having",
    "in",
    "is",
    "isnull",
    "like",
    "limit",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "or",
    "over",
    "raise",
    "select",
    "then",
    "using",
    "values",
    "when",
    "where",
    "key",
    "unique",
    "primary",
    "recursive",
    "union",
    "all",
    "except",
    "intersect",
    "join",
    "set",
    "into",
    "materialized",
    "returning",
];

/// The reason why a statement cannot be written again, in words.
pub type Unusable = &'static str;

type Result<T> = std::result::Result<T, Unusable>;

/// Cuts a statement into tokens without comments. It ends with its first semicolon, or at a NUL, as it does for SQLite; the body of a trigger
/// holds semicolons of its own.
///
/// # Errors
/// Fails if a token is incomplete or cannot be written on one line.
pub fn tokens(sql: &str, is_trigger: bool) -> Result<Vec<Token<'_>>> {
    if sql.len() > LONGEST_STATEMENT {
        return Err("it is too long");
    }
    let sql = sql.split('\0').next().unwrap_or_default();
    let mut out = Vec::new();
    for token in Lexer::new(sql).filter(|token| !token.is_blank() || !token.is_complete) {
        if !is_trigger && token.text == ";" {
            break;
        }
        let is_hex = || {
            let digits = token.text.strip_prefix("0x").or_else(|| token.text.strip_prefix("0X"));
            digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        };
        match token.kind {
            TokenKind::Parameter => return Err("it holds a parameter"),
            TokenKind::Number if !token.is_complete && is_hex() => {}
            _ if !token.is_complete => return Err("a token of it is not complete"),
            TokenKind::Word | TokenKind::QuotedName if !is_plain(token.text.as_bytes()) => {
                return Err("a name in it holds a control character");
            }
            TokenKind::Operator if !token.text.bytes().all(|byte| b"(),.;+-*/%<>=!&|~".contains(&byte)) => {
                return Err("it holds what is no SQL");
            }
            _ => {}
        }
        out.push(token);
    }
    Ok(out)
}

/// Returns tokens as text on one line.
pub fn render(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    let mut end = None;
    for token in tokens {
        if end.is_some_and(|end| end != token.start) {
            out.push(' ');
        }
        end = Some(token.start + token.text.len());
        if token.kind == TokenKind::Text && !is_plain(token.text.as_bytes()) {
            render_text(&token.unquoted(), &mut out);
        } else {
            out.push_str(token.text);
        }
    }
    out
}

/// Writes text with control characters as a concatenation.
fn render_text(text: &str, out: &mut String) {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut buffer = [0; 4];
    for char in text.chars() {
        if is_plain(char.encode_utf8(&mut buffer).as_bytes()) {
            plain.push(char);
            continue;
        }
        if !plain.is_empty() {
            parts.push(format!("'{}'", std::mem::take(&mut plain).replace('\'', "''")));
        }
        parts.push(format!("char({})", u32::from(char)));
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(format!("'{}'", plain.replace('\'', "''")));
    }
    out.push('(');
    out.push_str(&parts.join("||"));
    out.push(')');
}

/// Returns the name that a token is, if it is one.
pub fn name_of(token: &Token<'_>) -> Option<String> {
    match token.kind {
        TokenKind::Word => Some(token.text.to_owned()),
        TokenKind::QuotedName | TokenKind::Text => Some(token.unquoted()),
        _ => None,
    }
}

fn is_word(token: Option<&Token<'_>>, word: &str) -> bool {
    token.is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
}

fn is_one_of(token: Option<&Token<'_>>, words: &[&str]) -> bool {
    words.iter().any(|word| is_word(token, word))
}

/// The use of an expression, by which it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is evaluated for each row that is loaded.
    EachRow,
    /// It is not evaluated while rows are loaded.
    Later,
}

/// Returns true if every SQLite since 3.40 knows all functions and collations of an expression, and evaluates it in a time that
/// the row alone bounds.
pub fn is_known_expression(tokens: &[Token<'_>], when: Use) -> bool {
    let mut replacements = 0;
    for (at, token) in tokens.iter().enumerate() {
        if is_word(Some(token), "collate") && !tokens.get(at + 1).is_some_and(is_own_collation) {
            return false;
        }
        if is_one_of(Some(token), &["select", "match", "regexp", "raise"]) {
            return false;
        }
        if when == Use::EachRow && is_one_of(Some(token), &["like", "glob"]) && !is_short_pattern(tokens.get(at + 1)) {
            return false;
        }
        let Some(function) = called_function(tokens, at) else {
            continue;
        };
        if !FUNCTIONS.contains(&function.as_str()) {
            return false;
        }
        let last = || arguments_end(tokens, at + 1).and_then(|end| tokens.get(end.checked_sub(1)?));
        match function.as_str() {
            // What they make is as long as they are told.
            "zeroblob" | "randomblob" if !is_small_number(tokens.get(at + 2), tokens.get(at + 3)) => return false,
            "printf" | "format" if !is_short_format(tokens.get(at + 2)) => return false,
            "replace" => replacements += 1,
            "like" | "glob" if when == Use::EachRow => return false,
            "instr" if when == Use::EachRow && !last().is_some_and(is_literal) => return false,
            _ => {}
        }
    }
    let len: usize = tokens.iter().map(|token| token.text.len()).sum();
    when == Use::Later || (len <= LONGEST_EVALUATED && replacements <= 1)
}

/// Returns true if an expression calls the application's own functions, and beside them only what is known. As a default it is not evaluated
/// while rows are loaded, and in no plain SQLite afterwards.
fn calls_own_functions(tokens: &[Token<'_>]) -> bool {
    let calls = || (0..tokens.len()).filter_map(|at| called_function(tokens, at));
    !reaches_outside(tokens)
        && calls().next().is_some()
        && calls().all(|function| !BUILT_IN.contains(&function.as_str()))
}

/// Returns true if an expression can fail on a row.
pub fn can_fail(tokens: &[Token<'_>]) -> bool {
    (0..tokens.len()).any(|at| {
        let calls = called_function(tokens, at).is_some_and(|function| FALLIBLE.contains(&function.as_str()));
        calls || tokens.get(at).is_some_and(|token| token.text.starts_with("->"))
    })
}

/// Returns true if a statement calls what reaches outside the database.
pub fn reaches_outside(tokens: &[Token<'_>]) -> bool {
    (0..tokens.len())
        .any(|at| called_function(tokens, at).is_some_and(|function| FORBIDDEN.contains(&function.as_str())))
}

/// Returns the name of the function that a token calls, in lower case.
fn called_function(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let token = tokens.get(at)?;
    let is_call = tokens.get(at + 1).is_some_and(|next| next.text == "(");
    let name = name_of(token).filter(|_| is_call && token.kind != TokenKind::Text)?.to_ascii_lowercase();
    (token.kind == TokenKind::QuotedName
        || !NO_FUNCTIONS.contains(&name.as_str())
        || ["like", "glob"].contains(&name.as_str()))
    .then_some(name)
}

fn is_literal(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Text | TokenKind::Number | TokenKind::Blob)
}

fn is_small_number(token: Option<&Token<'_>>, after: Option<&Token<'_>>) -> bool {
    token.is_some_and(|token| token.text.parse::<u16>().is_ok_and(|number| number <= 1_000))
        && after.is_some_and(|after| after.text == ")")
}

/// Returns true if a format has no width that could make a long text.
fn is_short_format(token: Option<&Token<'_>>) -> bool {
    token.filter(|token| token.kind == TokenKind::Text).is_some_and(|token| {
        let longest = token.text.split(|char: char| !char.is_ascii_digit()).map(str::len).max();
        token.text.len() <= 200 && longest.unwrap_or(0) <= 3 && !token.text.contains('*')
    })
}

/// Returns true if a pattern is a literal with so few wildcards that matching takes no long time.
fn is_short_pattern(token: Option<&Token<'_>>) -> bool {
    token.is_some_and(|token| {
        token.kind == TokenKind::Text && token.text.chars().filter(|char| matches!(char, '%' | '*')).count() <= 2
    })
}

fn is_own_collation(token: &Token<'_>) -> bool {
    name_of(token).is_some_and(|name| ["binary", "nocase", "rtrim"].contains(&name.to_ascii_lowercase().as_str()))
}

/// Returns the place of the parenthesis that closes the one at `open`.
fn arguments_end(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Cuts tokens at the commas outside of parentheses.
pub fn split_at_commas<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.text == ","
        })
        .collect()
}

/// The kind of a clause of a table's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClauseKind {
    Check,
    Default,
    Collate,
    Generated,
    /// A primary key or a unique constraint.
    Key,
    /// NULL, NOT NULL, or a reference.
    Other,
}

/// A clause of a column, or a constraint of a table.
#[derive(Debug, Clone)]
struct Clause<'a> {
    kind: ClauseKind,
    tokens: Vec<Token<'a>>,
}

/// A column of a statement.
#[derive(Debug, Clone)]
struct ColumnText<'a> {
    /// Its name and its type.
    head: Vec<Token<'a>>,
    clauses: Vec<Clause<'a>>,
}

/// A CREATE TABLE statement, taken apart.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct TableStatement<'a> {
    /// Its name.
    pub name: String,
    columns: Vec<ColumnText<'a>>,
    constraints: Vec<Clause<'a>>,
    options: Vec<Token<'a>>,
    /// True if it is WITHOUT ROWID.
    pub is_without_rowid: bool,
    /// True if it is STRICT.
    pub is_strict: bool,
    /// True if a constraint names what to do in a conflict, or makes one possible.
    pub has_conflicts: bool,
    /// True if it is AUTOINCREMENT.
    pub is_autoincrement: bool,
}

/// What the rows of a table look like.
#[derive(Debug, Clone, Default)]
pub struct TableSketch {
    /// The columns that are stored, in the order in which they are.
    pub columns: Vec<ColumnSketch>,
    /// The columns of the indexes of its constraints, in their order.
    pub keys: Vec<Vec<String>>,
    /// True if its rows are the entries of an index.
    pub is_without_rowid: bool,
}

/// What the values of a column look like.
#[derive(Debug, Clone)]
pub struct ColumnSketch {
    /// Its name.
    pub name: String,
    /// Its declared type, in capital letters.
    pub declared: String,
    /// Its affinity.
    pub affinity: Affinity,
    /// True if it forbids NULL.
    pub forbids_null: bool,
    /// True if it is an alias of the rowid, which a record does not hold.
    pub is_alias: bool,
}

/// The clauses that a rendered statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All that are known.
    Known,
    /// No checks, and no defaults that are expressions.
    NoExpressions,
}

/// A statement, written again.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The statement, on one line.
    pub sql: String,
    /// True if clauses were left out.
    pub is_reduced: bool,
    /// True if an expression of it that is evaluated for each row can fail.
    pub can_fail: bool,
    /// The columns of which the default is an expression or is left out: a row that ends before them has NULL there.
    pub computed_defaults: Vec<String>,
}

const COLUMN_CLAUSES: &[&str] = &[
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "collate",
    "references",
    "generated",
    "as",
];

impl<'a> TableStatement<'a> {
    /// Takes a statement apart.
    ///
    /// # Errors
    /// Fails if it is not a CREATE TABLE statement with columns.
    pub fn parse(tokens: &[Token<'a>]) -> Result<Self> {
        const NO_TABLE: Unusable = "it makes no table";
        let mut at = 0;
        for word in ["create", "table"] {
            if !is_word(tokens.get(at), word) {
                return Err(NO_TABLE);
            }
            at += 1;
        }
        if is_word(tokens.get(at), "if") && is_word(tokens.get(at + 1), "not") && is_word(tokens.get(at + 2), "exists")
        {
            at += 3;
        }
        let name = tokens.get(at).and_then(name_of).ok_or(NO_TABLE)?;
        let open = at + 1;
        if tokens.get(open).is_none_or(|token| token.text != "(") {
            return Err(NO_TABLE);
        }
        let close = arguments_end(tokens, open).ok_or(NO_TABLE)?;
        let options = tokens.get(close + 1..).unwrap_or_default().to_vec();
        let is_option =
            |token: &Token<'_>| token.text == "," || is_one_of(Some(token), &["without", "rowid", "strict"]);
        if !options.iter().all(is_option) {
            return Err(NO_TABLE);
        }
        let mut out = Self {
            name,
            columns: Vec::new(),
            constraints: Vec::new(),
            is_without_rowid: options.iter().any(|token| is_word(Some(token), "without")),
            is_strict: options.iter().any(|token| is_word(Some(token), "strict")),
            options,
            has_conflicts: false,
            is_autoincrement: false,
        };
        for part in split_at_commas(tokens.get(open + 1..close).unwrap_or_default()) {
            if is_one_of(part.first(), &["constraint", "primary", "unique", "check", "foreign"]) {
                out.read_constraints(part)?;
            } else {
                out.read_column(part)?;
            }
        }
        let all = || out.columns.iter().flat_map(|column| &column.clauses).chain(&out.constraints);
        let conflicts = |clause: &Clause<'_>| {
            clause.kind == ClauseKind::Key || clause.tokens.iter().any(|token| is_word(Some(token), "conflict"))
        };
        let counts = |clause: &Clause<'_>| {
            clause.kind == ClauseKind::Key && clause.tokens.iter().any(|token| is_word(Some(token), "autoincrement"))
        };
        (out.has_conflicts, out.is_autoincrement) = (all().any(conflicts), all().any(counts));
        if out.columns.is_empty() { Err(NO_TABLE) } else { Ok(out) }
    }

    fn read_column(&mut self, part: &[Token<'a>]) -> Result<()> {
        if part.first().and_then(name_of).is_none() {
            return Err("a column of it has no name");
        }
        let mut at = 1;
        while at < part.len() && !is_one_of(part.get(at), COLUMN_CLAUSES) {
            at = if part.get(at).is_some_and(|token| token.text == "(") {
                arguments_end(part, at).ok_or("a parenthesis of it is not closed")?
            } else {
                at
            } + 1;
        }
        let mut column = ColumnText {
            head: part.get(..at).unwrap_or_default().to_vec(),
            clauses: Vec::new(),
        };
        while at < part.len() {
            let (clause, end) = read_clause(part, at)?;
            column.clauses.push(clause);
            at = end;
        }
        self.columns.push(column);
        Ok(())
    }

    /// Reads the constraints of a table between two commas. SQLite needs no comma between them.
    fn read_constraints(&mut self, part: &[Token<'a>]) -> Result<()> {
        let mut begin = 0;
        while begin < part.len() {
            let mut at = begin;
            if is_word(part.get(at), "constraint") {
                at += 2;
            }
            let kind = match () {
                () if is_word(part.get(at), "check") => ClauseKind::Check,
                () if is_one_of(part.get(at), &["primary", "unique"]) => ClauseKind::Key,
                () if is_word(part.get(at), "foreign") => ClauseKind::Other,
                () => return Err("a constraint of it is not understood"),
            };
            at += 1;
            while at < part.len() && !is_one_of(part.get(at), &["constraint", "primary", "unique", "check", "foreign"])
            {
                at = if part.get(at).is_some_and(|token| token.text == "(") {
                    arguments_end(part, at).ok_or("a parenthesis of it is not closed")?
                } else {
                    at
                } + 1;
            }
            self.constraints.push(Clause {
                kind,
                tokens: part.get(begin..at).unwrap_or_default().to_vec(),
            });
            begin = at;
        }
        Ok(())
    }

    /// Returns what its rows look like.
    pub fn sketch(&self) -> TableSketch {
        let mut columns: Vec<ColumnSketch> = Vec::new();
        let mut keys: Vec<Vec<String>> = Vec::new();
        let mut primary: Vec<String> = Vec::new();
        let mut is_descending = false;
        for column in &self.columns {
            let name = column.head.first().and_then(name_of).unwrap_or_default();
            let declared = render(column.head.get(1..).unwrap_or_default()).to_ascii_uppercase();
            let has = |kind: ClauseKind| column.clauses.iter().filter(move |clause| clause.kind == kind);
            for key in has(ClauseKind::Key) {
                let is_primary = key.tokens.iter().any(|token| is_word(Some(token), "primary"));
                is_descending |= is_primary && key.tokens.iter().any(|token| is_word(Some(token), "desc"));
                if is_primary {
                    primary = vec![name.clone()];
                }
                if !is_primary || declared != "INTEGER" || is_descending {
                    keys.push(vec![name.clone()]);
                }
            }
            let is_virtual = has(ClauseKind::Generated).any(|clause| !is_word(clause.tokens.last(), "stored"));
            if is_virtual {
                continue;
            }
            let forbids_null = has(ClauseKind::Other).any(|clause| {
                is_word(clause.tokens.iter().rev().nth(1), "not") || is_word(clause.tokens.first(), "not")
            });
            columns.push(ColumnSketch {
                affinity: Affinity::of(&declared),
                name,
                declared,
                forbids_null,
                is_alias: false,
            });
        }
        for constraint in self.constraints.iter().filter(|constraint| constraint.kind == ClauseKind::Key) {
            let open = constraint.tokens.iter().position(|token| token.text == "(").unwrap_or(0);
            let inner = constraint
                .tokens
                .get(open + 1..constraint.tokens.len().saturating_sub(1))
                .unwrap_or_default();
            let names: Vec<String> =
                split_at_commas(inner).iter().filter_map(|part| part.first().and_then(name_of)).collect();
            if constraint.tokens.iter().any(|token| is_word(Some(token), "primary")) {
                primary.clone_from(&names);
                let of = names
                    .first()
                    .and_then(|name| columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)));
                if names.len() == 1 && of.is_some_and(|column| column.declared == "INTEGER") {
                    continue;
                }
            }
            keys.push(names);
        }
        if let ([only], false, false) = (primary.as_slice(), self.is_without_rowid, is_descending) {
            let alias = columns.iter_mut().find(|column| column.name.eq_ignore_ascii_case(only));
            if let Some(alias) = alias.filter(|column| column.declared == "INTEGER") {
                alias.is_alias = true;
            }
        }
        if self.is_without_rowid {
            let place = |column: &ColumnSketch| {
                let place = primary.iter().position(|name| name.eq_ignore_ascii_case(&column.name));
                place.unwrap_or(usize::MAX)
            };
            columns.sort_by_key(place);
        }
        TableSketch {
            columns,
            keys,
            is_without_rowid: self.is_without_rowid,
        }
    }

    /// Returns the statement with the clauses that can be kept.
    pub fn render(&self, keep: Keep) -> Rendered {
        let mut out = Rendered::default();
        let mut parts = Vec::new();
        for column in &self.columns {
            let mut text = render(&column.head);
            let name = column.head.first().and_then(name_of).unwrap_or_default();
            for clause in &column.clauses {
                let kept = clause.kept(keep);
                out.is_reduced |= kept.as_ref().is_none_or(|kept| kept.len() != clause.tokens.len());
                let is_computed =
                    clause.kind == ClauseKind::Default && clause.tokens.iter().any(|token| token.text == "(");
                if is_computed || (clause.kind == ClauseKind::Default && kept.is_none()) {
                    out.computed_defaults.push(name.clone());
                }
                if let Some(kept) = kept {
                    out.can_fail |= clause.kind == ClauseKind::Generated && can_fail(&kept);
                    text.push(' ');
                    text.push_str(&render(&kept));
                }
            }
            parts.push(text);
        }
        for clause in &self.constraints {
            let kept = clause.kept(keep);
            out.is_reduced |= kept.as_ref().is_none_or(|kept| kept.len() != clause.tokens.len());
            parts.extend(kept.map(|kept| render(&kept)));
        }
        out.sql = format!("CREATE TABLE {}({})", quoted(&self.name), parts.join(", "));
        if !self.options.is_empty() {
            out.sql.push(' ');
            out.sql.push_str(&render(&self.options));
        }
        out
    }
}

/// Returns a name in quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<'a> Clause<'a> {
    /// Returns the tokens of the clause that are kept; `None` when all of it is left out.
    fn kept(&self, keep: Keep) -> Option<Vec<Token<'a>>> {
        let open = self.tokens.iter().position(|token| token.text == "(");
        let inner = open.and_then(|open| self.tokens.get(open..)).unwrap_or_default();
        let is_kept = match self.kind {
            ClauseKind::Check => keep == Keep::Known && is_known_expression(inner, Use::Later),
            ClauseKind::Default if open.is_some() => {
                keep == Keep::Known && (is_known_expression(inner, Use::EachRow) || calls_own_functions(inner))
            }
            ClauseKind::Default => self.tokens.iter().all(|token| token.text.len() <= LONGEST_DEFAULT),
            ClauseKind::Generated => is_known_expression(inner, Use::EachRow),
            ClauseKind::Collate => self.tokens.last().is_some_and(is_own_collation),
            ClauseKind::Key => return Some(without_foreign_collations(&self.tokens)),
            ClauseKind::Other => true,
        };
        is_kept.then(|| self.tokens.clone())
    }
}

/// Returns tokens without the collations that are not SQLite's own.
pub fn without_foreign_collations<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if is_word(Some(token), "collate") && !tokens.get(at + 1).is_some_and(is_own_collation) {
            at += 2;
        } else {
            out.push(*token);
            at += 1;
        }
    }
    out
}

/// Reads the clause of a column at a place; returns it and the place behind it.
fn read_clause<'a>(part: &[Token<'a>], begin: usize) -> Result<(Clause<'a>, usize)> {
    const UNCLEAR: Unusable = "a clause of it is not understood";
    let mut at = begin;
    if is_word(part.get(at), "constraint") {
        at += 2;
    }
    let parenthesis = |at: usize| {
        let is_open = part.get(at).is_some_and(|token| token.text == "(");
        let end = arguments_end(part, at).filter(|_| is_open);
        end.map(|end| end + 1).ok_or(UNCLEAR)
    };
    let word = part
        .get(at)
        .filter(|token| token.kind == TokenKind::Word)
        .ok_or(UNCLEAR)?
        .text
        .to_ascii_lowercase();
    let kind = match word.as_str() {
        "primary" => {
            at += 2;
            while is_one_of(part.get(at), &["asc", "desc"]) {
                at += 1;
            }
            at = skip_conflict(part, at);
            if is_word(part.get(at), "autoincrement") {
                at += 1;
            }
            ClauseKind::Key
        }
        "unique" => {
            at = skip_conflict(part, at + 1);
            ClauseKind::Key
        }
        "not" => {
            at = skip_conflict(part, at + 2);
            ClauseKind::Other
        }
        "null" => {
            at = skip_conflict(part, at + 1);
            ClauseKind::Other
        }
        "check" => {
            at = skip_conflict(part, parenthesis(at + 1)?);
            ClauseKind::Check
        }
        "default" => {
            at += 1;
            at = if part.get(at).is_some_and(|token| token.text == "(") {
                parenthesis(at)?
            } else if part.get(at).is_some_and(|token| token.text == "+" || token.text == "-") {
                at + 2
            } else {
                at + 1
            };
            ClauseKind::Default
        }
        "collate" => {
            at += 2;
            ClauseKind::Collate
        }
        "references" => {
            at += 2;
            if part.get(at).is_some_and(|token| token.text == "(") {
                at = parenthesis(at)?;
            }
            at = skip_reference_actions(part, at);
            ClauseKind::Other
        }
        // Deferral may be said of a reference twice.
        "generated" | "as" => {
            at += if word == "generated" { 3 } else { 1 };
            at = parenthesis(at)?;
            if is_one_of(part.get(at), &["stored", "virtual"]) {
                at += 1;
            }
            ClauseKind::Generated
        }
        _ => return Err(UNCLEAR),
    };
    let tokens = part.get(begin..at).ok_or(UNCLEAR)?.to_vec();
    Ok((Clause { kind, tokens }, at))
}

fn skip_conflict(part: &[Token<'_>], at: usize) -> usize {
    if is_word(part.get(at), "on") && is_word(part.get(at + 1), "conflict") {
        at + 3
    } else {
        at
    }
}

fn skip_reference_actions(part: &[Token<'_>], mut at: usize) -> usize {
    loop {
        at += match part.get(at) {
            token if is_word(token, "match") => 2,
            token if is_word(token, "on") && is_one_of(part.get(at + 1), &["delete", "update", "insert"]) => {
                if is_one_of(part.get(at + 2), &["set", "no"]) {
                    4
                } else {
                    3
                }
            }
            token if is_word(token, "deferrable") => 1,
            token if is_word(token, "not") && is_word(part.get(at + 1), "deferrable") => 2,
            token if is_word(token, "initially") => 2,
            _ => return at,
        };
    }
}

/// A CREATE INDEX statement, taken apart.
#[derive(Debug)]
pub struct IndexStatement {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// The statement, on one line.
    pub rendered: Rendered,
    /// True if each key may occur only once.
    pub is_unique: bool,
    /// True if it holds only columns, and all rows.
    pub is_plain: bool,
    /// The names of its columns; that of an expression is empty.
    pub columns: Vec<String>,
    /// The expression for the key of a row, as text, and the condition of the rows that have one.
    pub key: (String, String),
}

impl IndexStatement {
    /// Takes a statement apart.
    ///
    /// # Errors
    /// Fails if it is not a CREATE INDEX statement, or holds an expression that is not known.
    pub fn parse(tokens: &[Token<'_>]) -> Result<Self> {
        const NO_INDEX: Unusable = "it makes no index";
        let mut at = usize::from(is_word(tokens.first(), "create"));
        let is_unique = is_word(tokens.get(at), "unique");
        at += usize::from(is_unique);
        if at == 0 || !is_word(tokens.get(at), "index") {
            return Err(NO_INDEX);
        }
        let name = tokens.get(at + 1).and_then(name_of).ok_or(NO_INDEX)?;
        let table = tokens.get(at + 3).and_then(name_of).ok_or(NO_INDEX)?;
        let open = at + 4;
        let close = arguments_end(tokens, open).ok_or(NO_INDEX)?;
        let is_begun = is_word(tokens.get(at + 2), "on") && tokens.get(open).is_some_and(|token| token.text == "(");
        let rest = tokens.get(close + 1..).unwrap_or_default();
        if !is_begun || !(rest.is_empty() || is_word(rest.first(), "where")) {
            return Err(NO_INDEX);
        }
        let kept = without_foreign_collations(tokens);
        let body = kept.get(open..).unwrap_or_default();
        if !is_known_expression(body, Use::EachRow) {
            return Err("it calls a function that a plain SQLite does not have, or that takes long");
        }
        let is_expression = |part: &&[Token<'_>]| {
            part.first().and_then(name_of).is_none() || part.iter().any(|token| token.text == "(")
        };
        let is_plain = rest.is_empty()
            && !split_at_commas(tokens.get(open + 1..close).unwrap_or_default()).iter().any(is_expression);
        Ok(Self {
            name,
            table,
            rendered: Rendered {
                sql: render(&kept),
                is_reduced: kept.len() != tokens.len(),
                can_fail: can_fail(body),
                computed_defaults: Vec::new(),
            },
            is_unique,
            is_plain,
            columns: split_at_commas(tokens.get(open + 1..close).unwrap_or_default())
                .iter()
                .map(|part| part.first().filter(|_| !is_expression(part)).and_then(name_of).unwrap_or_default())
                .collect(),
            key: key_expression(tokens.get(open + 1..close).unwrap_or_default(), rest),
        })
    }
}

/// Returns the expression for the key of a row, as text, and the condition of the rows that have one: no part of it is NULL.
fn key_expression(columns: &[Token<'_>], condition: &[Token<'_>]) -> (String, String) {
    let mut keys = Vec::new();
    let mut conditions = vec![render(condition.get(1..).unwrap_or_default())];
    conditions.retain(|condition| !condition.is_empty());
    for part in split_at_commas(columns) {
        let end = part
            .iter()
            .position(|token| is_one_of(Some(token), &["asc", "desc", "collate"]))
            .unwrap_or(part.len());
        let part = render(part.get(..end).unwrap_or_default());
        keys.push(format!("quote({part})"));
        conditions.push(format!("({part}) IS NOT NULL"));
    }
    let conditions: Vec<String> = conditions.iter().map(|condition| format!("({condition})")).collect();
    (keys.join("||','||"), conditions.join(" AND "))
}

/// A CREATE VIRTUAL TABLE statement, taken apart.
#[derive(Debug)]
pub struct VirtualStatement {
    /// Its name.
    pub name: String,
    /// Its module, in lower case.
    pub module: String,
    /// The statement, on one line.
    pub sql: String,
    /// Its options: names in lower case, and values without quotes.
    pub options: Vec<(String, String)>,
    /// The number of arguments that begin with a plus sign: auxiliary columns of an R-tree.
    pub auxiliary: usize,
}

impl VirtualStatement {
    /// Takes a statement apart.
    ///
    /// # Errors
    /// Fails if it is not a CREATE VIRTUAL TABLE statement.
    pub fn parse(tokens: &[Token<'_>]) -> Result<Self> {
        const NO_TABLE: Unusable = "it makes no virtual table";
        let is_begun =
            is_word(tokens.first(), "create") && is_word(tokens.get(1), "virtual") && is_word(tokens.get(2), "table");
        let name = tokens.get(3).and_then(name_of).filter(|_| is_begun).ok_or(NO_TABLE)?;
        let module = tokens
            .get(5)
            .and_then(name_of)
            .filter(|_| is_word(tokens.get(4), "using"))
            .ok_or(NO_TABLE)?;
        let arguments = match tokens.get(6) {
            None => &[],
            Some(open) if open.text == "(" && arguments_end(tokens, 6).is_some_and(|end| end + 1 == tokens.len()) => {
                tokens.get(7..tokens.len() - 1).unwrap_or_default()
            }
            Some(_) => return Err(NO_TABLE),
        };
        let arguments = if arguments.is_empty() {
            Vec::new()
        } else {
            split_at_commas(arguments)
        };
        if tokens
            .iter()
            .any(|token| token.kind == TokenKind::Text && !is_plain(token.text.as_bytes()))
        {
            return Err("an argument of it holds a control character");
        }
        let option = |part: &&[Token<'_>]| {
            let (name, rest) = part.split_first()?;
            let value = rest.split_first().filter(|(equals, _)| equals.text == "=")?.1;
            let value = match value {
                [one] => name_of(one).unwrap_or_else(|| one.text.to_owned()),
                more => render(more),
            };
            Some((name_of(name)?.to_ascii_lowercase(), value))
        };
        Ok(Self {
            name,
            module: module.to_ascii_lowercase(),
            sql: render(tokens),
            options: arguments.iter().filter_map(option).collect(),
            auxiliary: arguments
                .iter()
                .filter(|part| part.first().is_some_and(|token| token.text == "+"))
                .count(),
        })
    }

    /// Returns the value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Returns a view's statement on one line.
///
/// # Errors
/// Fails if it is not a CREATE VIEW statement, or calls what reaches outside the database.
pub fn view(tokens: &[Token<'_>]) -> Result<String> {
    if !is_word(tokens.first(), "create") || !is_word(tokens.get(1), "view") {
        return Err("it makes no view");
    }
    if reaches_outside(tokens) {
        return Err("it calls a function that reaches outside the database");
    }
    Ok(render(tokens))
}

/// Returns a trigger's statement on one line.
///
/// # Errors
/// Fails if it is not one CREATE TRIGGER statement, or calls what reaches outside the database.
pub fn trigger(tokens: &[Token<'_>]) -> Result<String> {
    if !is_word(tokens.first(), "create") || !is_word(tokens.get(1), "trigger") {
        return Err("it makes no trigger");
    }
    let tokens = match tokens.split_last() {
        Some((last, rest)) if last.text == ";" => rest,
        _ => tokens,
    };
    // A body ends with the word END. What stands behind that would be a statement of its own.
    let begin = tokens.iter().position(|token| is_word(Some(token), "begin")).ok_or("it has no body")?;
    let body = tokens.get(begin + 1..).unwrap_or_default();
    let mut is_first = true;
    for token in body {
        if is_first && !is_one_of(Some(token), &["insert", "update", "delete", "select", "replace", "with", "end"]) {
            return Err("a statement of its body is of another kind");
        }
        if is_first && is_word(Some(token), "end") && !std::ptr::eq(token, body.last().unwrap_or(token)) {
            return Err("a statement stands behind it");
        }
        is_first = token.text == ";";
    }
    if !is_word(body.last(), "end") {
        return Err("its body has no end");
    }
    if reaches_outside(tokens) {
        return Err("it calls a function that reaches outside the database");
    }
    Ok(render(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sql: &str) -> Result<Rendered> {
        TableStatement::parse(&tokens(sql, false)?).map(|statement| statement.render(Keep::Known))
    }

    #[test]
    fn a_statement_is_written_on_one_line_without_comments() {
        let out = table("CREATE TABLE \"a b\" ( id TEXT -- a UUID\n PRIMARY KEY,/* x */ n VARCHAR( 9 ) DEFAULT 'a;b' ) STRICT; .shell x").unwrap();
        assert_eq!(out.sql, "CREATE TABLE \"a b\"(id TEXT PRIMARY KEY, n VARCHAR( 9 ) DEFAULT 'a;b') STRICT");
        assert!(!out.is_reduced);
        let out = table("CREATE TABLE t(a DEFAULT 'x\n.shell y')").unwrap();
        assert_eq!(out.sql, "CREATE TABLE \"t\"(a DEFAULT ('x'||char(10)||'.shell y'))");
    }

    #[test]
    fn clauses_that_are_not_known_are_left_out() {
        for (sql, want) in [
            ("CREATE TABLE t(a TEXT COLLATE unicase UNIQUE)", "CREATE TABLE \"t\"(a TEXT UNIQUE)"),
            (
                "CREATE TABLE t(a CHECK (writefile('x', a)), b CHECK (b > 0))",
                "CREATE TABLE \"t\"(a, b CHECK (b > 0))",
            ),
            ("CREATE TABLE t(a DEFAULT (readfile('x')) NOT NULL)", "CREATE TABLE \"t\"(a NOT NULL)"),
            ("CREATE TABLE t(a, b AS (zeroblob(99999999)) STORED)", "CREATE TABLE \"t\"(a, b)"),
            (
                "CREATE TABLE t(a, PRIMARY KEY (a COLLATE x DESC))",
                "CREATE TABLE \"t\"(a, PRIMARY KEY (a DESC))",
            ),
        ] {
            let out = table(sql).unwrap();
            assert_eq!((out.sql.as_str(), out.is_reduced), (want, true));
        }
        let whole = "CREATE TABLE \"t\"(id DEFAULT (lower(hex(randomblob(16)))), a REFERENCES p (x) ON DELETE SET NULL NOT DEFERRABLE, n NOT NULL ON CONFLICT FAIL, \
                     j AS (json_extract(a, '$.x')) VIRTUAL, CONSTRAINT k UNIQUE (a, n), CHECK (a <> ''))";
        let out = table(whole).unwrap();
        assert!(!out.is_reduced && out.can_fail && out.computed_defaults == ["id"], "{out:?}");
        assert_eq!(out.sql, whole);
    }

    #[test]
    fn what_is_no_statement_of_its_kind_is_refused() {
        for sql in [
            "garbage",
            "",
            "CREATE TABLE z(",
            "CREATE TABLE z()",
            "CREATE TEMP TABLE z(a)",
            "CREATE TABLE temp.z(a)",
            "CREATE TABLE z AS SELECT 1",
            "CREATE TABLE z(a DEFAULT 'x)",
            "CREATE TABLE [z(a)",
            "CREATE TABLE z(a) /*",
            "CREATE TABLE \"a\nb\"(a)",
            "CREATE TABLE z(a ?1)",
            "COMMIT; CREATE TABLE z(a)",
            "CREATE INDEX z ON t(a)",
        ] {
            assert!(table(sql).is_err(), "{sql}");
        }
        let index = |sql| IndexStatement::parse(&tokens(sql, false).unwrap()).is_ok();
        assert!(index("CREATE UNIQUE INDEX i ON t(lower(a), b COLLATE NOCASE DESC) WHERE b IS NOT NULL"));
        assert!(!index("CREATE INDEX i ON t(load_extension(a))") && !index("CREATE INDEX i ON t(a) DROP TABLE t"));
        let body = |sql| trigger(&tokens(sql, true).unwrap()).is_ok();
        assert!(body(
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM t; END;"
        ));
        assert!(!body("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; DELETE FROM kept"));
        assert!(!body("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT writefile('x', 1); END"));
    }
}
