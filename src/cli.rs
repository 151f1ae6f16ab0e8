//! The command line: clap's types, turned into plain values.

use std::path::PathBuf;
use std::time::Duration;

use banger_doctor::check::Check;
use banger_doctor::checks::{self, CHECKS};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};

/// Bad arguments (`EX_USAGE` in `sysexits.h`).
pub const EXIT_USAGE: u8 = 64;

const AFTER_HELP: &str = "\
Exit codes:
  0   no row failed                | --check-migrations: compatible
  1   a row failed                 | --check-migrations: migrations needed, safe to swap
  2                                | --check-migrations: incompatible, do not swap
  3                                | --check-migrations: cannot tell, do not swap
  64  bad arguments";

/// Examines banger's store without changing anything: one row a check, pass or fail.
#[derive(Debug, Parser)]
#[command(name = "doctor", version, after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Args {
    /// Stores to examine [default: this user's]
    #[arg(value_name = "STATE_DB")]
    pub stores: Vec<PathBuf>,
    /// The system store instead: /var/lib/banger/state.db
    #[arg(long, conflicts_with = "stores")]
    pub system: bool,
    /// One line and an exit code: may this binary take over the store?
    #[arg(long, conflicts_with_all = ["only", "skip", "list_checks"])]
    pub check_migrations: bool,
    /// With --check-migrations: also try the pending migrations on a private copy
    #[arg(long, requires = "check_migrations")]
    pub rehearse: bool,
    /// How the rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Only these checks (repeatable, comma-separated)
    #[arg(long, value_name = "CHECK", value_delimiter = ',', action = ArgAction::Append, value_parser = check_id)]
    pub only: Vec<&'static str>,
    /// All but these checks (repeatable, comma-separated)
    #[arg(long, value_name = "CHECK", value_delimiter = ',', action = ArgAction::Append, value_parser = check_id)]
    pub skip: Vec<&'static str>,
    /// For each store, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub time_limit: Duration,
    /// Each check with one line
    #[arg(long)]
    pub list_checks: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// How the rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned, for a terminal
    Table,
    /// One object a line and a store
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Args {
    /// The checks that are asked for, in the registry's order.
    ///
    /// # Errors
    /// Where `--only` and `--skip` leave none.
    pub fn checks(&self) -> Result<Vec<&'static str>, clap::Error> {
        let asked =
            |check: &&&Check| (self.only.is_empty() || self.only.contains(&check.id)) && !self.skip.contains(&check.id);
        let ids: Vec<&'static str> = CHECKS.iter().filter(asked).map(|check| check.id).collect();
        if ids.is_empty() {
            return Err(usage("--only and --skip leave no check to run"));
        }
        Ok(ids)
    }
}

/// A usage error in clap's own form.
pub fn usage(message: &str) -> clap::Error {
    Args::command().error(clap::error::ErrorKind::ValueValidation, message)
}

fn check_id(text: &str) -> Result<&'static str, String> {
    checks::find(text)
        .map(|check| check.id)
        .ok_or_else(|| "no such check; --list-checks names them all".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if seconds <= 0.0 {
        return Err("it must be more than 0".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
