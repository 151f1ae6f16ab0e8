//! What `--any` goes with.

use super::made;

#[test]
fn the_gate_has_nothing_to_hold_such_a_store_against() {
    let place = made("CREATE TABLE t(a)");
    for arguments in [
        &["--any", "--check-migrations"][..],
        &["--any", "--check-migrations", "--rehearse"],
    ] {
        let ran = place.ask(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(ran.stderr.contains("with --any none are"), "{}", ran.stderr);
    }
}

#[test]
fn it_takes_the_paths_of_stores() {
    let place = made("CREATE TABLE t(a)");
    for arguments in [&["--any"][..], &["--any", "--system"]] {
        let ran = place.doctor().args(arguments).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(ran.stderr.contains("--any takes the paths of the stores"), "{}", ran.stderr);
    }
}

#[test]
fn without_it_another_tools_ledger_fails_and_the_remedy_says_that_it_is_there() {
    let place = made(
        "CREATE TABLE schema_migrations (version uint64, dirty bool); INSERT INTO schema_migrations VALUES (3, 0)",
    );
    let row = place.row("schema-state", &[]);
    assert_eq!(row["status"], "fail");
    assert!(
        row["remedy"].as_str().unwrap().contains("This examines the database of any application."),
        "{row}"
    );
    assert!(row["commands"][0].as_str().unwrap().starts_with("doctor --any "), "{row}");
    assert_eq!(place.row("schema-state", &["--any"])["status"], "pass");
}
