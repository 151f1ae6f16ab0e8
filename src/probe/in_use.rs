//! Finds the processes that have a store open, and judges whether they see the files that lie there.
//!
//! Linux shows every descriptor of a process below `/proc/PID/fd`. `stat` through such a link gives the device and the
//! inode of the open file, whatever name and mount namespace it was opened by, and `/proc/PID/fdinfo` gives the locks that
//! the process holds on it. `/proc/locks` is not read: the kernel waits for a grace period there, which takes 8 ms and more.
//!
//! Landlock forbids a process to look into others' `/proc/PID/fd`, so this comes before the sandbox. What is seen is one
//! moment of a running program: a fault counts where a second look, a moment later, sees it again.
//!
//! A lease (`F_SETLEASE`) would say in two system calls whether any process has the database open for writing. No crate
//! offers it without unsafe code, which is forbidden here, so `/proc` is looked through. The report always does. The gate does
//! only where a process can have lost its log: see [`may_be_in_use`].

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, readlinkat, statat};
use rustix::io::Errno;
use sqlite_format::header::HeaderFields;

use super::file_stat::{self, FileKind, FileStat};
use super::{HEAD, read_head, situation};

/// The four files of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The database file.
    Database,
    /// The `-wal` file.
    Wal,
    /// The `-shm` file.
    Shm,
    /// The `-journal` file.
    Journal,
}

impl Part {
    const ALL: [Self; 4] = [Self::Database, Self::Wal, Self::Shm, Self::Journal];

    /// Returns device and inode of this file beside a database, if it is a regular one.
    fn id_beside(self, database: &Path) -> Option<(u64, u64)> {
        let mut name = database.as_os_str().to_owned();
        name.push(self.suffix());
        let stat = FileStat::beside(Path::new(&name)).ok().flatten()?;
        (stat.kind == FileKind::Regular).then_some(stat.id)
    }

    /// Returns the end of the file's name, empty for the database itself.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Database => "",
            Self::Wal => "-wal",
            Self::Shm => "-shm",
            Self::Journal => "-journal",
        }
    }
}

/// The files of one store, as they lie in its folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoreFiles {
    /// The path of the database, links resolved.
    pub path: PathBuf,
    /// Device and inode of each file that is there, in the order of [`Part`].
    pub ids: [Option<(u64, u64)>; 4],
}

/// A file that a process has open and that is, or was, one of the store's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenFile {
    /// The number of the descriptor.
    pub fd: u32,
    /// Which of the store's files it is.
    pub part: Part,
    /// The file has no name any more: it was deleted, or another took its place.
    pub deleted: bool,
    /// The descriptor may write.
    pub writes: bool,
    /// The process holds locks of SQLite on it.
    pub locked: bool,
}

/// A process that has files of the store open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// The name of its program (`comm`), at most 15 bytes, not escaped.
    pub name: String,
    /// The store's files that it has open, by descriptor.
    pub files: Vec<OpenFile>,
}

/// The processes that have one store open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenProcesses {
    /// Those whose descriptors may be looked at.
    pub processes: Vec<Process>,
    /// The number of programs whose descriptors may not be read.
    pub unseen: u32,
    /// The system hides other users' processes, so that they cannot even be counted (`hidepid`).
    pub hidden: bool,
    /// The reason why no process could be looked at, if none could.
    pub no_look: Option<String>,
    /// This process is in a container, from which the processes outside are not seen.
    pub contained: bool,
}

/// A reason why what a process commits is not in the files that lie there, or will not stay there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProcessFault {
    /// The process works with files of the store that were deleted. The descriptors still give their content.
    Deleted {
        /// The parts and their descriptors.
        files: Vec<(Part, u32)>,
    },
    /// The process works with a database that was replaced under it, while another lies at its path.
    Replaced {
        /// The descriptor of the database that it works with.
        fd: u32,
    },
    /// The process writes to the log that lies here, or its index, and has another database open than the one that lies here.
    OtherDatabase,
    /// The process is connected in WAL mode and has lost its locks: the next program that closes the store takes itself for
    /// the last one and deletes the log under it.
    LocksLost,
}

/// The use that a process makes of the store that it has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// By SQLite, or by something that may write as SQLite does.
    Open,
    /// For reading, without locks: a copy that it makes may be torn.
    ReadsUnlocked,
}

