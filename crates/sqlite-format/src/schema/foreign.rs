//! `REFERENCES …`: a foreign key.

use super::table::Statement;
use super::tokens::{Token, Tokens};
use super::{ForeignKey, Result, Unsupported};

impl Statement {
    /// `REFERENCES t(a, b) ON DELETE … MATCH …`.
    pub(crate) fn references(&mut self, tokens: &mut Tokens<'_>, columns: Vec<usize>) -> Result<()> {
        tokens.expect("REFERENCES")?;
        let parent = self.name_of(tokens)?;
        let mut parent_columns = Vec::new();
        if tokens.peek() == Token::Mark(b'(') {
            parent_columns = self.names_in_parentheses(tokens)?;
            if parent_columns.len() != columns.len() {
                return Err(Unsupported::Statement);
            }
        }
        loop {
            if tokens.skip("ON")? {
                if !tokens.skip("DELETE")? && !tokens.skip("INSERT")? {
                    tokens.expect("UPDATE")?;
                }
                if tokens.skip("SET")? {
                    if !tokens.skip("NULL")? {
                        tokens.expect("DEFAULT")?;
                    }
                } else if tokens.skip("NO")? {
                    tokens.expect("ACTION")?;
                } else if !tokens.skip("CASCADE")? {
                    tokens.expect("RESTRICT")?;
                }
            } else if tokens.skip("MATCH")? {
                self.name_of(tokens)?;
            } else {
                break;
            }
        }
        // NOT DEFERRABLE behind it is a constraint of the column's, or of the table's.
        if tokens.skip("DEFERRABLE")? {
            self.deferred(tokens)?;
        }
        self.foreign_keys.push(ForeignKey {
            columns,
            parent,
            parent_columns,
        });
        Ok(())
    }

    /// `DEFERRABLE …`, of which the first word was taken.
    pub(crate) fn deferred(&mut self, tokens: &mut Tokens<'_>) -> Result<()> {
        if tokens.skip("INITIALLY")? && !tokens.skip("DEFERRED")? {
            tokens.expect("IMMEDIATE")?;
        }
        // Where it may stand is SQLite's to say.
        self.needs_sqlite |= self.foreign_keys.is_empty();
        Ok(())
    }
}
