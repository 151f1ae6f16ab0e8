//! In every situation the committed truth is read, and no trace is left: by every kind of user, with and without the
//! kernel's help.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use banger_doctor::{Compatibility, inspect_schema_state};

use crate::harness::{Doctor, Kernel, Place, is_root};
use crate::stores::Lies;

/// Holds the report and the gate in every situation and on every kernel, for a store made ready by `prepare` and read by
/// what `doctor` gives.
fn hold_everywhere(who: &str, prepare: impl Fn(&Place), doctor: impl Fn(&Place) -> Doctor) {
    for lies in Lies::ALL {
        for kernel in Kernel::ALL {
            let when = format!("{lies:?}, {who}, {kernel:?}");
            let place = Place::new();
            let daemon = lies.make(&place.store());
            prepare(&place);
            let before = place.footprint();

            let ran = doctor(&place).on(kernel).args(["--format", "json"]).arg(place.store()).run();
            before.assert_same(&place.footprint(), &when);
            assert_eq!(ran.report()["situation"], lies.situation(), "{when}");
            assert_eq!(ran.failing(), lies.failing(), "{when}: {}", ran.stdout);
            assert_eq!(ran.code, Some(i32::from(!lies.failing().is_empty())), "{when}");
            let sandbox = ran.report()["sandbox"].as_str().unwrap().to_owned();
            assert_eq!(sandbox.starts_with("landlock"), kernel.holds(), "{when}: {sandbox}");

            let gate = doctor(&place).on(kernel).arg("--check-migrations").arg(place.store()).run();
            before.assert_same(&place.footprint(), &when);
            let (code, words) = lies.gate();
            assert_eq!(gate.code, Some(code), "{when}: {gate:?}");
            assert!(gate.stdout.starts_with(&words), "{when}: {gate:?}");

            assert_eq!(place.left_in_tmp(), [""; 0], "{when}");
            drop(daemon);
        }
    }
}

#[test]
fn the_library_alone_reads_the_same_and_leaves_no_trace_without_any_sandbox() {
    for lies in Lies::ALL {
        let place = Place::new();
        let daemon = lies.make(&place.store());
        let before = place.footprint();
        let state = inspect_schema_state(&place.store());
        before.assert_same(&place.footprint(), &format!("{lies:?}, by the library"));
        let said = format!("{lies:?}: {state:?}");
        let code = match state.map(|state| state.compatibility) {
            Ok(Compatibility::Compatible) => 0,
            Ok(Compatibility::MigrationsNeeded) => 1,
            Ok(Compatibility::Incompatible) => 2,
            Err(_) => 3,
        };
        assert_eq!(code, lies.gate().0, "{said}");
        drop(daemon);
    }
}

fn close_to_writers(place: &Place) {
    for entry in fs::read_dir(place.folder()).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(place.folder(), Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_the_stores_owner() {
    hold_everywhere("its owner", |_| {}, Place::doctor);
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_an_unprivileged_owner() {
    if !is_root() {
        return eprintln!("left out: only root can give files away");
    }
    hold_everywhere("an unprivileged owner", Place::give_to_nobody, Place::doctor_of_nobody);
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_an_unprivileged_owner_who_may_not_write() {
    if !is_root() {
        return eprintln!("left out: only root can give files away");
    }
    let prepare = |place: &Place| {
        place.give_to_nobody();
        close_to_writers(place);
    };
    hold_everywhere("an owner without write permission", prepare, Place::doctor_of_nobody);
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_a_user_who_may_only_read() {
    hold_everywhere("a user who may only read", close_to_writers, Place::doctor_of_nobody);
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_another_user_than_the_owner() {
    hold_everywhere("another user", |_| {}, Place::doctor_of_nobody);
}

#[test]
fn the_committed_truth_is_read_and_no_trace_left_by_root_in_somebody_elses_folder() {
    if !is_root() {
        return eprintln!("left out: only root can give files away");
    }
    hold_everywhere("root, on somebody else's store", Place::give_to_nobody, Place::doctor);
}