/// The judgement over all processes that have a store open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UseVerdict {
    /// Each process at fault, as an index into [`OpenProcesses::processes`], and its fault.
    pub faults: Vec<(usize, ProcessFault)>,
    /// Each other process, and how it uses the store.
    pub uses: Vec<(usize, Use)>,
}

/// Judges what the processes that have a store open see of it.
///
/// SQLite in WAL mode keeps the `-wal` and the `-shm` open as long as it is connected, a shared lock on the database and one
/// on the `-shm` (`os_unix.c`, `unixLockSharedMemory`; `pager.c`, `pagerOpenWal`). A process that still holds the second and
/// not the first has closed another descriptor of the database, which drops all its POSIX locks there ("How To Corrupt An
/// SQLite Database File", section 2.2). A process that holds neither may have inherited its descriptors, as locks are not
/// inherited: it is at fault only where no parent is seen that has the store open, and no process with the same descriptors.
pub(crate) fn judge(seen: &OpenProcesses) -> UseVerdict {
    let mut verdict = UseVerdict::default();
    for (index, process) in seen.processes.iter().enumerate() {
        match find_fault(process, seen) {
            Some(fault) => verdict.faults.push((index, fault)),
            None => verdict.uses.push((index, find_use(process))),
        }
    }
    verdict
}

fn find_fault(process: &Process, seen: &OpenProcesses) -> Option<ProcessFault> {
    let of = |part: Part, deleted: bool| {
        process.files.iter().filter(move |file| file.part == part && file.deleted == deleted)
    };
    let deleted: Vec<(Part, u32)> = process
        .files
        .iter()
        .filter(|file| file.deleted && file.writes && matches!(file.part, Part::Wal | Part::Shm))
        .map(|file| (file.part, file.fd))
        .collect();
    if !deleted.is_empty() {
        return Some(ProcessFault::Deleted { files: deleted });
    }
    let here = of(Part::Database, false).next();
    if let (None, Some(old)) = (here, of(Part::Database, true).find(|file| file.writes)) {
        return Some(ProcessFault::Replaced { fd: old.fd });
    }
    let writes = |part: Part| of(part, false).any(|file| file.writes);
    if here.is_none() {
        return (writes(Part::Wal) || writes(Part::Shm)).then_some(ProcessFault::OtherDatabase);
    }
    let holds = |part: Part| of(part, false).any(|file| file.locked);
    if holds(Part::Database) || !writes(Part::Shm) || !of(Part::Wal, false).any(|_| true) {
        return None;
    }
    let inherited = || {
        let descriptors =
            |of: &Process| -> Vec<(u32, Part)> { of.files.iter().map(|file| (file.fd, file.part)).collect() };
        let may_be_from = |other: &Process| other.pid == process.parent || descriptors(other) == descriptors(process);
        seen.processes.iter().any(|other| other.pid != process.pid && may_be_from(other))
    };
    (holds(Part::Shm) || !inherited()).then_some(ProcessFault::LocksLost)
}

fn find_use(process: &Process) -> Use {
    let unlocked = process.files.iter().all(|file| !file.writes && !file.locked);
    if unlocked { Use::ReadsUnlocked } else { Use::Open }
}

/// The processes that have a store open, and the judgement over them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The processes.
    pub seen: OpenProcesses,
    /// The judgement.
    pub verdict: UseVerdict,
}

impl Sighting {
    fn new(seen: OpenProcesses) -> Self {
        let verdict = judge(&seen);
        Self { seen, verdict }
    }

    /// Returns a later sighting with those of its faults that this one has as well.
    ///
    /// A program that opens or closes the store passes through states that look like a fault: SQLite deletes the `-shm`
    /// before it closes it.
    fn confirm(&self, later: OpenProcesses) -> Self {
        let mut later = Self::new(later);
        let is_known = |pid: u32, fault: &ProcessFault| {
            self.verdict
                .faults
                .iter()
                .any(|(index, known)| self.seen.processes[*index].pid == pid && known == fault)
        };
        let (faults, passed): (Vec<_>, Vec<_>) = std::mem::take(&mut later.verdict.faults)
            .into_iter()
            .partition(|(index, fault)| is_known(later.seen.processes[*index].pid, fault));
        later.verdict.faults = faults;
        later.verdict.uses.extend(passed.into_iter().map(|(index, _)| (index, Use::Open)));
        later.verdict.uses.sort_unstable_by_key(|(index, _)| *index);
        later
    }

