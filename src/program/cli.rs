//! The command line: clap's types, turned into plain values.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum, ValueHint};

use crate::banger::APPLICATION;
use crate::cause::{SIGNS, SignName};
use crate::checks;
use crate::findings::check_id::CheckId;
use crate::migrations::dialects::Dialect;
use crate::text::escape::escape_untrusted;

/// Bad arguments (`EX_USAGE` in `sysexits.h`).
pub(super) const EXIT_USAGE: u8 = 64;

/// The length to which a repeated argument is cut, in characters.
const LONGEST_ARGUMENT: usize = 1_000;

const AFTER_HELP: &str = "\
Exit codes: 0 no row failed, 1 one failed, 64 bad arguments. More: --help";

const AFTER_LONG_HELP: &str = "\
Examples:
  doctor                                  this user's store
  sudo doctor --system                    the system's store
  doctor ~/Downloads/state.db             a copy; put its -wal, -shm and -journal beside it
  doctor --format markdown | wl-copy      a report to paste into an issue
  doctor --format html > report.html      a page for a browser, with a map of the store's pages
  doctor --skip page-structure state.db   all checks but one
  doctor --any app.db                     any application's database
  doctor --migrations ./migrations app.db the same, held against that application's migrations
  doctor --explain foreign-keys           what a check means, and what to do when it fails
  doctor --check-migrations && echo swap  may this binary take over the store as it is?
  doctor --salvage state.db > saved.sql   all that can still be read of a damaged store, as SQL
  doctor --salvage --any app.db > saved.sql   the same of any application's database
  sqlite3 -bail -safe saved.db < saved.sql && doctor saved.db
  find /srv -name state.db -print0 | xargs -0 doctor --format json > fleet.jsonl

Exit codes:
            doctor            doctor --check-migrations
  0         no row failed     compatible: every known migration is applied
  1         a row failed      migrations needed: this binary is newer, safe to swap
  2                           incompatible: this binary is older (or --rehearse failed), do not swap
  3                           cannot tell: do not swap
  64        bad arguments     bad arguments
  70        the doctor itself failed
  128 + n   ended by signal n: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP, 131 SIGQUIT
  141       nobody reads the output any more

Exit codes of --salvage:
  0         all that the store names is given
  1         something is lost, doubtful or damaged, or it was broken off
  3         there is nothing to give, or the file cannot be read

Nothing is ever written to a store or beside it. --explain read-only says how that is held.";

/// Returns the first line of the help.
fn about() -> String {
    format!(
        "Examines {}'s store and changes nothing: one row per check, pass or fail",
        APPLICATION.name()
    )
}

fn long_about() -> String {
    let named = APPLICATION
        .places()
        .map_or_else(String::new, |places| format!(" named {}", places.file()));
    format!(
        "{}\n\nThe store is an SQLite file{named}. A row says pass, FAIL, or skip (not examined, and why). Below a FAIL: where the fault is (·) and what to do (→).",
        about()
    )
}

/// Returns which stores are examined where none is named.
fn stores_help() -> String {
    let own = APPLICATION.places().map_or_else(String::new, |places| {
        let below = places.in_state_home();
        format!("; by default this user's: $XDG_STATE_HOME/{below}, or ~/.local/state/{below}")
    });
    format!(
        "Stores to examine{own}. Several stores are examined at once, on all cores, and printed in the order given."
    )
}

fn system_help() -> String {
    let system = APPLICATION.places().map(|places| format!(": {}", places.system_store().display()));
    format!("The system store instead{}", system.unwrap_or_default())
}

fn any_help() -> String {
    format!("The stores are any application's, not {}'s", APPLICATION.name())
}

fn any_long_help() -> String {
    format!(
        "{}\n\nNothing is known of the application: what holds for every SQLite database is looked at, and the ledger of its migration tool, where it has one that is known, is recognised and read. What needs more knowledge is skipped.",
        any_help()
    )
}

