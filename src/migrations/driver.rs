//! The drivers through which migration tools reach SQLite: in what each differs from the SQLite in which migrations are rehearsed.
//!
//! A driver is one line of [`DRIVERS`].

pub(super) mod d1;

use rusqlite::hooks::AuthAction;
use rusqlite::limits::Limit;

use crate::migrations::dialects::Dialect;
use crate::migrations::dialects::d1::D1;
use crate::migrations::dialects::dbmate::DBMATE;
use crate::migrations::dialects::diesel::DIESEL;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::golang_migrate::GOLANG_MIGRATE;
use crate::migrations::dialects::goose::GOOSE;
use crate::migrations::dialects::maragudk::MARAGUDK;
use crate::migrations::dialects::prisma::PRISMA;
use crate::migrations::dialects::refinery::REFINERY;
use crate::migrations::dialects::sql_migrate::SQL_MIGRATE;
use crate::migrations::dialects::sqlx::SQLX;
use crate::migrations::dialects::user_version::USER_VERSION;
use crate::migrations::sql_text;

/// The usual drivers of each tool. Of a tool without a line nothing is known, and none of its statements is held against a driver.
///
/// Seen with the real ones: better-sqlite3 12.11, libsql 0.5.29, workerd 1.2026 (D1), sqlx 0.9.0, diesel 2.3.14. libsqlite3-sys, which diesel,
/// refinery and rusqlite use, has the mathematical functions where it is linked with a system's SQLite and not where it builds its own;
/// go-sqlite3 has them with a build tag.
#[rustfmt::skip]
static DRIVERS: &[(&Dialect, Driver)] = &[
    (&DRIZZLE, Driver { takes_double_quoted_text: false, takes: Takes::OneStatement, ..Driver::named("better-sqlite3") }),
    (&DRIZZLE, Driver { takes_double_quoted_text: false, takes: Takes::FirstStatement, functions: Functions::AllBut(NOT_IN_LIBSQL), ..Driver::named(LIBSQL) }),
    (&PRISMA, Driver { takes_double_quoted_text: false, ..Driver::named("Prisma's driver") }),
    (&D1, Driver { takes: Takes::Wrangler, functions: Functions::Only(d1::FUNCTIONS), denial: Some(d1::denial), limits: d1::LIMITS, ..Driver::named("D1") }),
    (&SQLX, Driver { functions: Functions::AllBut(MATH), ..Driver::named("sqlx's driver") }),
    (&DIESEL, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("diesel's driver") }),
    (&REFINERY, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("rusqlite") }),
    (&USER_VERSION, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("rusqlite") }),
    (&GOOSE, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("go-sqlite3") }),
    (&GOLANG_MIGRATE, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("go-sqlite3") }),
    (&DBMATE, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("go-sqlite3") }),
    (&SQL_MIGRATE, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("go-sqlite3") }),
    (&MARAGUDK, Driver { functions: Functions::PerhapsNot(MATH), ..Driver::named("go-sqlite3") }),
];

/// The name of libSQL's driver.
pub(super) const LIBSQL: &str = "libsql";

/// What `SQLITE_ENABLE_MATH_FUNCTIONS` adds (<https://www.sqlite.org/lang_mathfunc.html>).
#[rustfmt::skip]
const MATH: &[&str] = &[
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp", "floor", "ln", "log", "log10",
    "log2", "mod", "pi", "pow", "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
];

const NOT_IN_LIBSQL: &[&str] = &["log2", "mod", "pow", "trunc"];

/// A driver's SQLite.
#[derive(Debug)]
pub(crate) struct Driver {
    /// The name as its users know it.
    pub(super) name: &'static str,
    /// True if a word in double quotes that names no column is a text to it: `SQLITE_DBCONFIG_DQS_DML` and `_DDL` are on.
    pub(super) takes_double_quoted_text: bool,
    /// What it takes of a text that the tool hands to it.
    takes: Takes,
    functions: Functions,
    /// Returns the name of an action that it does not authorize.
    denial: Option<fn(&AuthAction<'_>) -> Option<String>>,
    /// The bounds that are lower than SQLite's own.
    limits: &'static [(Limit, i32)],
}

impl Driver {
    /// Returns a driver that does everything as SQLite does where nothing is configured.
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            takes_double_quoted_text: true,
            takes: Takes::Everything,
            functions: Functions::All,
            denial: None,
            limits: &[],
        }
    }
}

/// What a driver takes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// All of its statements, or none.
    Everything,
    /// One statement; it refuses none and several.
    OneStatement,
    /// The first statement. It refuses none, and drops the others without a word.
    FirstStatement,
    /// What wrangler makes of it: see [`d1::refusal`].
    Wrangler,
}

