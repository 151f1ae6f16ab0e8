use std::collections::HashSet;

use super::named::NAMED;
use super::*;

#[test]
fn no_two_tools_have_a_name_in_common_and_each_has_a_ledger() {
    let mut names: HashSet<&str> = HashSet::new();
    for dialect in TOOLS {
        assert!(names.insert(dialect.name), "{}", dialect.name);
        assert!(!dialect.ledgers.is_empty(), "{}", dialect.name);
    }
    assert!(NAMED.iter().all(|named| !names.contains(named.name)));
}
