//! A tool's migrations, made of a folder: in the tool's own order, split and wrapped as the tool does it.

#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the tools themselves compare names byte for byte"
)]

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::application::{Content, File, Folder, Migration, Refusal};
use crate::error::Error;
use crate::migrations::checksum::Checksums;
use crate::migrations::dialects::built_in::BUILT_IN;
use crate::migrations::dialects::{Dialect, Response, TOOLS};
use crate::migrations::key::{MigrationKey, digits};
use crate::migrations::ledger::Applied;
use crate::migrations::runner;
use crate::migrations::sections::{SectionFault, UpSection};
use crate::migrations::sql_text;
use crate::migrations::steps::{SqlText, Transaction};

/// A tool's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownSet {
    /// The tool that they belong to.
    pub(crate) dialect: &'static Dialect,
    /// In the order in which the tool runs them.
    pub(crate) known: Vec<KnownMigration>,
    /// Code that lies beside them and belongs to one of them, but is none to the tool: a hook, most likely.
    pub(crate) beside: Vec<NotReplayable>,
    /// SQL files that the tool never looks at: drizzle's that are not in its journal.
    pub(crate) unlisted: Vec<PathBuf>,
    /// The tool's response, in this layout, to a migration that was never applied though a later one was.
    pub(crate) on_gap: Response,
    /// The name of the part of an application to which the folder belongs.
    pub(super) part: Option<String>,
    /// The position of the first migration of each key.
    places: HashMap<MigrationKey, usize>,
}

/// A migration that a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownMigration {
    /// The key that the ledger has for it.
    pub(crate) key: MigrationKey,
    /// The name for its users. It is untrusted text from a folder.
    pub(crate) name: String,
    /// Its file, below the folder.
    pub(crate) file: PathBuf,
    /// True if the file is a link out of the folder, of which no word is repeated.
    pub(crate) is_outside: bool,
    /// The statements that run.
    pub(crate) script: Script,
    /// The checksums that the ledger may hold for it; empty where the tool writes none.
    pub(crate) checksums: Checksums,
    /// drizzle's time in its journal, or in the name of its folder: milliseconds since 1970.
    pub(crate) when: Option<i64>,
    /// Its name for a report, where that is neither its key nor, for a time, its file.
    pub(crate) label: Option<String>,
    /// Those on which it builds, where it names them.
    pub(crate) after: Vec<MigrationKey>,
    /// Those that it stands for, where it names them: Django's squashed ones.
    pub(crate) replaces: Vec<MigrationKey>,
    /// True if the tool runs it even after later ones: refinery's that begin with U.
    pub(crate) in_any_order: bool,
}

/// The content of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Script {
    /// SQL.
    Sql {
        /// The texts that the tool passes to SQLite, one after the other. Each may hold many statements, which SQLite splits.
        batches: Vec<SqlText>,
        /// The extent of its transaction.
        transaction: Transaction,
    },
    /// It cannot be replayed.
    NotReplayable(SkipReason),
}

/// A file that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotReplayable {
    /// The migration that it is, or belongs to.
    pub(crate) key: MigrationKey,
    /// The file, below the folder.
    pub(crate) file: PathBuf,
    /// The reason.
    pub(crate) why: SkipReason,
}

/// The reason why a file cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// It is code, of this language.
    Code(&'static str),
    /// It holds placeholders that are filled in before SQLite sees it.
    Placeholder,
    /// The tool puts values of the environment into it.
    Environment,
    /// It is meant for another database.
    OtherDatabase(&'static str),
    /// It was not read.
    Refused(Refusal),
    /// A NUL stands in it: SQLite would read no further.
    Nul,
    /// The file that belongs into its folder is not there.
    Missing(&'static str),
    /// The journal names it, and it is not there: the tool reads all files first, and runs none.
    NotThere,
    /// Its `metadata.toml` is not understood.
    Metadata,
    /// The tool itself ends with an error: what it does not like.
    ToolRefuses(&'static str),
}

impl SkipReason {
    /// Returns the reason, in words that follow the file's name. They hold nothing of the file.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Code(language) => format!("is a step in {language}"),
            Self::Placeholder => "holds places that the application fills in".to_owned(),
            Self::Environment => "takes values from the environment".to_owned(),
            Self::OtherDatabase(whose) => format!("is SQL for {whose}"),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Nul => "holds a NUL character".to_owned(),
            Self::Missing(file) => format!("has no {file} (links to folders are not followed)"),
            Self::NotThere => "is not there, and the journal names it".to_owned(),
            Self::Metadata => "has a metadata.toml that is not understood".to_owned(),
            Self::ToolRefuses(what) => format!("is refused by the tool itself: {what}"),
        }
    }
}

/// The reason why a folder cannot be a tool's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct FolderMismatch {
    /// The tool.
    pub(crate) dialect: &'static Dialect,
    /// The file that is wrong for it, where it is one file.
    pub(crate) file: Option<PathBuf>,
    /// The fault.
    pub(crate) what: &'static str,
}