    /// Returns the processes at fault, each with its fault.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (&Process, &ProcessFault)> {
        self.verdict.faults.iter().map(|(index, fault)| (&self.seen.processes[*index], fault))
    }

    /// Returns in words the first process whose commits are in other files than those at the path, if there is one.
    pub(crate) fn hidden_commits(&self) -> Option<String> {
        let mut faults = self.faults().filter(|(_, fault)| fault.hides_commits());
        faults.next().map(|(process, fault)| process.describe(fault))
    }

    /// Returns the processes that use the store in this way.
    pub(crate) fn users(&self, how: Use) -> impl Iterator<Item = &Process> {
        let uses = self.verdict.uses.iter().filter(move |(_, used)| *used == how);
        uses.map(|(index, _)| &self.seen.processes[*index])
    }
}

impl Process {
    /// Returns its name and number: "bangerd (pid 4711)".
    pub(crate) fn label(&self) -> String {
        format!("{} (pid {})", self.name, self.pid)
    }

    /// Returns the fault of this process in a sentence.
    pub(crate) fn describe(&self, fault: &ProcessFault) -> String {
        let label = self.label();
        match fault {
            ProcessFault::Deleted { files } if files.iter().any(|(part, _)| *part == Part::Wal) => {
                let (what, were) = if files.iter().any(|(part, _)| *part == Part::Shm) {
                    ("-wal and -shm", "were")
                } else {
                    ("-wal", "was")
                };
                format!(
                    "{label} has the store open, and its {what} {were} deleted: what it commits goes into a file that has no name, and is lost if it is killed"
                )
            }
            ProcessFault::Deleted { .. } => format!(
                "{label} has the store open, and its -shm was deleted: a program that opens the store now does not see its locks"
            ),
            ProcessFault::Replaced { .. } => format!(
                "{label} has a database open that lay here and has no name any more, while another lies here: what it commits is not in this store, and is lost if it is killed"
            ),
            ProcessFault::OtherDatabase => format!(
                "{label} writes to the -wal or -shm that lies here, and the database that it has open is not the one that lies here"
            ),
            ProcessFault::LocksLost => format!(
                "{label} has the store open in WAL mode without the lock that SQLite always holds then: any program that opens and closes the store deletes the -wal under it"
            ),
        }
    }
}

impl ProcessFault {
    /// Returns true if the process commits to other files than those at the path.
    pub(crate) fn hides_commits(&self) -> bool {
        !matches!(self, Self::LocksLost)
    }
}

/// Looks who has each of these stores open, in one pass over all processes, and again a moment later where one seems at fault.
///
/// The sightings are in the order of the paths.
pub(crate) fn see(paths: &[impl AsRef<Path>]) -> Vec<Sighting> {
    let own = Some(std::process::id());
    let stores = |paths: &[&Path]| -> Vec<StoreFiles> { paths.iter().map(|path| StoreFiles::at(path)).collect() };
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let mut found: Vec<Sighting> = look(&stores(&paths), own).into_iter().map(Sighting::new).collect();
    let suspects: Vec<usize> = (0..found.len()).filter(|store| !found[*store].verdict.faults.is_empty()).collect();
    if !suspects.is_empty() {
        thread::sleep(file_stat::TICK);
        let again: Vec<&Path> = suspects.iter().map(|store| paths[*store]).collect();
        for (store, later) in suspects.into_iter().zip(look(&stores(&again), own)) {
            found[store] = found[store].confirm(later);
        }
    }
    found
}

/// Returns true if a process may have this store open and write to a log that was deleted: the store is in WAL mode, and a lock is
/// held on it or a log lies there.
///
/// A program that has lost its locks and whose log was deleted afterwards shows neither. The database is opened and closed: never
/// call this in a process that holds locks on it.
pub(crate) fn may_be_in_use(path: &Path) -> bool {
    let Ok(path) = fs::canonicalize(path) else { return false };
    let is_wal = || {
        let head = read_head(&path, HEAD).unwrap_or_default();
        HeaderFields::parse(&head).is_some_and(|header| header.is_wal())
    };
    let has = |part: Part| part.id_beside(&path).is_some();
    is_wal() && (has(Part::Wal) || has(Part::Shm) || situation::has_locks(&path))
}

impl StoreFiles {
    /// Finds the files of the store at a path: none where no regular file lies there.
    fn at(given: &Path) -> Self {
        let Ok(path) = fs::canonicalize(given) else {
            return Self::default();
        };
        let database = FileStat::of(&path).ok().flatten().filter(|stat| stat.kind == FileKind::Regular);
        let Some(database) = database else {
            return Self::default();
        };
        let ids = Part::ALL.map(|part| match part {
            Part::Database => Some(database.id),
            beside => beside.id_beside(&path),
        });
        Self { path, ids }
    }
}

