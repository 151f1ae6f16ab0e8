//! The steps that mend a problem, for any application.

use std::borrow::Cow;

use super::{
    Application, Conversion, Damage, FirstPage, FolderFault, HistoryFault, Impact, Mend, NoStore, Obstacle, OpenCopy,
    Problem, Reached, UseFault,
};

/// Returns the remedy for a problem. An application words the remedies that only it knows, and falls back to this for the rest.
pub(crate) fn default_advice(problem: &Problem, application: &Application) -> Cow<'static, str> {
    if application.folder().is_some()
        && let Some(steps) = for_folder(problem, application)
    {
        return steps;
    }
    let name = application.name();
    match problem {
        Problem::CouldNotCheck(obstacle) => advise_on_obstacle(*obstacle, application),
        Problem::NoStore(what) => no_store(*what, application),
        Problem::Header { .. } | Problem::NotReadToEnd { .. } => advise_salvage(application).into(),
        Problem::PageCount { pages } => format!(
            "no page is missing: stop {name}, and keep a copy of the store with its -wal, -shm and -journal; then write the number of pages into the header of a copy: printf '{}' | {INTO_COPY} seek=28; and look at COPY with the doctor",
            octal(*pages)
        )
        .into(),
        Problem::CutShort { .. } => format!(
            "if this is a copy, copy the store again, whole; if it is the original, {}",
            advise_salvage(application)
        )
        .into(),
        Problem::SidecarWrong { suffix } => sidecar(suffix, name, application.file()).into(),
        Problem::SidecarForeign {
            suffix,
            has_index,
            is_ahead,
        } => foreign_sidecar(suffix, *has_index, *is_ahead, name, application.file()).into(),
        Problem::SidecarUnreadable { .. } => unreadable_sidecar(name, application.file()).into(),
        Problem::Owner { suffixes } => owner(suffixes, name, application.file()).into(),
        Problem::InUse {
            fault,
            copies,
            log_lies_here,
        } => in_use(*fault, copies, *log_lies_here, application.file()).into(),
        Problem::LeftBehind { .. } => format!(
            "this is a mistake in the doctor, please report it; sidecar files that were left are harmless, and {name} removes them when it next closes the store"
        )
        .into(),
        Problem::Structure(damage) => structure(*damage, application),
        Problem::StaleIndexes { names } => rebuild_by_name(names, name).into(),
        Problem::SchemaRefused { .. } => schema_refused(problem, name).into(),
        Problem::Derived { mends, .. } => derived(mends, name).into(),
        Problem::SchemaRows(rows) => schema_rows(rows, name).into(),
        Problem::Newer { .. } => format!(
            "the store is newer than this binary: update {name} to the version that last used it; do not delete the store or edit its ledger, and do not swap this binary in"
        )
        .into(),
        Problem::Unfinished {
            tool,
            settled_by,
            reached,
        } => unfinished(tool, *settled_by, *reached).into(),
        Problem::LedgerLocked { tool, released_by } => {
            let release = released_by.map_or_else(|| format!("release it as {tool}'s manual says"), |command| format!("release it (`{command}`)"));
            format!(
                "see whether {tool} is migrating just now, and let it finish; if nothing is, the program was ended while it migrated: keep a copy of the store with its -wal, -shm and -journal, find out whether its last migration is there or not (`sqlite3 -readonly COPY .schema | cat -v` shows the schema), then {release}"
            )
            .into()
        }
        Problem::NeverRecorded { tool } => format!(
            "do not let {tool} migrate the store: it would begin at the first migration; keep a copy of the store with its sidecar files, find out how its tables were made, and record as applied what is there, as {tool}'s manual says (often called a baseline)"
        )
        .into(),
        Problem::Folder(fault) => for_folder_fault(*fault).into(),
        Problem::History(fault) => history(fault, application).into(),
        Problem::ImpossibleHistory { .. } => {
            "keep a copy of the store with its sidecar files; its ledger lacks rows (see `migration-history`): restore a backup"
                .into()
        }
        Problem::Shape { worst, .. } => shape(*worst, name),
        Problem::Rehearsal { were_there: true, .. } => {
            "the migrations themselves run, but the store was wrong before them: fix what `schema-shape` and `migration-history` name, and rehearse again; nothing was changed"
                .into()
        }
        Problem::Rehearsal { .. } => format!(
            "do not start this binary on the store, and do not swap it in: its migrations would go wrong; nothing was changed, and the {name} that runs now can go on; keep a copy of the store with its sidecar files, fix what `schema-shape` and `migration-history` name, and rehearse again"
        )
        .into(),
        Problem::Dangling { .. } => format!(
            "stop {name} and keep a copy of the store with its -wal, -shm and -journal; then restore what is missing, or let {name} remove what these rows describe; do not delete the rows with SQL"
        )
        .into(),
        Problem::KeysNotChecked { .. } => {
            "first fix what `page-structure` and `schema-shape` found, then run the doctor again".into()
        }
        Problem::Values { .. } if !application.has_builtin_migrations() => {
            "some programs write the bytes of another encoding as text: if the application shows these values as it should, leave them; if it does not, keep a copy of the store with its -wal, -shm and -journal, suspect the disk or whatever else wrote to it, and restore a backup".into()
        }
        Problem::Values { .. } => format!(
            "stop {name} and keep a copy of the store with its -wal, -shm and -journal; check the disk, and find out whether another program wrote to the store; then restore a backup, or let {name} write the named rows again"
        )
        .into(),
        Problem::NamedFiles { .. } => {
            "the store itself is not the problem; put the files back where it names them; a store that was copied from another machine names that machine's files"
                .into()
        }
        Problem::FilesNotAllowed { .. } => format!("run the doctor as the user that {name} runs as").into(),
    }
}

