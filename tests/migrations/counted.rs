//! Where `PRAGMA user_version` is all that says what was applied.

use super::harness::{Kept, USER_VERSION};

#[test]
fn a_number_past_the_folders_files_is_said_as_what_it_is() {
    let kept = Kept::by(USER_VERSION);
    kept.place.sql("PRAGMA user_version = 9");
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: user_version is 9, and the folder has 4 migrations; no data is lost
      -> Take the folder of the version of the application that last used the store, or a later one: the store is newer than this folder. Do not start this version on it, and do not delete the store or edit its ledger.
    ");
    insta::assert_snapshot!(kept.gate(&[]), @r"incompatible: unknown [9] (this binary is older than the store; do not swap) [2]");
}

/// A ledger of one's own beside a number that was set for another purpose.
#[test]
fn a_number_that_counts_something_else_is_no_answer() {
    let files = [("1_a.sql", "CREATE TABLE a (x);"), ("2_b.sql", "CREATE TABLE b (x);")];
    let own = "CREATE TABLE my_migrations (file TEXT); PRAGMA user_version = 1";
    let kept = Kept::made(own, &files);
    insta::assert_snapshot!(kept.gate(&[]), @r"cannot tell: [PLACE]/store/state.db: user_version is 1, and the store has no table that the folder's first migration makes: it may count something else (--dialect user_version says that it counts them, and --ledger which table does) [3]");
    insta::assert_snapshot!(kept.said("schema-state"), @"
    fail: could not look: user_version is 1, and the store has no table that the folder's first migration makes: it may count something else (--dialect user_version says that it counts them, and --ledger which table does)
      -> Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.
    ");
    // Somebody who says that it counts them is believed; the shape then says what is missing.
    let told = ["--dialect", "user_version"];
    assert!(kept.gate(&told).starts_with("migrations needed: pending [2]"), "{}", kept.gate(&told));
    assert!(kept.said_with("schema-shape", &told).starts_with("fail: a: the table is missing"));
    // With a table of theirs it counts them, whatever else is in the store.
    let kept = Kept::made(&format!("{own}; CREATE TABLE A (x)"), &files);
    assert!(kept.gate(&[]).starts_with("migrations needed: pending [2]"), "{}", kept.gate(&[]));
    // What makes no table tells nothing.
    let kept = Kept::made(own, &[("1_a.sql", "SELECT 1;"), ("2_b.sql", "CREATE TABLE b (x);")]);
    assert!(kept.gate(&[]).starts_with("migrations needed: pending [2]"), "{}", kept.gate(&[]));
}

#[test]
fn numbers_that_cannot_be_counted_are_named() {
    let gate = |files: &[&str]| {
        let files: Vec<_> = files.iter().map(|file| (*file, "SELECT 1;")).collect();
        Kept::made("CREATE TABLE a (x); PRAGMA user_version = 2", &files).gate(&[])
    };
    insta::assert_snapshot!(gate(&["1_a.sql", "2_b.sql", "2_c.sql"]), @r"cannot tell: [PLACE]/store/state.db: user_version is 2 and may count its migrations, but 2_c.sql: two files have one number, so user_version cannot tell which were applied; it has tables, and none of them is a ledger of sqlx or D1 either (say which table it is with --ledger) [3]");
    insta::assert_snapshot!(gate(&["1_a.sql", "3_b.sql"]), @r"cannot tell: [PLACE]/store/state.db: user_version is 2 and may count its migrations, but 3_b.sql: the files are not numbered from 1 on without a gap, so user_version cannot tell which were applied; it has tables, and none of them is a ledger of sqlx or D1 either (say which table it is with --ledger) [3]");
    insta::assert_snapshot!(gate(&["0_a.sql", "1_b.sql"]), @r"cannot tell: [PLACE]/store/state.db: user_version is 2 and may count its migrations, but 0_a.sql: the files are not numbered from 1 on without a gap, so user_version cannot tell which were applied; it has tables, and none of them is a ledger of sqlx or D1 either (say which table it is with --ledger) [3]");
}

#[test]
fn where_somebody_says_that_they_are_counted_the_files_may_be_numbered_otherwise() {
    let gate = |files: &[&str]| {
        let files: Vec<_> = files.iter().map(|file| (*file, "SELECT 1;")).collect();
        let kept = Kept::made("CREATE TABLE a (x); PRAGMA user_version = 2", &files);
        kept.gate(&["--dialect", "user_version"])
    };
    insta::assert_snapshot!(gate(&["V1__a.sql", "V2__b.sql", "V10__d.sql", "V3__c.sql"]), @"cannot tell: --migrations migrations: these are no migrations of user_version: V10__d.sql: a number is missing before it, so user_version cannot tell which were applied [3]");
    insta::assert_snapshot!(gate(&["V1__a.sql", "V2__b.sql", "V3__c.sql", "U3__c.sql"]), @"migrations needed: pending [3] (binary will apply on first Open) [1]");
    insta::assert_snapshot!(gate(&["v001_a.sql", "v002_b.sql", "v003_c.sql", "v003_c.down.sql"]), @"migrations needed: pending [3] (binary will apply on first Open) [1]");
    insta::assert_snapshot!(gate(&["000_a.sql", "001_b.sql", "002_c.sql"]), @"migrations needed: pending [3 (002_c)] (binary will apply on first Open) [1]");
    insta::assert_snapshot!(gate(&["20240101_a.sql", "20240102_b.sql", "20240301_c.sql"]), @"migrations needed: pending [3 (20240301_c)] (binary will apply on first Open) [1]");
    insta::assert_snapshot!(gate(&["v1.sql", "v1_again.sql", "v2.sql"]), @"cannot tell: --migrations migrations: these are no migrations of user_version: v1_again.sql: two files have one number, so user_version cannot tell which were applied [3]");
    insta::assert_snapshot!(gate(&["v4.sql", "v5.sql"]), @"cannot tell: --migrations migrations: these are no migrations of user_version: v4.sql: the first file has another number than 0 or 1, so user_version cannot tell which were applied [3]");
}