/// Looks at all processes but `own` once, for any number of stores, and returns for each store who has it open.
///
/// The costs are those of one `open` for each process and one `stat` for each descriptor that may be looked at: 1 ms with
/// 80 processes, 5 to 10 ms with 500.
pub(crate) fn look(stores: &[StoreFiles], own: Option<u32>) -> Vec<OpenProcesses> {
    let wanted = WantedFiles::new(stores);
    let mut out = vec![OpenProcesses::default(); stores.len()];
    // An empty folder in its place has no entry for this process either.
    let is_there = |proc: &OwnedFd, name: &CStr| statat(proc, name, AtFlags::empty());
    let opened = openat(rustix::fs::CWD, c"/proc", FOLDER, Mode::empty())
        .and_then(|proc| is_there(&proc, c"self").or_else(|_| is_there(&proc, c"stat")).map(|_| proc));
    let proc = match opened {
        Ok(proc) => proc,
        Err(error) => {
            let why = format!("/proc shows no process: {}", std::io::Error::from(error));
            for seen in &mut out {
                seen.no_look = Some(why.clone());
            }
            return out;
        }
    };
    if stores.iter().all(|store| store.ids.iter().all(Option::is_none)) {
        return out;
    }
    let mut refused = Vec::new();
    let mut first_is_there = false;
    // Since Linux 6.2 the size of this folder is the number of its entries. Most processes of a quiet machine are the kernel's
    // threads, which have none.
    let count = |folder: &str| statat(&proc, folder, AtFlags::empty()).map(|stat| stat.st_size);
    let counts = count("self/fd").is_ok_and(|count| count > 0);
    for_each_number(&proc, 0, &mut |pid, _| {
        first_is_there |= pid == 1;
        let folder = format!("{pid}/fd");
        if Some(pid) == own || (counts && count(&folder) == Ok(0)) {
            return true;
        }
        let looked = Descriptors::open(&proc, pid, &folder)
            .and_then(|descriptors| look_at_process(&wanted, stores, &descriptors, &mut out));
        // With any other error it ended between two looks.
        if matches!(looked, Err(Errno::ACCESS | Errno::PERM)) {
            refused.push(pid);
        }
        true
    });
    let is_program = |pid: &u32| counts || !is_kernel_thread(&proc, *pid);
    let programs = refused.iter().filter(|pid| is_program(pid)).count();
    let contained = is_contained(&proc);
    for seen in &mut out {
        seen.unseen = u32::try_from(programs).unwrap_or(u32::MAX);
        seen.hidden = !first_is_there;
        seen.contained = contained;
    }
    out
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The suffix that the kernel appends to the path of an open file that was deleted.
const DELETED: &[u8] = b" (deleted)";

/// Which files are looked for. One file can be several stores' (two paths to one store, or a log that is given as a store).
struct WantedFiles<'a> {
    /// The stores and the part of each, by device and inode.
    ids: HashMap<(u64, u64), Vec<(usize, Part)>>,
    /// The stores by the path of the database: for files that were deleted or replaced.
    paths: HashMap<&'a OsStr, Vec<usize>>,
}

impl<'a> WantedFiles<'a> {
    fn new(stores: &'a [StoreFiles]) -> Self {
        let mut wanted = Self {
            ids: HashMap::new(),
            paths: HashMap::new(),
        };
        for (index, store) in stores.iter().enumerate() {
            if store.ids[0].is_some() {
                wanted.paths.entry(store.path.as_os_str()).or_default().push(index);
            }
            for (id, part) in store.ids.iter().zip(Part::ALL) {
                if let Some(id) = id {
                    wanted.ids.entry(*id).or_default().push((index, part));
                }
            }
        }
        wanted
    }
}

/// The descriptors of one process, as `/proc` shows them.
struct Descriptors<'a> {
    proc: &'a OwnedFd,
    pid: u32,
    fd: OwnedFd,
}

impl<'a> Descriptors<'a> {
    fn open(proc: &'a OwnedFd, pid: u32, folder: &str) -> rustix::io::Result<Self> {
        let fd = openat(proc, folder, FOLDER, Mode::empty())?;
        Ok(Self { proc, pid, fd })
    }

