//! Properties of any folder and any file.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::application::{Content, File, Folder};
use crate::migrations::dialects::dbmate::DBMATE;
use crate::migrations::dialects::drizzle::DRIZZLE;
use crate::migrations::dialects::goose::GOOSE;
use crate::migrations::dialects::tests::harness::{Store, WRITTEN};
use crate::migrations::dialects::{Dialect, TOOLS};
use crate::migrations::diff::compare;
use crate::migrations::known::{KnownSet, Script, SkipReason};
use crate::migrations::sql_text;

/// Text of the pieces that matter to some tool.
fn sql() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("-- +goose Up\n"),
        Just("-- +goose Down\n"),
        Just("-- +goose StatementBegin\n"),
        Just("-- +goose StatementEnd\n"),
        Just("-- +goose NO TRANSACTION\n"),
        Just("-- migrate:up\n"),
        Just("-- migrate:down\n"),
        Just("-- migrate:up transaction:false\n"),
        Just("--> statement-breakpoint"),
        Just("-- no-transaction"),
        Just("SELECT 1;\n"),
        Just("BEGIN;"),
        Just("'"),
        Just("\""),
        Just("["),
        Just("/*"),
        Just("*/"),
        Just("--"),
        Just("\r\n"),
        Just("\n"),
        Just(" "),
        Just("::"),
        Just("$$"),
        Just("${"),
        Just("\u{e9}\u{1f980}"),
        Just("\0"),
        Just(";"),
    ];
    prop_oneof![vec(piece, 0..30).prop_map(|pieces| pieces.concat()), any::<String>()]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{0,3}[_-]{0,2}[a-z.]{0,6}\\.(up\\.|down\\.)?(sql|go|rs|ts)",
        "[UV]?[0-9.]{0,4}__[a-z\u{e9}]{0,4}\\.(sql|rs)",
        "[0-9-]{0,18}_?[a-z]{0,4}/(up|down|migration)\\.sql",
        "[0-9-]{0,18}_?[a-z]{0,4}/(metadata\\.toml|snapshot\\.json|x\\.py)",
        Just("meta/_journal.json".to_owned()),
        Just("migration_lock.toml".to_owned()),
        "[^/\0]{1,12}",
    ]
}

fn folder() -> impl Strategy<Value = Folder> {
    let journal = Just("{\"entries\": [{\"tag\": \"0_a\", \"when\": 5}, {\"tag\": \"1_b\", \"when\": 3}]}".to_owned());
    let text = prop_oneof![4 => sql(), 1 => journal];
    vec((path(), text), 0..12).prop_map(|files| {
        let mut folder = Folder::default();
        for (path, text) in files {
            let path = std::path::PathBuf::from(path);
            folder
                .folders
                .extend(path.parent().filter(|parent| parent.components().count() > 0).map(Into::into));
            folder.files.push(File {
                path,
                content: Content::Text(text.into()),
                is_outside: false,
            });
        }
        folder.files.sort_by(|a, b| a.path.cmp(&b.path));
        folder.files.dedup_by(|a, b| a.path == b.path);
        folder.folders.sort();
        folder.folders.dedup();
        folder
    })
}

/// A statement that goose takes as one: no line but the last ends in a semicolon, and it does not begin with a comment.
fn statement() -> impl Strategy<Value = String> {
    let line = "[a-z '\"(),\u{e9}\u{1f980}\t]{0,20}[a-z)]";
    ("Q[a-z]{1,5}", vec(line, 0..4)).prop_map(|(first, lines)| {
        let mut text = first;
        for line in lines {
            text.push_str(&format!("\n{line}"));
        }
        text.push(';');
        text
    })
}

