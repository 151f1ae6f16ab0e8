//! Reports of examinations that fail.

use super::*;
use crate::checks::context::StoreContext;
use crate::examine::turns::HandleCheck;
use crate::limits::stop::{Stop, Stopped};
use crate::report::Status;
use crate::store::PrivateFolder;
use crate::store::sandbox::Sandbox;
use crate::store::{Environment, Need, with_stable_store};

const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/healthy.db");

/// Lets `work` use options for these checks.
fn with_options<T>(checks: &[CheckId], work: impl FnOnce(&Options<'_>) -> T) -> T {
    work(&Options {
        checks: checks.to_vec(),
        artifacts: false,
        page_map: false,
        application: &crate::banger::APPLICATION,
        users: None,
        environment: Environment {
            private: &PrivateFolder::for_stores::<&Path>(&[]),
            sandbox: &Sandbox::not_asked(),
            heap_limit: None,
            stop: &Stop::never(),
        },
    })
}

fn statuses(report: &Report) -> Vec<(CheckId, Status)> {
    report.rows.iter().map(|row| (row.check, row.status)).collect()
}

#[test]
fn a_store_that_is_never_left_alone_gets_the_rows_asked_for_and_one_of_them_fails() {
    let statuses = |checks: &[CheckId]| -> Vec<(CheckId, Status)> {
        with_options(checks, |options| {
            let rows = Answers::of(Path::new("state.db"), options).rows_of_unstable_store(&Error::Moving(5));
            rows.iter().map(|row| (row.check, row.status)).collect()
        })
    };
    assert_eq!(
        statuses(&[CheckId::ForeignKeys, CheckId::ReadOnly, CheckId::File]),
        [
            (CheckId::File, Status::Skip),
            (CheckId::ReadOnly, Status::Fail),
            (CheckId::ForeignKeys, Status::Skip)
        ]
    );
    assert_eq!(
        statuses(&[CheckId::RowValues, CheckId::ForeignKeys]),
        [(CheckId::ForeignKeys, Status::Fail), (CheckId::RowValues, Status::Skip)]
    );
}

const PASSES: HandleCheck = |_, _| Ok(Outcome::pass("fine"));
const PANICS: HandleCheck = |_, _| panic!("as it was told");

/// Returns the report of an examination in which these checks look so.
fn report_of(looks: &[(CheckId, HandleCheck)]) -> Report {
    let ids: Vec<CheckId> = looks.iter().map(|(id, _)| *id).collect();
    with_options(&ids, |options| {
        let path = Path::new(REAL);
        let answers = Answers::of(path, options);
        let looks: Vec<(&Check, HandleCheck)> = looks.iter().map(|(id, look)| (checks::get(*id), *look)).collect();
        with_stable_store(path, Need::Everything, &options.environment, |probe, access| {
            let access = access.unwrap();
            let context = StoreContext::new(options.application, probe, access, &options.environment, false, false);
            let handle = access.open().unwrap();
            answers.run_in_order(&looks, &context, &handle);
        })
        .unwrap();
        answers.report(Ok(()))
    })
}

#[test]
fn a_mistake_in_a_check_costs_its_row_and_no_other() {
    for bad in 0..4 {
        let ids = [
            CheckId::PageStructure,
            CheckId::SchemaState,
            CheckId::SchemaShape,
            CheckId::ForeignKeys,
        ];
        let look = |n| if n == bad { PANICS } else { PASSES };
        let looks: Vec<(CheckId, HandleCheck)> = ids.iter().enumerate().map(|(n, id)| (*id, look(n))).collect();
        let report = report_of(&looks);
        for (n, row) in report.rows.iter().enumerate() {
            let wanted = if n == bad { Status::Fail } else { Status::Pass };
            assert_eq!((row.check, row.status), (ids[n], wanted), "{report:?}");
        }
        let detail = &report.rows[bad].detail;
        assert!(
            detail.starts_with("could not look: a mistake in the doctor") && detail.ends_with("as it was told"),
            "{detail}"
        );
    }
}

const EVERY: [CheckId; 5] = [
    CheckId::File,
    CheckId::ReadOnly,
    CheckId::SchemaState,
    CheckId::ForeignKeys,
    CheckId::RowValues,
];

/// Returns the report of an examination that is aborted after `answered`, while the checks `looking` run.
fn report_aborted(answered: &[CheckId], looking: &[CheckId], error: &Error) -> Report {
    with_options(&EVERY, |options| {
        let answers = Answers::of(Path::new("state.db"), options);
        for id in answered {
            answers.set(*id, (Outcome::pass("fine"), Duration::ZERO));
        }
        answers.lock().running = looking.to_vec();
        answers.report_aborted(error)
    })
}

#[test]
fn what_hangs_costs_the_rows_of_the_checks_that_look_and_those_behind_it() {
    use Status::{Fail, Pass, Skip};
    let why = Error::Stuck(Stopped::TimeLimit(Duration::from_secs(2)));
    let outcomes = |answered: &[CheckId], looking: &[CheckId]| -> Vec<Status> {
        statuses(&report_aborted(answered, looking, &why))
            .into_iter()
            .map(|(_, status)| status)
            .collect()
    };
    assert_eq!(
        outcomes(&[CheckId::File, CheckId::SchemaState], &[CheckId::ForeignKeys]),
        [Pass, Skip, Pass, Fail, Skip]
    );
    // Two at once.
    assert_eq!(
        outcomes(&[CheckId::File], &[CheckId::SchemaState, CheckId::RowValues]),
        [Pass, Skip, Fail, Skip, Fail]
    );
    // Between two checks, and at one whose row was not requested.
    assert_eq!(outcomes(&[CheckId::File], &[]), [Pass, Fail, Skip, Skip, Skip]);
    assert_eq!(outcomes(&[CheckId::File], &[CheckId::PageStructure]), [Pass, Fail, Skip, Skip, Skip]);
    assert_eq!(outcomes(&[], &[CheckId::File]), [Fail, Skip, Skip, Skip, Skip]);
    // When all is answered.
    assert_eq!(outcomes(&EVERY, &[]), [Pass; 5]);
    let report = report_aborted(&[CheckId::File], &[CheckId::SchemaState], &why);
    assert_eq!(
        report.rows[2].detail,
        "could not look: the time limit of 2 s ran out, and what was running could not be interrupted"
    );
    assert_eq!(report.rows[3].detail, "the time limit of 2 s ran out");
}

#[test]
fn a_mistake_outside_the_checks_is_a_row_of_its_own_and_leaves_those_before_it() {
    let report = report_aborted(&[CheckId::File], &[CheckId::ReadOnly], &Error::Internal("panic".to_owned()));
    assert_eq!((report.verdict(), report.failures(), report.count(Status::Skip)), ("fail", 1, 3));
    assert_eq!(report.rows[1].detail, "could not look: a mistake in the doctor, please report it: panic");
}

#[test]
fn what_was_found_in_a_store_that_moved_meanwhile_is_not_told_when_it_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    std::fs::copy(REAL, &path).unwrap();
    let report = with_options(&EVERY, |options| {
        let answers = Answers::of(&path, options);
        let looked = with_stable_store(&path, Need::Everything, &options.environment, |probe, access| {
            if answers.lock().witness.is_some() {
                return;
            }
            answers.lock().witness = Some((access.unwrap().witness(), probe.clone()));
            answers.set(CheckId::File, (Outcome::pass("fine"), Duration::ZERO));
            assert_eq!(answers.report_aborted(&Error::Stuck(Stopped::Interrupted)).rows[0].status, Status::Pass);
            std::fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(100_000).unwrap();
        });
        looked.unwrap();
        answers.report_aborted(&Error::Stuck(Stopped::Interrupted))
    });
    assert_eq!(report.rows[0].status, Status::Skip, "{report:?}");
    assert_eq!(
        (report.rows[1].check, report.rows[1].status),
        (CheckId::ReadOnly, Status::Fail),
        "{report:?}"
    );
}