/// Returns the remedy for a problem in a store that is compared with a folder of migrations, where it is not that of every application.
fn for_folder(problem: &Problem, application: &Application) -> Option<Cow<'static, str>> {
    Some(match problem {
        Problem::Newer { .. } => format!(
            "the store is newer than the folder: take the folder of the version of {} that last used the store, or a newer one; do not start this one on it, and do not delete the store or edit its ledger",
            application.name()
        )
        .into(),
        Problem::CouldNotCheck(Obstacle::ForeignLedger) => {
            "check the path of the store and that of the folder: both have to be of one application; --dialect says which tool runs the folder, and --ledger which table it keeps its ledger in"
                .into()
        }
        Problem::Shape {
            worst: Impact::Reads | Impact::Writes,
            ..
        } => {
            "keep a copy of the store with its sidecar files; find out what changed the schema, or which file was changed after it was applied (`migration-history`); put it right with a new migration, or restore a backup whose schema is whole; the rows that are there are not lost"
                .into()
        }
        Problem::Shape {
            worst: Impact::Equivalent | Impact::Extra,
            ..
        } => {
            "no data is lost and the application can go on; find out what changed the schema: write it as a migration, or take it back, since a later migration may fail on it"
                .into()
        }
        Problem::Shape {
            worst: Impact::SilentChange | Impact::Unguarded,
            ..
        } => {
            "keep a copy of the store with its sidecar files; find out what changed the schema and by whom (`sqlite3 -readonly COPY .schema | cat -v` shows it); while the application does not run, put it right with a new migration, or take back what was added; look for rows that have become wrong by it"
                .into()
        }
        Problem::Rehearsal {
            were_there: false,
            by_cascade,
            ..
        } => {
            let mend = "do not let these migrations run on this store: they would go wrong; nothing was changed; mend the migration, and rehearse it again";
            if *by_cascade {
                format!("{mend}; rebuild a table that others refer to, or replace its rows, only while foreign keys are off, which they are if that is said outside of any transaction (--foreign-keys says whether the application has them on)").into()
            } else {
                mend.into()
            }
        }
        _ => return None,
    })
}

