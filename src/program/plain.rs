//! Arguments that leave nothing to decide: paths, and `--check-migrations`. To describe the whole command line to a parser takes
//! longer than to find a small store sound.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::program::cli::{Args, Format, When};

/// What clap makes of these arguments, the program's name first, where they are nothing but paths and `--check-migrations`, once
/// at most. A mistake is never among them: clap words those.
pub(super) fn plain(arguments: &[OsString]) -> Option<Args> {
    let mut args = Args {
        stores: Vec::new(),
        system: false,
        check_migrations: false,
        rehearse: false,
        salvage: false,
        any: false,
        migrations: None,
        dialect: None,
        ledger: None,
        foreign_keys: None,
        format: Format::Table,
        only: Vec::new(),
        skip: Vec::new(),
        artifacts: false,
        time_limit: Duration::from_secs(300),
        list_checks: false,
        explain: None,
        color: When::Auto,
        generate: None,
    };
    let (_, given) = arguments.split_first()?;
    for argument in given {
        match argument.as_bytes() {
            b"--check-migrations" if !args.check_migrations => args.check_migrations = true,
            [] | [b'-', ..] => return None,
            _ => args.stores.push(argument.into()),
        }
    }
    Some(args)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn both(given: &[&str]) -> (Option<String>, Option<String>) {
        let arguments: Vec<OsString> = ["doctor"].iter().chain(given).map(OsString::from).collect();
        let shown = |args: Args| format!("{args:?}");
        (plain(&arguments).map(shown), Args::try_parse_from(&arguments).ok().map(shown))
    }

    #[test]
    fn what_is_plain_is_what_clap_makes_of_it() {
        for given in [
            &[][..],
            &["state.db"],
            &["a", "b", "a", " ", "ä", "@file", "a=b", "help"],
            &["--check-migrations"],
            &["--check-migrations", "a"],
            &["a", "--check-migrations", "b"],
        ] {
            let (plain, parsed) = both(given);
            assert!(plain.is_some(), "{given:?}");
            assert_eq!(plain, parsed, "{given:?}");
        }
    }

    #[test]
    fn everything_else_is_left_to_clap() {
        for given in [
            &[""][..],
            &["-"],
            &["--"],
            &["--", "a"],
            &["-h"],
            &["a", "--any"],
            &["--check-migration"],
            &["--check-migrations", "--check-migrations"],
            &["--check-migrations=x"],
        ] {
            assert_eq!(both(given).0, None, "{given:?}");
        }
        assert!(plain(&[]).is_none());
    }
}
