//! The report and the gate say the same of a ledger and a folder, whatever is planted in them: the gate answers 0 or 1 only where the rows
//! about them pass.

use std::fs;

use super::harness::{
    ALL, DBMATE, DIESEL, DRIZZLE, DRIZZLE_FOLDERS, Fixture, GOLANG_MIGRATE, GOOSE, Kept, PRISMA, REFINERY, SQLX,
    USER_VERSION,
};

/// The rows that say how a ledger and a folder agree.
const ROWS: &str = "schema-state,unknown-ids,migration-history";

/// What changes a store and a folder, and what of it is to be seen.
type Plant = Box<dyn Fn(&Kept)>;

/// Takes the last migration away, which is pending.
fn without_pending(fixture: Fixture, kept: &Kept) {
    match fixture.folder {
        "drizzle" => edit_journal(kept, |entries| {
            entries.pop();
        }),
        "golang-migrate" => fs::remove_file(kept.folder().join("000004_archive.down.sql")).unwrap(),
        _ => {}
    }
    let last = kept.folder().join(last(fixture));
    if last.ends_with("migration.sql") || last.ends_with("up.sql") {
        fs::remove_dir_all(last.parent().unwrap()).unwrap();
    } else {
        fs::remove_file(last).unwrap();
    }
}

/// The file that is pending.
fn last(fixture: Fixture) -> &'static str {
    match fixture.folder {
        "sqlx" | "dbmate" => "20240101000004_archive.sql",
        "golang-migrate" => "000004_archive.up.sql",
        "drizzle" => "0003_step4.sql",
        "drizzle-folders" => "20261121165854_step4/migration.sql",
        "prisma" => "20240101000004_archive/migration.sql",
        "goose" => "00005_archive.sql",
        "d1" => "0011_archive.sql",
        "diesel" => "2024-01-03-000004-0000_archive/up.sql",
        "refinery" => "later/V10__archive.sql",
        _ => "04-archive/up.sql",
    }
}

fn edit_journal(kept: &Kept, change: impl Fn(&mut Vec<serde_json::Value>)) {
    kept.edit("meta/_journal.json", |text| {
        let mut journal: serde_json::Value = serde_json::from_str(text).unwrap();
        change(journal["entries"].as_array_mut().unwrap());
        journal.to_string()
    });
}

fn sql(sql: &str) -> Plant {
    let sql = sql.to_owned();
    Box::new(move |kept| kept.place.sql(&sql))
}

fn write(file: &'static str, text: &'static str) -> Plant {
    Box::new(move |kept| kept.write(file, text))
}

fn edit(file: &'static str, from: &'static str, to: &'static str) -> Plant {
    Box::new(move |kept| {
        kept.edit(file, |text| {
            assert!(text.contains(from), "{file}");
            text.replace(from, to)
        });
    })
}