/// Returns the remedy if a ledger and a folder do not agree.
fn for_folder_fault(fault: FolderFault) -> &'static str {
    match fault {
        FolderFault::Gap => {
            "nothing is lost: give the file that came too late a version above all that are applied, or apply it by hand as the tool's manual says; until then the tool runs nothing"
        }
        FolderFault::NotThere => {
            "nothing is wrong with the store: put the file back as it was (from the version control system); until then the tool runs nothing"
        }
        FolderFault::Twice => "give one of the files another version; first find out which of them the store has",
        FolderFault::NeverRun => {
            "make the migration anew, so that it comes after all that are applied, and take the old file away; or write by hand what it should have done"
        }
        FolderFault::Edited => {
            "restore the file as it was when it was applied (from the version control system), and write the change as a new migration; `schema-shape` says whether the store still is what the files make"
        }
        FolderFault::LineEnds => {
            "nothing is wrong with the store: keep the line ends from being changed at checkout (`*.sql text eol=lf` in .gitattributes, or -text), and check the files out again"
        }
    }
}

/// Returns the remedy for a store whose pages are damaged.
fn advise_salvage(application: &Application) -> String {
    let name = application.name();
    let how = match application.salvage {
        Some(salvage) => format!("all that can still be read: {salvage}"),
        None => format!("what SQLite can still read: {RECOVER}"),
    };
    format!(
        "data may be lost: stop {name} and keep a copy of the store with its -wal, -shm and -journal; then restore a backup, or save {how}"
    )
}

/// The command that saves rows if `doctor --salvage` does not know the schema: this one takes the schema from the store.
///
/// `-readonly` keeps the copy's log from being consumed, and `-safe` what stands in the schema from attaching a file or running a program. Debian 12's and
/// Ubuntu 24.04's builds cannot recover at all.
const RECOVER: &str = "sqlite3 -safe -readonly COPY '.recover --ignore-freelist' | sqlite3 -safe NEW (a sqlite3 that says \"SQL logic error\" cannot: take a newer one)";

/// The command that gives pages back which nothing leads to. VACUUM attaches a file, so that it does not run with `-safe` in SQLite 3.40; nothing
/// of the schema that SQLite calls unsafe is executed all the same.
pub(crate) const VACUUM: &str = "sqlite3 -cmd 'PRAGMA trusted_schema=OFF' STORE VACUUM";

fn advise_on_obstacle(obstacle: Obstacle, application: &Application) -> Cow<'static, str> {
    let name = application.name();
    match obstacle {
        Obstacle::TimeLimit => "give it more time with --time-limit, or leave this check out with --skip".into(),
        Obstacle::WritersWait => {
            format!("stop what writes to the store, {name} or another program, and run the doctor again").into()
        }
        Obstacle::Interrupted => "run the doctor again and let it finish".into(),
        Obstacle::ResourceLimit => {
            "this does not mean that the store is damaged: run the doctor on this store alone; if that does not help, check a copy by hand: sqlite3 -readonly COPY 'PRAGMA integrity_check'"
                .into()
        }
        Obstacle::InternalError => {
            "the store itself was not changed; report this with the version of the doctor, and leave this check out with --skip"
                .into()
        }
        Obstacle::ForeignLedger => format!(
            "this may be another program's database: check the path; if it is {name}'s store, do not delete it, keep a copy and restore a backup; `doctor --any` examines the database of any application"
        )
        .into(),
        Obstacle::WriteLocked => {
            "let that process finish, and run the doctor again; do not kill it: a transaction without a journal cannot be undone"
                .into()
        }
        Obstacle::KeepsChanging => "run the doctor again while fewer programs write to the store".into(),
        Obstacle::NoCopy => {
            "point TMPDIR at a folder that you may write to and that has room for the store, and run the doctor again"
                .into()
        }
        Obstacle::Damage => advise_salvage(application).into(),
        Obstacle::Schema => format!(
            "do not start {name} on this store, and do not run VACUUM or .dump on it; run the doctor with all of its checks: `page-structure` says what is wrong and what to do"
        )
        .into(),
        Obstacle::Other => {
            "remove the cause that this row names and run the doctor again; the store itself was not changed".into()
        }
    }
}