#[derive(Debug, Parser)]
#[command(name = "doctor", version, max_term_width = 100, about = about(), long_about = long_about(), after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Args {
    /// Stores to examine [default: this user's]
    #[arg(value_name = "STATE_DB", value_hint = ValueHint::FilePath, long_help = stores_help())]
    pub stores: Vec<PathBuf>,
    #[arg(long, help = system_help(), conflicts_with = "stores")]
    pub system: bool,
    /// One line: may this binary take over the store?
    ///
    /// It says `compatible`, `migrations needed`, `incompatible` or `cannot tell`, with an exit code for each, and reads
    /// only what it needs for that.
    #[arg(long, conflicts_with_all = ["only", "skip", "list_checks", "explain", "generate"])]
    pub check_migrations: bool,
    /// Also try the pending migrations on a private copy
    ///
    /// With --check-migrations: the answer is `incompatible` if a pending migration fails on this store's rows.
    #[arg(long, requires = "check_migrations")]
    pub rehearse: bool,
    /// Print what can be saved of a damaged store as SQL
    ///
    /// It makes a new store of all that can still be read, and invents nothing. The SQL goes to standard output and holds
    /// everything that the store holds; what is lost is said on standard error. Any sqlite3 loads it: see the examples. With --any the
    /// schema is the store's own, with --migrations also what those make where it is damaged.
    #[arg(long, conflicts_with_all = ["check_migrations", "rehearse", "format", "only", "skip", "artifacts", "list_checks", "explain", "generate"])]
    pub salvage: bool,
    /// With --salvage: make triggers anew, and not only comments of them
    ///
    /// A trigger runs in whatever application opens the new store. Read them before.
    #[arg(long, requires = "salvage", hide_short_help = true)]
    pub with_triggers: bool,
    /// With --salvage --any: another store of the same application, for its schema
    ///
    /// A fresh install's, or last month's backup. Only the schema is taken, and only what the damaged store has lost of its own.
    #[arg(long, value_name = "OTHER", value_hint = ValueHint::FilePath, requires_all = ["salvage", "any"], hide_short_help = true)]
    pub like: Option<PathBuf>,
    #[arg(long, help = any_help(), long_help = any_long_help())]
    pub any: bool,
    /// Compare with their application's migrations
    ///
    /// The stores are held against the files of a migration tool: sqlx, golang-migrate, goose, drizzle, Prisma, D1, diesel, refinery,
    /// dbmate, or numbered files counted by `user_version`. Nothing in the folder is run but on a private copy. Also with
    /// --check-migrations and --rehearse.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["any", "system"])]
    pub migrations: Option<PathBuf>,
    /// With --migrations: the tool that runs them
    ///
    /// Where neither the store's ledger nor the files tell: drizzle, prisma, goose, dbmate, diesel, refinery, golang-migrate, sqlx, d1
    /// or `user_version`.
    #[arg(long, value_name = "NAME", requires = "migrations", value_parser = dialect(), ignore_case = true, hide_possible_values = true, hide_short_help = true)]
    pub dialect: Option<&'static str>,
    /// With --migrations: the table that is the tool's ledger
    ///
    /// Where its name and its columns do not tell.
    #[arg(long, value_name = "TABLE", requires = "migrations", hide_short_help = true)]
    pub ledger: Option<String>,
    /// With --migrations: whether foreign keys are on while the application migrates
    ///
    /// The folder does not say it. Without this, what goes wrong either way is a failure, as far as it is tried.
    #[arg(
        long,
        value_name = "on|off",
        requires = "migrations",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub foreign_keys: Option<OnOff>,
    /// Output: table (default), markdown, json or html
    ///
    /// How the rows are printed: aligned for a terminal, as Markdown to paste into an issue, as JSON with one line per store, or
    /// as an HTML page about one store, with a map of its pages.
    #[arg(long, value_enum, default_value_t = Format::Table, hide_possible_values = true, hide_default_value = true)]
    pub format: Format,
    /// Print JSON: short for --format json
    #[arg(long, conflicts_with_all = ["format", "salvage", "list_checks", "explain", "generate"], hide_short_help = true)]
    pub json: bool,
    /// Only these checks (repeatable, comma-separated)
    #[arg(long, value_name = "CHECK", value_delimiter = ',', action = ArgAction::Append, value_parser = check_id(), hide_possible_values = true)]
    pub only: Vec<CheckId>,
    /// All but these checks (repeatable, comma-separated)
    #[arg(long, value_name = "CHECK", value_delimiter = ',', action = ArgAction::Append, value_parser = check_id(), hide_possible_values = true)]
    pub skip: Vec<CheckId>,
    /// Also look for the files that the store names
    ///
    /// By default only for this user's and the system's store: a copied store names the files of the machine that it came
    /// from.
    #[arg(long, hide_short_help = true)]
    pub artifacts: bool,
    /// Time limit per store, in seconds [default: 300]
    ///
    /// A check that is not finished by then fails and says so.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds, hide_default_value = true)]
    pub time_limit: Duration,
    /// List the checks, one line each
    #[arg(long)]
    pub list_checks: bool,
    /// Explain a check or a sign, and what to do about it
    ///
    /// Of a check: what it looks at, what it cannot see, what a failure means, what to do. Of a sign of how a store came to harm: what is
    /// there, what leaves this, what to ask, and how to keep it from happening again.
    #[arg(long, value_name = "CHECK", value_parser = subject(), hide_possible_values = true)]
    pub explain: Option<Subject>,
    /// When to use colour
    #[arg(long, value_enum, default_value_t = When::Auto, hide_short_help = true)]
    pub color: When,
    /// Print the man page or a shell's completions
    #[arg(long, value_enum, value_name = "KIND", hide_short_help = true)]
    pub generate: Option<Generated>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnOff {
    /// On
    On,
    /// Off
    Off,
}

