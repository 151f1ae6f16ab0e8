//! The files that hold both directions, marked by comments: goose's, which are split into statements by lines, and dbmate's.

/// What such a file says of the way up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UpSection {
    /// What the tool hands to SQLite, one after the other.
    pub(crate) batches: Vec<String>,
    /// Whether the tool wraps it in a transaction.
    pub(crate) in_transaction: bool,
}

/// Why a file cannot be read as the tool reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The tool itself ends with this error.
    ToolRefuses(&'static str),
    /// The tool puts values of the environment into it.
    Environment,
}

/// Where goose stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Section(Direction),
    Statement(Direction),
    /// On the line of a `StatementEnd`.
    StatementEnd(Direction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    UpSection,
    Down,
}

/// What a comment tells goose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Annotation {
    UpSection,
    Down,
    StatementBegin,
    StatementEnd,
    NoTransaction,
    EnvsubOn,
    EnvsubOff,
}

const ANNOTATIONS: [(&str, Annotation); 7] = [
    ("Up", Annotation::UpSection),
    ("Down", Annotation::Down),
    ("StatementBegin", Annotation::StatementBegin),
    ("StatementEnd", Annotation::StatementEnd),
    ("NO TRANSACTION", Annotation::NoTransaction),
    ("ENVSUB ON", Annotation::EnvsubOn),
    ("ENVSUB OFF", Annotation::EnvsubOff),
];

/// The statements of a goose file's way up, as goose splits them: a statement ends with a line that ends with a semicolon,
/// or with `StatementEnd`. Comments within a statement stay in it; those before one do not.
pub(super) fn goose(text: &str) -> Result<UpSection, Fault> {
    let mut place = Place::Start;
    let mut up = UpSection {
        batches: Vec::new(),
        in_transaction: true,
    };
    let mut statement = String::new();
    for line in text.lines() {
        if place == Place::Start && line.trim().is_empty() {
            continue;
        }
        let is_comment = line.trim().starts_with("--");
        if is_comment && line.contains("+goose") {
            let told = annotation(line)?;
            match told {
                Annotation::NoTransaction => up.in_transaction = false,
                Annotation::EnvsubOn if place != Place::Section(Direction::Down) => return Err(Fault::Environment),
                Annotation::EnvsubOn | Annotation::EnvsubOff => {}
                _ => place = moved(place, told, &statement)?,
            }
            if told != Annotation::StatementEnd {
                continue;
            }
        }
        // What stands before a statement is left out: comments, empty lines, and a StatementEnd behind nothing.
        if statement.is_empty() && (is_comment || line.is_empty()) {
            continue;
        }
        if !matches!(place, Place::StatementEnd(_)) {
            statement.push_str(line);
            statement.push('\n');
        }
        match place {
            Place::Start => return Err(Fault::ToolRefuses("something stands before '-- +goose Up'")),
            Place::Section(Direction::Down) | Place::Statement(Direction::Down) => statement.clear(),
            Place::StatementEnd(Direction::Down) => {
                statement.clear();
                place = Place::Section(Direction::Down);
            }
            Place::Section(Direction::UpSection) if !ends_statement(line) => {}
            Place::Statement(Direction::UpSection) => {}
            Place::Section(Direction::UpSection) | Place::StatementEnd(Direction::UpSection) => {
                up.batches.push(statement.trim().to_owned());
                statement.clear();
                place = Place::Section(Direction::UpSection);
            }
        }
    }
    match place {
        Place::Start => Err(Fault::ToolRefuses("it has no '-- +goose Up'")),
        Place::Statement(_) => Err(Fault::ToolRefuses("a '-- +goose StatementBegin' has no end")),
        _ if !statement.trim().is_empty() => Err(Fault::ToolRefuses("its last statement has no semicolon")),
        _ => Ok(up),
    }
}

/// What a comment with `+goose` in it says.
fn annotation(line: &str) -> Result<Annotation, Fault> {
    if line.starts_with([' ', '\t']) {
        return Err(Fault::ToolRefuses("blanks stand before a '-- +goose' comment"));
    }
    let said = line.replace("--", "").replacen("+goose", "", 1);
    let known = ANNOTATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(said.trim()));
    known
        .map(|(_, annotation)| *annotation)
        .ok_or(Fault::ToolRefuses("a '-- +goose' comment says what goose does not know"))
}