fn no_store(what: NoStore, application: &Application) -> Cow<'static, str> {
    let (name, file) = (application.name(), application.file());
    match what {
        NoStore::Missing => format!(
            "check the path; if {name} has never run here, start it once, and it makes its store; if it has, the store was moved or deleted: restore {file} from a backup"
        )
        .into(),
        NoStore::DanglingLink => "point the link at the store, or give the store's own path".into(),
        NoStore::WrongKind => format!("give the path of the file {file} itself").into(),
        NoStore::Unreadable => format!(
            "run the doctor as the store's owner (for the system store: sudo doctor --system), or copy {file}, {file}-wal and {file}-shm together to where you may read them"
        )
        .into(),
        NoStore::LockedByMode => format!(
            "the file is yours, and its mode forbids even you to read it: chmod u+rw {file}; then run the doctor again"
        )
        .into(),
        NoStore::EmptyWithoutLog => format!(
            "if this is a copy, the data was in the -wal that was not copied: stop {name} where it came from and copy {file} and {file}-wal again, together; if it is the original and ever held data, restore a backup before {name} starts; if {name} never used it, start {name}, which makes its tables in it"
        )
        .into(),
        NoStore::Empty => format!(
            "if this store ever held data, that data is not in this file: restore a backup before {name} starts; if {name} never used it, start {name}, which makes a new store of it"
        )
        .into(),
        NoStore::EmptyWithSidecar { suffix: "-wal" } => format!(
            "keep a copy of {file}-wal before {name} starts: the latest commits are only in that file; if this is a copy, stop {name} where it came from and copy {file} and {file}-wal again, together; otherwise restore a backup"
        )
        .into(),
        NoStore::EmptyWithSidecar { .. } => format!(
            "keep a copy of {file}-journal before {name} starts: it holds pages that the store had; if this is a copy, stop {name} where it came from and copy all the files again, together; otherwise restore a backup"
        )
        .into(),
        NoStore::SizeUnknown => "copy its content to an ordinary file, and examine that file".into(),
        NoStore::NotSqlite => format!(
            "give the path of {name}'s {file}, unpacked if it is an archive; if this is where the store was, it was overwritten: keep this file and restore a backup"
        )
        .into(),
        NoStore::GitLfsPointer => format!(
            "nothing is lost: fetch {file} itself, in the repository that this file is in: git lfs pull"
        )
        .into(),
        NoStore::Noise => format!(
            "if it is encrypted, as SQLCipher's databases are, nothing is wrong with it: it needs its key, and the doctor cannot look into it; otherwise give the path of {name}'s {file}; if this is where the store was, it was overwritten: keep this file and restore a backup"
        )
        .into(),
        NoStore::FirstPageGone { .. } if application.salvage.is_some() => advise_salvage(application).into(),
        NoStore::FirstPageGone { intact, page_size, pages } => first_page(intact, page_size, pages, name).into(),
        NoStore::BytesBefore { bytes, .. } => format!(
            "keep this file, and write what stands behind these bytes into a new one: tail -c +{} STORE > NEW; then look at NEW with the doctor",
            bytes + 1
        )
        .into(),
        NoStore::Converted(conversion) => converted(conversion).into(),
        NoStore::Overwritten => advise_salvage(application).into(),
        NoStore::CutInHeader => {
            "copy the store again, whole; if the original is as short, its data is lost: restore a backup".into()
        }
    }
}

/// The end of a command that writes a few bytes into a copy.
const INTO_COPY: &str = "dd of=COPY bs=1 conv=notrunc status=none";

/// Returns a number of four bytes, big-endian, as `printf` takes it.
fn octal(number: u32) -> String {
    number.to_be_bytes().iter().map(|byte| format!("\\{byte:03o}")).collect()
}

/// Returns the steps that give a database its first page back, without any loss if the rest of it is whole.
fn first_page(intact: FirstPage, page_size: u32, pages: u32, name: &str) -> String {
    let keep = format!("do not delete it: stop {name}, and keep a copy of it with its -wal, -shm and -journal");
    let into = INTO_COPY;
    // The number of pages, and an empty freelist: what was on it becomes pages that nothing uses.
    let none = octal(0);
    let count = format!("printf '{}{none}{none}' | {into} seek=28", octal(pages));
    let (what, bytes) = match intact {
        FirstPage::AllButMagic => {
            // 65,536 is written as 1.
            let [high, low] = u16::try_from(page_size).unwrap_or(1).to_be_bytes();
            return format!(
                "{keep}; then write the first 18 bytes of its header anew, into a copy of it: printf 'SQLite format 3\\000\\{high:03o}\\{low:03o}' | {into}; and look at COPY with the doctor"
            );
        }
        FirstPage::AllButHeader => ("header", 100),
        FirstPage::Nothing => ("first page", page_size),
    };
    format!(
        "{keep}; let the same version of {name} make an empty store EMPTY elsewhere, and close it; then put the {what} of that, and the number of pages, into a copy of this file: head -c {bytes} EMPTY | {into} && {count}; and look at COPY with the doctor, which shows whether it fits: if {name} made its tables in another order here, or with pages of another size, restore a backup"
    )
}

