//! All that is known of banger. Whatever names banger, a VM, an image or one of their columns stands here and nowhere else.

mod advice;
mod columns;
mod migrations;
mod schema;

use std::borrow::Cow;

use crate::application::{Application, History, Ledger, Places};

/// Banger.
pub(crate) static APPLICATION: Application = Application {
    history: History::CompiledIn,
    name: Cow::Borrowed("banger"),
    places: Some(Places {
        user: Cow::Borrowed("banger/state.db"),
        system: Cow::Borrowed("/var/lib/banger/state.db"),
    }),
    ledger: Ledger::default_table(),
    migrations: Cow::Borrowed(migrations::MIGRATIONS),
    former_names: Cow::Borrowed(migrations::FORMER_NAMES),
    tables: Cow::Borrowed(columns::TABLES),
    final_schema: Cow::Borrowed(schema::TABLES),
    can_salvage: true,
    advice: advice::advice,
};

impl Application {
    /// Returns banger itself, whose migrations are compiled in: what an [`Examination`](crate::Examination) assumes where it is not
    /// told another.
    pub fn banger() -> Self {
        APPLICATION.clone()
    }
}