    fn link(&self, fd: u32) -> Option<Vec<u8>> {
        readlinkat(&self.fd, fd.to_string(), Vec::new()).ok().map(std::ffi::CString::into_bytes)
    }

    /// Returns true if the file of a descriptor lies at this path.
    fn has_this_name(&self, fd: u32, path: &[u8]) -> bool {
        let id = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let lies_there = statat(rustix::fs::CWD, path, AtFlags::empty()).ok().map(id);
        lies_there.is_some() && lies_there == statat(&self.fd, fd.to_string(), AtFlags::empty()).ok().map(id)
    }

    /// Returns true if the process sees the same mounts as this one: only then is the text of a link a path here.
    fn shares_mounts(&self) -> bool {
        let mounts = |of: String| statat(self.proc, of, AtFlags::empty()).ok().map(|stat| (stat.st_dev, stat.st_ino));
        let own = mounts("self/ns/mnt".to_owned());
        own.is_some() && own == mounts(format!("{}/ns/mnt", self.pid))
    }

    /// Reads whether a descriptor may write, and whether the process holds locks on its file.
    fn access(&self, fd: u32) -> (bool, bool) {
        let text = read_small(self.proc, &format!("{}/fdinfo/{fd}", self.pid)).unwrap_or_default();
        parse_access(&text)
    }
}

/// Reads the access mode and the locks out of the text of `/proc/PID/fdinfo/FD`.
fn parse_access(text: &str) -> (bool, bool) {
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let mode = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    // SQLite's usual locks are the first; the others are those of its other VFS modules.
    let is_lock = |line: &str| ["POSIX", "OFDLCK", "FLOCK"].iter().any(|kind| line.contains(kind));
    let locked = text.lines().any(|line| line.starts_with("lock:") && is_lock(line));
    // The two lowest bits are the access mode: 0 reads, 1 writes, 2 does both.
    (mode.is_some_and(|mode| mode & 3 != 0), locked)
}

/// Adds a process to each store of which it has a file open.
///
/// # Errors
/// Fails if the files behind its descriptors may not be looked at: root without the right to trace other processes, as in a container, may
/// list the descriptors all the same.
fn look_at_process(
    wanted: &WantedFiles,
    stores: &[StoreFiles],
    process: &Descriptors,
    out: &mut [OpenProcesses],
) -> rustix::io::Result<()> {
    let mut found: Vec<(usize, OpenFile)> = Vec::new();
    let mut refused = None;
    let mut nameless: Vec<(u32, u64)> = Vec::new();
    let mut others: Vec<u32> = Vec::new();
    for_each_number(&process.fd, MOST_IN_ONE_CALL, &mut |fd, name| {
        let stat = match statat(&process.fd, name, AtFlags::empty()) {
            Ok(stat) => stat,
            Err(error) => {
                refused = Some(error).filter(|error| matches!(*error, Errno::ACCESS | Errno::PERM));
                return refused.is_none();
            }
        };
        if let Some(files) = wanted.ids.get(&(stat.st_dev, stat.st_ino)) {
            found.extend(files.iter().map(|(store, part)| (*store, process.file(fd, *part, false))));
        } else if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            others.push(fd);
            if stat.st_nlink == 0 {
                nameless.push((fd, stat.st_dev));
            }
        }
        true
    });
    if let Some(error) = refused {
        return Err(error);
    }
    find_deleted_sidecars(process, &others, &mut found);
    for (fd, device) in nameless {
        let Some(link) = process.link(fd) else { continue };
        let named = link.strip_suffix(DELETED).and_then(|path| wanted.paths.get(OsStr::from_bytes(path)));
        for store in named.into_iter().flatten() {
            let lies_there = stores[*store].ids[0].is_some_and(|(lies_on, _)| lies_on == device);
            if lies_there && process.shares_mounts() {
                found.push((*store, process.file(fd, Part::Database, true)));
            }
        }
    }
    found.sort_by_key(|(store, file)| (*store, file.fd));
    for same_store in found.chunk_by(|a, b| a.0 == b.0) {
        let files = same_store.iter().map(|(_, file)| file.clone()).collect();
        let (name, parent) = process.name_and_parent();
        out[same_store[0].0].processes.push(Process {
            pid: process.pid,
            parent,
            name,
            files,
        });
    }
    Ok(())
}