/// The functions that a driver has.
#[derive(Debug, Clone, Copy)]
enum Functions {
    /// All that SQLite has.
    All,
    /// All but these.
    AllBut(&'static [&'static str]),
    /// All, and these depending on how it was built.
    PerhapsNot(&'static [&'static str]),
    /// These alone are authorized.
    Only(&'static [&'static str]),
}

/// The drivers that are usual for a tool, in one store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Drivers(Vec<&'static Driver>);

/// A driver is its name.
impl PartialEq for Driver {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Driver {}

/// What drivers make of something that SQLite runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Each of them refuses it, or makes something else of it: a failure, in words.
    Refused(String),
    /// Each of them lacks what the application would have to bring: it cannot be tried.
    Lacking(String),
    /// Some do.
    Differing(String),
}

impl Drivers {
    /// Returns the usual drivers of a tool: libSQL's alone where the folder has statements of libSQL's.
    pub(super) fn of(dialect: &Dialect, is_for_libsql: bool) -> Self {
        let own = DRIVERS.iter().filter(|(of, _)| *of == dialect).map(|(_, driver)| driver);
        Self(own.filter(|driver| !is_for_libsql || driver.name == LIBSQL).collect())
    }

    /// Returns true if nothing is known of the tool's drivers.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if none of them takes a word in double quotes for a text; false where nothing is known of them.
    pub(super) fn refuse_double_quoted_text(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|driver| !driver.takes_double_quoted_text)
    }

    /// Returns their names: "better-sqlite3 and libsql".
    pub(super) fn names(&self) -> String {
        self.0.iter().map(|driver| driver.name).collect::<Vec<_>>().join(" and ")
    }

    /// Returns the bounds of the driver that are lower than SQLite's own.
    pub(super) fn limits(&self) -> impl Iterator<Item = (Limit, i32)> {
        self.0.iter().flat_map(|driver| driver.limits).copied()
    }

    /// Returns the verdict on an action that SQLite asks its authorizer about.
    pub(super) fn denial(&self, action: &AuthAction<'_>) -> Option<String> {
        self.0.iter().find_map(|driver| {
            let what = driver.denial?(action)?;
            Some(format!("{} does not authorize {what}", driver.name))
        })
    }

    /// Returns the verdict on a text that the tool hands to the driver.
    pub(super) fn refusal(&self, text: &str) -> Option<String> {
        if self.0.iter().any(|driver| driver.takes == Takes::Wrangler) {
            return d1::refusal(text).map(str::to_owned);
        }
        if self.0.iter().any(|driver| driver.takes == Takes::Everything) || self.0.is_empty() {
            return None;
        }
        let those = |takes: Takes| -> Option<&str> { Some(self.0.iter().find(|driver| driver.takes == takes)?.name) };
        match sql_text::statements(text) {
            0 => Some(format!(
                "a piece between two breakpoints has no statement, which {}",
                self.verb("refuses", "refuse")
            )),
            1 => None,
            several => {
                let refuses = those(Takes::OneStatement).map(|driver| format!("{driver} refuses it"));
                let drops = those(Takes::FirstStatement)
                    .map(|driver| format!("{driver} runs the first alone, and takes the file for applied"));
                let what: Vec<String> = [refuses, drops].into_iter().flatten().collect();
                Some(format!("a piece between two breakpoints has {several} statements: {}", what.join("; ")))
            }
        }
    }

    /// Returns the verdict on a function that a statement calls.
    pub(super) fn function(&self, name: &str) -> Option<Verdict> {
        let is_in = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        let name = name.to_ascii_lowercase();
        let mut lacking = Vec::new();
        for driver in &self.0 {
            match driver.functions {
                Functions::Only(names) if !is_in(names) => {
                    return Some(Verdict::Refused(format!("{} does not authorize the function {name}()", driver.name)));
                }
                Functions::PerhapsNot(names) if is_in(names) => {
                    return Some(Verdict::Differing(format!(
                        "{name}(), which {} has or lacks, depending on how it was built",
                        driver.name
                    )));
                }
                Functions::AllBut(names) if is_in(names) => lacking.push(driver.name),
                _ => {}
            }
        }
        if lacking.is_empty() {
            return None;
        }
        let lack = format!("{name}(), which {} lacks", lacking.join(" and "));
        Some(if lacking.len() == self.0.len() {
            Verdict::Lacking(lack)
        } else {
            Verdict::Differing(lack)
        })
    }

    /// Returns their names with a verb.
    fn verb(&self, of_one: &str, of_several: &str) -> String {
        format!("{} {}", self.names(), if self.0.len() == 1 { of_one } else { of_several })
    }
}
