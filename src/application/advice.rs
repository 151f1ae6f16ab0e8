//! The steps that mend a problem, for any application.

use super::remedy::{Remedy, StoreFiles};
use super::{
    Application, Conversion, Damage, FirstPage, FolderFault, HistoryFault, Impact, Ledger, Mend, NoStore, Obstacle,
    OpenCopy, Problem, Reached, UseFault,
};
use crate::text::shell::quote;

/// Returns the remedy for a problem. An application words the remedies that only it knows, and falls back to this for the rest.
pub(crate) fn default_advice(problem: &Problem, application: &Application, files: &StoreFiles) -> Remedy {
    let adviser = Adviser {
        application,
        files,
        name: application.name(),
    };
    adviser.for_folder(problem).unwrap_or_else(|| adviser.advise(problem))
}

/// Returns the first steps where the store is to be changed, or its rows to be saved.
pub(crate) fn keep_a_copy(application: &Application, files: &StoreFiles) -> Remedy {
    let stop = format!("Stop {}, and keep a copy of all files of the store:", application.name());
    Remedy::default().run(stop, [files.keep()])
}

/// The number of commands for indexes that are given one by one.
const MOST_COMMANDS: usize = 5;

/// What the words of a remedy depend on, beside the problem.
struct Adviser<'a> {
    application: &'a Application,
    files: &'a StoreFiles,
    /// The name of the application.
    name: &'a str,
}

