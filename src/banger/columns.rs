//! The values that banger writes into each column of its tables, in every version of its schema, and which columns name files.
//!
//! A rule must hold for every value that any version of banger ever wrote; a value that only looks unlikely breaks no rule. Only the
//! files of images count: files that a VM names while it runs, such as its socket, come and go.

use std::borrow::Cow;

use crate::application::{Column, NamedFile, Rule, Table};

/// Banger's tables.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: Cow::Borrowed("images"),
        columns: Cow::Borrowed(IMAGES),
    },
    Table {
        name: Cow::Borrowed("vms"),
        columns: Cow::Borrowed(VMS),
    },
];

const IMAGES: &[Column] = &[
    column("id", Rule::Word),
    column("name", Rule::Word),
    column("managed", Rule::Flag),
    path("artifact_dir", Rule::Optional, NamedFile::Folder),
    path("rootfs_path", Rule::Text, NamedFile::File),
    path("work_seed_path", Rule::Optional, NamedFile::File),
    path("kernel_path", Rule::Text, NamedFile::File),
    path("initrd_path", Rule::Optional, NamedFile::File),
    path("modules_dir", Rule::Optional, NamedFile::Folder),
    column("build_size", Rule::Optional),
    column("seeded_ssh_public_key_fingerprint", Rule::Optional),
    column("docker", Rule::Flag),
    column("created_at", Rule::Time),
    column("updated_at", Rule::Time),
];

const VMS: &[Column] = &[
    column("id", Rule::Word),
    column("name", Rule::Word),
    column("image_id", Rule::Text),
    column("guest_ip", Rule::Address),
    column("state", Rule::Word),
    column("created_at", Rule::Time),
    column("updated_at", Rule::Time),
    column("last_touched_at", Rule::Time),
    column("spec_json", Rule::Json),
    column("runtime_json", Rule::Json),
    column("stats_json", Rule::Json),
    column("workspace_json", Rule::Json),
];

const fn column(name: &'static str, rule: Rule) -> Column {
    Column {
        name: Cow::Borrowed(name),
        rule,
        names_file: None,
    }
}

const fn path(name: &'static str, rule: Rule, leads_to: NamedFile) -> Column {
    Column {
        name: Cow::Borrowed(name),
        rule,
        names_file: Some(leads_to),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::banger::APPLICATION;
    use crate::migrations::runner;

    /// Returns the columns of every table but the ledger, as `table.column`.
    fn columns_after(applied: usize) -> Vec<String> {
        let mut memory = Connection::open_in_memory().unwrap();
        runner::migrate(&mut memory, &APPLICATION.ledger, &APPLICATION.migrations[..applied]).unwrap();
        let sql = "SELECT lower(t.name || '.' || c.name) FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~' AND t.name <> ?1";
        let mut statement = memory.prepare(sql).unwrap();
        let rows = statement.query_map([&*APPLICATION.ledger.table], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn every_column_of_every_version_of_the_schema_has_a_rule() {
        let ruled: Vec<String> = TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| format!("{}.{}", table.name, column.name)))
            .collect();
        let mut seen = Vec::new();
        for applied in 0..=APPLICATION.migrations.len() {
            let columns = columns_after(applied);
            let without: Vec<&String> = columns.iter().filter(|column| !ruled.contains(column)).collect();
            assert!(
                without.is_empty(),
                "after {applied} migrations there is no rule in src/banger/columns.rs for {without:?}"
            );
            seen.extend(columns);
        }
        let never: Vec<&String> = ruled.iter().filter(|column| !seen.contains(column)).collect();
        assert!(
            never.is_empty(),
            "src/banger/columns.rs has rules for columns that no migration makes: {never:?}"
        );
    }
}
