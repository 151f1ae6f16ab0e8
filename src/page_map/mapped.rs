//! A report's map: there is one, or there is none and why, or nobody asked.

use std::sync::Arc;

use super::PageMap;
use crate::text::escape::escape_untrusted;

/// The longest reason for which there is no map, in characters.
const LONGEST_REASON: usize = 400;

/// What became of the map of a store's pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Mapped {
    /// Nobody asked for one.
    #[default]
    NotAsked,
    /// Here it is.
    Map(Arc<PageMap>),
    /// There is none, and why; safe to print.
    No(String),
}

impl Mapped {
    /// There is no map, and why.
    pub(crate) fn no(why: impl std::fmt::Display) -> Self {
        Self::No(escape_untrusted(&why.to_string(), LONGEST_REASON))
    }
}

impl From<PageMap> for Mapped {
    fn from(map: PageMap) -> Self {
        Self::Map(Arc::new(map))
    }
}