/// Everything that may be wrong, and some things that look so and are not.
fn plants(fixture: Fixture) -> Vec<(&'static str, Plant)> {
    let mut all: Vec<(&'static str, Plant)> = vec![("nothing", Box::new(|_| {}))];
    if fixture.table.is_empty() {
        all.push(("an empty ledger", sql("PRAGMA user_version = 0")));
        all.push(("an unknown migration", sql("PRAGMA user_version = 99")));
    } else {
        all.push(("an empty ledger", sql(&format!("DELETE FROM \"{}\"", fixture.table))));
        all.push(("a gap", sql(&format!("DELETE FROM \"{}\" WHERE rowid = 2", fixture.table))));
    }
    let more: Vec<(&'static str, Plant)> = match fixture {
        SQLX => vec![
            ("other line ends", edit("20240101000002_notes.sql", "\n", "\r\n")),
            ("an edited file", edit("20240101000002_notes.sql", "body", "body2")),
            ("two files of one version", write("20240101000002_again.sql", "SELECT 1;")),
            (
                "a failed migration",
                sql("UPDATE _sqlx_migrations SET success = 0 WHERE version = 20240101000003"),
            ),
        ],
        GOLANG_MIGRATE => vec![
            ("two files of one version", write("2_again.up.sql", "SELECT 1;")),
            ("a dirty version", sql("UPDATE schema_migrations SET dirty = 1")),
            ("an unknown migration", sql("UPDATE schema_migrations SET version = 99")),
        ],
        DRIZZLE => vec![
            ("other line ends", edit("0001_step2.sql", "\n", "\r\n")),
            ("an edited file", edit("0001_step2.sql", "body", "body2")),
            ("a file that the journal does not name", write("0005_forgotten.sql", "SELECT 1;")),
            (
                "a file that is gone",
                Box::new(|kept| fs::remove_file(kept.folder().join("0000_step1.sql")).unwrap()),
            ),
            (
                "a migration that came late",
                Box::new(|kept| {
                    kept.write("0004_late.sql", "CREATE TABLE late (x);");
                    edit_journal(kept, |entries| {
                        let when = 1_700_000_000_000_i64;
                        entries.push(serde_json::json!({"idx": 9, "version": "6", "when": when, "tag": "0004_late", "breakpoints": true}));
                    });
                }),
            ),
        ],
        DRIZZLE_FOLDERS => vec![
            ("other line ends", edit("20261121165752_step2/migration.sql", "\n", "\r\n")),
            ("an edited file", edit("20261121165752_step2/migration.sql", "body", "body2")),
        ],
        PRISMA => vec![
            ("other line ends", edit("20240101000002_notes/migration.sql", "\n", "\r\n")),
            ("an edited file", edit("20240101000002_notes/migration.sql", "body", "body2")),
            (
                "a failed migration",
                sql("UPDATE _prisma_migrations SET finished_at = NULL WHERE rowid = 3"),
            ),
        ],
        GOOSE => vec![("two files of one version", write("2_again.sql", "-- +goose Up\nSELECT 1;"))],
        REFINERY => vec![
            ("two files of one version", write("V02__again.sql", "SELECT 1;")),
            ("an edited file", edit("V2__notes.sql", "body", "body2")),
        ],
        DBMATE => vec![("two files of one version", write("20240101000002again.sql", "-- migrate:up\nSELECT 1;"))],
        DIESEL => vec![("two files of one version", write("2024-01-01000002_again/up.sql", "SELECT 1;"))],
        USER_VERSION => vec![("a table that is gone", sql("DROP TABLE notes"))],
        _ => Vec::new(),
    };
    all.extend(more);
    all
}

#[test]
fn the_gate_opens_only_where_the_rows_about_the_ledger_and_the_folder_pass() {
    let (mut opened, mut closed) = (0, 0);
    for fixture in ALL {
        for is_pending in [true, false] {
            for (name, plant) in plants(fixture) {
                let kept = Kept::by(fixture);
                if !is_pending {
                    without_pending(fixture, &kept);
                }
                plant(&kept);
                let rows = kept.ask(&["--only", ROWS]);
                let passes = rows.code == Some(0);
                let opens = |gate: &str| gate.ends_with("[0]") || gate.ends_with("[1]");
                let gate = kept.gate(&[]);
                assert_eq!(
                    opens(&gate),
                    passes,
                    "{fixture:?}, {name}, pending: {is_pending}: {gate}\n{}",
                    rows.stdout
                );
                if name == "nothing" {
                    assert_eq!(gate.ends_with("[1]"), is_pending, "{fixture:?}: {gate}");
                }
                // What is pending may fail besides.
                let rehearsed = kept.gate(&["--rehearse"]);
                assert!(passes || !opens(&rehearsed), "{fixture:?}, {name}, pending: {is_pending}: {rehearsed}");
                *if passes { &mut opened } else { &mut closed } += 1;
            }
        }
    }
    assert!(opened > 30 && closed > 50, "{opened} {closed}");
}

#[test]
fn why_the_gate_stays_closed_is_what_the_report_says() {
    let gate = |fixture: Fixture, name: &str| {
        let kept = Kept::by(fixture);
        without_pending(fixture, &kept);
        let (_, plant) = plants(fixture).into_iter().find(|(other, _)| *other == name).unwrap();
        plant(&kept);
        kept.gate(&[])
    };
    insta::assert_snapshot!(gate(DRIZZLE, "a migration that came late"), @r"incompatible: 0004_late.sql will never run: it is older than the newest migration that is applied, and drizzle does not mention it (do not swap) [2]");
    insta::assert_snapshot!(gate(DRIZZLE, "a file that is gone"), @r"incompatible: drizzle would run nothing: 0000_step1.sql is not there, and the journal names it (do not swap) [2]");
    insta::assert_snapshot!(gate(DRIZZLE, "an edited file"), @r"incompatible: migration 0001_step2 is not the file that was applied: it differs by its content; drizzle takes no notice (do not swap) [2]");
    insta::assert_snapshot!(gate(DIESEL, "two files of one version"), @r"incompatible: several files have the version 20240101000002 (2024-01-01-000002_notes/up.sql, 2024-01-01000002_again/up.sql): diesel runs one of them and forgets the other (do not swap) [2]");
    insta::assert_snapshot!(gate(PRISMA, "an edited file"), @r"incompatible: migration 20240101000002_notes is not the file that was applied: it differs by its content; Prisma warns of it and runs on (do not swap) [2]");
    insta::assert_snapshot!(gate(PRISMA, "an empty ledger"), @r"incompatible: nothing applied, and yet the store has what all 3 migrations of the folder make: Prisma would run them again (do not swap) [2]");
    let kept = Kept::by(DRIZZLE);
    fs::remove_file(kept.folder().join("0000_step1.sql")).unwrap();
    insta::assert_snapshot!(kept.said("migration-history"), @r#"
    fail: 0000_step1.sql is not there, and the journal names it: drizzle refuses to run
      kind "folder-differs": 0000_step1.sql is not there, and the journal names it: drizzle refuses to run
      1 in all
      -> Nothing is wrong with the store. Put the file back as it was, from the version control system. Until then the tool runs nothing.
    "#);
}
