//! SQL, as far as reading a database needs it.

pub mod lexer;