/// Returns the remedy for a file that was converted as if it were text.
fn converted(conversion: Conversion) -> String {
    let undo = match conversion {
        Conversion::CarriageReturnsAdded { .. } => "perl -pe 's/\\r\\n/\\n/' STORE > NEW",
        Conversion::Latin1ToUtf8 { .. } => "iconv -f utf-8 -t latin1 STORE > NEW",
        Conversion::Replaced { .. } | Conversion::CarriageReturnsLost => {
            return "keep this file; copy the store again from where it is whole, in binary mode, or restore a backup"
                .to_owned();
        }
    };
    format!(
        "keep this file, and undo it into a new one: {undo}; then look at NEW with the doctor; next time copy in binary mode"
    )
}

fn sidecar(suffix: &str, name: &str, file: &str) -> String {
    match suffix {
        "-journal" => format!(
            "rows may be half changed: stop {name} before it writes, keep a copy of {file} and {file}-journal as they are, and restore a backup from before the crash"
        ),
        "-shm" => format!(
            "no data is lost by this: stop {name}, keep a copy of {file}, {file}-wal and {file}-shm, and move {file}-shm away; SQLite makes a new one"
        ),
        _ => format!(
            "the latest commits may be lost, what is in {file} itself is not: stop {name} before it writes, and keep a copy of {file} and {file}-wal as they are; if this is a copy, stop {name} where it came from and copy all the files again, together; otherwise restore a backup"
        ),
    }
}

/// Returns the remedy where the database's owner may not write to files beside it.
fn owner(suffixes: &[&str], name: &str, file: &str) -> String {
    let files: Vec<String> = suffixes.iter().map(|suffix| format!("{file}{suffix}")).collect();
    let files = files.join(" ");
    format!(
        "no data is lost by this: stop {name} and keep a copy of the store with its sidecar files; then give them the store's owner and mode: sudo chown --reference={file} {files} && sudo chmod --reference={file} {files}; then run {name} and every other program that uses the store as that owner, not as root"
    )
}

/// Returns the remedy where a program works with other files than those that lie there. As long as it runs, its files can be copied
/// out of its descriptors.
fn in_use(fault: UseFault, copies: &[OpenCopy], log_lies_here: bool, file: &str) -> String {
    let restart = "then stop the program in order, and start it again";
    if fault == UseFault::LocksLost {
        return format!(
            "let nothing else open the store until then; {restart}: no data is lost by this yet; the program must not open and close the store's files beside its own SQLite (a copy of the file, a checksum), which drops its locks"
        );
    }
    let copies_of: Vec<String> = copies
        .iter()
        .map(|OpenCopy { pid, fd, suffix }| format!("cp /proc/{pid}/fd/{fd} kept/{pid}-{file}{suffix}"))
        .collect();
    let first = format!(
        "do not kill the program, and let nothing else open the store; first, while it runs, copy its files: mkdir kept && {}",
        copies_of.join(" && ")
    );
    let last = match fault {
        UseFault::LogDeleted if log_lies_here => {
            format!(
                "another program has made a -wal here since, and when either of the two closes the store, it overwrites what the other committed: keep a copy of {file}* as well, before you stop either; then find out from the copies which of the two has what is missed"
            )
        }
        UseFault::LogDeleted | UseFault::IndexDeleted => {
            "then stop the program in order: alone, it writes its log back into the store when it closes it; then run the doctor again".to_owned()
        }
        _ => format!(
            "keep a copy of {file}* as well: the two are different databases; find out which is the right one before anything else is started; then stop the program in order, and run the doctor on the copies"
        ),
    };
    format!("{first}; {last}")
}

