//! The wrapper around `rustc` that links the binary statically: it looks at what is built, not at where.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The arguments that `rustc` is called with, for a `host` whose C library can be linked statically.
fn called(host: &str, arguments: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, script: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    };
    let library = folder.path().join("libc.a");
    fs::write(&library, "").unwrap();
    program("cc", &format!("echo '{}'", library.display()));
    let rustc = program(
        "rustc",
        &format!("if [ \"$1\" = -vV ]; then echo 'host: {host}'; else for a in \"$@\"; do echo \"$a\"; done; fi"),
    );
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/rustc-static");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let ran = Command::new("/bin/sh")
        .arg(wrapper)
        .arg(rustc)
        .args(arguments)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
}

const HOST: &str = "x86_64-unknown-linux-gnu";
const BINARY: [&str; 6] = [
    "--crate-name",
    "doctor",
    "--edition=2024",
    "--crate-type",
    "bin",
    "src/main.rs",
];

fn is_static(host: &str, more: &[&str]) -> bool {
    let arguments = [&BINARY[..], more].concat();
    let called = called(host, &arguments);
    assert_eq!(called[..arguments.len()], arguments, "what cargo says is passed on");
    match &called[arguments.len()..] {
        [] => false,
        [flag, feature] if flag == "-C" && feature == "target-feature=+crt-static" => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_binary_for_this_machine_is_linked_statically() {
    assert!(is_static(HOST, &[]));
    assert!(is_static(HOST, &["--target", HOST]));
    assert!(is_static(HOST, &["--target=x86_64-unknown-linux-gnu"]));
}

#[test]
fn a_binary_for_another_machine_is_linked_as_usual() {
    for target in [
        "aarch64-unknown-linux-gnu",
        "x86_64-unknown-linux-musl",
        "x86_64-apple-darwin",
    ] {
        assert!(!is_static(HOST, &["--target", target]), "{target}");
        assert!(!is_static(HOST, &[&format!("--target={target}")]), "{target}");
    }
    assert!(!is_static("aarch64-apple-darwin", &["--target", HOST]));
}

#[test]
fn on_other_hosts_and_for_other_crates_nothing_is_changed() {
    assert!(!is_static("aarch64-apple-darwin", &[]));
    let library = ["--crate-name", "banger_doctor", "--crate-type", "lib", "src/lib.rs"];
    assert_eq!(called(HOST, &library), library);
}
