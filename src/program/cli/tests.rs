//! The definition holds, and the help reads as it should.

use super::*;

#[test]
fn the_definition_holds_and_the_short_help_fits_one_screen() {
    Args::command().debug_assert();
    let help = Args::command().term_width(80).render_help().to_string();
    assert!(help.lines().count() <= 24, "{} lines\n{help}", help.lines().count());
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    insta::assert_snapshot!(help, @"
    Examines banger's store and changes nothing: one row per check, pass or fail

    Usage: doctor [OPTIONS] [STATE_DB]...

    Arguments:
      [STATE_DB]...  Stores to examine [default: this user's]

    Options:
          --system                The system store instead: /var/lib/banger/state.db
          --check-migrations      One line: may this binary take over the store?
          --rehearse              Also try the pending migrations on a private copy
          --salvage               Print what can be saved of a damaged store as SQL
          --any                   The stores are any application's, not banger's
          --migrations <DIR>      Compare with their application's migrations
          --format <FORMAT>       Output: table (default), markdown, json or html
          --only <CHECK>          Only these checks (repeatable, comma-separated)
          --skip <CHECK>          All but these checks (repeatable, comma-separated)
          --time-limit <SECONDS>  Time limit per store, in seconds [default: 300]
          --list-checks           List the checks, one line each
          --explain <CHECK>       Explain a check or a sign, and what to do about it
      -h, --help                  Print help (see more with '--help')
      -V, --version               Print version

    Exit codes: 0 no row failed, 1 one failed, 64 bad arguments. More: --help
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is one text")]
fn the_long_help_teaches() {
    insta::assert_snapshot!(Args::command().term_width(100).render_long_help(), @"
    Examines banger's store and changes nothing: one row per check, pass or fail

    The store is an SQLite file named state.db. A row says pass, FAIL, or skip (not examined, and why).
    Below a FAIL: where the fault is (·) and what to do (→).

    Usage: doctor [OPTIONS] [STATE_DB]...

    Arguments:
      [STATE_DB]...
              Stores to examine; by default this user's: $XDG_STATE_HOME/banger/state.db, or
              ~/.local/state/banger/state.db. Several stores are examined at once, on all cores, and
              printed in the order given.

    Options:
          --system
              The system store instead: /var/lib/banger/state.db

          --check-migrations
              One line: may this binary take over the store?
              
              It says `compatible`, `migrations needed`, `incompatible` or `cannot tell`, with an exit
              code for each, and reads only what it needs for that.

          --rehearse
              Also try the pending migrations on a private copy
              
              With --check-migrations: the answer is `incompatible` if a pending migration fails on this
              store's rows.

          --salvage
              Print what can be saved of a damaged store as SQL
              
              It makes a new store of all that can still be read, and invents nothing. The SQL goes to
              standard output and holds everything that the store holds; what is lost is said on
              standard error. Any sqlite3 loads it: see the examples. With --any the schema is the
              store's own, with --migrations also what those make where it is damaged.

          --with-triggers
              With --salvage: make triggers anew, and not only comments of them
              
              A trigger runs in whatever application opens the new store. Read them before.

          --like <OTHER>
              With --salvage --any: another store of the same application, for its schema
              
              A fresh install's, or last month's backup. Only the schema is taken, and only what the
              damaged store has lost of its own.

          --any
              The stores are any application's, not banger's
              
              Nothing is known of the application: what holds for every SQLite database is looked at,
              and the ledger of its migration tool, where it has one that is known, is recognised and
              read. What needs more knowledge is skipped.

          --migrations <DIR>
              Compare with their application's migrations
              
              The stores are held against the files of a migration tool: sqlx, golang-migrate, goose,
              drizzle, Prisma, D1, diesel, refinery, dbmate, or numbered files counted by
              `user_version`. Nothing in the folder is run but on a private copy. Also with
              --check-migrations and --rehearse.

          --dialect <NAME>
              With --migrations: the tool that runs them
              
              Where neither the store's ledger nor the files tell: drizzle, prisma, goose, dbmate,
              diesel, refinery, golang-migrate, sqlx, d1 or `user_version`.

          --ledger <TABLE>
              With --migrations: the table that is the tool's ledger
              
              Where its name and its columns do not tell.

          --foreign-keys <on|off>
              With --migrations: whether foreign keys are on while the application migrates
              
              The folder does not say it. Without this, what goes wrong either way is a failure, as far
              as it is tried.

          --format <FORMAT>
              Output: table (default), markdown, json or html
              
              How the rows are printed: aligned for a terminal, as Markdown to paste into an issue, as
              JSON with one line per store, or as an HTML page about one store, with a map of its pages.

          --json
              Print JSON: short for --format json

          --only <CHECK>
              Only these checks (repeatable, comma-separated)

          --skip <CHECK>
              All but these checks (repeatable, comma-separated)

          --artifacts
              Also look for the files that the store names
              
              By default only for this user's and the system's store: a copied store names the files of
              the machine that it came from.

          --time-limit <SECONDS>
              Time limit per store, in seconds [default: 300]
              
              A check that is not finished by then fails and says so.

          --list-checks
              List the checks, one line each

          --explain <CHECK>
              Explain a check or a sign, and what to do about it
              
              Of a check: what it looks at, what it cannot see, what a failure means, what to do. Of a
              sign of how a store came to harm: what is there, what leaves this, what to ask, and how to
              keep it from happening again.

          --color <COLOR>
              When to use colour

              Possible values:
              - auto:   On a terminal, unless `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

          --generate <KIND>
              Print the man page or a shell's completions

              Possible values:
              - man:           The man page
              - complete-bash: Completions for bash
              - complete-zsh:  Completions for zsh
              - complete-fish: Completions for fish

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

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

    Nothing is ever written to a store or beside it. --explain read-only says how that is held.
    ");
}

#[test]
fn the_man_page_and_the_completions_name_every_option() {
    let kinds = [
        Generated::Man,
        Generated::CompleteBash,
        Generated::CompleteZsh,
        Generated::CompleteFish,
    ];
    for kind in kinds {
        let text = String::from_utf8(generate(kind)).unwrap().replace("\\-", "-");
        for option in ["check-migrations", "explain", "time-limit", "list-checks"] {
            assert!(text.contains(option), "{kind:?} leaves {option} out");
        }
    }
}
