//! A fleet in one call.

use std::fs;

use serde_json::Value;

use crate::support::Home;
use crate::support::home::{DOCTOR, schema};

#[test]
fn a_thousand_stores_come_in_order_and_one_bad_one_touches_no_other() {
    let place = Home::new();
    let healthy = fs::read(place.store("healthy.db")).unwrap();
    let dangling = fs::read(place.dangling("dangling.db")).unwrap();
    let names: Vec<String> = (0..1000).map(|n| format!("{n:04}.db")).collect();
    for (n, name) in names.iter().enumerate() {
        let path = place.join(name);
        match n % 10 {
            3 => fs::write(path, &dangling).unwrap(),
            7 => fs::write(path, b"this is no database").unwrap(),
            8 => {}
            _ => fs::write(path, &healthy).unwrap(),
        }
    }
    let ran = place.command(DOCTOR).args(["--format=json"]).args(&names).run();
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.stderr, "");
    let reports: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), 1000);
    let schema = schema();
    for (n, report) in reports.iter().enumerate() {
        assert_eq!(report["store"], names[n].as_str());
        assert!(schema.is_valid(report), "{report}");
        let failing: Vec<&str> = report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["status"] == "fail")
            .map(|row| row["check"].as_str().unwrap())
            .collect();
        let wanted: &[&str] = match n % 10 {
            3 => &["foreign-keys"],
            7 | 8 => &["file"],
            _ => &[],
        };
        assert_eq!(failing, wanted, "{report}");
    }
}

#[test]
fn two_paths_to_one_file_are_both_answered() {
    let place = Home::new();
    let store = place.store("state.db");
    std::os::unix::fs::symlink(&store, place.join("link.db")).unwrap();
    fs::hard_link(&store, place.join("hard.db")).unwrap();
    let ran = place.doctor(&["state.db", "link.db", "hard.db", "state.db"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = ran.stdout;
    assert_eq!(
        said,
        "pass  state.db\npass  link.db\npass  hard.db\npass  state.db\n\nPASS: no check failed in 4 stores, 4 rows skipped\n"
    );
}

#[test]
fn with_markdown_each_store_is_a_report_of_its_own() {
    let place = Home::new();
    place.store("a.db");
    place.dangling("b.db");
    let ran = place.doctor(&["--format=markdown", "a.db", "b.db"]);
    let said = ran.stdout;
    assert_eq!(said.matches("### doctor: PASS").count(), 1, "{said}");
    assert_eq!(said.matches("### doctor: FAIL").count(), 1, "{said}");
}