fn unreadable_sidecar(name: &str, file: &str) -> String {
    format!(
        "see what lies there: ls -l {file}*; if you may not read it, run the doctor as the store's owner; if it is not a regular file, {name} cannot open the store either: stop {name}, and put the file itself there, or remove a link whose target does not exist"
    )
}

fn foreign_sidecar(suffix: &str, has_index: bool, is_ahead: bool, name: &str, file: &str) -> String {
    let again = if is_ahead {
        format!(
            "if this is a copy, stop {name} where it came from and copy {file} and {file}{suffix} again, together; otherwise "
        )
    } else {
        String::new()
    };
    let index = if has_index {
        format!(" {file}-shm")
    } else {
        String::new()
    };
    format!(
        "{again}let nothing open the store, and keep a copy of all its files first: mkdir -p kept && cp -a {file}* kept; then move the {suffix} aside: mkdir -p aside && mv {file}{suffix}{index} aside; then examine what is left: doctor {file}"
    )
}

fn structure(damage: Damage, application: &Application) -> Cow<'static, str> {
    let name = application.name();
    match damage {
        Damage::Rows | Damage::NotChecked => advise_salvage(application).into(),
        Damage::Keys | Damage::OutOfReach | Damage::Disagree => match application.salvage {
            Some(_) => advise_salvage(application).into(),
            None => format!(
                "rows may be lost: stop {name} before it writes, and keep a copy of the store with its -wal, -shm and -journal; then compare the copy with a backup, or restore the backup; do not rebuild an index and do not write the store anew: what an index or a page out of reach still holds is nowhere else"
            )
            .into(),
        },
        Damage::Freelist => format!(
            "no program may write to the store: stop {name} and keep a copy of the store with its -wal, -shm and -journal; then write its rows into a new file: sqlite3 -readonly COPY \"VACUUM INTO 'NEW'\"; examine that file, and put it in the store's place"
        )
        .into(),
        Damage::Differ => format!(
            "stop {name} and keep a copy of the store with its -wal, -shm and -journal; compare the rows that the findings name with a backup: a rebuilt index would keep what the table holds"
        )
        .into(),
        Damage::Duplicate => format!(
            "stop {name}, keep a copy of the store, and compare the two rows: while both are there, the index cannot be rebuilt; let {name} remove the one that is wrong, and then rebuild the index"
        )
        .into(),
        Damage::Index => format!(
            "stop {name}, keep a copy of the store, then rebuild the index, first in a second copy: sqlite3 -safe STORE REINDEX"
        )
        .into(),
        Damage::Constraint => format!(
            "stop {name}, keep a copy of the store, and give these rows a value that {name} would write; where two rows have the same name or address, let {name} remove one"
        )
        .into(),
        Damage::Refused => {
            "keep a copy of the store, and let the program that made this table open it: it may have what the doctor lacks (a tokenizer, an option); if that program refuses it as well, let it rebuild the table; the ordinary tables were checked"
                .into()
        }
        Damage::Unaccounted => {
            let how = application.salvage.unwrap_or("sqlite3 -readonly COPY .dump | sqlite3 -safe NEW");
            format!(
                "{name} can use the store as it is; to get the space back, stop {name}, keep a copy of the store and write its rows into a new file: {how}"
            )
            .into()
        }
    }
}

/// Returns the remedy for stale indexes of a store with collations that only its application has: `REINDEX` without a name fails
/// there.
fn rebuild_by_name(names: &[String], application: &str) -> String {
    if names.is_empty() {
        return format!(
            "stop {application}, keep a copy of the store, then let {application} itself rebuild the index (REINDEX): no other program knows its collation"
        );
    }
    let commands: Vec<String> = names.iter().map(|name| format!("sqlite3 -safe STORE 'REINDEX {name}'")).collect();
    format!(
        "stop {application}, keep a copy of the store, then rebuild the index by its name, first in a second copy, because another index needs a collation that only {application} has: {}",
        commands.join("; ")
    )
}

