#!/usr/bin/env python3
"""How much damage is seen? Each kind is done to a store many times, and SQLite and the doctor are asked what they see.

usage: damage.py DOCTOR STORE [--most N] [--seed N] [--flips N]

The kinds: two pages swapped, a page of zeros, a sector (512 bytes) of zeros, a page as it was some time before, one bit
changed, one byte replaced by any other. A change is harmful when what a reader gets is changed: the schema, a row of any
table, or an error. For the harmful ones it prints the share that SQLite's integrity_check and foreign_key_check see, and the
share that the doctor sees (exit 1). Any other exit of the doctor than 0 and 1 is odd. It ends with 1 where SQLite saw what the
doctor did not, and begins with nothing where the healthy store itself fails.

STORE is a healthy store in rollback mode, and is only read. The same seed gives the same damage.
"""
import argparse
import concurrent.futures
import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

SECTOR = 512
STEPS = 10_000  # of SQLite's virtual machine, between two questions whether to give up
MOST_QUESTIONS = 20_000


class Pages:
    """A database file as pages, counted from 0."""

    def __init__(self, data):
        self.data = data
        self.size = int.from_bytes(data[16:18], "big")
        self.size = 65536 if self.size == 1 else self.size
        self.count = len(data) // self.size

    def page(self, n):
        return self.data[n * self.size:(n + 1) * self.size]

    def with_bytes(self, at, new):
        return self.data[:at] + new + self.data[at + len(new):]

    def with_page(self, n, new):
        return self.with_bytes(n * self.size, new)


def swapped(rng, new, _old, most, _flips):
    """Two pages, each where the other belongs. The first page stays: without its header a file is no database."""
    pairs = (new.count - 1) * (new.count - 2) // 2
    chosen = set()
    while len(chosen) < min(most, pairs):
        chosen.add(tuple(sorted(rng.sample(range(1, new.count), 2))))
    for a, b in sorted(chosen):
        yield Pages(new.with_page(a, new.page(b))).with_page(b, new.page(a))


def zeroed_pages(rng, new, _old, most, _flips):
    for n in some(rng, range(new.count), most):
        yield new.with_page(n, bytes(new.size))


