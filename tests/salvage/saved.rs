//! A salvage, and the store that its output makes.

use std::collections::BTreeMap;

use banger_doctor::inside::known;
use banger_doctor::limits::stop::Stop;
use banger_doctor::salvage::{Files, SalvageSummary, salvage};
use rusqlite::Connection;

use super::stores::{Row, rows};

/// What was saved.
pub struct Saved {
    pub sql: String,
    pub account: SalvageSummary,
}

/// Saves what can be had of these files.
pub fn save(database: &Vec<u8>, log: Option<&Vec<u8>>) -> Saved {
    let mut out = Vec::new();
    let files = Files {
        database,
        journal: None,
        log: log.map(|log| log as _),
    };
    let account = salvage(files, &known().unwrap(), &mut out, &|| true, &Stop::never()).unwrap();
    Saved {
        // It is UTF-8, whatever the store holds.
        sql: String::from_utf8(out).unwrap(),
        account,
    }
}

impl Saved {
    /// The new store; it loads without an error.
    pub fn load(&self) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA foreign_keys=ON").unwrap();
        let loaded = connection.execute_batch(&self.sql);
        assert!(
            loaded.is_ok(),
            "{loaded:?}
{}",
            self.sql
        );
        assert!(connection.is_autocommit());
        connection
    }

    /// The rows of `vms` in it, by rowid.
    pub fn vms(&self) -> BTreeMap<i64, Row> {
        if self.account.committed {
            rows(&self.load())
        } else {
            BTreeMap::new()
        }
    }

    /// What the account says of `vms`.
    pub fn of_vms(&self) -> &banger_doctor::salvage::summary::TableSummary {
        self.account.tables.iter().find(|table| table.name == "vms").unwrap()
    }
}
