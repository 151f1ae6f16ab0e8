//! Makes the store of a place, and changes it as no banger does.

use rusqlite::Connection;

use super::place::Place;
use super::rows::Rows;
use super::stores::of_age;

impl Place {
    /// With a healthy store of so many images and VMs, in rollback mode, so that its bytes can be changed where they lie.
    pub fn with(images: u32, vms: u32) -> Self {
        Self::made_by("", usize::MAX, images, vms)
    }

    /// With a store of an image and two VMs to which only so many migrations are applied.
    pub fn of_age(migrations: usize) -> Self {
        Self::made_by("", migrations, 1, 2)
    }

    /// With a store in rollback mode, made after these pragmas.
    pub fn made_by(pragmas: &str, migrations: usize, images: u32, vms: u32) -> Self {
        let place = Self::new();
        of_age(&place.store(), pragmas, migrations, Rows::of(images, vms));
        place
    }

    /// The same after this SQL.
    pub fn after(self, sql: &str) -> Self {
        self.sql(sql);
        self
    }

    /// The same with a text in a definition changed, which SQLite never allows.
    pub fn rewritten(self, table: &str, from: &str, to: &str) -> Self {
        let conn = self.open();
        conn.execute_batch("PRAGMA writable_schema=ON").unwrap();
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE name = ?1 AND instr(sql, ?2)";
        let changed = conn.execute(sql, [table, from, to]).unwrap();
        assert_eq!(changed, 1, "{from} is in the definition of {table}");
        conn.execute_batch("PRAGMA writable_schema=RESET").unwrap();
        self
    }

    /// The store, to be written to by a vandal: nothing is enforced.
    pub fn open(&self) -> Connection {
        let conn = Connection::open(self.store()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF").unwrap();
        conn
    }

    /// Runs SQL on the store, as a program that is not banger would.
    pub fn sql(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    /// Takes the types and NOT NULLs away from banger's columns, so that values of every kind can be planted.
    pub fn loosen(&self) {
        self.sql(
            "PRAGMA writable_schema=ON;
             UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), ' TEXT', ' BLOB') WHERE name IN ('images', 'vms');
             PRAGMA writable_schema=RESET",
        );
    }
}