/// Finds the deleted sidecar files of the databases that a process has open: SQLite opens them by the database's own name,
/// so that the link of the one tells the links of the others, in whatever namespace they were opened.
fn find_deleted_sidecars(process: &Descriptors, others: &[u32], found: &mut Vec<(usize, OpenFile)>) {
    let databases: Vec<(usize, Vec<u8>)> = found
        .iter()
        .filter(|(_, file)| file.part == Part::Database)
        .filter_map(|(store, file)| Some((*store, process.link(file.fd)?)))
        .collect();
    if databases.is_empty() {
        return;
    }
    for fd in others {
        let Some(link) = process.link(*fd) else { continue };
        let Some(path) = link.strip_suffix(DELETED) else {
            continue;
        };
        for part in [Part::Wal, Part::Shm, Part::Journal] {
            let Some(database) = path.strip_suffix(part.suffix().as_bytes()) else {
                continue;
            };
            let mut of: Vec<usize> =
                databases.iter().filter(|(_, link)| link == database).map(|(store, _)| *store).collect();
            of.dedup();
            // A file can have such a name.
            if !of.is_empty() && !process.has_this_name(*fd, &link) {
                found.extend(of.into_iter().map(|store| (store, process.file(*fd, part, true))));
            }
        }
    }
}

impl Descriptors<'_> {
    fn file(&self, fd: u32, part: Part, deleted: bool) -> OpenFile {
        let (writes, locked) = self.access(fd);
        OpenFile {
            fd,
            part,
            deleted,
            writes,
            locked,
        }
    }

    fn name_and_parent(&self) -> (String, u32) {
        let stat = read_small(self.proc, &format!("{}/stat", self.pid)).unwrap_or_default();
        let (name, parent, _) = parse_stat(&stat).unwrap_or_default();
        (name, parent)
    }
}

/// Reads the program's name, the parent and the kernel's flags out of the text of `/proc/PID/stat`.
///
/// The name stands in parentheses and may hold some itself: it ends at the last one.
fn parse_stat(text: &str) -> Option<(String, u32, u32)> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let flags = fields.nth(4)?.parse().ok()?;
    Some((name.to_owned(), parent, flags))
}

/// Returns true if this process sees the processes of a container alone: whether its namespace of processes is not the system's
/// first one, which always has the same number (`proc_ns.h`, `PROC_PID_INIT_INO`).
fn is_contained(proc: &OwnedFd) -> bool {
    const PROC_PID_INIT_INO: u64 = 0xEFFF_FFFC;
    statat(proc, c"self/ns/pid", AtFlags::empty()).is_ok_and(|stat| stat.st_ino != PROC_PID_INIT_INO)
}

/// Returns true if a process is a thread of the kernel, which opens no store (`sched.h`, `PF_KTHREAD`).
fn is_kernel_thread(proc: &OwnedFd, pid: u32) -> bool {
    const PF_KTHREAD: u32 = 0x0020_0000;
    let stat = read_small(proc, &format!("{pid}/stat"));
    stat.and_then(|stat| parse_stat(&stat))
        .is_some_and(|(_, _, flags)| flags & PF_KTHREAD != 0)
}