impl Adviser<'_> {
    fn advise(&self, problem: &Problem) -> Remedy {
        let name = self.name;
        match problem {
            Problem::CouldNotCheck(obstacle) => self.obstacle(*obstacle),
            Problem::NoStore(what) => self.no_store(*what),
            Problem::Header { .. } | Problem::NotReadToEnd { .. } => self.salvage(),
            Problem::HeaderFields { newer: Some(version), .. } | Problem::SchemaRefused { newer: Some(version), .. } => {
                wait_for_newer(version)
            }
            Problem::HeaderFields { right, .. } => self.put_in_place(
                self.keep()
                    .run("Write what is right into the header of a second copy:", [self.files.fix(&write_fields(right))]),
            ),
            Problem::JournalSize { pages } => self.journal_size(*pages),
            Problem::RowsElsewhere {
                table,
                is_missing,
                holder,
                columns,
            } => self.rows_elsewhere(table, *is_missing, holder, columns),
            Problem::PageCount { pages } => self.page_count(*pages),
            Problem::CutShort { .. } => {
                let again = Remedy::from(
                    "If this is a copy, copy the store again, whole, with the files beside it. If it is the original, go on here.",
                );
                append(again, self.salvage())
            }
            Problem::SidecarWrong { suffix } => self.sidecar(suffix),
            Problem::SidecarForeign {
                suffix,
                has_index,
                is_ahead,
            } => self.foreign_sidecar(suffix, *has_index, *is_ahead),
            Problem::SidecarUnreadable { .. } => self.unreadable_sidecar(),
            Problem::Owner { suffixes } => self.owner(suffixes),
            Problem::InUse {
                fault,
                copies,
                log_lies_here,
            } => self.in_use(*fault, copies, *log_lies_here),
            Problem::LeftBehind { .. } => format!(
                "This is a fault of the doctor: please report it. The files that were left are harmless, and {name} removes them when it next closes the store."
            )
            .into(),
            Problem::Structure(damage) => self.structure(*damage),
            Problem::StaleIndexes { names } => self.rebuild_by_name(names),
            Problem::SchemaRefused { statement, leaves_pages, .. } => self.schema_refused(statement.as_deref(), *leaves_pages),
            Problem::Derived { mends, .. } => self.derived(mends),
            Problem::SchemaRows(rows) => self.schema_rows(rows),
            Problem::Newer { .. } => format!(
                "Update {name} to the version that last used the store, or a later one: this one is older. Do not delete the store or edit its ledger, and do not swap this binary in."
            )
            .into(),
            Problem::Unfinished {
                tool,
                settled_by,
                reached,
            } => self.unfinished(tool, *settled_by, *reached),
            Problem::LedgerLocked { tool, released_by } => self.ledger_locked(tool, *released_by),
            Problem::NeverRecorded { tool } => Remedy::default()
                .run(
                    format!("Do not let {tool} migrate the store: it would begin at the first migration. Keep a copy of all its files:"),
                    [self.files.keep()],
                )
                .step(format!(
                    "Find out how its tables were made, and record as applied what is there, as {tool}'s manual says (often called a baseline)."
                )),
            Problem::Folder(fault) => for_folder_fault(*fault).into(),
            Problem::History(fault) => self.history(fault),
            Problem::ImpossibleHistory { .. } => {
                self.keep().step("Restore a backup: the ledger lacks rows (see `migration-history`).")
            }
            Problem::Shape { worst, .. } => self.shape(*worst),
            Problem::Rehearsal { were_there: true, .. } => Remedy::from(
                "Nothing was changed. The migrations themselves run, but the store was wrong before them: fix what `schema-shape` and `migration-history` name, and rehearse again.",
            ),
            Problem::Rehearsal { .. } => Remedy::default()
                .step(format!(
                    "Do not start this binary on the store, and do not swap it in: its migrations would go wrong. Nothing was changed, and the {name} that runs now can go on."
                ))
                .run("Keep a copy of all files of the store:", [self.files.keep()])
                .step("Fix what `schema-shape` and `migration-history` name, and rehearse again."),
            Problem::Dangling { .. } => self.keep().step(format!(
                "Restore the rows that are missing, or let {name} remove what refers to them. Do not delete rows with SQL."
            )),
            Problem::KeysNotChecked { .. } => Remedy::from("Mend what the other rows report first, then run the doctor again."),
            Problem::Values { .. } if !self.application.has_builtin_migrations() => Remedy::default()
                .step("Some programs write the bytes of another encoding as text. If the application shows these values as it should, leave them.")
                .run("If it does not, keep a copy of all files of the store:", [self.files.keep()])
                .step("Suspect the disk, or whatever else wrote to the store, and restore a backup."),
            Problem::Values { .. } => self
                .keep()
                .step("Check the disk, and find out whether another program wrote to the store.")
                .step(format!("Restore a backup, or let {name} write the named rows again.")),
            Problem::NamedFiles { .. } => Remedy::from(
                "The store itself is not the problem. Put the files back where it names them. A store that was copied from another machine names that machine's files.",
            ),
            Problem::FilesNotAllowed { .. } => format!("Run the doctor as the user that {name} runs as.").into(),
        }
    }

    /// Returns the remedy for a problem in a store that is compared with a folder of migrations, where it is not that of every application.
    fn for_folder(&self, problem: &Problem) -> Option<Remedy> {
        self.application.folder()?;
        Some(match problem {
            Problem::Newer { .. } => format!(
                "Take the folder of the version of {} that last used the store, or a later one: the store is newer than this folder. Do not start this version on it, and do not delete the store or edit its ledger.",
                self.name
            )
            .into(),
            Problem::CouldNotCheck(Obstacle::ForeignLedger) => Remedy::from(
                "Check the path of the store and that of the folder: both have to be of one application. --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in.",
            ),
            Problem::Shape {
                worst: Impact::Reads | Impact::Writes,
                ..
            } => self
                .keep()
                .step("Find out what changed the schema, or which file was changed after it was applied (`migration-history`).")
                .step("Put it right with a new migration, or restore a backup whose schema is whole. The rows that are there are not lost."),
            Problem::Shape {
                worst: Impact::Equivalent | Impact::Extra,
                ..
            } => Remedy::from("No data is lost, and the application can go on.").step(
                "Find out what changed the schema. Write it as a migration, or take it back: a later migration may fail on it.",
            ),
            Problem::Shape {
                worst: Impact::SilentChange | Impact::Unguarded,
                ..
            } => self
                .look_at_schema(self.keep(), "Find out what changed the schema:")
                .step("While the application does not run, put it right with a new migration, or take back what was added. Look for rows that have become wrong by it."),
            Problem::Rehearsal {
                were_there: false,
                by_cascade,
                ..
            } => {
                let remedy = Remedy::from("Do not let these migrations run on this store: they would go wrong. Nothing was changed.")
                    .step("Mend the migration, and rehearse it again.");
                if *by_cascade {
                    remedy.step(
                        "Rebuild a table that others refer to, or replace its rows, only while foreign keys are off. They are off if that is said outside of any transaction; --foreign-keys says whether the application has them on.",
                    )
                } else {
                    remedy
                }
            }
            _ => return None,
        })
    }

    /// Returns the first steps where the store is to be changed, or its rows to be saved.
    fn keep(&self) -> Remedy {
        keep_a_copy(self.application, self.files)
    }

    /// Adds the last step of a repair that was made in a second copy.
    fn put_in_place(&self, remedy: Remedy) -> Remedy {
        remedy.step(format!(
            "If the doctor passes the second copy, put that in the store's place while {} is stopped. Move the old files away; do not delete them.",
            self.name
        ))
    }

    /// Adds a look at the schema of the copy.
    fn look_at_schema(&self, remedy: Remedy, text: &str) -> Remedy {
        remedy.run(text, [format!("sqlite3 -readonly {} .schema | cat -v", self.files.kept())])
    }

    /// Returns the remedy for a store whose pages are damaged.
    fn salvage(&self) -> Remedy {
        let backup = "Restore a backup, if there is one that is new enough. Otherwise save what can still be read, and examine that:";
        let remedy = self.keep().run(backup, self.save());
        remedy.step(format!(
            "If that is as it should be, put it in the store's place while {} is stopped. Move the old files away; do not delete them.",
            self.name
        ))
    }

    /// Returns the commands that save what can still be read of the copy.
    fn save(&self) -> Vec<String> {
        let kept = self.files.kept();
        vec![
            format!("umask 077 && {} > saved.sql", self.files.examine(&format!("--salvage {kept}"))),
            load_command("saved.sql", self.files),
        ]
    }

    fn obstacle(&self, obstacle: Obstacle) -> Remedy {
        let name = self.name;
        match obstacle {
            Obstacle::TimeLimit => "Give it more time with --time-limit, or leave this check out with --skip.".into(),
            Obstacle::WritersWait => {
                format!("Stop what writes to the store, {name} or another program, and run the doctor again.").into()
            }
            Obstacle::Interrupted => "Run the doctor again, and let it finish.".into(),
            Obstacle::ResourceLimit => Remedy::from(
                "This does not mean that the store is damaged. Run the doctor on this store alone.",
            )
            .run("If that does not help, keep a copy of all files of the store, and let sqlite3 check that:", [
                self.files.keep(),
                format!("sqlite3 -readonly {} 'PRAGMA integrity_check'", self.files.kept()),
            ]),
            Obstacle::InternalError => {
                "The store itself was not changed. Report this, with the version of the doctor, and leave this check out with --skip."
                    .into()
            }
            Obstacle::ForeignLedger => Remedy::from("This may be another program's database: check the path.")
                .run("This examines the database of any application:", [format!("doctor --any {}", self.files.store())])
                .run(
                    format!("If it is {name}'s store, do not delete it. Keep a copy of all its files, and restore a backup:"),
                    [self.files.keep()],
                ),
            Obstacle::WriteLocked => {
                "Let that process finish, and run the doctor again. Do not kill it: if it has written without a journal on disk, that cannot be undone."
                    .into()
            }
            Obstacle::KeepsChanging => "Run the doctor again while fewer programs write to the store.".into(),
            Obstacle::NoCopy => {
                "Set TMPDIR to a folder that you may write to and that has room for the store, and run the doctor again."
                    .into()
            }
            Obstacle::Damage => self.salvage(),
            Obstacle::Schema => format!(
                "Do not start {name} on this store, and do not run VACUUM or .dump on it. Run the doctor with all of its checks: `page-structure` says what is wrong and what to do."
            )
            .into(),
            Obstacle::Other => {
                "Remove the cause that this row names, and run the doctor again. The store itself was not changed.".into()
            }
        }
    }

    fn no_store(&self, what: NoStore) -> Remedy {
        let (name, file) = (self.name, self.application.file());
        let files = self.files;
        match what {
            NoStore::Missing => Remedy::from(format!(
                "Check the path. If {name} has never run here, start it once, and it makes its store."
            ))
            .step("If it has, the store was moved or deleted: restore a backup."),
            NoStore::DanglingLink => "Point the link at the store, or give the store's own path.".into(),
            NoStore::WrongKind => format!("Give the path of {name}'s {file} itself.").into(),
            NoStore::Unreadable => Remedy::default()
                .run("Run the doctor as the store's owner, or as root:", [format!("sudo {}", files.examine(files.store()))])
                .step("Or copy all files of the store, together, to where you may read them."),
            NoStore::LockedByMode => Remedy::default().run(
                "The file is yours, and its mode forbids even you to read it. Give yourself the right back:",
                [format!("chmod u+rw {}", files.store()), files.examine(files.store())],
            ),
            NoStore::EmptyWithoutLog => Remedy::from(format!(
                "If this is a copy, the data was in the -wal that was not copied: stop {name} where it came from, and copy the file and its -wal again, together."
            ))
            .step(format!(
                "If it is the original and ever held data, restore a backup before {name} starts. If {name} never used it, start {name}, which makes its tables in it."
            )),
            NoStore::Empty => Remedy::from(format!(
                "If this store ever held data, that data is not in this file: restore a backup before {name} starts. If {name} never used it, start {name}, which makes a new store of it."
            )),
            NoStore::EmptyWithSidecar { suffix } => {
                let holds = match suffix {
                    "-wal" => "the latest commits are only in that file",
                    _ => "it holds pages that the store had",
                };
                Remedy::default()
                    .run(
                        format!("Keep a copy of the {suffix} before {name} or anything else opens the store: {holds}:"),
                        [files.keep()],
                    )
                    .step(format!(
                        "If this is a copy, stop {name} where it came from, and copy all the files again, together. Otherwise restore a backup."
                    ))
            }
            NoStore::SizeUnknown => "Copy its content to an ordinary file, and examine that file.".into(),
            NoStore::NotSqlite => Remedy::from(format!("Give the path of {name}'s {file}, unpacked if it is an archive.")).step(
                "If this is where the store was, it was overwritten: keep this file, and restore a backup.",
            ),
            NoStore::GitLfsPointer => Remedy::default().run(
                "Nothing is lost. Fetch the file itself, in the repository that this file is in:",
                ["git lfs pull".to_owned()],
            ),
            NoStore::Noise => Remedy::from(
                "If it is encrypted, as SQLCipher's databases are, nothing is wrong with it: it needs its key, and the doctor cannot look into it.",
            )
            .step(format!("Otherwise give the path of {name}'s {file}."))
            .step("If this is where the store was, it was overwritten: keep this file, and restore a backup."),
            NoStore::FirstPageGone { .. } if self.application.can_salvage => self.salvage(),
            NoStore::FirstPageGone { intact, page_size, pages } => self.first_page(intact, page_size, pages),
            NoStore::BytesBefore { bytes, .. } => Remedy::default()
                .run("Keep a copy of this file:", [files.keep()])
                .run(
                    "Write what stands behind these bytes into a new file, and examine that:",
                    [files.make(&format!("tail -c +{} {} > {{}}", bytes + 1, files.kept()))],
                ),
            NoStore::Converted(conversion) => self.converted(conversion),
            NoStore::Overwritten => self.salvage(),
            NoStore::CutInHeader => {
                "Copy the store again, whole. If the original is as short, its data is lost: restore a backup.".into()
            }
        }
    }

    /// Returns the steps that give a database its first page back, without any loss if the rest of it is whole.
    fn first_page(&self, intact: FirstPage, page_size: u32, pages: u32) -> Remedy {
        let name = self.name;
        let keep = Remedy::default().run(
            format!("Do not delete it. Stop {name}, and keep a copy of it with the files beside it:"),
            [self.files.keep()],
        );
        // The number of pages, and an empty freelist: what was on it becomes pages that nothing uses.
        let none = octal(0);
        let count = format!("printf '{}{none}{none}' | {INTO_FIXED} seek=28", octal(pages));
        let (what, bytes) =
            match intact {
                FirstPage::AllButMagic => {
                    // 65,536 is written as 1.
                    let [high, low] = u16::try_from(page_size).unwrap_or(1).to_be_bytes();
                    let magic = format!("printf 'SQLite format 3\\000\\{high:03o}\\{low:03o}' | {INTO_FIXED}");
                    return self.put_in_place(keep.run(
                        "Write the first 18 bytes of its header anew, in a second copy:",
                        [self.files.fix(&magic)],
                    ));
                }
                FirstPage::AllButHeader => ("header", 100),
                FirstPage::Nothing => ("first page", page_size),
            };
        let change = format!("head -c {bytes} empty.db | {INTO_FIXED} && {count}");
        let remedy = keep
            .step(format!(
                "Let the same version of {name} make an empty store elsewhere, and close it. Copy that to empty.db in this folder."
            ))
            .run(
                format!("Put the {what} of empty.db, and the number of pages, into a second copy:"),
                [format!("test -s empty.db && {}", self.files.fix(&change))],
            );
        self.put_in_place(remedy).step(format!(
            "If it fails, {name} made its tables in another order here, or with pages of another size: restore a backup."
        ))
    }

    /// Returns the remedy for a file that was converted as if it were text.
    fn converted(&self, conversion: Conversion) -> Remedy {
        let kept = self.files.kept();
        let undo = match conversion {
            Conversion::CarriageReturnsAdded { .. } => format!("perl -pe 's/\\r\\n/\\n/' {kept} > {{}}"),
            Conversion::Latin1ToUtf8 { .. } => format!("iconv -f utf-8 -t latin1 {kept} > {{}}"),
            Conversion::Replaced { .. } | Conversion::CarriageReturnsLost => {
                return Remedy::from(
                    "Keep this file. Copy the store again from where it is whole, in binary mode, or restore a backup.",
                );
            }
        };
        Remedy::default()
            .run("Keep a copy of this file:", [self.files.keep()])
            .run("Undo the conversion into a new file, and examine that:", [self.files.make(&undo)])
            .step("Next time copy in binary mode.")
    }

    fn sidecar(&self, suffix: &str) -> Remedy {
        let name = self.name;
        let keep = |text: String| Remedy::default().run(text, [self.files.keep()]);
        match suffix {
            "-journal" => keep(format!(
                "Rows may be half changed. Stop {name} before it writes, and keep a copy of all files of the store as they are:"
            ))
            .step("Restore a backup from before the crash."),
            "-shm" => keep(format!("No data is lost by this. Stop {name}, and keep a copy of all files of the store:")).run(
                "Take the index of the log out of the way. SQLite makes a new one:",
                [format!("mkdir aside && mv {} aside", self.files.beside("-shm"))],
            ),
            _ => keep(format!(
                "The latest commits may be lost; what is in the database file itself is not. Stop {name} before it writes, and keep a copy of all files of the store as they are:"
            ))
            .step(format!(
                "If this is a copy, stop {name} where it came from, and copy all the files again, together. Otherwise restore a backup."
            )),
        }
    }

    /// Returns the remedy where the database's owner may not write to files beside it.
    fn owner(&self, suffixes: &[&str]) -> Remedy {
        let name = self.name;
        let store = self.files.store();
        let beside: Vec<String> = suffixes.iter().map(|suffix| self.files.beside(suffix)).collect();
        let beside = beside.join(" ");
        Remedy::default()
            .run(
                format!("No data is lost by this. Stop {name}, and keep a copy of all files of the store:"),
                [self.files.keep()],
            )
            .run(
                "Give the files the store's owner and mode:",
                // A shell expands `~` in a word of its own alone.
                [format!(
                    "sudo chown --reference {store} {beside} && sudo chmod --reference {store} {beside}"
                )],
            )
            .step(format!(
                "Run {name} and every other program that uses the store as that owner, not as root."
            ))
    }

    /// Returns the remedy where a program works with other files than those that lie there. As long as it runs, its files can be copied
    /// out of its descriptors.
    fn in_use(&self, fault: UseFault, copies: &[OpenCopy], log_lies_here: bool) -> Remedy {
        if fault == UseFault::LocksLost {
            return Remedy::from("Let nothing else open the store until the program has ended. No data is lost by this yet.")
                .step("Stop the program in order, and start it again.")
                .step(
                    "The program must not open and close the store's files beside its own SQLite (a copy of the file, a checksum): that drops its locks.",
                );
        }
        let copy = |OpenCopy { pid, fd, suffix }: &OpenCopy| {
            format!("cp /proc/{pid}/fd/{fd} kept/{pid}-{}{suffix}", self.files.name())
        };
        let copies: Vec<String> = copies.iter().map(copy).collect();
        let here = format!("cp -a {}* kept", self.files.store());
        let remedy = Remedy::default().run(
            "Do not kill the program, and let nothing else open the store. While it runs, copy its files:",
            [format!("umask 077 && mkdir kept && {}", copies.join(" && "))],
        );
        match fault {
            UseFault::LogDeleted if log_lies_here => remedy
                .run(
                    "Another program has made a -wal here since. When either of the two closes the store, it overwrites what the other committed. Keep a copy of what lies here as well, before you stop either:",
                    [here],
                )
                .step("Find out from the copies which of the two has what is missed."),
            UseFault::LogDeleted | UseFault::IndexDeleted => remedy.step(
                "Stop the program in order: alone, it writes its log back into the store when it closes it. Then run the doctor again.",
            ),
            _ => remedy
                .run("The two are different databases. Keep a copy of what lies here as well:", [here])
                .step("Find out which is the right one before anything else is started. Then stop the program in order, and run the doctor on the copies."),
        }
    }

    fn unreadable_sidecar(&self) -> Remedy {
        let name = self.name;
        Remedy::default()
            .run("See what lies there:", [format!("ls -l {}*", self.files.store())])
            .step("If you may not read it, run the doctor as the store's owner.")
            .step(format!(
                "If it is not a regular file, {name} cannot open the store either: stop {name}, and put the file itself there, or remove a link whose target does not exist."
            ))
    }

    fn foreign_sidecar(&self, suffix: &str, has_index: bool, is_ahead: bool) -> Remedy {
        let name = self.name;
        let remedy = if is_ahead {
            Remedy::from(format!(
                "If this is a copy, stop {name} where it came from, and copy the database file and its {suffix} again, together. Otherwise go on here."
            ))
        } else {
            Remedy::default()
        };
        let mut aside = self.files.beside(suffix);
        if has_index {
            aside += " ";
            aside += &self.files.beside("-shm");
        }
        remedy
            .run("Let nothing open the store, and keep a copy of all its files first:", [self.files.keep()])
            .run(
                format!("The {suffix} does not belong to it: move it aside, and examine what is left:"),
                [
                    format!("mkdir aside && mv {aside} aside"),
                    self.files.examine(self.files.store()),
                ],
            )
    }

    fn structure(&self, damage: Damage) -> Remedy {
        let name = self.name;
        match damage {
            Damage::Rows | Damage::NotChecked => self.salvage(),
            Damage::Keys | Damage::OutOfReach | Damage::Disagree if self.application.can_salvage => self.salvage(),
            Damage::Keys | Damage::OutOfReach | Damage::Disagree => Remedy::default()
                .run(
                    format!("Rows may be lost. Stop {name} before it writes, and keep a copy of all files of the store:"),
                    [self.files.keep()],
                )
                .step("Compare the copy with a backup, or restore the backup.")
                .step("Do not rebuild an index, and do not write the store anew: what an index or a page out of reach still holds is nowhere else."),
            Damage::Freelist => Remedy::default()
                .run(
                    format!("No program may write to the store. Stop {name}, and keep a copy of all its files:"),
                    [self.files.keep()],
                )
                .run(
                    "Write its rows into a new file, and examine that:",
                    [format!(
                        "umask 077 && mkdir fixed && sqlite3 -readonly {} {} && {}",
                        self.files.kept(),
                        // The store's own name would need another quoting within SQL.
                        quote("VACUUM INTO 'fixed/new.db'"),
                        self.files.examine("fixed/new.db")
                    )],
                )
                .step(format!(
                    "If the doctor passes it, put it in the store's place while {name} is stopped. Move the old files away; do not delete them."
                )),
            Damage::Differ => self.keep().step(
                "Compare the rows that the findings name with a backup. Do not rebuild the index first: a rebuilt index would hold what the table holds.",
            ),
            Damage::Duplicate => self
                .keep()
                .step(format!(
                    "Compare the two rows. While both are there, the index cannot be rebuilt: let {name} remove the one that is wrong."
                ))
                .step("Then run the doctor again, and rebuild the index as it says."),
            Damage::Index => self.put_in_place(
                self.keep()
                    .run("Rebuild the index, in a second copy:", [self.files.fix_by_sql(["REINDEX"])]),
            ),
            Damage::Constraint => self
                .keep()
                .step(format!("Give these rows a value that {name} would write."))
                .step(format!("Where two rows have the same name or address, let {name} remove one.")),
            Damage::Refused => Remedy::default()
                .run("The ordinary tables were checked. Keep a copy of all files of the store:", [self.files.keep()])
                .step("Let the program that made this table open it: it may have what the doctor lacks (a tokenizer, an option).")
                .step("If that program refuses it as well, let it rebuild the table."),
            Damage::Unaccounted => {
                let remedy = Remedy::from(format!("{} can use the store as it is.", capitalized(name)));
                let save = if self.application.can_salvage {
                    self.save()
                } else {
                    let dump = format!("sqlite3 -readonly {} .dump | sqlite3 -safe {{}}", self.files.kept());
                    vec![self.files.make(&dump)]
                };
                remedy
                    .run(
                        format!("To get the space back, stop {name}, and keep a copy of all files of the store:"),
                        [self.files.keep()],
                    )
                    .run("Write its rows into a new file, and examine that:", save)
            }
        }
    }

    /// Returns the remedy for stale indexes of a store with collations that only its application has: `REINDEX` without a name fails
    /// there.
    fn rebuild_by_name(&self, names: &[String]) -> Remedy {
        let name = self.name;
        if names.is_empty() {
            return self.keep().step(format!(
                "Let {name} itself rebuild the index (REINDEX): no other program knows its collation."
            ));
        }
        let statements: Vec<String> = names.iter().map(|name| format!("REINDEX {name}")).collect();
        self.put_in_place(self.keep().run(
            format!("Rebuild the index by its name, because another index needs a collation that only {name} has. Do it in a second copy:"),
            [self.files.fix_by_sql(statements.iter().map(String::as_str))],
        ))
    }

    /// Returns the remedy for a schema that SQLite refuses.
    fn schema_refused(&self, statement: Option<&str>, leaves_pages: bool) -> Remedy {
        let name = self.name;
        let Some(statement) = statement else {
            return self
                .keep()
                .step("Do not delete the table's row in the schema: the rows of the table are found by it.")
                .step(format!(
                    "Write the definition that it had in its place, in a second copy. Another store of the same version of {name} has it."
                ));
        };
        let (what, scripts) = if leaves_pages {
            (
                "Take the object out of the schema, and give its pages back, in a second copy:",
                vec![statement, "VACUUM"],
            )
        } else {
            ("Take the object out of the schema, in a second copy:", vec![statement])
        };
        self.put_in_place(self.keep().run(what, [self.files.fix_by_sql(scripts)]))
            .step(format!("Let {name} make the object anew."))
    }

    /// Returns the remedy for full-text and spatial indexes and for statistics.
    fn derived(&self, mends: &[Mend]) -> Remedy {
        let keep = self.keep();
        if mends.contains(&Mend::KeepFirst) {
            return keep
                .step("Do not rebuild the index, which is the last to know of these rows.")
                .step("Restore a backup, or find out from the words in the index what the rows were.");
        }
        let anew = "let the program that made the table make it anew";
        let of_kind = |scripts: fn(&Mend) -> Option<Option<&[String]>>| {
            let of_kind: Vec<_> = mends.iter().filter_map(scripts).collect();
            let scripts: Vec<&str> = of_kind
                .iter()
                .flatten()
                .take(MOST_COMMANDS)
                .flat_map(|scripts| *scripts)
                .map(String::as_str)
                .collect();
            (of_kind.len(), scripts)
        };
        let (to_rebuild, rebuilt) = of_kind(|mend| match mend {
            Mend::Rebuild(scripts) => Some(scripts.as_deref()),
            _ => None,
        });
        let (to_drop, dropped) = of_kind(|mend| match mend {
            Mend::Drop(scripts) => Some(scripts.as_deref()),
            _ => None,
        });
        let (_, analyzed) = of_kind(|mend| match mend {
            Mend::Analyze(scripts) => Some(Some(scripts)),
            _ => None,
        });
        let mut remedy = keep;
        if to_rebuild > 0 && rebuilt.is_empty() {
            remedy = remedy
                .step("Rebuild the index, as the manual of its module says (INSERT INTO, with the word rebuild).");
        }
        if to_drop > 0 && dropped.is_empty() {
            remedy = remedy.step(format!("Drop the index, and {anew}."));
        }
        let parts = [
            (&rebuilt, "rebuild the index"),
            (&analyzed, "make the statistics anew"),
            (&dropped, "drop the index, which cannot be rebuilt from what is there"),
        ];
        let done: Vec<&str> = parts.iter().filter(|(scripts, _)| !scripts.is_empty()).map(|(_, what)| *what).collect();
        if !done.is_empty() {
            let what = format!("{}, in a second copy:", capitalized(&done.join(", and ")));
            let scripts = parts.iter().flat_map(|(scripts, _)| scripts.iter().copied());
            remedy = self.put_in_place(remedy.run(what, [self.files.fix_by_sql(scripts)]));
            if !dropped.is_empty() {
                remedy = remedy.step(format!("Then {anew}."));
            }
        }
        if mends.contains(&Mend::ByProgram) {
            remedy = remedy.step(format!("{}: nothing else can.", capitalized(anew)));
        }
        if mends.contains(&Mend::ByProgramFromBackup) {
            remedy = remedy.step(format!(
                "Restore a backup for the rows that the table held itself, or {anew}. The ordinary tables were checked."
            ));
        }
        remedy
    }

    fn schema_rows(&self, rows: &[(i64, String)]) -> Remedy {
        let keep = self
            .keep()
            .step("Do not run VACUUM or .dump on the store: they may leave these objects out.");
        if rows.is_empty() {
            return keep.step("Restore a backup whose schema is whole.");
        }
        // A newer shell refuses to write the schema unless it is told that this is meant.
        let updates: Vec<String> = rows
            .iter()
            .map(|(rowid, assignment)| format!("UPDATE sqlite_schema SET {assignment} WHERE rowid={rowid}"))
            .collect();
        let statement = format!("PRAGMA writable_schema=ON; {}", updates.join("; "));
        self.put_in_place(keep.run(
            "Put the rows of the schema right, in a second copy:",
            [self.files.fix_by_sql([statement.as_str()])],
        ))
    }

    fn ledger_locked(&self, tool: &str, released_by: Option<&str>) -> Remedy {
        let release =
            released_by.map_or_else(|| format!("as {tool}'s manual says"), |command| format!("(`{command}`)"));
        let remedy = Remedy::default()
            .step(format!("See whether {tool} is migrating just now, and let it finish."))
            .run(
                "If nothing is, the program was ended while it migrated. Keep a copy of all files of the store:",
                [self.files.keep()],
            );
        self.look_at_schema(remedy, "Find out whether its last migration is there or not:")
            .step(format!("Then release the lock {release}."))
    }

    fn unfinished(&self, tool: &str, settled_by: Option<&str>, reached: Reached) -> Remedy {
        let keep =
            Remedy::default().run("Keep a copy of all files of the store before anything else:", [self.files.keep()]);
        let found = match reached {
            Reached::Nothing => keep.step("The store has nothing of the migration."),
            Reached::Everything => keep.step("The store has all of the migration."),
            Reached::Partial => keep.step(
                "The store has a part of the migration: mend by hand what is missing, or restore a backup from before it.",
            ),
            Reached::Unknown => self.look_at_schema(keep, "Find out whether what the migration does is there or not:"),
        };
        found.step(match (settled_by, reached) {
            (Some(command), Reached::Unknown) => {
                format!("Tell {tool} which of the two it is (`{command}`), and let it go on.")
            }
            (Some(command), _) => format!("Tell {tool} so (`{command}`), and let it go on."),
            (None, Reached::Unknown) => format!("Mend what is missing, and let {tool} go on as its manual says."),
            (None, _) => format!("Let {tool} go on as its manual says."),
        })
    }

    fn history(&self, fault: &HistoryFault) -> Remedy {
        let (name, application) = (self.name, self.application);
        match fault {
            HistoryFault::FormerName { .. } => Remedy::default()
                .run("No data is lost. Keep a copy of all files of the store:", [self.files.keep()])
                .step(format!(
                    "Let the {name} that made it finish its work. Then move the store aside, and let a released {name} make a new one."
                ))
                .step("Do not rename the migration in the ledger: its work was not done."),
            HistoryFault::RowsGone { ids, is_ledger_gone } => {
                let row = |id: &i64| {
                    let migration = application.known(*id)?;
                    Some(format!(
                        "({id},'{}',strftime('%Y-%m-%dT%H:%M:%SZ','now'))",
                        migration.name.replace('\'', "''")
                    ))
                };
                let rows: Vec<String> = ids.iter().filter_map(row).collect();
                let table = &application.ledger.table;
                let create = if *is_ledger_gone {
                    let columns: Vec<&str> = Ledger::columns().lines().map(str::trim).collect();
                    format!("CREATE TABLE {table}{}; ", columns.join(""))
                } else {
                    String::new()
                };
                let statement =
                    format!("{create}INSERT INTO {table}(id,name,applied_at) VALUES{}", rows.join(","));
                let remedy = Remedy::default()
                    .run(
                        format!("No data is lost; until this is mended, {name} may fail to start. Stop {name}, and keep a copy of all files of the store:"),
                        [self.files.keep()],
                    )
                    .run("Put back what is gone, in a second copy:", [self.files.fix_by_sql([statement.as_str()])]);
                self.put_in_place(remedy)
            }
            HistoryFault::Gap { .. } => Remedy::default()
                .run("Keep a copy of all files of the store:", [self.files.keep()])
                .step(format!(
                    "{} will apply what is missing when it next opens the store, out of order. `migration-rehearsal` says whether that works; if it fails, restore a backup.",
                    capitalized(name)
                )),
            HistoryFault::OtherName { .. } => {
                let known: Vec<String> = application
                    .migrations()
                    .iter()
                    .map(|known| format!("{} `{}`", known.id, known.name))
                    .collect();
                Remedy::from(format!(
                    "Find out which program wrote this ledger ({name}'s history is {}).",
                    known.join(", ")
                ))
                .step(format!(
                    "If `schema-shape` passes, the tables are right, and {name} can go on. Do not delete the store."
                ))
            }
            HistoryFault::Malformed { .. } => Remedy::from(format!("{} uses only the ids, and can go on.", capitalized(name)))
                .step("Another program wrote this: find out which, and restore the ledger's row from a backup."),
        }
    }

    /// Returns the remedy for a header that counts fewer pages than the file has.
    fn page_count(&self, pages: u32) -> Remedy {
        let change = format!("printf '{}' | {INTO_FIXED} seek=28", octal(pages));
        self.put_in_place(self.keep().run(
            "No page is missing. Write the number of pages into the header of a second copy:",
            [self.files.fix(&change)],
        ))
    }

    /// Returns the remedy for a hot journal whose header gives a wrong size of the store.
    fn journal_size(&self, pages: u32) -> Remedy {
        let change = format!("printf '{}' | dd of={{}}-journal bs=1 seek=16 conv=notrunc status=none", octal(pages));
        let remedy = Remedy::default().run(
            format!(
                "No data is lost by this until a program opens the store. Stop {}, let nothing open the store, and keep a copy of all its files:",
                self.name
            ),
            [self.files.keep()],
        );
        self.put_in_place(remedy.run(
            "Write the number of pages into the journal's header, in a second copy:",
            [self.files.fix(&change)],
        ))
    }

    /// Returns the remedy where the rows of a table are in another one.
    fn rows_elsewhere(&self, table: &str, is_missing: bool, holder: &str, columns: &[String]) -> Remedy {
        let remedy = Remedy::default()
            .step(format!("Do not drop the table that holds the rows, and do not start {}.", self.name))
            .run("Keep a copy of all files of the store:", [self.files.keep()]);
        let is_plain = |word: &str| {
            let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            begins && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if ![table, holder].into_iter().chain(columns.iter().map(String::as_str)).all(is_plain) {
            return remedy.step(format!("Give the rows back to {table}, in a second copy, and examine that."));
        }
        let list = columns.join(",");
        let statement = if is_missing {
            format!("ALTER TABLE {holder} RENAME TO {table}")
        } else {
            format!("INSERT INTO {table}({list}) SELECT {list} FROM {holder}; DROP TABLE {holder}")
        };
        let fix = self.files.fix_by_sql([statement.as_str()]);
        self.put_in_place(remedy.run(format!("Give the rows back to {table}, in a second copy:"), [fix]))
    }

    fn shape(&self, worst: Impact) -> Remedy {
        let name = self.name;
        match worst {
            Impact::Reads | Impact::Writes => Remedy::default()
                .run(format!("Do not start {name} on it. Keep a copy of all files of the store:"), [self.files.keep()])
                .step("Restore a backup whose schema is whole. The rows that are there are not lost."),
            Impact::SilentChange => self
                .look_at_schema(self.keep(), "Find out what was added, and by whom:")
                .step("Remove it in a second copy (DROP TRIGGER and its name removes a trigger), and look for rows that it already changed."),
            Impact::Unguarded => Remedy::default()
                .run(format!("{} can go on. Keep a copy of all files of the store:", capitalized(name)), [self.files.keep()])
                .step("Look at `foreign-keys`, `page-structure` and `row-values` for wrong rows, and restore a backup whose schema is whole."),
            Impact::Equivalent | Impact::Extra => Remedy::from(format!("No data is lost, and {name} can go on."))
                .step("Find out what changed the schema: a later migration may fail on it."),
        }
    }
}

