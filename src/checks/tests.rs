//! The registry, and the checks on the store of an application of which little is known.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::application::{Application, Column, Migration, NamedFile, Problem, Rule, Table};
use crate::checks::check::Input;
use crate::checks::context::StoreContext;
use crate::limits::stop::Stop;
use crate::migrations::runner;
use crate::report::outcome::Outcome;
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;
use crate::store::{Environment, Need, with_stable_store};

#[test]
fn the_registry_has_every_name_in_their_order() {
    let ids: Vec<CheckId> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids, CheckId::ALL);
    for id in ids {
        assert_eq!(get(id).id, id);
    }
}

#[test]
fn a_module_has_the_name_of_its_check() {
    macro_rules! modules {
        ($($(#[$doc:meta])+ $variant:ident => $module:ident, $id:literal;)+) => {
            [$((stringify!($module), $id)),+]
        };
    }
    for (module, id) in with_every_check!(modules) {
        assert_eq!(module.replace('_', "-"), id);
    }
}

#[test]
fn a_check_stands_behind_what_it_needs() {
    for check in CHECKS {
        assert!(check.needs.check().is_none_or(|need| need < check.id), "{}", check.id);
    }
}

#[test]
fn each_check_says_what_it_looks_at_in_one_line() {
    for check in CHECKS {
        assert!((10..=78).contains(&check.summary.len()), "{}: {}", check.id, check.summary.len());
    }
}

/// Returns an application of which nothing is known but its ledger and these migrations.
fn ferry(migrations: &[(i64, &'static str)]) -> Application {
    let migrations: Vec<Migration> = migrations
        .iter()
        .map(|(id, sql)| Migration::new(*id, format!("step {id}"), *sql))
        .collect();
    Application::new("ferry", migrations)
}

const RIDES: (i64, &str) = (9001, "CREATE TABLE rides(id INTEGER PRIMARY KEY, note TEXT, price)");

/// Returns the answers of each check that reads through a handle, for a store that `made` made, examined as `application`'s.
fn outcomes(made: &Application, sql: &str, application: &Application) -> Vec<(CheckId, Outcome)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    #[expect(clippy::disallowed_methods, reason = "a store of the test's own")]
    let mut conn = Connection::open(&path).unwrap();
    runner::migrate(&mut conn, &made.ledger, &made.migrations).unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let environment = Environment {
        private: &PrivateFolder::for_stores(&[&path]),
        sandbox: &Sandbox::not_asked(),
        heap_limit: None,
        stop: &Stop::never(),
    };
    with_stable_store(&path, Need::Everything, &environment, |probe, access| {
        let access = access.unwrap();
        let context = StoreContext::new(application, probe, access, &environment, true, true);
        let handle = access.open().unwrap();
        let ask = |check: &&Check| match check.input {
            Input::Handle(run) => Some((check.id, run(&context, &handle).unwrap())),
            _ => None,
        };
        CHECKS.iter().filter_map(ask).collect()
    })
    .unwrap()
}

fn said(outcomes: &[(CheckId, Outcome)], id: CheckId) -> String {
    let (_, outcome) = outcomes.iter().find(|(check, _)| *check == id).unwrap();
    match outcome {
        Outcome::Pass { detail, .. } => format!("pass: {detail}"),
        Outcome::Fail(failure) => format!("fail: {}", failure.detail),
        Outcome::Skip { reason } => format!("skip: {reason}"),
    }
}

#[test]
fn what_is_not_known_of_an_application_is_skipped_and_all_else_is_looked_at() {
    let ferry = ferry(&[RIDES]);
    let outcomes = outcomes(&ferry, "INSERT INTO rides VALUES (1, x'ff', 2)", &ferry);
    assert_eq!(
        said(&outcomes, CheckId::RowValues),
        "skip: it is not known what ferry writes into its columns"
    );
    assert_eq!(
        said(&outcomes, CheckId::Artifacts),
        "skip: it is not known which files ferry names in its store"
    );
    assert_eq!(said(&outcomes, CheckId::SchemaState), "pass: all 1 known migrations are applied");
    assert_eq!(
        said(&outcomes, CheckId::MigrationHistory),
        "pass: 1 applied migration, with names, order and times as ferry writes them"
    );
    assert_eq!(
        said(&outcomes, CheckId::SchemaShape),
        "pass: 2 tables are what replaying migrations [9001] gives"
    );
    for id in [
        CheckId::PageStructure,
        CheckId::UnknownIds,
        CheckId::MigrationRehearsal,
        CheckId::ForeignKeys,
    ] {
        assert!(said(&outcomes, id).starts_with("pass: "), "{}", said(&outcomes, id));
    }
}

#[test]
fn what_is_pending_is_rehearsed_and_what_is_unknown_is_reported() {
    let (old, new) = (ferry(&[RIDES]), ferry(&[(9002, "ALTER TABLE rides ADD COLUMN to_where"), RIDES]));
    let newer = outcomes(&old, "", &new);
    assert_eq!(
        said(&newer, CheckId::SchemaState),
        "pass: 1 applied, pending [9002]: ferry applies them when it next opens the store"
    );
    assert!(
        said(&newer, CheckId::MigrationRehearsal).starts_with("pass: rehearsed [9002] on 0 rows"),
        "{newer:?}"
    );
    let older = outcomes(&new, "", &old);
    assert!(
        said(&older, CheckId::SchemaState).starts_with("fail: 1 migration applied that"),
        "{older:?}"
    );
    let (_, Outcome::Fail(failure)) = &older[2] else {
        panic!("{older:?}")
    };
    assert_eq!(failure.problem, Problem::Newer { unknown: 1 });
    let remedy = old.advice(&failure.problem, &old.files_of(Path::new("state.db")));
    assert!(remedy.text().starts_with("Update ferry to the version"));
}

#[test]
fn a_column_without_a_rule_is_not_said_to_have_been_looked_at() {
    let column = |name: &'static str, rule: Rule, names_file: Option<NamedFile>| Column {
        name: name.into(),
        rule,
        names_file,
    };
    let ferry = Application {
        tables: vec![Table {
            name: "rides".into(),
            columns: vec![column("note", Rule::Text, Some(NamedFile::File))].into(),
        }]
        .into(),
        ..ferry(&[RIDES])
    };
    let outcomes = outcomes(&ferry, "INSERT INTO rides VALUES (1, '/nowhere', x'ff00')", &ferry);
    assert_eq!(
        said(&outcomes, CheckId::RowValues),
        "pass: every value of 1 row in 1 column looks like ferry's; not looked at: 2 other columns"
    );
    assert_eq!(
        said(&outcomes, CheckId::Artifacts),
        "fail: 1 of 1 path that rides name: missing, or the wrong kind of file"
    );
}