impl From<OnOff> for bool {
    fn from(value: OnOff) -> Self {
        value == OnOff::On
    }
}

/// How the rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned, for a terminal
    Table,
    /// For pasting into an issue
    Markdown,
    /// One line per store
    Json,
    /// A page for a browser, with a map of the store's pages
    Html,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Args {
    /// Returns the arguments with the format that `--json` stands for.
    pub(super) fn with_format(self) -> Self {
        let format = if self.json { Format::Json } else { self.format };
        Self { format, ..self }
    }

    /// Checks that the arguments go together, as far as clap cannot tell.
    ///
    /// # Errors
    /// Fails if they do not.
    pub(super) fn check_combination(&self) -> Result<(), clap::Error> {
        if self.any {
            check_combination_with_any(self).map_err(usage_error)
        } else if self.migrations.is_some() && self.stores.is_empty() {
            Err(usage_error(
                "--migrations takes the paths of the stores: where the application keeps its own is not known",
            ))
        } else {
            Ok(())
        }
    }

    /// Returns the checks that are asked for, in the registry's order.
    ///
    /// # Errors
    /// Fails if `--only` and `--skip` leave none.
    pub(super) fn checks(&self) -> Result<Vec<CheckId>, clap::Error> {
        let asked = |check: &CheckId| (self.only.is_empty() || self.only.contains(check)) && !self.skip.contains(check);
        let checks: Vec<CheckId> = CheckId::ALL.iter().copied().filter(asked).collect();
        if checks.is_empty() {
            return Err(usage_error("--only and --skip leave no check to run"));
        }
        Ok(checks)
    }
}

/// Returns the reason if `--any` does not go with the other arguments.
fn check_combination_with_any(args: &Args) -> Result<(), &'static str> {
    if args.check_migrations {
        Err(
            "--check-migrations holds a store against the migrations that are known, and with --any none are: leave one of the two out",
        )
    } else if args.system || args.stores.is_empty() {
        Err("--any takes the paths of the stores: where the application keeps its own is not known")
    } else {
        Ok(())
    }
}

/// Returns a usage error in clap's own form.
pub(super) fn usage_error(message: &str) -> clap::Error {
    Args::command().error(ErrorKind::ValueValidation, message)
}

