//! The same for another Rust program.

use banger_doctor::{Application, CheckId, ErrorKind, Examination, Status};

use super::made;

#[test]
fn an_application_of_which_nothing_is_known_is_examined_as_the_program_does_it() {
    let place = made("PRAGMA user_version=3; CREATE TABLE t(a); INSERT INTO t VALUES (CAST(x'ff' AS TEXT))");
    let examination = Examination::new(place.store()).application(Application::any());
    let report = examination.run();
    let status = |check: CheckId| report.rows().iter().find(|row| row.check() == check).unwrap().status();
    assert_eq!(status(CheckId::SchemaState), Status::Skip);
    assert_eq!(status(CheckId::MigrationRehearsal), Status::Skip);
    assert_eq!(status(CheckId::RowValues), Status::Fail);
    assert_eq!(status(CheckId::ForeignKeys), Status::Pass);
    for error in [
        examination.schema_state().unwrap_err(),
        examination.rehearse().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NothingKnown);
        assert_eq!(error.to_string(), "it is not known which migrations the application has");
    }
}
