//! On machines that forbid less: nothing is changed there either, and nothing switches off what this one forbids.

use std::fs;
use std::path::Path;

use crate::support::footprint::Footprint;
use crate::support::place::has_landlock;
use crate::support::stores::Lies;
use crate::support::{Kernel, Mounted, Place, kernels, needs, skipped};

#[test]
fn a_store_in_a_container_image_is_not_copied_up_by_being_read() {
    for lies in [Lies::Crashed, Lies::WalWithoutIndex, Lies::Closed, Lies::HotJournal] {
        for &kernel in kernels!() {
            let place = Place::new();
            let folder = |name: &str| {
                let path = place.root().join("layers").join(name);
                fs::create_dir_all(&path).unwrap();
                path
            };
            // The layers lie on a file system of their own: some refuse to be an overlay's.
            fs::create_dir(place.root().join("layers")).unwrap();
            let Some(_layers) = Mounted::over(&place.root().join("layers"), "tmpfs", "size=64m") else {
                return skipped!("mount");
            };
            let (lower, upper, work) = (folder("lower"), folder("upper"), folder("work"));
            let _daemon = lies.make(&lower.join("state.db"));
            let options =
                format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
            let Some(_overlay) = Mounted::over(&place.folder(), "overlay", &options) else {
                return skipped!("mount");
            };
            let before = place.footprint();
            let copied_up = Footprint::of(&upper);
            for arguments in [&["--check-migrations"][..], &["--format", "json"]] {
                let when = format!("{lies:?} {kernel:?} {arguments:?}");
                let ran = place.doctor().on(kernel).args(arguments).arg(place.store()).run();
                assert!(ran.code.is_some_and(|code| code < 3), "{when}: {ran:?}");
                before.assert_same(&place.footprint(), &when);
                copied_up.assert_same(&Footprint::of(&upper), &when);
            }
        }
    }
}

#[test]
fn root_without_seccomp_reads_a_small_store_with_a_wal_from_a_copy() {
    needs!("root", "strace");
    for kernel in [Kernel::WithoutSeccomp, Kernel::WithoutBoth] {
        let place = Place::new();
        let _daemon = Lies::Crashed.make(&place.store());
        let before = place.footprint();
        let ran = place.doctor().on(kernel).args(["--only", "read-only,journal"]).arg(place.store()).run();
        assert!(ran.stdout.contains("read from a private copy"), "{kernel:?}: {ran:?}");
        assert_eq!(ran.code, Some(0), "{kernel:?}: {ran:?}");
        before.assert_same(&place.footprint(), "root without seccomp");
        assert_eq!(place.left_in_tmp(), [""; 0]);
    }
}

#[test]
fn without_landlock_alone_a_wal_is_read_in_place() {
    needs!("strace");
    let place = Place::new();
    let _daemon = Lies::Crashed.make(&place.store());
    let ran = place
        .doctor()
        .on(Kernel::WithoutLandlock)
        .env("TMPDIR", "/nowhere")
        .args(["--only", "read-only"])
        .arg(place.store())
        .run();
    assert!(ran.stdout.contains("read in place without a lock, its WAL indexed in memory"), "{ran:?}");
}

#[test]
fn no_feature_and_no_variable_switches_the_sandbox_off() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let features: Vec<&str> = manifest
        .split("[features]\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    let names: Vec<&str> = features.iter().filter_map(|line| line.split_once(" = ").map(|(name, _)| name)).collect();
    assert_eq!(names, ["default", "cli"], "a feature would be switched on by --all-features");
    let place = Place::new();
    let ran = place
        .doctor()
        .env("DOCTOR_TEST_NO_SANDBOX", "1")
        .args(["--format", "json"])
        .arg(place.store())
        .run();
    assert_eq!(ran.report()["sandbox"].as_str().unwrap().starts_with("landlock"), has_landlock());
}