#[test]
fn a_map_is_made_where_somebody_asks_and_knows_what_a_check_said_of_a_page() {
    let report = |checks: &[CheckId], page_map| {
        with_options(checks, |options| {
            let options = Options {
                page_map,
                ..options.clone()
            };
            // A store that another test of this process has open would be refused.
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            std::fs::copy(REAL, &path).unwrap();
            let answers = Answers::of(&path, &options);
            crate::examine::report_despite_panics(&answers, &path, &options)
        })
    };
    assert_eq!(report(&[CheckId::File], false).map, MapResult::NotRequested);
    let MapResult::Map(map) = report(&[CheckId::File], true).map else {
        panic!("a map")
    };
    assert!(map.pages() > 1 && map.damaged().is_empty());

    with_options(CheckId::ALL, |options| {
        let answers = Answers::of(Path::new(REAL), options);
        let mut findings = crate::findings::Findings::default();
        findings.add(|| crate::findings::Finding {
            page: Some(7),
            ..crate::findings::Finding::new("odd")
        });
        let problem = Problem::Dangling { rows: 1 };
        answers.set(CheckId::PageStructure, (Outcome::found("odd", problem, findings), Duration::ZERO));
        let known = answers.known_damage();
        assert_eq!((known.is_sound, known.damaged_pages), (false, vec![7]));
    });
}

#[test]
fn an_examination_that_was_broken_off_says_that_there_is_no_map() {
    with_options(&[CheckId::File], |options| {
        let options = Options {
            page_map: true,
            ..options.clone()
        };
        let report = Answers::of(Path::new(REAL), &options).report_aborted(&Error::from(Stopped::Interrupted));
        assert!(matches!(report.map, MapResult::Unavailable(_)), "{report:?}");
    });
}
