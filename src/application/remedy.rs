//! What to do about a problem, as steps, and the commands of these steps.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::text::shell::{quote, quote_name, quote_path};

/// The steps that mend a problem, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// A sentence, or two. It ends with a colon if commands follow.
    pub(crate) text: String,
    /// The commands to be typed, one a line.
    pub(crate) commands: Vec<String>,
}

impl Remedy {
    /// Adds a step without a command.
    #[must_use]
    pub(crate) fn step(self, text: impl Into<String>) -> Self {
        self.run(text, [])
    }

    /// Adds a step with its commands.
    #[must_use]
    pub(crate) fn run(mut self, text: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Self {
        self.steps.push(Step {
            text: text.into(),
            commands: commands.into_iter().collect(),
        });
        self
    }

    /// Returns the sentences, one after the other, without the commands; with a number each if there are several steps.
    pub(crate) fn text(&self) -> String {
        let sentence =
            |step: &Step| step.text.strip_suffix(':').map_or_else(|| step.text.clone(), |text| format!("{text}."));
        match self.steps.as_slice() {
            [step] => sentence(step),
            steps => {
                let numbered: Vec<String> =
                    (1..).zip(steps).map(|(n, step)| format!("{n}. {}", sentence(step))).collect();
                numbered.join(" ")
            }
        }
    }

    /// Returns the commands of all steps.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| &step.commands).map(String::as_str)
    }
}

/// One step without a command.
impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Self::default().step(text)
    }
}

/// One step without a command.
impl From<&str> for Remedy {
    fn from(text: &str) -> Self {
        Self::default().step(text)
    }
}

/// The files of a store as commands name them, quoted for a shell.
///
/// The commands work on a copy in the folder `kept`, or on a second copy in the folder `fixed`. Both are made by the command that first
/// needs them, which fails if the folder is there, so that no copy is ever overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreFiles {
    /// The path of the database file.
    store: String,
    /// The name of the database file.
    name: String,
    /// The command of the doctor, with the option that says whose store it is.
    doctor: &'static str,
}

impl StoreFiles {
    /// Names the files of the store at a path. SQLite keeps the other files beside the target of a link.
    pub(crate) fn of(path: &Path, doctor: &'static str) -> Self {
        let is_link = fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
        let target = is_link.then(|| fs::canonicalize(path).ok()).flatten();
        let path = target.as_deref().unwrap_or(path);
        Self {
            store: quote_path(path),
            name: quote_name(path.file_name().unwrap_or(OsStr::new("state.db"))),
            doctor,
        }
    }

    /// Returns the path of the database file.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// Returns the path of a file beside it.
    pub(crate) fn beside(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.store)
    }

    /// Returns the name of the database file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of the copy.
    pub(crate) fn kept(&self) -> String {
        format!("kept/{}", self.name)
    }

    /// Returns the command that examines a file as this store was.
    pub(crate) fn examine(&self, path: &str) -> String {
        format!("{} {path}", self.doctor)
    }

    /// Returns the command that keeps a copy of all files.
    pub(crate) fn keep(&self) -> String {
        format!("umask 077 && mkdir kept && cp -a {}* kept", self.store)
    }

    /// Returns the command that makes a second copy, changes it and examines it. `{}` in `change` is the file's path.
    pub(crate) fn fix(&self, change: &str) -> String {
        let fixed = format!("fixed/{}", self.name);
        let change = change.replace("{}", &fixed);
        format!(
            "umask 077 && mkdir fixed && cp -a {}* fixed && {change} && {}",
            self.kept(),
            self.examine(&fixed)
        )
    }

    /// Returns the command that runs scripts of SQL in a second copy, each in a shell of its own.
    pub(crate) fn fix_by_sql<'a>(&self, scripts: impl IntoIterator<Item = &'a str>) -> String {
        let run = |script: &'a str| match script {
            // It attaches a file, so that it does not run with `-safe` in SQLite 3.40. Nothing of the schema that SQLite calls unsafe is
            // executed all the same.
            "VACUUM" => "sqlite3 -cmd 'PRAGMA trusted_schema=OFF' {} VACUUM".to_owned(),
            // Without it, a newer shell writes neither into the schema nor into the tables of a virtual table.
            script if script.contains("writable_schema") || script.starts_with("UPDATE ") => {
                format!("sqlite3 -safe -cmd '.dbconfig defensive off' {{}} {}", quote(script))
            }
            script => format!("sqlite3 -safe {{}} {}", quote(script)),
        };
        let runs: Vec<String> = scripts.into_iter().map(run).collect();
        self.fix(&runs.join(" && "))
    }

    /// Returns the command that writes a new file out of the copy. `{}` in `write` is the new file's path.
    pub(crate) fn make(&self, write: &str) -> String {
        let fixed = format!("fixed/{}", self.name);
        format!("umask 077 && mkdir fixed && {} && {}", write.replace("{}", &fixed), self.examine(&fixed))
    }
}