def zeroed_sectors(rng, new, _old, most, _flips):
    for n in some(rng, range(len(new.data) // SECTOR), most):
        yield new.with_bytes(n * SECTOR, bytes(SECTOR))


def older_pages(rng, new, old, most, _flips):
    """A write that the disk lost: one page is what it was in the older copy."""
    differ = [n for n in range(min(new.count, old.count)) if new.page(n) != old.page(n)]
    for n in some(rng, differ, most):
        yield new.with_page(n, old.page(n))


def other_bits(rng, new, _old, _most, flips):
    return at_every_so_many(rng, new, flips, lambda byte: byte ^ 1 << rng.randrange(8))


def other_bytes(rng, new, _old, _most, flips):
    return at_every_so_many(rng, new, flips, lambda byte: byte ^ rng.randrange(1, 256))


def at_every_so_many(rng, new, flips, other):
    every = max(1, len(new.data) // flips)
    for at in range(rng.randrange(every), len(new.data), every):
        yield new.with_bytes(at, bytes([other(new.data[at])]))


def some(rng, places, most):
    places = list(places)
    return places if len(places) <= most else sorted(rng.sample(places, most))


KINDS = [
    ("two pages swapped", swapped),
    ("a page zeroed", zeroed_pages),
    ("a sector zeroed", zeroed_sectors),
    ("an older page", older_pages),
    ("one bit changed", other_bits),
    ("one byte replaced", other_bytes),
]


def in_memory(data):
    conn = sqlite3.connect(":memory:")
    conn.text_factory = bytes
    conn.deserialize(data)
    asked = 0

    def give_up():
        nonlocal asked
        asked += 1
        return asked > MOST_QUESTIONS

    conn.set_progress_handler(give_up, STEPS)
    return conn


def read(data):
    """All that a reader gets, or None where reading ends in an error."""
    conn = in_memory(data)
    try:
        schema = conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        tables = [name.decode().replace('"', '""') for kind, name, _, _ in schema if kind == b"table"]
        return schema, [conn.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables]
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError, AttributeError):
        return None
    finally:
        conn.close()


def sqlite_sees(data):
    conn = in_memory(data)
    try:
        whole = conn.execute("PRAGMA integrity_check(1)").fetchall()
        return whole != [(b"ok",)] or bool(conn.execute("PRAGMA foreign_key_check").fetchall())
    except (sqlite3.Error, UnicodeDecodeError):  # a message that names what is not UTF-8 is an error as well
        return True
    finally:
        conn.close()


def doctor_ends(doctor, folder, data):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = os.path.join(place, "state.db")
        with open(path, "wb") as file:
            file.write(data)
        try:
            ran = subprocess.run([doctor, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
            return ran.returncode
        except subprocess.TimeoutExpired:
            return "hangs"


def two_generations(store, folder, rng):
    """The store, and the store after its daemon has worked on: the older pages are the first's, the rest is the second's."""
    path = os.path.join(folder, "aged.db")
    shutil.copyfile(store, path)
    with open(path, "rb") as file:
        old = file.read()
    conn = sqlite3.connect(path, isolation_level=None)
    if conn.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        sys.exit("the store must be in rollback mode: sqlite3 -safe COPY 'PRAGMA journal_mode=DELETE'")
    conn.execute("BEGIN")
    for (rowid,) in conn.execute("SELECT rowid FROM vms").fetchall():
        if rng.random() < 0.5:
            state = rng.choice(["running", "stopped"])
            stats = '{"cpu_seconds": %d, "rss_bytes": %d}' % (rng.randrange(10**6), rng.getrandbits(32))
            at = "2026-05-%02dT10:%02d:00Z" % (rng.randrange(1, 29), rng.randrange(60))
            conn.execute("UPDATE vms SET state=?, stats_json=?, last_touched_at=?, updated_at=? WHERE rowid=?",
                         (state, stats, at, at, rowid))
    # VMs come and go too, so that index pages and the table's are of one moment only together.
    last = conn.execute("SELECT max(rowid) FROM vms").fetchone()[0] or 0
    for n in range(1, 4):
        conn.execute("DELETE FROM vms WHERE rowid = ?", (1 + rng.randrange(max(last, 1)),))
        conn.execute("""INSERT INTO vms SELECT ?, ?, image_id, ?, state, created_at, updated_at, last_touched_at, spec_json,
                        runtime_json, stats_json, workspace_json FROM vms LIMIT 1""",
                     ("%032x" % rng.getrandbits(128), f"late-{n}", f"10.99.0.{n}"))
    conn.execute("COMMIT")
    conn.close()
    with open(path, "rb") as file:
        return Pages(file.read()), Pages(old)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("doctor")
    parser.add_argument("store")
    parser.add_argument("--most", type=int, default=400, help="how often each kind is done at most")
    parser.add_argument("--flips", type=int, default=1000, help="how often a bit or a byte is changed, evenly over the file")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    folder = tempfile.mkdtemp(prefix="damage-")
    try:
        return measure(args, folder)
    finally:
        shutil.rmtree(folder)


def measure(args, folder):
    new, old = two_generations(args.store, folder, random.Random(args.seed))
    healthy = read(new.data)
    if healthy is None or sqlite_sees(new.data) or doctor_ends(args.doctor, folder, new.data) != 0:
        sys.exit("the store is not healthy to begin with")
    print(f"{new.count} pages of {new.size} bytes, seed {args.seed}\n")
    print("| damage | done | harmful | seen by SQLite | seen by the doctor | odd endings |")
    print("|---|---:|---:|---:|---:|---:|")

    def judge(data):
        harmful = read(data) != healthy
        return harmful, harmful and sqlite_sees(data), doctor_ends(args.doctor, folder, data)

    worse = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, damage in KINDS:
            rng = random.Random(f"{args.seed} {name}")
            stores = (data for data in damage(rng, new, old, args.most, args.flips) if data != new.data)
            judged = []
            # A batch at a time: each store is held whole.
            while batch := list(itertools.islice(stores, 32)):
                judged += pool.map(judge, batch)
            harmful = [(sqlite, end) for is_harmful, sqlite, end in judged if is_harmful]
            by_sqlite = sum(sqlite for sqlite, _ in harmful)
            by_doctor = sum(end == 1 for _, end in harmful)
            odd = [end for _, _, end in judged if end not in (0, 1)]
            worse += [name for sqlite, end in harmful if sqlite and end == 0]
            print(f"| {name} | {len(judged)} | {len(harmful)} | {share(by_sqlite, harmful)} | "
                  f"{share(by_doctor, harmful)} | {odd or 'none'} |", flush=True)
    if worse:
        print(f"\nSQLite saw {len(worse)} that the doctor did not: {sorted(set(worse))}")
    return 1 if worse else 0


def share(part, all_of_them):
    return f"{100 * part / len(all_of_them):.1f} %" if all_of_them else "–"


if __name__ == "__main__":
    sys.exit(main())