/// Returns a mistake on the command line, safe to print: clap repeats what was given as it is, and `*` may have given a file's name.
pub(super) fn escape_error(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let escape_untrusted = |text: &str| escape_untrusted(text, LONGEST_ARGUMENT);
    let as_given: Vec<(ContextKind, ContextValue)> =
        error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in as_given {
        let _ = match value {
            ContextValue::String(text) => error.insert(kind, ContextValue::String(escape_untrusted(&text))),
            ContextValue::Strings(texts) => {
                error.insert(kind, ContextValue::Strings(texts.iter().map(|text| escape_untrusted(text)).collect()))
            }
            _ => continue,
        };
    }
    // A tip already has colour codes in it, which cannot be separated from those in what was given.
    let is_safe = |argument: &OsString| argument.to_str().is_some_and(|text| escape_untrusted(text) == text);
    if !arguments.iter().all(is_safe) {
        let _ = error.remove(ContextKind::Suggested);
    }
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => unknown.clone(),
        _ => return error,
    };
    if let Some(tip) = tip_for(&unknown) {
        let _ = error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    } else if unknown.starts_with("--")
        && let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested)
    {
        // No store has such a name.
        let tips: Vec<_> = tips.iter().filter(|tip| !tip.to_string().contains("as a value")).cloned().collect();
        let _ = error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// Returns what to type instead of an option that other programs have.
fn tip_for(option: &str) -> Option<&'static str> {
    Some(match option {
        "-v" | "--verbose" => {
            "each row says what was looked at, and `doctor --explain CHECK` says more about one check"
        }
        "-q" | "--quiet" | "--silent" => "the exit code says it: doctor > /dev/null",
        "--fix" | "--repair" | "-f" => {
            "the doctor changes nothing; below its verdict it says what to do, with the commands"
        }
        "-o" | "--output" | "--out" => "redirect the output: doctor --format html state.db > report.html",
        "-j" => "--json is there",
        "-V" => "--version is there",
        _ => return None,
    })
}

/// Words that other programs have as commands.
const COMMANDS: [&str; 8] = [
    "help", "version", "check", "run", "list", "explain", "salvage", "examine",
];

/// Returns the reason if a store is named like a command and is not there.
pub(super) fn command_fault(stores: &[PathBuf]) -> Option<String> {
    let first = stores.first()?.to_str()?;
    (COMMANDS.contains(&first) && !std::path::Path::new(first).exists()).then(|| {
        format!(
            "there is no command `{first}`: doctor takes options and the paths of stores; `doctor --help` lists them"
        )
    })
}

/// The kinds of files that `--generate` makes from the command line's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Generated {
    /// The man page
    Man,
    /// Completions for bash
    CompleteBash,
    /// Completions for zsh
    CompleteZsh,
    /// Completions for fish
    CompleteFish,
}

/// Returns the man page, or a shell's completions.
pub(super) fn generate(kind: Generated) -> Vec<u8> {
    use clap_complete::shells::{Bash, Fish, Zsh};
    let mut command = Args::command();
    let mut out = Vec::new();
    match kind {
        // Writing to memory cannot fail.
        Generated::Man => drop(man(command, &mut out)),
        Generated::CompleteBash => {
            clap_complete::generate(Bash, &mut command, "doctor", &mut out);
            out = complete_lists(&String::from_utf8_lossy(&out)).into_bytes();
        }
        Generated::CompleteZsh => clap_complete::generate(Zsh, &mut command, "doctor", &mut out),
        Generated::CompleteFish => clap_complete::generate(Fish, &mut command, "doctor", &mut out),
    }
    out
}

/// Returns the completions for bash with those of `--only` and `--skip` for each name of a list: what stands before the last comma is kept.
fn complete_lists(script: &str) -> String {
    let mut is_list = false;
    let line = |line: &str| {
        is_list = match line.trim() {
            "--only)" | "--skip)" => true,
            ";;" => false,
            _ => is_list,
        };
        let line = if is_list && line.contains("compgen -W") {
            line.replace("compgen -W", "compgen -P \"${cur%\"${cur##*,}\"}\" -W")
                .replace("-- \"${cur}\"", "-- \"${cur##*,}\"")
        } else {
            line.to_owned()
        };
        line + "\n"
    };
    script.lines().map(line).collect()
}