/// Returns the command that makes a store of what a salvage printed, and examines it.
pub(crate) fn load_command(sql: &str, files: &StoreFiles) -> String {
    format!("umask 077 && sqlite3 -bail -safe saved.db < {sql} && {}", files.examine("saved.db"))
}

/// Returns the remedy for a store that a newer SQLite wrote.
fn wait_for_newer(version: &str) -> Remedy {
    format!(
        "Examine the store with a doctor, or a sqlite3, that has SQLite {version} or later. Until then keep it as it is, and do not write it anew with an older SQLite, which leaves out what it does not know."
    )
    .into()
}

/// Returns the command that writes fields into the header of the second copy.
fn write_fields(fields: &[(u32, Vec<u8>)]) -> String {
    let write = |(at, bytes): &(u32, Vec<u8>)| {
        let bytes: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        format!("printf '{bytes}' | {INTO_FIXED} seek={at}")
    };
    let commands: Vec<String> = fields.iter().map(write).collect();
    commands.join(" && ")
}

/// Returns the steps of one remedy, and then those of another.
fn append(mut first: Remedy, then: Remedy) -> Remedy {
    first.steps.extend(then.steps);
    first
}

/// Returns a text that begins a sentence.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The end of a command that writes a few bytes into the second copy.
const INTO_FIXED: &str = "dd of={} bs=1 conv=notrunc status=none";

