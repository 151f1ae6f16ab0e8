//! What D1 and wrangler make of SQL: the authorizer of Cloudflare's workerd (`src/workerd/util/sqlite.c++`: its lists of functions, pragmas
//! and modules, and its bounds), and what wrangler does to a file before it sends it (`packages/wrangler/src/d1/trimmer.ts`,
//! `migrations/apply.ts`).

use rusqlite::hooks::AuthAction;
use rusqlite::limits::Limit;

use crate::migrations::sql_text;

/// The functions that are authorized, with those by which SQLite itself alters tables.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[&str] = &[
    "abs", "changes", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "ifnull", "iif", "instr", "last_insert_rowid", "length",
    "like", "likelihood", "likely", "load_extension", "lower", "ltrim", "max_scalar", "min_scalar", "nullif", "octet_length", "printf", "quote",
    "random", "randomblob", "replace", "round", "rtrim", "sign", "soundex", "substr", "substring", "total_changes", "trim", "typeof", "unhex",
    "unicode", "unlikely", "upper", "zeroblob",
    "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time", "current_timestamp",
    "avg", "count", "group_concat", "max", "min", "string_agg", "sum", "total",
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value", "last_value", "nth_value",
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "degrees", "exp", "floor", "ln", "log", "log2", "mod", "pi",
    "pow", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    "json", "json_array", "json_array_length", "json_extract", "->", "->>", "json_insert", "json_object", "json_patch", "json_remove",
    "json_replace", "json_set", "json_type", "json_valid", "json_quote", "json_group_array", "json_group_object", "json_each", "json_tree",
    "match", "highlight", "bm25", "snippet",
    "sqlite_rename_column", "sqlite_rename_table", "sqlite_rename_test", "sqlite_drop_column", "sqlite_rename_quotefix",
];

/// The pragmas that are authorized. What they may be set to is not told apart.
const PRAGMAS: &[&str] = &[
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "legacy_alter_table",
    "optimize",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
];

const MODULES: &[&str] = &["fts5", "fts5vocab"];

/// The bounds that are lower than SQLite's own, but for the length of a statement: SQLite would hold all of the rest of a file against it.
pub(super) const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 127),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
];

/// Returns the name of an action that is not authorized.
pub(super) fn denial(action: &AuthAction<'_>) -> Option<String> {
    let is_in = |names: &[&str], name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let what = match action {
        AuthAction::CreateTempTable { .. } | AuthAction::DropTempTable { .. } => "temporary tables".to_owned(),
        AuthAction::CreateTempIndex { .. } | AuthAction::DropTempIndex { .. } => "temporary indexes".to_owned(),
        AuthAction::CreateTempTrigger { .. } | AuthAction::DropTempTrigger { .. } => "temporary triggers".to_owned(),
        AuthAction::CreateTempView { .. } | AuthAction::DropTempView { .. } => "temporary views".to_owned(),
        AuthAction::Savepoint { .. } => "SAVEPOINT and RELEASE".to_owned(),
        AuthAction::Pragma { pragma_name, .. } if !is_in(PRAGMAS, pragma_name) => {
            format!("PRAGMA {}", pragma_name.to_ascii_lowercase())
        }
        AuthAction::CreateVtable { module_name, .. } | AuthAction::DropVtable { module_name, .. }
            if !is_in(MODULES, module_name) =>
        {
            format!("the module {}", module_name.to_ascii_lowercase())
        }
        _ => return None,
    };
    Some(what)
}

/// Returns the text as wrangler sends it: without the first BEGIN and COMMIT of a dump, which it takes out where both are spelled so.
pub(in crate::migrations) fn trim(text: &str) -> String {
    if !text.contains(BEGIN) {
        return text.to_owned();
    }
    text.replacen("BEGIN TRANSACTION;", "", 1).replacen("COMMIT;", "", 1)
}

/// The words by which wrangler knows a transaction, wherever they are written.
const BEGIN: &str = "BEGIN TRANSACTION";

/// Returns the reason why a trimmed text does not run.
pub(super) fn refusal(text: &str) -> Option<&'static str> {
    if text.contains(BEGIN) {
        return Some(
            "wrangler refuses a file with BEGIN TRANSACTION in it, also in a comment: it takes it for several transactions",
        );
    }
    sql_text::lacks_last_semicolon(text).then_some(
        "its last statement has no semicolon, and wrangler appends its own INSERT right behind it: D1 gives a syntax error",
    )
}