fn batches(dialect: &'static Dialect, name: &str, text: &str) -> Vec<String> {
    let folder = Folder {
        files: vec![File {
            path: name.into(),
            content: Content::Text(text.into()),
            is_outside: false,
        }],
        ..Folder::default()
    };
    match KnownSet::of(&folder, dialect).unwrap().known.remove(0).script {
        Script::Sql { batches, .. } => batches.iter().map(|batch| batch.to_string()).collect(),
        Script::NotReplayable(why) => panic!("{text:?}: {}", why.words()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_folder_makes_a_tool_panic_and_each_file_has_its_place(folder in folder()) {
        for dialect in TOOLS.iter().copied() {
            let Ok(set) = KnownSet::of(&folder, dialect) else { continue };
            prop_assert!(!set.known.is_empty());
            for known in &set.known {
                // Everything that runs stands in a file of the folder.
                if let Script::Sql { batches, .. } = &known.script {
                    let file = folder.files.iter().find(|file| file.path == known.file).unwrap();
                    let text = file.text().unwrap().replace("\r\n", "\n");
                    for batch in batches {
                        prop_assert!(text.contains(batch.replace("\r\n", "\n").as_str()), "{:?} in {:?}", batch, text);
                    }
                }
            }
            // Tools whose migrations are code have their ledgers elsewhere.
            let Some((tool, ledger, _)) = WRITTEN.iter().find(|(_, _, of)| *of == dialect) else { continue };
            let diff = compare(&set, &Store::written(&format!("{tool}/{ledger}")).applied());
            let mut keys: Vec<_> = diff.applied.iter().chain(&diff.pending).collect();
            let all = keys.len();
            keys.sort();
            keys.dedup();
            prop_assert_eq!(keys.len(), all, "nothing is both applied and pending: {:?}", diff);
        }
        let _ = KnownSet::possible(&folder);
    }

    #[test]
    fn goose_keeps_every_byte_of_a_statement(statements in vec((statement(), any::<bool>()), 1..6)) {
        let mut text = "-- +goose Up\n".to_owned();
        for (statement, marked) in &statements {
            if *marked {
                // Between the marks anything may stand, semicolons at line ends too.
                text.push_str(&format!("-- +goose StatementBegin\n{statement}\n-- ;\n\n{statement}\n-- +goose StatementEnd\n"));
            } else {
                text.push_str(&format!("\n-- a comment;\n{statement} -- ;\n"));
            }
        }
        text.push_str("-- +goose Down\nDROP TABLE a;\n");
        let wanted: Vec<String> = statements
            .iter()
            .map(|(one, marked)| if *marked { format!("{one}\n-- ;\n\n{one}") } else { format!("{one} -- ;") })
            .collect();
        prop_assert_eq!(batches(&GOOSE, "1_a.sql", &text), wanted);
    }

    #[test]
    fn drizzles_and_dbmates_pieces_are_the_file_again(pieces in vec("[a-z ;\n\u{e9}]{0,30}", 1..6)) {
        let text = pieces.join("--> statement-breakpoint");
        let drizzle = Folder {
            files: vec![File { path: "20240101000000_a/migration.sql".into(), content: Content::Text(text.into()), is_outside: false }],
            folders: vec!["20240101000000_a".into()],
            part: None,
        };
        let known = KnownSet::of(&drizzle, &DRIZZLE).unwrap().known.remove(0);
        match known.script {
            Script::Sql { batches, .. } => {
                let batches: Vec<&str> = batches.iter().map(|batch| &**batch).collect();
                prop_assert_eq!(batches, pieces.iter().map(String::as_str).collect::<Vec<_>>());
            }
            Script::NotReplayable(why) => prop_assert!(matches!(why, SkipReason::OtherDatabase(_)), "{:?}", why),
        }
        let up = format!("-- migrate:up\n{}\n", pieces.join("\n"));
        let sql = format!("{up}-- migrate:down\nDROP TABLE a;\n");
        if sql_text::other_database(&up).is_none() {
            prop_assert_eq!(batches(&DBMATE, "1_a.sql", &sql), [up]);
        }
    }

}
