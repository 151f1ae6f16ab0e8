//! Asks the doctor about the store of a place, and writes its answer as a test shows it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::footprint::Footprint;
use super::place::{Place, Ran};

impl Place {
    /// Asks the doctor about the store. Nothing may change in the store's folder, and nothing be left elsewhere. The test
    /// itself may have the store open.
    pub fn ask(&self, arguments: &[&str]) -> Ran {
        let before = Footprint::unread(&self.folder());
        let ran = self.doctor().args(arguments).arg(self.store()).run();
        before.assert_same(&Footprint::unread(&self.folder()), &format!("{arguments:?}"));
        assert_eq!(self.left_in_tmp(), [""; 0], "{arguments:?}");
        ran
    }

    /// The row of this check alone, and what else was asked for. The exit code says the same.
    pub fn row(&self, check: &str, options: &[&str]) -> Value {
        let ran = self.ask(&[&["--format", "json", "--only", check], options].concat());
        assert_eq!(ran.code, Some(i32::from(ran.report()["verdict"] == "fail")), "{ran:?}");
        ran.row(check)
    }

    /// Asserts that no check fails.
    pub fn assert_healthy(&self, what: &str) {
        let ran = self.ask(&[]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stdout);
    }

    /// The row of this check as text, with placeholders: status, detail, each finding and the remedy.
    pub fn said(&self, check: &str, options: &[&str]) -> String {
        self.text(&self.row(check, options))
    }

    /// A row as text.
    pub fn text(&self, row: &Value) -> String {
        whole(row).replace(self.root().to_str().unwrap(), "[PLACE]")
    }

    /// The row of this check in short: status and detail, and what is wrong where, without the remedy.
    pub fn found(&self, check: &str) -> String {
        in_short(&self.row(check, &[])).replace(self.root().to_str().unwrap(), "[PLACE]")
    }
}

/// The ids of all checks, in the order in which their rows are printed, as the doctor lists them.
pub fn all_checks() -> Vec<String> {
    let ran = Place::new().doctor().arg("--list-checks").run();
    let ids = ran.stdout.lines().filter_map(|line| line.split_whitespace().next());
    ids.map(str::to_owned).collect()
}

/// A row as text: status, detail, each finding and the remedy with its commands.
pub fn whole(row: &Value) -> String {
    let mut text = format!("{}: {}\n", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().into_iter().flatten() {
        let mut finding = finding.as_object().unwrap().clone();
        let what = finding.remove("what").unwrap();
        let place: Vec<String> = finding.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let _ = writeln!(text, "  {}: {}", place.join(", "), what.as_str().unwrap());
    }
    if let Some(total) = row["findings_total"].as_u64() {
        let least = if row["findings_at_least"] == true {
            "at least "
        } else {
            ""
        };
        let _ = writeln!(text, "  {least}{total} in all");
    }
    if let Some(remedy) = row["remedy"].as_str() {
        let _ = writeln!(text, "  -> {remedy}");
    }
    for command in commands(row) {
        let _ = writeln!(text, "     $ {command}");
    }
    text
}

/// The commands of a row's remedy.
pub fn commands(row: &Value) -> Vec<&str> {
    row["commands"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|command| command.as_str().unwrap())
        .collect()
}

/// Types a command in a folder, as somebody with this doctor in the path.
pub fn type_command(folder: &Path, command: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_doctor")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    Command::new("sh")
        .args(["-c", command])
        .env("PATH", path)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// A row in short: status and detail, and beneath it what is wrong where.
pub fn in_short(row: &Value) -> String {
    let mut text = format!("{}: {}", row["status"].as_str().unwrap(), row["detail"].as_str().unwrap());
    for finding in row["findings"].as_array().into_iter().flatten() {
        let place: Vec<String> = ["table", "index", "column", "id"]
            .iter()
            .filter_map(|key| finding.get(*key))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        let _ = write!(text, "\n - {}: {}", place.join(" "), finding["what"].as_str().unwrap());
    }
    text
}