/// Returns the remedy for a schema that SQLite refuses.
fn schema_refused(problem: &Problem, name: &str) -> String {
    let (command, leaves_pages) = match problem {
        Problem::SchemaRefused {
            newer: Some(version), ..
        } => {
            return format!(
                "examine the store with a doctor, or a sqlite3, that has SQLite {version} or later; until then keep a copy of the store, and do not write it anew with an older one, which leaves out what it does not know"
            );
        }
        Problem::SchemaRefused {
            command, leaves_pages, ..
        } => (command.as_deref(), *leaves_pages),
        _ => (None, false),
    };
    let keep = format!("stop {name}, keep a copy of the store with its -wal, -shm and -journal");
    let Some(command) = command else {
        return format!(
            "{keep}; the rows of a table are found by its row in the schema, so do not delete that: write the definition that it had in its place (another store of the same version of {name} has it), first in a second copy"
        );
    };
    let vacuum = if leaves_pages {
        format!("; then give its pages back: {VACUUM}")
    } else {
        String::new()
    };
    format!(
        "{keep}; then take the object out of the schema, first in a second copy: {command}{vacuum}; examine it again, and let {name} make the object anew"
    )
}

/// The number of commands for indexes that are given one by one.
const MOST_COMMANDS: usize = 5;

/// Returns the remedy for full-text and spatial indexes and for statistics.
fn derived(mends: &[Mend], name: &str) -> String {
    if mends.contains(&Mend::KeepFirst) {
        return format!(
            "do not rebuild the index, which is the last to know of these rows: stop {name} and keep a copy of the store with its -wal, -shm and -journal; then restore a backup, or find out from the words in the index what the rows were"
        );
    }
    let keep = format!("stop {name}, keep a copy of the store with its -wal, -shm and -journal");
    let anew = "let the program that made the table make it anew";
    let of_kind = |command: fn(&Mend) -> Option<&Option<String>>| {
        let of_kind: Vec<_> = mends.iter().filter_map(command).collect();
        let commands: Vec<&str> = of_kind.iter().filter_map(|command| command.as_deref()).take(MOST_COMMANDS).collect();
        (of_kind.len(), commands.join("; "))
    };
    let rebuilt = of_kind(|mend| match mend {
        Mend::Rebuild(command) => Some(command),
        _ => None,
    });
    let dropped = of_kind(|mend| match mend {
        Mend::Drop(command) => Some(command),
        _ => None,
    });
    let mut steps = vec![keep];
    match rebuilt {
        (0, _) => {}
        (_, none) if none.is_empty() => steps.push(
            "then rebuild the index, as the manual of its module says (INSERT INTO, with the word rebuild)".to_owned(),
        ),
        (_, commands) => steps.push(format!("then rebuild the index, first in a second copy: {commands}")),
    }
    let analyzed: Vec<&str> = mends
        .iter()
        .filter_map(|mend| match mend {
            Mend::Analyze(commands) => Some(commands.as_str()),
            _ => None,
        })
        .collect();
    if !analyzed.is_empty() {
        steps.push(format!("then make the statistics anew, first in a second copy: {}", analyzed.join("; ")));
    }
    match dropped {
        (0, _) => {}
        (_, none) if none.is_empty() => steps.push(format!("then drop the index, and {anew}")),
        (_, commands) => steps.push(format!(
            "then drop the index, which cannot be rebuilt from what is there, first in a second copy, and {anew}: {commands}"
        )),
    }
    if mends.contains(&Mend::ByProgram) {
        steps.push(format!("then {anew}: nothing else can"));
    }
    if mends.contains(&Mend::ByProgramFromBackup) {
        steps.push(format!(
            "restore a backup for the rows that the table held itself, or {anew}; the ordinary tables were checked"
        ));
    }
    steps.join("; ")
}

fn schema_rows(rows: &[(i64, String)], name: &str) -> String {
    let keep = format!(
        "stop {name} and keep a copy of the store with its -wal, -shm and -journal; do not run VACUUM or .dump on it, which may leave these objects out"
    );
    if rows.is_empty() {
        return format!("{keep}; restore a backup whose schema is whole");
    }
    // A newer shell refuses to write the schema unless it is told that this is meant.
    let updates: Vec<String> = rows
        .iter()
        .map(|(rowid, assignment)| format!("UPDATE sqlite_schema SET {assignment} WHERE rowid={rowid}"))
        .collect();
    format!(
        "{keep}; then put the rows right, first in a second copy: sqlite3 -safe -cmd '.dbconfig defensive off' STORE \"PRAGMA writable_schema=ON; {}\"",
        updates.join("; ")
    )
}

