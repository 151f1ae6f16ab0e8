//! `CREATE VIRTUAL TABLE … USING rtree(…)`: a spatial index, whose nodes lie in ordinary tables beside it.
//!
//! Source: "The SQLite R*Tree Module", <https://www.sqlite.org/rtree.html>.

use super::tokens::{Token, Tokens};
use super::{Result, Unsupported};

/// A spatial index without auxiliary columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpatialIndex {
    /// The number of dimensions, each of which has a lower and an upper coordinate.
    pub dimensions: usize,
    /// True if the coordinates are integers and not floating point numbers.
    pub has_integers: bool,
}

/// Reads the statement of a virtual table; `None` unless it is a spatial index that its module certainly takes.
pub(super) fn parse(sql: &str, of: &str) -> Option<SpatialIndex> {
    read(sql, of).ok()
}

fn read(sql: &str, of: &str) -> Result<SpatialIndex> {
    const MOST_DIMENSIONS: usize = 5;
    let mut tokens = Tokens::new(sql)?;
    tokens.expect("CREATE")?;
    tokens.expect("VIRTUAL")?;
    tokens.expect("TABLE")?;
    let (name, _) = tokens.name()?;
    tokens.expect("USING")?;
    let has_integers = match tokens.take()? {
        token if token.is("rtree") => false,
        token if token.is("rtree_i32") => true,
        _ => return Err(Unsupported::VirtualTable),
    };
    tokens.expect_mark(b'(')?;
    let mut columns: Vec<String> = Vec::new();
    loop {
        let (column, is_certain) = tokens.name()?;
        if !is_certain || columns.contains(&column.to_ascii_lowercase()) {
            return Err(Unsupported::VirtualTable);
        }
        columns.push(column.to_ascii_lowercase());
        if !tokens.skip_mark(b',')? {
            break;
        }
    }
    tokens.expect_mark(b')')?;
    let coordinates = columns.len() - 1;
    let dimensions = coordinates / 2;
    let is_whole = name.eq_ignore_ascii_case(of)
        && tokens.peek() == Token::End
        && coordinates.is_multiple_of(2)
        && (1..=MOST_DIMENSIONS).contains(&dimensions);
    if is_whole {
        Ok(SpatialIndex {
            dimensions,
            has_integers,
        })
    } else {
        Err(Unsupported::VirtualTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_module_takes_is_a_spatial_index() {
        let of = |sql: &str| parse(sql, "r").map(|index| (index.dimensions, index.has_integers));
        assert_eq!(of("CREATE VIRTUAL TABLE r USING rtree(id, a, b)"), Some((1, false)));
        assert_eq!(of("CREATE VIRTUAL TABLE \"r\" USING RTREE_i32(id,\na, b, \"c d\", e)"), Some((2, true)));
        for other in [
            "CREATE VIRTUAL TABLE r USING fts5(id, a, b)",
            "CREATE VIRTUAL TABLE r USING rtree(id, a, b, c)",
            "CREATE VIRTUAL TABLE r USING rtree(id)",
            "CREATE VIRTUAL TABLE r USING rtree(id, a, A)",
            "CREATE VIRTUAL TABLE r USING rtree(id, a, b, +c)",
            "CREATE VIRTUAL TABLE s USING rtree(id, a, b)",
            "CREATE VIRTUAL TABLE r USING rtree",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
