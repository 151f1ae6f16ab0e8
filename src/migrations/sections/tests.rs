use super::*;

fn statements(text: &str) -> Vec<String> {
    goose(text).unwrap().batches
}

fn refusal(text: &str) -> &'static str {
    match goose(text) {
        Err(SectionFault::ToolRefuses(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn goose_ends_a_statement_with_a_line_that_ends_in_a_semicolon() {
    let text = "-- a file\n\n-- +goose Up\nCREATE TABLE a (\n  x TEXT -- ; no end\n);\nINSERT INTO a VALUES ('1'); -- the end\n\n\
                SELECT 1; SELECT 2;\n-- +goose Down\nDROP TABLE a;\n";
    assert_eq!(
        statements(text),
        [
            "CREATE TABLE a (\n  x TEXT -- ; no end\n);",
            "INSERT INTO a VALUES ('1'); -- the end",
            "SELECT 1; SELECT 2;"
        ]
    );
}

#[test]
fn goose_keeps_a_trigger_together_between_its_marks() {
    let trigger = "CREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n  -- first; then\n  SELECT 1;\n\n  SELECT 2;\nEND;";
    let text = format!(
        "-- +goose up\n-- +GOOSE StatementBegin is no mark\n--+goose statementbegin\n{trigger}\n-- +goose StatementEnd\nSELECT 3;"
    );
    assert_eq!(statements(&text), [trigger, "SELECT 3;"]);
}

#[test]
fn goose_reads_windows_line_ends_as_its_own() {
    let up = goose("-- +goose Up\r\nCREATE TABLE a (\r\n  x\r\n);\r\n-- +goose no transaction\r\n").unwrap();
    assert_eq!(up.batches, ["CREATE TABLE a (\n  x\n);"]);
    assert!(!up.in_transaction);
}

#[test]
fn what_goose_refuses_is_refused_with_its_reason() {
    assert!(refusal("").contains("has no"));
    assert!(refusal("SELECT 1;").contains("before"));
    assert!(refusal("-- +goose Up\nSELECT 1").contains("no semicolon"));
    assert!(refusal("-- +goose Up\nSELECT 1\n-- +goose Down\nSELECT 2;").contains("no semicolon"));
    assert!(refusal("-- +goose Up\n-- +goose Up\n").contains("more than one"));
    assert!(refusal("-- +goose Down\n").contains("takes none"));
    assert!(refusal("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;").contains("no end"));
    assert!(refusal("-- +goose Up\n-- +goose StatementEnd\n").contains("takes none"));
    assert!(refusal("-- +goose Up\n  -- +goose Down\n").contains("blanks"));
    assert!(refusal("-- +goose Up\n-- +goose Sideways\n").contains("does not know"));
    assert_eq!(
        goose("-- +goose Up\n-- +goose ENVSUB ON\nSELECT '$HOME';\n"),
        Err(SectionFault::Environment)
    );
}

/// As goose has it: the mark's state lasts, and takes the next line with it.
#[test]
fn an_empty_statement_swallows_the_line_behind_it() {
    let text = "-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementEnd\nSELECT 1;\nSELECT 2;\n";
    assert_eq!(statements(text), ["", "SELECT 2;"]);
}

#[test]
fn dbmate_takes_everything_between_its_two_marks() {
    let text = "-- a file\n\n--  migrate:up transaction:false\nCREATE TABLE a (x);\n-- migrate:upper\n-- migrate:down\nDROP TABLE a;\n";
    let up = dbmate(text).unwrap();
    assert_eq!(up.batches, ["--  migrate:up transaction:false\nCREATE TABLE a (x);\n-- migrate:upper\n"]);
    assert!(!up.in_transaction);
    for options in [
        "",
        " transaction:true",
        " transaction:false transaction:true",
        " transaction:false:x",
        "\ttransaction: false",
    ] {
        let up = dbmate(&format!("--migrate:up{options}\r\nSELECT 1;\r\n--migrate:down\r\n")).unwrap();
        assert!(up.in_transaction, "{options}");
    }
}

#[test]
fn what_dbmate_refuses_is_refused_with_its_reason() {
    for (text, why) in [
        ("", "has no"),
        ("SELECT 1;\n-- migrate:up\n-- migrate:down\n", "before"),
        ("-- migrate:up\nSELECT 1;\n", "not one"),
        ("-- migrate:up\n-- migrate:down\n-- migrate:down\n", "not one"),
        ("-- migrate:down\n-- migrate:up\n", "not one"),
        ("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n", "more than one"),
        (" -- migrate:up\n-- migrate:down\n", "has no"),
    ] {
        match dbmate(text) {
            Err(SectionFault::ToolRefuses(what)) => assert!(what.contains(why), "{text:?}: {what}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}