fn unfinished(tool: &str, settled_by: Option<&str>, reached: Reached) -> String {
    let keep = "keep a copy of the store with its -wal, -shm and -journal before anything else";
    let which = match reached {
        Reached::Nothing => "the store has nothing of the migration",
        Reached::Everything => "the store has all of the migration",
        Reached::Partial => {
            "the store has a part of the migration: mend by hand what is missing, or restore a backup from before it"
        }
        Reached::Unknown => {
            "find out whether what the migration does is there or not (`sqlite3 -readonly COPY .schema | cat -v` shows the schema)"
        }
    };
    let told = match (settled_by, reached) {
        (Some(command), Reached::Unknown) => {
            format!("tell {tool} which of the two it is (`{command}`), and let it go on")
        }
        (Some(command), _) => format!("tell {tool} so (`{command}`), and let it go on"),
        (None, Reached::Unknown) => format!("mend what is missing, and let {tool} go on as its manual says"),
        (None, _) => format!("let {tool} go on as its manual says"),
    };
    format!("{keep}; {which}; then {told}")
}

fn history(fault: &HistoryFault, application: &Application) -> String {
    let name = application.name();
    match fault {
        HistoryFault::FormerName { .. } => format!(
            "no data is lost: keep a copy of the store with its sidecar files, and let the {name} that made it finish its work; then move the store aside and let a released {name} make a new one; do not rename the migration in the ledger: its work was not done"
        ),
        HistoryFault::RowsGone { ids } => {
            let row = |id: &i64| {
                let migration = application.known(*id)?;
                // The command is pasted into a shell.
                let is_plain = migration.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                is_plain.then(|| format!("({id},'{}',strftime('%Y-%m-%dT%H:%M:%SZ','now'))", migration.name))
            };
            let rows: Vec<String> = ids.iter().filter_map(row).collect();
            format!(
                "no data is lost: stop {name}, keep a copy of the store with its -wal, -shm and -journal, and put back what is gone, first in a second copy: sqlite3 -safe STORE \"INSERT INTO {}(id,name,applied_at) VALUES{}\"; until then {name} may fail to start",
                application.ledger.table,
                rows.join(",")
            )
        }
        HistoryFault::Gap { .. } => format!(
            "keep a copy of the store with its sidecar files; {name} will try to apply what is missing when it next opens the store, out of order: `migration-rehearsal` says whether that works; if it fails, restore a backup"
        ),
        HistoryFault::OtherName { .. } => {
            let known: Vec<String> = application
                .migrations()
                .iter()
                .map(|known| format!("{} `{}`", known.id, known.name))
                .collect();
            format!(
                "find out which program wrote this ledger ({name}'s history is {}); if `schema-shape` passes, the tables are right and {name} can go on; do not delete the store",
                known.join(", ")
            )
        }
        HistoryFault::Malformed { .. } => format!(
            "{name} uses only the ids and can go on; but another program wrote this: find out which, and restore the ledger's row from a backup"
        ),
    }
}

fn shape(worst: Impact, name: &str) -> Cow<'static, str> {
    match worst {
        Impact::Reads | Impact::Writes => {
            "do not start a daemon on it; keep a copy of the store with its sidecar files, then restore a backup whose schema is whole; the rows that are there are not lost"
                .into()
        }
        Impact::SilentChange => {
            "keep a copy of the store with its sidecar files; while no daemon runs, find out what was added and by whom, and remove it (`sqlite3 -readonly COPY .schema | cat -v` shows it, `sqlite3 -safe COPY 'DROP TRIGGER name'` removes a trigger); look for rows that it already changed"
                .into()
        }
        Impact::Unguarded => format!(
            "keep a copy of the store with its sidecar files; {name} can go on, but look at `foreign-keys`, `page-structure` and `row-values` for wrong rows, and restore a backup whose schema is whole"
        )
        .into(),
        Impact::Equivalent | Impact::Extra => format!(
            "no data is lost and {name} can go on; find out what changed the schema, since a later migration may fail on it"
        )
        .into(),
    }
}

#[cfg(test)]
mod tests;