/// Returns a number of four bytes, big-endian, as `printf` takes it.
fn octal(number: u32) -> String {
    number.to_be_bytes().iter().map(|byte| format!("\\{byte:03o}")).collect()
}

/// Returns the remedy if a ledger and a folder do not agree.
fn for_folder_fault(fault: FolderFault) -> &'static str {
    match fault {
        FolderFault::Gap => {
            "Nothing is lost. Give the file that came too late a version above all that are applied, or apply it by hand as the tool's manual says. Until then the tool runs nothing."
        }
        FolderFault::NotThere => {
            "Nothing is wrong with the store. Put the file back as it was, from the version control system. Until then the tool runs nothing."
        }
        FolderFault::Twice => "Give one of the files another version. First find out which of them the store has.",
        FolderFault::NeverRun => {
            "Make the migration anew, so that it comes after all that are applied, and take the old file away. Or write by hand what it should have done."
        }
        FolderFault::Edited => {
            "Restore the file as it was when it was applied, from the version control system, and write the change as a new migration. `schema-shape` says whether the store still is what the files make."
        }
        FolderFault::LineEnds => {
            "Nothing is wrong with the store. Keep the line ends from being changed at checkout (`*.sql text eol=lf` in .gitattributes, or -text), and check the files out again."
        }
    }
}

#[cfg(test)]
mod tests;