/// Reads a file of `/proc` as text; a name in it need not be UTF-8.
fn read_small(proc: &OwnedFd, path: &str) -> Option<String> {
    let file = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = vec![0; 4096];
    let mut filled = 0;
    loop {
        match rustix::io::read(&file, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
        if filled == bytes.len() {
            break;
        }
    }
    bytes.truncate(filled);
    Some(OsString::from_vec(bytes).to_string_lossy().into_owned())
}

/// The length of the buffer for the entries of a folder, in bytes. It is short, because the kernel makes what it lists, and the
/// descriptors of a process that may not be looked at need not be listed.
const ENTRIES: usize = 2048;

/// The number of descriptors that surely fit into the buffer of one call, at 32 bytes each.
const MOST_IN_ONE_CALL: usize = ENTRIES / 32 - 4;

/// Calls `each` for every entry of a folder whose name is a number, until it returns false. A folder that gives all its entries in one call, unless they are
/// more than `most_at_once`, is not asked a second time where they are fewer.
fn for_each_number(folder: impl AsFd, most_at_once: usize, each: &mut dyn FnMut(u32, &CStr) -> bool) {
    let mut buffer = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut count = 0;
    while count == 0 || !entries.is_buffer_empty() || count >= most_at_once {
        let Some(Ok(entry)) = entries.next() else { break };
        count += 1;
        let name = entry.file_name();
        if let Some(number) = name.to_str().ok().and_then(|name| name.parse().ok())
            && !each(number, name)
        {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at this test's own process as well, which plays the program here.
    fn look_at_self(path: &Path) -> (OpenProcesses, UseVerdict) {
        let seen = look(&[StoreFiles::at(path)], None).remove(0);
        let verdict = judge(&seen);
        (seen, verdict)
    }

    #[expect(clippy::disallowed_methods, reason = "the test plays a program that uses the store")]
    fn connect(path: &Path, wal: bool) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mode = if wal { "wal" } else { "delete" };
        connection.pragma_update(None, "journal_mode", mode).unwrap();
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)")
            .unwrap();
        connection
    }

    fn store() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("state.db");
        (folder, path)
    }

    #[test]
    fn a_connection_in_wal_mode_is_seen_with_its_locks() {
        let (_folder, path) = store();
        let connection = connect(&path, true);
        let (seen, verdict) = look_at_self(&path);
        let process = &seen.processes[0];
        assert_eq!(process.pid, std::process::id());
        let locked = |part| process.files.iter().any(|file| file.part == part && file.locked && file.writes);
        assert!(locked(Part::Database) && locked(Part::Shm), "{process:?}");
        assert_eq!((verdict.faults, verdict.uses), (vec![], vec![(0, Use::Open)]));
        drop(connection);
        assert_eq!(look_at_self(&path).0.processes, []);
    }

    #[test]
    fn a_log_deleted_under_a_connection_is_a_fault() {
        let (_folder, path) = store();
        let _connection = connect(&path, true);
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
        }
        let (seen, verdict) = look_at_self(&path);
        let [(0, ProcessFault::Deleted { files })] = &verdict.faults[..] else {
            panic!("{verdict:?}");
        };
        let parts: Vec<Part> = files.iter().map(|(part, _)| *part).collect();
        assert!(parts.contains(&Part::Wal) && parts.contains(&Part::Shm), "{files:?}");
        let first = Sighting::new(seen.clone());
        assert_eq!(first.confirm(look_at_self(&path).0).verdict, verdict);
        // A fault that only the later look shows is not believed yet.
        let later = Sighting::default().confirm(seen);
        assert_eq!((later.verdict.faults, later.verdict.uses), (vec![], vec![(0, Use::Open)]));
    }

    #[test]
    fn locks_dropped_by_a_second_descriptor_are_missed() {
        let (_folder, path) = store();
        let _connection = connect(&path, true);
        drop(fs::File::open(&path).unwrap());
        assert_eq!(look_at_self(&path).1.faults, [(0, ProcessFault::LocksLost)]);
    }

    #[test]
    fn a_store_replaced_under_a_connection_is_a_fault() {
        let (folder, path) = store();
        let _connection = connect(&path, false);
        let other = folder.path().join("other");
        fs::write(&other, fs::read(&path).unwrap()).unwrap();
        fs::rename(&other, &path).unwrap();
        let (_, verdict) = look_at_self(&path);
        assert!(matches!(verdict.faults[..], [(0, ProcessFault::Replaced { .. })]), "{verdict:?}");
    }

    #[test]
    fn an_idle_connection_in_rollback_mode_and_a_reader_are_no_faults() {
        let (_folder, path) = store();
        let connection = connect(&path, false);
        assert_eq!(look_at_self(&path).1.uses, [(0, Use::Open)]);
        drop(connection);
        let _reader = fs::File::open(&path).unwrap();
        assert_eq!(look_at_self(&path).1.uses, [(0, Use::ReadsUnlocked)]);
    }

    #[test]
    fn many_stores_are_looked_for_at_once() {
        let (folder, path) = store();
        let other = folder.path().canonicalize().unwrap().join("other.db");
        let _both = (connect(&path, true), connect(&other, false));
        let seen = look(&[StoreFiles::at(&path), StoreFiles::default(), StoreFiles::at(&other)], None);
        let counts: Vec<usize> = seen.iter().map(|seen| seen.processes.len()).collect();
        assert_eq!(counts, [1, 0, 1]);
        let without_self = look(&[StoreFiles::at(&path)], Some(std::process::id()));
        assert_eq!(without_self[0].processes, []);
    }

    /// A file of a process: its part, and of the letters `d`eleted, `w`rites, `l`ocked those that hold.
    fn file(part: Part, letters: &str) -> OpenFile {
        OpenFile {
            fd: 7,
            part,
            deleted: letters.contains('d'),
            writes: letters.contains('w'),
            locked: letters.contains('l'),
        }
    }

    /// The name of the case, the process's files, and the fault.
    type Case<'a> = (&'a str, &'a [(Part, &'a str)], Option<ProcessFault>);

    #[test]
    fn each_state_of_a_process_has_its_verdict() {
        use Part::{Database, Journal, Shm, Wal};
        let deleted = |files: &[Part]| {
            Some(ProcessFault::Deleted {
                files: files.iter().map(|part| (*part, 7)).collect(),
            })
        };
        #[rustfmt::skip]
        let table: &[Case] = &[
            ("WAL mode", &[(Database, "wl"), (Wal, "w"), (Shm, "wl")], None),
            ("WAL mode, read-only connection", &[(Database, "l"), (Wal, "w"), (Shm, "wl")], None),
            ("WAL mode, exclusive, without index", &[(Database, "wl"), (Wal, "w")], None),
            ("rollback mode, idle", &[(Database, "w")], None),
            ("rollback mode, in a transaction", &[(Database, "wl"), (Journal, "w")], None),
            ("a journal deleted at its end", &[(Database, "wl"), (Journal, "dw")], None),
            ("a copy of one file", &[(Database, "")], None),
            ("a copy of all files at once", &[(Database, ""), (Wal, ""), (Shm, "")], None),
            ("a copy of the log", &[(Wal, "")], None),
            ("a copy that outlives the log", &[(Database, ""), (Wal, "d")], None),
            ("a replaced store, still read", &[(Database, "d")], None),
            ("a replaced store, opened again", &[(Database, "dw"), (Database, "wl")], None),
            ("the log deleted", &[(Database, "wl"), (Wal, "dw"), (Shm, "wl")], deleted(&[Wal])),
            ("log and index deleted", &[(Database, "wl"), (Wal, "dw"), (Shm, "dwl")], deleted(&[Wal, Shm])),
            ("deleted after the locks were lost", &[(Database, "w"), (Wal, "dw"), (Shm, "dwl")], deleted(&[Wal, Shm])),
            ("the store replaced", &[(Database, "dwl")], Some(ProcessFault::Replaced { fd: 7 })),
            ("the store replaced beside its log", &[(Database, "dwl"), (Wal, "w"), (Shm, "wl")], Some(ProcessFault::Replaced { fd: 7 })),
            ("another database with this log", &[(Wal, "w"), (Shm, "wl")], Some(ProcessFault::OtherDatabase)),
            ("locks lost", &[(Database, "w"), (Wal, "w"), (Shm, "wl")], Some(ProcessFault::LocksLost)),
            ("all locks lost", &[(Database, "w"), (Wal, "w"), (Shm, "w")], Some(ProcessFault::LocksLost)),
        ];
        for (case, files, expected) in table {
            let process = Process {
                pid: 20,
                parent: 10,
                name: "bangerd".to_owned(),
                files: files.iter().map(|(part, letters)| file(*part, letters)).collect(),
            };
            let mut seen = OpenProcesses {
                processes: vec![process],
                ..OpenProcesses::default()
            };
            let fault = judge(&seen).faults.pop().map(|(_, fault)| fault);
            assert_eq!(&fault, expected, "{case}");
            if *case == "all locks lost" {
                let mut parent = seen.processes[0].clone();
                (parent.pid, parent.parent) = (10, 1);
                parent.files = vec![file(Database, "wl"), file(Wal, "w"), file(Shm, "wl")];
                seen.processes.push(parent);
                assert_eq!(judge(&seen).faults, [], "inherited by a child");
                seen.processes[1].pid = 11;
                assert_eq!(judge(&seen).faults, [], "inherited by a child of another child");
            }
        }
    }

    #[test]
    fn the_texts_of_proc_are_read() {
        let stat = "4711 (a) b (c)) S 17 4711 4711 0 -1 2129984 0 0";
        assert_eq!(parse_stat(stat), Some(("a) b (c)".to_owned(), 17, 2_129_984)));
        assert_eq!(parse_stat("4711 (cut"), None);
        let info = "pos:\t0\nflags:\t02500002\nmnt_id:\t27\nlock:\t1: POSIX  ADVISORY  READ 7 fe:00:9 128 128\n";
        assert_eq!(parse_access(info), (true, true));
        assert_eq!(parse_access("pos:\t0\nflags:\t02100000\n"), (false, false));
        assert_eq!(parse_access(""), (false, false));
    }
}