/// Returns the man page: what follows the options in the long help keeps its lines.
fn man(command: clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = clap_mangen::Man::new(command);
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    for part in AFTER_LONG_HELP.split("\n\n") {
        let (title, body) = part.split_once(":\n").unwrap_or(("Safety", part));
        let body = body.replace('\\', "\\e").replace('-', "\\-").replace('~', "\\(ti");
        writeln!(out, ".SH {}\n.nf\n{body}\n.fi", title.to_uppercase())?;
    }
    out.write_all(man_tail().as_bytes())?;
    man.render_version_section(out)
}

/// Returns what the man page has behind the help.
fn man_tail() -> String {
    let files = APPLICATION.places().map_or_else(String::new, |places| {
        let (user, system, file) = (places.in_state_home(), places.system_store().display(), places.file());
        format!(
            ".SH FILES\n.TP\n.I \\(ti/.local/state/{user}\nThis user's store, with {file}\\-wal, {file}\\-shm and {file}\\-journal beside it.\n\
             .TP\n.I {system}\nThe system's store.\n"
        )
    });
    format!("{MAN_ENVIRONMENT}{files}.SH \"SEE ALSO\"\n.BR sqlite3 (1)\n")
}

/// The variables that the program looks at.
const MAN_ENVIRONMENT: &str = r".SH ENVIRONMENT
.TP
.B XDG_STATE_HOME
The folder for state, below which this user's store lies; \(ti/.local/state where it is not set.
.TP
.B TMPDIR
The folder for private copies of a store. It needs as much room as the store takes, twice that for a rehearsal.
.TP
.B NO_COLOR
No colour, whatever its value is. TERM=dumb does the same.
.TP
.B HOME
This user's home folder, which reports write \(ti.
";

/// Returns a check's id. A wrong one is answered with the nearest.
fn check_id() -> impl TypedValueParser<Value = CheckId> {
    let known = CheckId::ALL
        .iter()
        .map(|check| PossibleValue::new(check.id()).help(checks::get(*check).summary));
    PossibleValuesParser::new(known).try_map(|id| id.parse::<CheckId>())
}

/// What `--explain` explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A check.
    Check(CheckId),
    /// A sign of how a store came to harm.
    Sign(SignName),
}

/// Returns a check or a sign. A wrong name is answered with the nearest.
fn subject() -> impl TypedValueParser<Value = Subject> {
    let checks = CheckId::ALL.iter().map(|check| check.id());
    let names = checks.chain(SIGNS.iter().map(|sign| sign.name)).map(PossibleValue::new);
    PossibleValuesParser::new(names).try_map(|name| {
        let check = name.parse::<CheckId>().map(Subject::Check);
        check
            .ok()
            .or_else(|| SignName::of(&name).map(Subject::Sign))
            .ok_or("neither a check nor a sign")
    })
}

/// Returns a migration tool's name, in capitals or not.
fn dialect() -> impl TypedValueParser<Value = &'static str> {
    let names = Dialect::names().map(PossibleValue::new);
    PossibleValuesParser::new(names)
        .try_map(|name| Dialect::of_name(&name).map(|dialect| dialect.name).ok_or("no tool that is known"))
}

/// Reads a time limit. A microsecond is the shortest that is one; a limit above 30 years is none.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds: f64 = text.parse().map_err(|_| "not a number")?;
    if seconds.is_nan() {
        return Err("not a number");
    }
    if seconds <= 0.0 {
        return Err("it must be more than 0");
    }
    if !(1e-6..=1e9).contains(&seconds) {
        return Err("it must be between 0.000001 and 1000000000");
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a number of seconds")
}

#[cfg(test)]
mod tests;