impl fmt::Display for FolderMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these are no migrations of {}: ", self.dialect.name)?;
        match &self.file {
            // The name is untrusted text from a folder: the message is escaped where it is printed.
            Some(file) => write!(f, "{}: {}", file.display(), self.what),
            None => f.write_str(self.what),
        }
    }
}

/// The rules by which files are a tool's migrations.
#[derive(Debug)]
pub(crate) struct FolderRules {
    /// True if a folder looks as if it were this tool's, from the names and the first file.
    pub(crate) looks: fn(&Folder) -> bool,
    /// The migrations in a folder.
    pub(crate) read: fn(&Folder) -> Result<KnownSet, FolderMismatch>,
    /// Returns the applied migrations under the names of this set, where a ledger and a folder may be of different layouts.
    pub(crate) aligned: Option<fn(&KnownSet, Applied) -> Applied>,
}

impl KnownSet {
    /// Returns the tool's migrations in a folder.
    ///
    /// # Errors
    /// Fails if it is no folder of this tool: it has no migration of its kind, or a name with which the tool itself ends.
    pub(crate) fn of(folder: &Folder, dialect: &'static Dialect) -> Result<Self, FolderMismatch> {
        let mut set = (dialect.rules.read)(folder)?;
        if set.known.is_empty() {
            return Err(FolderMismatch {
                dialect,
                file: None,
                what: "nothing in the folder is named as its migrations are",
            });
        }
        set.index();
        Ok(set)
    }

    /// Returns the migrations that are compiled in, in the order of their ids.
    ///
    /// # Errors
    /// Fails with [`Error::DuplicateMigration`].
    pub(crate) fn compiled_in(migrations: &[Migration]) -> Result<Self, Error> {
        let mut set = Self::new(&BUILT_IN);
        for migration in runner::in_order(migrations)? {
            set.known.push(KnownMigration {
                key: MigrationKey::number(migration.id),
                name: migration.name.to_string(),
                file: PathBuf::new(),
                is_outside: false,
                script: Script::Sql {
                    batches: vec![SqlText::from(&*migration.sql)],
                    transaction: Transaction::Each,
                },
                checksums: Checksums::default(),
                when: None,
                label: None,
                after: Vec::new(),
                replaces: Vec::new(),
                in_any_order: true,
            });
        }
        set.index();
        Ok(set)
    }

    /// Fills the index of the keys; of several migrations with one key, the first counts.
    fn index(&mut self) {
        for (at, known) in self.known.iter().enumerate() {
            self.places.entry(known.key.clone()).or_insert(at);
        }
    }

