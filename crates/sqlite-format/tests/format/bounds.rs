//! Tests that no store makes the reader exceed the time limit or its bound on memory.

use std::io;
use std::num::NonZero;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlite_format::check::Ask;
use sqlite_format::interrupt::{Interrupted, Never};
use sqlite_format::reader::Reader;
use sqlite_format::row::NoVisitor;
use sqlite_format::source::ReadAt;

use super::hostile::made;

/// The most memory that the whole process may have held, in KiB.
const MOST_MEMORY: u64 = 64 << 10;

/// A store of any size: its first pages, and what stands in all others.
struct Endless<F> {
    first: Vec<u8>,
    pages: u32,
    page: F,
}

const PAGE: usize = 512;

impl<F: Fn(u32) -> [u8; PAGE]> Endless<F> {
    /// The store that this SQL makes, followed by pages of one kind.
    fn new(sql: &str, pages: u32, page: F) -> Self {
        let mut first = made(PAGE, sql);
        first[28..32].copy_from_slice(&pages.to_be_bytes());
        Self { first, pages, page }
    }

    fn own_pages(&self) -> u32 {
        u32::try_from(self.first.len() / PAGE).unwrap()
    }
}

impl<F: Fn(u32) -> [u8; PAGE] + Sync> ReadAt for Endless<F> {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            let at = usize::try_from(offset).unwrap() + done;
            let number = u32::try_from(at / PAGE).unwrap() + 1;
            let from = at % PAGE;
            let count = (PAGE - from).min(into.len() - done);
            let to = &mut into[done..done + count];
            if number <= self.own_pages() {
                to.copy_from_slice(&self.first[at..at + count]);
            } else {
                to.copy_from_slice(&(self.page)(number)[from..from + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(u64::from(self.pages) * PAGE as u64)
    }
}

/// A page that leads to the next one: of a chain, or a trunk of the freelist without leaves.
fn leads_on(number: u32) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    page[..4].copy_from_slice(&(number + 1).to_be_bytes());
    page
}

/// A freelist without an end.
fn freelist() -> impl ReadAt {
    let mut store = Endless::new("CREATE TABLE t(a)", 1 << 26, leads_on);
    let trunk = store.own_pages() + 1;
    store.first[32..36].copy_from_slice(&trunk.to_be_bytes());
    store.first[36..40].copy_from_slice(&u32::MAX.to_be_bytes());
    store
}

/// A value of 2 GiB less a few bytes, in as many pages as that takes.
fn chain() -> impl ReadAt {
    let mut store = Endless::new("CREATE TABLE t(a)", 1 << 26, leads_on);
    let next = (store.own_pages() + 1).to_be_bytes();
    let leaf = &mut store.first[PAGE..2 * PAGE];
    leaf[..10].copy_from_slice(&[13, 0, 0, 0, 1, 0, 100, 0, 0, 100]);
    // A payload of 2^31 - 1 bytes, rowid 1; a header of six bytes that says one blob of the rest.
    leaf[100..106].copy_from_slice(&[0x87, 0xff, 0xff, 0xff, 0x7f, 1]);
    let blob = 2 * (0x7fff_ffff_u64 - 6) + 12;
    leaf[106] = 6;
    for (at, byte) in leaf[107..112].iter_mut().enumerate() {
        *byte = u8::try_from(blob >> (7 * (4 - at)) & 0x7f).unwrap() | if at < 4 { 0x80 } else { 0 };
    }
    // Wherever the cell ends, and the next page's number stands, the same four bytes stand everywhere.
    for four in leaf[112..].chunks_exact_mut(4) {
        four.copy_from_slice(&next);
    }
    store
}

/// One row in a thousand indexes over two thousand columns, again and again.
fn wide() -> Vec<u8> {
    let columns: Vec<String> = (0..150).map(|n| format!("c{n}")).collect();
    let all = columns.join(", ");
    let indexes: String = (0..150).map(|n| format!("CREATE INDEX i{n} ON t({all});")).collect();
    made(
        65_536,
        &format!(
            "CREATE TABLE t({all}); {indexes}
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t(c7) SELECT i FROM n"
        ),
    )
}

/// Tests that the time limit ends a read, and not much later.
fn ends_in_time(store: &dyn ReadAt) {
    let limit = Duration::from_millis(50);
    let reader = Reader::open(store, None, true, &Never).unwrap();
    let begun = Instant::now();
    let checked = reader.check(&NoVisitor, &Ask::default(), &move || begun.elapsed() >= limit);
    assert_eq!(checked.map(|checked| checked.store), Err(Interrupted));
    // The machine may be busy; without the limit each of these takes minutes.
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_has_no_end_is_left_when_the_time_is_up() {
    ends_in_time(&freelist());
    ends_in_time(&chain());
}

#[test]
fn a_few_rows_that_are_much_work_are_left_too() {
    let store = wide();
    let reader = Reader::open(&store, None, true, &Never).unwrap();
    let checked = reader.check(&NoVisitor, &Ask::default(), &Never).unwrap();
    assert!(checked.store.is_sound(), "{:?}", checked.store);
    let ended = reader.check(&NoVisitor, &Ask::default(), &|| true);
    assert!(ended.is_err());
}

#[test]
fn no_store_makes_it_hold_more_than_its_bound() {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own);
    command.args(["--exact", "bounds::in_a_process_of_its_own", "--ignored", "--nocapture"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "measures the memory of its process, and runs in one of its own"]
fn in_a_process_of_its_own() {
    look(&chain());
    look(&freelist());
    look(&wide());
    // Foreign keys to as many rowids as there is room for, and to more.
    for rowid in ["40000000", "9223372036854775807"] {
        let keys: String = (0..400).map(|n| format!(", c{n} REFERENCES p")).collect();
        look(&made(
            4096,
            &format!(
                "CREATE TABLE p(id INTEGER PRIMARY KEY); INSERT INTO p VALUES ({rowid});
                 CREATE TABLE t(a{keys}); INSERT INTO t(a) VALUES (1)"
            ),
        ));
    }
    // Entries that are as long as is held, and longer.
    look(&made(
        512,
        "CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (zeroblob(130000)), (zeroblob(131000)), (zeroblob(9000000))",
    ));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}

/// Looks at a store for a while, with as many threads as there ever are.
fn look(store: &dyn ReadAt) {
    let begun = Instant::now();
    let stop = move || begun.elapsed() >= Duration::from_millis(300);
    let reader = Reader::open(store, None, true, &Never).unwrap();
    let ask = Ask {
        threads: NonZero::new(8),
        progress: None,
    };
    let _ = reader.check(&NoVisitor, &ask, &stop).map(drop);
}
