//! `artifacts`: each kind of fault, and when it looks at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{Doctor, Place, needs};

/// A store whose images all name what is there: in `files`, a root file system, a kernel and a folder.
fn whole(images: u32) -> Place {
    let place = Place::with(images, 1);
    let files = place.root().join("files");
    fs::create_dir_all(files.join("folder")).unwrap();
    fs::write(files.join("rootfs.ext4"), "rootfs").unwrap();
    fs::write(files.join("vmlinux"), "kernel").unwrap();
    let sql = "UPDATE images SET artifact_dir = ?1 || '/folder', rootfs_path = ?1 || '/rootfs.ext4', kernel_path = ?1 || '/vmlinux',
               work_seed_path = ?1 || '/vmlinux', initrd_path = NULL, modules_dir = ''";
    place.open().execute(sql, [files.to_str().unwrap()]).unwrap();
    place
}

/// The row, from what is about to be run.
fn row_of(doctor: Doctor) -> Value {
    doctor.args(["--format", "json"]).run().row("artifacts")
}

fn said(place: &Place) -> String {
    place.said("artifacts", &["--artifacts"])
}

#[test]
fn what_is_there_passes_also_through_a_link() {
    let place = whole(2);
    assert_snapshot!(said(&place), @"pass: 8 paths checked, and nothing is missing");
    let files = place.root().join("files");
    fs::rename(files.join("vmlinux"), files.join("vmlinux-6.12")).unwrap();
    symlink("vmlinux-6.12", files.join("vmlinux")).unwrap();
    assert_snapshot!(said(&place), @"pass: 8 paths checked, and nothing is missing");
}