    /// Returns the dialects that a folder may be meant for, from its names and its first file: more than one where plain numbered
    /// files are all there is.
    pub(crate) fn possible(folder: &Folder) -> Vec<&'static Dialect> {
        TOOLS.iter().copied().filter(|tool| (tool.rules.looks)(folder)).collect()
    }

    /// Returns the migration of this key; of several files of one version, the first.
    pub(crate) fn get(&self, key: &MigrationKey) -> Option<&KnownMigration> {
        self.places.get(key).and_then(|at| self.known.get(*at))
    }

    /// Returns true if migrations name those on which they build.
    pub(super) fn is_graph(&self) -> bool {
        self.known.iter().any(|known| !known.after.is_empty())
    }

    /// Returns the migrations of the set on which these build, and these, as far as they are in it.
    pub(super) fn behind(&self, these: &[MigrationKey]) -> HashSet<MigrationKey> {
        let by_key: HashMap<&MigrationKey, &KnownMigration> =
            self.known.iter().map(|known| (&known.key, known)).collect();
        let mut behind = HashSet::new();
        let mut next: Vec<&KnownMigration> = these.iter().filter_map(|key| by_key.get(key).copied()).collect();
        while let Some(known) = next.pop() {
            if behind.insert(known.key.clone()) {
                next.extend(known.after.iter().filter_map(|key| by_key.get(key).copied()));
            }
        }
        behind
    }

    /// Creates an empty set.
    pub(super) fn new(dialect: &'static Dialect) -> Self {
        Self {
            dialect,
            known: Vec::new(),
            beside: Vec::new(),
            unlisted: Vec::new(),
            on_gap: dialect.gap,
            part: None,
            places: HashMap::new(),
        }
    }

    /// Returns true if one of them is SQL that libSQL alone can run.
    pub(crate) fn is_for_libsql(&self) -> bool {
        let is =
            |known: &KnownMigration| known.script == Script::NotReplayable(SkipReason::OtherDatabase(sql_text::LIBSQL));
        self.known.iter().any(is)
    }

    /// Returns the migrations whose file the tool reads before it runs anything, and that have none.
    pub(crate) fn not_there(&self) -> impl Iterator<Item = &KnownMigration> {
        self.known
            .iter()
            .filter(|known| known.script == Script::NotReplayable(SkipReason::NotThere))
    }

    /// Returns everything that cannot be replayed, in the order of the migrations.
    pub(crate) fn not_replayable(&self) -> Vec<NotReplayable> {
        let mut beside: HashMap<&MigrationKey, Vec<&NotReplayable>> = HashMap::new();
        for other in &self.beside {
            beside.entry(&other.key).or_default().push(other);
        }
        let mut out = Vec::new();
        for known in &self.known {
            if let Script::NotReplayable(why) = &known.script {
                out.push(NotReplayable {
                    key: known.key.clone(),
                    file: known.file.clone(),
                    why: why.clone(),
                });
            }
            out.extend(beside.remove(&known.key).into_iter().flatten().cloned());
        }
        // Code without a migration of its own runs as well, at a time that is not known.
        out.extend(self.beside.iter().filter(|other| beside.contains_key(&other.key)).cloned());
        out
    }
}

impl KnownMigration {
    /// Returns its name for a report: its key, or its file's name where the key is a time in milliseconds.
    pub(crate) fn label(&self) -> String {
        if let Some(label) = &self.label {
            label.clone()
        } else if self.when.is_some() && self.key.as_number().is_some() {
            self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        } else {
            self.key.as_text().into_owned()
        }
    }

    /// Creates a migration in a file.
    pub(super) fn new(key: MigrationKey, name: impl Into<String>, file: &File, script: Script) -> Self {
        Self {
            key,
            name: name.into(),
            file: file.path.clone(),
            is_outside: file.is_outside,
            script,
            checksums: Checksums::default(),
            when: None,
            label: None,
            after: Vec::new(),
            replaces: Vec::new(),
            in_any_order: false,
        }
    }

    /// Creates a migration whose file does not exist.
    pub(super) fn missing(key: MigrationKey, name: impl Into<String>, file: &Path, why: SkipReason) -> Self {
        Self {
            key,
            name: name.into(),
            file: file.to_path_buf(),
            is_outside: false,
            script: Script::NotReplayable(why),
            checksums: Checksums::default(),
            when: None,
            label: None,
            after: Vec::new(),
            replaces: Vec::new(),
            in_any_order: false,
        }
    }
}

/// Returns the content of a file of SQL, as one batch, unless it cannot be replayed.
pub(super) fn whole(file: &File, transaction: Transaction) -> Script {
    split(file, |text| {
        Ok(Script::Sql {
            batches: vec![SqlText::whole(text)],
            transaction,
        })
    })
}

/// Returns the content of a file with marked sections.
pub(super) fn marked(file: &File, sections: fn(&str) -> Result<UpSection, SectionFault>) -> Script {
    split(file, |text| {
        let up = sections(text).map_err(|fault| match fault {
            SectionFault::ToolRefuses(what) => SkipReason::ToolRefuses(what),
            SectionFault::Environment => SkipReason::Environment,
        })?;
        let transaction = if up.in_transaction {
            Transaction::Each
        } else {
            Transaction::None
        };
        Ok(Script::Sql {
            batches: up.batches.iter().map(|batch| SqlText::from(batch.as_str())).collect(),
            transaction,
        })
    })
}

/// Returns the content of a file, split as `split` does it, unless it cannot be replayed.
pub(super) fn split(file: &File, split: impl FnOnce(&Arc<str>) -> Result<Script, SkipReason>) -> Script {
    split_text(text(file), split)
}

