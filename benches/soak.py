#!/usr/bin/env python3
"""Run the doctor in a loop beside a writer that never rests, and say what each noticed of the other.

usage: soak.py DOCTOR [SECONDS]

Twice SECONDS (60 unless told otherwise), each in WAL mode and in rollback mode: first the writer alone, then with the doctor. The
writer is Python's own sqlite3, in a process of its own, so its locks come from another SQLite build than the doctor's. It commits
as fast as it can, checkpoints, closes and opens again; its commits are timed. In WAL mode it has no busy timeout at all.

Exit 0 where no row failed, the writer met no error, and nothing was left that a clean close removes.
"""
import collections, json, multiprocessing, os, shutil, sqlite3, subprocess, sys, tempfile, time

VMS = 2000
LEDGER = "CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
CHECKS = "file,journal,read-only,page-structure,schema-state,unknown-ids,foreign-keys"


def make(path, mode):
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute(f"PRAGMA journal_mode={mode}")
    conn.execute(LEDGER)
    conn.execute("BEGIN")
    for number, name in enumerate(("baseline", "drop_images_docker", "add_vm_workspace"), 1):
        conn.execute("INSERT INTO schema_migrations VALUES (?, ?, '2026-04-28T18:41:31Z')", (number, name))
    conn.execute("CREATE TABLE vms (id INTEGER PRIMARY KEY, stats_json TEXT NOT NULL)")
    conn.executemany("INSERT INTO vms VALUES (?, ?)", ((n, '{"pad":"%s"}' % ("x" * 200)) for n in range(VMS)))
    conn.execute("COMMIT")
    conn.close()


def write(path, mode, seconds, results):
    """The writer: commits until the time is up, then sends what it saw."""
    def connect():
        return sqlite3.connect(path, isolation_level=None, timeout=0 if mode == "wal" else 5)

    times, errors, left = [], collections.Counter(), 0
    conn = connect()
    end = time.monotonic() + seconds
    commits = 0
    while time.monotonic() < end:
        commits += 1
        begun = time.perf_counter()
        try:
            conn.execute("UPDATE vms SET stats_json = ? WHERE id = ?", ('{"n":%d,"pad":"%s"}' % (commits, "y" * 200), commits % VMS))
        except sqlite3.Error as error:
            errors[str(error)] += 1
        times.append(time.perf_counter() - begun)
        try:
            if commits % 97 == 0:
                conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if commits % 331 == 0:
                conn.close()
                left += os.path.exists(path + "-wal")
                conn = connect()
        except sqlite3.Error as error:
            errors[str(error)] += 1
    conn.close()
    times.sort()
    results.send((commits, times[len(times) // 2], times[len(times) * 99 // 100], times[-1], dict(errors), left))


def soak(doctor, mode, seconds, beside):
    folder = tempfile.mkdtemp(prefix="soak-")
    path = os.path.join(folder, "state.db")
    make(path, mode)
    receive, send = multiprocessing.Pipe(False)
    writer = multiprocessing.Process(target=write, args=(path, mode, seconds, send))
    writer.start()
    runs, bad = 0, collections.Counter()
    while beside and writer.is_alive():
        runs += 1
        if runs % 4 == 0:
            ran = subprocess.run([doctor, "--check-migrations", path], capture_output=True, text=True)
            if ran.returncode != 0:
                bad[ran.stdout.strip()] += 1
        else:
            ran = subprocess.run([doctor, "--only", CHECKS, "--format", "json", path], capture_output=True, text=True)
            if ran.returncode != 0:
                rows = json.loads(ran.stdout)["rows"]
                bad["; ".join(f"{row['check']}: {row['detail']}" for row in rows if row["status"] == "fail")] += 1
    commits, median, p99, worst, errors, left = receive.recv()
    writer.join()
    names = sorted(os.listdir(folder))
    shutil.rmtree(folder)
    print(
        f"{mode:7} {'with the doctor' if beside else 'alone':15} {runs:6} runs {commits:8} commits   "
        f"median {median * 1e6:7.0f} µs   p99 {p99 * 1e6:7.0f} µs   worst {worst * 1e3:7.1f} ms   "
        f"closes that left a -wal {left}",
        flush=True,
    )
    for what, times in list(bad.items()) + [(f"the writer: {what}", times) for what, times in errors.items()]:
        print(f"        {times} times: {what}")
    if names != ["state.db"]:
        print(f"        left at the end: {names}")
    return not bad and not errors and names == ["state.db"]


def main():
    doctor = os.path.abspath(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    held = [soak(doctor, mode, seconds, beside) for mode in ("wal", "delete") for beside in (False, True)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