#[test]
fn every_kind_of_fault_is_found() {
    let place = whole(8);
    let files = place.root().join("files");
    symlink("gone", files.join("dangling")).unwrap();
    let files = files.to_str().unwrap();
    place.sql(&format!(
        "UPDATE images SET rootfs_path = '{files}/XYZZY' WHERE rowid = 1;
         UPDATE images SET artifact_dir = '{files}/vmlinux' WHERE rowid = 2;
         UPDATE images SET kernel_path = '{files}/folder' WHERE rowid = 3;
         UPDATE images SET initrd_path = 'XYZZY/initrd' WHERE rowid = 4;
         UPDATE images SET work_seed_path = '{files}/XYZZY' || char(0) || 'x' WHERE rowid = 5;
         UPDATE images SET modules_dir = '{files}/vmlinux/XYZZY' WHERE rowid = 6;
         UPDATE images SET kernel_path = '{files}/dangling' WHERE rowid = 7;
         UPDATE images SET kernel_path = '/' || replace(hex(zeroblob(3000)), '0', 'x') WHERE rowid = 8;"
    ));
    let text = said(&place);
    assert!(!text.contains("XYZZY"), "no path is printed: {text}");
    assert_snapshot!(text, @r#"
    fail: 8 of 34 paths that images name: missing, or the wrong kind of file
      column "rootfs_path", kind "named-file-missing", row 1, table "images": nothing is there
      column "artifact_dir", kind "named-file-missing", row 2, table "images": not a folder
      column "kernel_path", kind "named-file-missing", row 3, table "images": not a regular file
      column "initrd_path", kind "named-file-missing", row 4, table "images": not an absolute path
      column "work_seed_path", kind "named-file-missing", row 5, table "images": not a valid path
      column "modules_dir", kind "named-file-missing", row 6, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 7, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 8, table "images": not a valid path
      8 in all
      -> 1. The store itself is not the problem. 2. Put the files back where the image names them, or let banger build or pull the image again. 3. A store that was copied from another machine names that machine's files.
    "#);
}

#[test]
fn a_place_that_this_user_may_not_look_at_is_said() {
    // Whoever runs this owns the folder, and may look into it.
    needs!("root");
    let place = whole(1);
    let hidden = place.root().join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("vmlinux"), "kernel").unwrap();
    fs::set_permissions(&hidden, Permissions::from_mode(0o700)).unwrap();
    let kernel = hidden.join("vmlinux");
    place
        .open()
        .execute("UPDATE images SET kernel_path = ?1", [kernel.to_str().unwrap()])
        .unwrap();

    let asked = || {
        let doctor = place.doctor_of_nobody().args(["--artifacts", "--only", "artifacts"]).arg(place.store());
        place.text(&row_of(doctor))
    };
    assert_snapshot!(asked(), @r#"
    fail: could not look at 1 path: permission denied
      column "kernel_path", kind "could-not-look", row 1, table "images": could not look there: permission denied
      1 in all
      -> Run the doctor as the user that banger runs as.
    "#);
    place.sql("UPDATE images SET artifact_dir = '/nowhere/XYZZY'");
    assert_snapshot!(asked(), @r#"
    fail: 1 of 4 paths that images name: missing, or the wrong kind of file; could not look at 1 path: permission denied
      column "artifact_dir", kind "named-file-missing", row 1, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 1, table "images": could not look there: permission denied
      2 in all
      -> 1. The store itself is not the problem. 2. Put the files back where the image names them, or let banger build or pull the image again. 3. A store that was copied from another machine names that machine's files.
    "#);
    assert!(said(&place).contains("1 of 4 paths"), "root may look: only what is not there is wrong");
}

#[test]
fn nobody_asked_so_it_does_not_look() {
    let place = Place::with(1, 1);
    assert_snapshot!(place.said("artifacts", &[]), @"skip: not asked for: use --artifacts to look for the files that the store names");
    assert_snapshot!(said(&place), @r#"
    fail: 3 of 3 paths that images name: missing, or the wrong kind of file
      column "artifact_dir", kind "named-file-missing", row 1, table "images": nothing is there
      column "rootfs_path", kind "named-file-missing", row 1, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 1, table "images": nothing is there
      3 in all
      -> 1. The store itself is not the problem. 2. Put the files back where the image names them, or let banger build or pull the image again. 3. A store that was copied from another machine names that machine's files.
    "#);
}

#[test]
fn a_store_without_images_names_no_files() {
    let place = Place::made_by("PRAGMA encoding='UTF-8'", 0, 0, 0);
    assert_snapshot!(said(&place), @"pass: the store names no files");
}

/// The row, where the store lies at its default place below `base` and is not named.
fn by_default(place: &Place, base: &Path, environment: (&str, &Path)) -> Value {
    let folder = base.join("banger");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(place.store(), folder.join("state.db")).unwrap();
    row_of(place.doctor().args(["--only", "artifacts"]).env(environment.0, environment.1))
}

#[test]
fn the_default_store_is_looked_at_without_asking() {
    let place = Place::with(1, 1);
    let home = place.root().join("home");
    let row = by_default(&place, &home.join(".local/state"), ("HOME", &home));
    assert_snapshot!(place.text(&row), @r#"
    fail: 3 of 3 paths that images name: missing, or the wrong kind of file
      column "artifact_dir", kind "named-file-missing", row 1, table "images": nothing is there
      column "rootfs_path", kind "named-file-missing", row 1, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 1, table "images": nothing is there
      3 in all
      -> 1. The store itself is not the problem. 2. Put the files back where the image names them, or let banger build or pull the image again. 3. A store that was copied from another machine names that machine's files.
    "#);
    let state = place.root().join("xdg");
    let row = by_default(&place, &state, ("XDG_STATE_HOME", &state));
    assert_snapshot!(place.text(&row), @r#"
    fail: 3 of 3 paths that images name: missing, or the wrong kind of file
      column "artifact_dir", kind "named-file-missing", row 1, table "images": nothing is there
      column "rootfs_path", kind "named-file-missing", row 1, table "images": nothing is there
      column "kernel_path", kind "named-file-missing", row 1, table "images": nothing is there
      3 in all
      -> 1. The store itself is not the problem. 2. Put the files back where the image names them, or let banger build or pull the image again. 3. A store that was copied from another machine names that machine's files.
    "#);
}