/// Where a comment leads to.
fn moved(place: Place, told: Annotation, statement: &str) -> Result<Place, Fault> {
    use Direction::{Down, UpSection};
    match (told, place) {
        (Annotation::UpSection, Place::Start) => Ok(Place::Section(UpSection)),
        (Annotation::UpSection, _) => Err(Fault::ToolRefuses("it has more than one '-- +goose Up'")),
        (Annotation::Down, Place::Section(UpSection) | Place::StatementEnd(UpSection))
            if statement.trim().is_empty() =>
        {
            Ok(Place::Section(Down))
        }
        (Annotation::Down, Place::Section(UpSection) | Place::StatementEnd(UpSection)) => {
            Err(Fault::ToolRefuses("the last statement before '-- +goose Down' has no semicolon"))
        }
        (Annotation::Down, _) => Err(Fault::ToolRefuses("a '-- +goose Down' stands where goose takes none")),
        (Annotation::StatementBegin, Place::Section(direction) | Place::StatementEnd(direction)) => {
            Ok(Place::Statement(direction))
        }
        (Annotation::StatementEnd, Place::Statement(direction)) => Ok(Place::StatementEnd(direction)),
        (Annotation::StatementBegin | Annotation::StatementEnd, _) => Err(Fault::ToolRefuses(
            "a '-- +goose StatementBegin' or 'StatementEnd' stands where goose takes none",
        )),
        (Annotation::NoTransaction | Annotation::EnvsubOn | Annotation::EnvsubOff, _) => Ok(place),
    }
}

/// Whether the last word of a line, before a comment, ends with a semicolon.
fn ends_statement(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.starts_with("--"));
    words.last().is_some_and(|word| word.ends_with(';'))
}

/// The way up of a dbmate file: everything from `-- migrate:up` to `-- migrate:down`, the first comment included.
pub(super) fn dbmate(text: &str) -> Result<UpSection, Fault> {
    let ups = marks(text, "migrate:up");
    let Some(first) = ups.first().copied() else {
        return Err(Fault::ToolRefuses("it has no '-- migrate:up'"));
    };
    let before = text.get(..first).unwrap_or_default();
    let is_nothing = |line: &str| line.is_empty() || line.starts_with("--");
    if !before.split('\n').map(|line| line.trim_start_matches(is_blank)).all(is_nothing) {
        return Err(Fault::ToolRefuses("something stands before '-- migrate:up'"));
    }
    let downs = marks(text, "migrate:down");
    let mut section = ups.iter().zip(ups.iter().skip(1).copied().chain([text.len()]));
    if !section
        .clone()
        .all(|(up, end)| downs.iter().filter(|down| (*up..end).contains(down)).count() == 1)
    {
        return Err(Fault::ToolRefuses("a '-- migrate:up' has not one '-- migrate:down'"));
    }
    if ups.len() > 1 {
        // It writes the version into the ledger after the first, and cannot write it again.
        return Err(Fault::ToolRefuses("it has more than one '-- migrate:up', and dbmate ends at the second"));
    }
    let down = section
        .next()
        .and_then(|(up, _)| downs.iter().find(|down| *down > up))
        .copied()
        .unwrap_or(text.len());
    let block = text.get(first..down).unwrap_or_default();
    Ok(UpSection {
        batches: vec![block.to_owned()],
        in_transaction: !without_transaction(block),
    })
}

/// White space as dbmate's patterns have it.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Where a comment at the beginning of a line says this, and nothing that goes on with it.
fn marks(text: &str, mark: &str) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = text.get(at..).unwrap_or_default();
        let said = rest.strip_prefix("--").map(|rest| rest.trim_start_matches(is_blank));
        if said
            .and_then(|said| said.strip_prefix(mark))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(is_blank))
        {
            places.push(at);
        }
        at += line.len();
    }
    places
}

/// Whether the options behind `-- migrate:up` say `transaction:false`.
fn without_transaction(block: &str) -> bool {
    let line = block.split('\n').next().unwrap_or_default();
    let options = line.split_once("migrate:up").map(|(_, options)| options).unwrap_or_default();
    // Of two, the last counts; a pair has one colon.
    let mut pairs = options.split_ascii_whitespace().filter_map(|option| option.split_once(':'));
    let last = pairs.rfind(|(name, value)| *name == "transaction" && !value.contains(':'));
    last.is_some_and(|(_, value)| value == "false")
}

#[cfg(test)]
mod tests;
