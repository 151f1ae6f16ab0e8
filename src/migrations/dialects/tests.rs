mod folders;
mod harness;
mod ledgers;
mod planted;
mod properties;

use crate::migrations::discovery::read_ledger;
use crate::migrations::key::MigrationKey;
use crate::migrations::ledger::LedgerState;
use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::limits::stop::Stop;
use crate::migrations::dialects::named::NAMED;
use crate::migrations::recognise::LedgerLayout;
use crate::store::ReadOnly;

#[test]
fn no_two_tools_have_a_name_in_common_and_all_but_one_have_a_ledger() {
    let mut names: HashSet<&str> = HashSet::new();
    for dialect in TOOLS {
        assert!(names.insert(dialect.name), "{}", dialect.name);
        let has_no_table = *dialect == &user_version::USER_VERSION;
        assert_eq!(dialect.ledgers.is_empty(), has_no_table, "{}", dialect.name);
    }
    assert!(NAMED.iter().all(|named| !names.contains(named.name)));
}

/// A value of any kind, as SQL writes it; text and blobs hold a word that no message may repeat.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("NULL".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (0_i64..4).prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("SQL has no word for it", |real| real.is_finite())
            .prop_map(|real| format!("{real:e}")),
        Just("'secret'".to_owned()),
        Just("'2026-04-28T18:41:31Z'".to_owned()),
        Just("CAST(x'736563726574ff' AS TEXT)".to_owned()),
        Just("x'736563726574'".to_owned()),
        (0_u32..2_000).prop_map(|bytes| format!("'secret' || hex(zeroblob({bytes}))")),
        "[0-9]{1,50}(_secret)?".prop_map(|name| format!("'{name}'")),
    ]
}

proptest! {
    #[test]
    fn no_ledger_makes_it_panic_and_no_value_gets_out(
        rows in vec(vec(value(), 8), 0..12),
        at in 0..TOOLS.len() - 1,
        which in 0..2_usize,
    ) {
        // One has no table.
        let dialect = TOOLS.iter().filter(|dialect| !dialect.ledgers.is_empty()).nth(at).unwrap();
        let ledger = &dialect.ledgers[which % dialect.ledgers.len()];
        // Without the keys and constraints, which keep much out: whoever may write to a store may do without them.
        let columns: Vec<&str> = ledger.columns.iter().map(|column| column.name).collect();
        let memory = Connection::open_in_memory().unwrap();
        memory.execute_batch(&format!("CREATE TABLE l({})", columns.join(","))).unwrap();
        for row in rows {
            memory.execute_batch(&format!("INSERT INTO l VALUES ({})", row[..columns.len()].join(","))).unwrap();
        }
        let handle = ReadOnly::guarded(memory, None, &Stop::never()).unwrap();
        match read_ledger(&handle, dialect, LedgerLayout(ledger), "l").unwrap() {
            Err(malformed) => prop_assert!(!malformed.to_string().contains("secret"), "{malformed}"),
            Ok(applied) => {
                let state = match &applied.state {
                    LedgerState::Clean => None,
                    LedgerState::Dirty(key) | LedgerState::Failed(key) => Some(key),
                };
                for shown in applied.keys().chain(state).filter_map(MigrationKey::redacted) {
                    prop_assert!(!shown.contains("secret") && shown.len() < 60, "{shown}");
                }
            }
        }
    }
}
