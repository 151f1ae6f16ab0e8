//! No report gives away whose store it is about, and no two stores share a name because of that.

use serde_json::Value;

use crate::support::Home;
use crate::support::home::DOCTOR;

/// The names of two users, which are in the paths of their home folders.
const USERS: [&str; 2] = ["quentinuser", "roswithauser"];

/// What the doctor says of these paths, in every format and as the gate; it names no user.
fn said_of(home: &Home, paths: &[&str]) -> String {
    let mut all = String::new();
    for format in ["--format=table", "--format=markdown", "--format=json", "--format=html"] {
        let ran = home.command(DOCTOR).args(["--only=file,read-only", format]).args(paths).run();
        all += &(ran.stdout + &ran.stderr);
    }
    for path in paths {
        let ran = home.doctor(&["--check-migrations", path]);
        all += &(ran.stdout + &ran.stderr);
    }
    for user in USERS {
        assert!(!all.contains(user), "{paths:?}: {all}");
    }
    all
}

#[test]
fn another_users_home_is_not_named_however_it_is_spelled() {
    let home = Home::new();
    for path in [
        "/home/quentinuser/state.db",
        "//home/quentinuser/state.db",
        "/home//quentinuser/./state.db",
        "/home/./quentinuser/state.db",
        "/tmp/../home/quentinuser/state.db",
        "/home/roswithauser/../quentinuser/state.db",
        "/home/quentinuser/../../nowhere/state.db",
        "/home/quentinuser",
        "/home/quentinuser/",
        "/mnt/backup/home/quentinuser/state.db",
    ] {
        said_of(&home, &[path]);
    }
    // Spelled from another folder.
    for (here, path) in [("/home", "quentinuser/state.db"), ("/", "home/quentinuser/state.db")] {
        let mut doctor = home.command(DOCTOR).args(["--only=file", path]);
        doctor.command.current_dir(here);
        let said = doctor.run().stdout;
        assert!(said.starts_with("~other1/state.db\n"), "{path} in {here}: {said}");
    }
}

#[test]
fn this_users_home_is_a_tilde_also_through_links() {
    let home = Home::new();
    let folder = home.path().join("quentinuser");
    home.store("quentinuser/state.db");
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    // A sidecar that cannot be read is named by the path that the links lead to.
    std::fs::create_dir(folder.join("state.db-wal")).unwrap();
    for as_home in [&folder, &link] {
        for given in [&folder, &link] {
            let said = home.command(DOCTOR).env("HOME", as_home).arg(given.join("state.db")).run().stdout;
            assert!(said.contains("~/state.db-wal cannot be read: it is a folder"), "{said}");
            // Where HOME is the folder itself, a link to it is any folder.
            assert!(!said.contains("quentinuser"), "{said}");
        }
    }
}

#[test]
fn the_stores_of_two_users_have_two_names_and_each_line_its_index() {
    let home = Home::new();
    let paths = USERS.map(|user| format!("/home/{user}/.local/state/banger/state.db"));
    let own = home.store(".local/state/banger/state.db");
    let own = own.to_str().unwrap();
    let all = [paths[0].as_str(), paths[1].as_str(), own, paths[0].as_str(), own];
    said_of(&home, &all);
    let ran = home.doctor(&[&["--only=file", "--format=json"][..], &all].concat());
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line["store"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["~other1", "~other2", "~", "~other1", "~"].map(|home| format!("{home}/.local/state/banger/state.db"))
    );
    let indexes: Vec<u64> = lines.iter().map(|line| line["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [0, 1, 2, 3, 4]);
}

#[test]
fn one_store_alone_has_the_index_0() {
    let home = Home::new();
    home.store("state.db");
    let ran = home.doctor(&["--only=file", "--format=json", "state.db"]);
    let report = ran.report();
    assert_eq!((&report["store"], &report["index"]), (&"state.db".into(), &0.into()));
}
