//! Words for a POSIX shell: the one place where a path or a text becomes part of a command that a user pastes.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::escape::{is_noncharacter, is_printable};
use super::paths::{PathPart, parts_without_homes};

/// Returns a text as one word of a command.
pub(crate) fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Returns a path as one word of a command, or as the beginning of one: what follows it is a part of the word.
///
/// This user's home folder is an unquoted `~`. Another user's home folder is not named: the word asks for the name, and the command
/// fails as long as it is not given. A name that begins with a dash is no option.
pub(crate) fn quote_path(path: &Path) -> String {
    let resolved = || fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    // `..` behind a link leads elsewhere than the names say.
    let parts = match parts_without_homes(path) {
        Some(_) if path.components().any(|part| part == std::path::Component::ParentDir) => {
            parts_without_homes(&resolved())
        }
        parts => parts,
    };
    let Some(parts) = parts else {
        let bytes = path.as_os_str().as_bytes();
        let margin = if bytes.starts_with(b"-") { "./" } else { "" };
        return margin.to_owned() + &quote_bytes(bytes);
    };
    let mut out = String::new();
    for part in parts {
        match part {
            PathPart::OwnHome => "~".clone_into(&mut out),
            PathPart::OtherHome { number, name } => {
                out += "/";
                out += &match name.as_bytes() {
                    b"root" => "root".to_owned(),
                    _ => format!(
                        "\"${{OTHER{number}:?set it to the name of the folder that is written ~other{number}}}\""
                    ),
                };
            }
            PathPart::Name(name) => {
                out += "/";
                out += &quote_bytes(name.as_bytes());
            }
        }
    }
    out
}

/// Returns a file's name as one word, to be used behind a folder.
pub(crate) fn quote_name(name: &std::ffi::OsStr) -> String {
    quote_bytes(name.as_bytes())
}

/// Returns bytes as one word, in printable characters alone.
fn quote_bytes(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        // In a page of HTML, a noncharacter cannot stand.
        Ok(text) if text.chars().all(|c| is_printable(c) && !is_noncharacter(c)) => text,
        _ => return quote_by_number(bytes),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./@%+:,-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // Within double quotes, only these have a meaning; `!` has one in a shell with a history.
    if text.contains('\'') && !text.contains(['"', '$', '`', '\\', '!']) {
        return format!("\"{text}\"");
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Returns bytes as one word in which those that a terminal does not show are written by their numbers.
fn quote_by_number(bytes: &[u8]) -> String {
    // A substitution drops the line feeds at its end; `$'…'` keeps them, but not every shell has it.
    let is_cut = bytes.ends_with(b"\n");
    let number = |byte: &u8| match byte {
        b'%' if !is_cut => "%%".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"_./@%+:,= ".contains(byte) => char::from(*byte).to_string(),
        byte => format!("\\{byte:03o}"),
    };
    let text: String = bytes.iter().map(number).collect();
    if is_cut {
        format!("$'{text}'")
    } else {
        format!("\"$(printf '{text}')\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::process::Command;

    /// Names that mean something to a shell, or that a terminal does not show.
    const ODD: &[&[u8]] = &[
        b"state.db",
        b"",
        b" ",
        b"a b",
        b"it's",
        b"it's \"$HOME\"",
        b"`id`",
        b"$(id)",
        b"a\\b\\",
        b"-rf",
        b"--",
        b"~",
        b"~root",
        b"a;b&c|d>e<f",
        b"*?[a]{b,c}",
        b"#!a!b",
        b"'",
        b"=a=b",
        b"100%d%s",
        b"two\nlines",
        b"end\n",
        b"\n\n",
        b"tab\there",
        b"\x1b[2J",
        b"\xff\xfe%d\\n'",
        "gr\u{f6}\u{df}er".as_bytes(),
        "a\u{202e}b'$".as_bytes(),
    ];

    #[test]
    fn a_quoted_text_is_the_same_text_to_a_shell_and_shows_as_it_is() {
        for shell in ["bash", "sh"] {
            for bytes in ODD {
                if bytes.ends_with(b"\n") && shell == "sh" {
                    continue;
                }
                let word = quote_bytes(bytes);
                assert!(word.chars().all(is_printable), "{word:?}");
                let script = format!("printf '<%s>' {word}");
                let output = Command::new(shell).args(["-c", &script]).output().unwrap();
                assert_eq!(output.stdout, [b"<", *bytes, b">"].concat(), "{shell}: {script}");
            }
        }
    }

    #[test]
    fn a_name_that_begins_with_a_dash_is_no_option() {
        assert_eq!(quote_path(Path::new("-x.db")), "./-x.db");
        assert_eq!(quote_path(Path::new("./-x.db")), "./-x.db");
        assert_eq!(quote_path(Path::new("/srv/a b/x.db")), "'/srv/a b/x.db'");
        assert_eq!(quote_path(Path::new(OsStr::from_bytes(b"-\xff"))), "./\"$(printf '\\055\\377')\"");
    }

    #[test]
    fn another_users_name_is_asked_for() {
        let word = quote_path(Path::new("/home/someone-else/it's/state.db"));
        assert!(!word.contains("someone"), "{word}");
        let number: String = word
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        for shell in ["bash", "sh"] {
            let run = |before: &str| {
                let script = format!("{before}printf '<%s>' {word}");
                Command::new(shell).args(["-c", &script]).output().unwrap()
            };
            assert!(!run("").status.success());
            let named = run(&format!("OTHER{number}=someone-else; "));
            assert_eq!(named.stdout, b"</home/someone-else/it's/state.db>", "{word}");
        }
    }
}