/// Returns the content of a file that Node reads: it takes U+FFFD for bytes that are not UTF-8.
pub(super) fn split_as_node(file: &File, split: impl FnOnce(&Arc<str>) -> Result<Script, SkipReason>) -> Script {
    let text = match &file.content {
        Content::NotUtf8(bytes) => Ok(String::from_utf8_lossy(bytes).into()),
        _ => text(file),
    };
    split_text(text, split)
}

fn split_text(
    text: Result<Arc<str>, SkipReason>,
    split: impl FnOnce(&Arc<str>) -> Result<Script, SkipReason>,
) -> Script {
    let made = text.and_then(|text| {
        if text.contains('\0') {
            return Err(SkipReason::Nul);
        }
        split(&text).and_then(for_sqlite)
    });
    made.unwrap_or_else(Script::NotReplayable)
}

/// Returns the text of a file, or why it is not to be had.
fn text(file: &File) -> Result<Arc<str>, SkipReason> {
    match &file.content {
        Content::Text(text) => Ok(text.clone()),
        Content::NotUtf8(_) => Err(SkipReason::Refused(Refusal::NotUtf8)),
        Content::NotKept(refusal, _) | Content::Refused(refusal) => Err(SkipReason::Refused(refusal.clone())),
        Content::NotRead => Err(SkipReason::Code("another language than SQL")),
    }
}

/// Refuses text that was never meant for SQLite.
fn for_sqlite(script: Script) -> Result<Script, SkipReason> {
    if let Script::Sql { batches, .. } = &script {
        if batches.iter().any(|sql| sql_text::holds_placeholder(sql)) {
            return Err(SkipReason::Placeholder);
        }
        if let Some(whose) = batches.iter().find_map(|sql| sql_text::other_database(sql)) {
            return Err(SkipReason::OtherDatabase(whose));
        }
    }
    Ok(script)
}

/// Languages in which steps are written, by the ends of file names.
const LANGUAGES: &[(&str, &str)] = &[
    ("go", "Go"),
    ("rs", "Rust"),
    ("kt", "Kotlin"),
    ("java", "Java"),
    ("ts", "TypeScript"),
    ("mts", "TypeScript"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("py", "Python"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("cs", "C#"),
    ("swift", "Swift"),
    ("sh", "shell"),
];

/// Returns the language of a file that is code and not a test.
pub(super) fn language(file: &File) -> Option<&'static str> {
    let name = file.name();
    let (stem, end) = name.rsplit_once('.')?;
    let is_test = stem.ends_with("_test") || stem.ends_with(".test") || stem.ends_with(".spec") || stem.ends_with(".d");
    let language = LANGUAGES.iter().find(|(known, _)| *known == end).map(|(_, language)| *language);
    language.filter(|_| !is_test)
}

/// Returns the code in the folder itself whose name begins with a migration's number.
pub(super) fn code_beside<'a>(
    files: impl Iterator<Item = &'a File>,
    key: impl Fn(&str) -> Option<MigrationKey>,
) -> Vec<NotReplayable> {
    let code = files.filter_map(|file| {
        Some(NotReplayable {
            why: SkipReason::Code(language(file)?),
            key: key(digits(&file.name()))?,
            file: file.path.clone(),
        })
    });
    code.collect()
}

/// Returns the code in a migration's own folder.
pub(super) fn code_within(folder: &Folder, known: &[KnownMigration]) -> Vec<NotReplayable> {
    let keys: HashMap<&Path, &MigrationKey> =
        known.iter().filter_map(|known| Some((known.file.parent()?, &known.key))).collect();
    let code = folder.files.iter().filter_map(|file| {
        let key = *keys.get(file.path.parent()?)?;
        Some(NotReplayable {
            why: SkipReason::Code(language(file)?),
            key: key.clone(),
            file: file.path.clone(),
        })
    });
    code.collect()
}

/// Returns true if the first SQL file has a line that begins with `--` and holds this mark.
pub(super) fn first_is_marked(folder: &Folder, mark: &str) -> bool {
    let first = folder.flat().find(|file| file.name().ends_with(".sql"));
    let text = first.and_then(File::text).unwrap_or_default();
    text.lines().any(|line| line.starts_with("--") && line.contains(mark))
}

/// Returns true if SQL files lie in the folder whose names begin with a number, and none of them has marked sections.
pub(super) fn is_flat_and_plain(folder: &Folder) -> bool {
    let numbered = |file: &File| file.name().ends_with(".sql") && !digits(&file.name()).is_empty();
    folder.flat().any(numbered)
        && ["+goose", "+migrate", "migrate:up"].iter().all(|mark| !first_is_marked(folder, mark))
}
