//! The files that hold both directions, marked by comments: goose's and sql-migrate's, which are split into statements by lines, and
//! dbmate's.

/// The part of a file that leads up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UpSection {
    /// The texts that the tool passes to SQLite, one after the other.
    pub(crate) batches: Vec<String>,
    /// True if the tool wraps it in a transaction.
    pub(crate) in_transaction: bool,
}

/// The reason why a file cannot be read as the tool reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SectionFault {
    /// The tool itself ends with this error.
    ToolRefuses(&'static str),
    /// The tool puts values of the environment into it.
    Environment,
}

/// The state of goose's reader of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GooseState {
    Start,
    Section(GooseDirection),
    Statement(GooseDirection),
    /// On the line of a `StatementEnd`.
    StatementEnd(GooseDirection),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GooseDirection {
    Up,
    Down,
}

/// The annotation in a comment for goose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GooseAnnotation {
    Up,
    Down,
    StatementBegin,
    StatementEnd,
    NoTransaction,
    EnvsubOn,
    EnvsubOff,
}

const ANNOTATIONS: [(&str, GooseAnnotation); 7] = [
    ("Up", GooseAnnotation::Up),
    ("Down", GooseAnnotation::Down),
    ("StatementBegin", GooseAnnotation::StatementBegin),
    ("StatementEnd", GooseAnnotation::StatementEnd),
    ("NO TRANSACTION", GooseAnnotation::NoTransaction),
    ("ENVSUB ON", GooseAnnotation::EnvsubOn),
    ("ENVSUB OFF", GooseAnnotation::EnvsubOff),
];

/// Returns the statements of a goose file's way up, as goose splits them: a statement ends with a line that ends with a semicolon,
/// or with `StatementEnd`. Comments within a statement stay in it; those before one do not.
pub(super) fn goose(text: &str) -> Result<UpSection, SectionFault> {
    let mut place = GooseState::Start;
    let mut up = UpSection {
        batches: Vec::new(),
        in_transaction: true,
    };
    let mut statement = String::new();
    for line in text.lines() {
        if place == GooseState::Start && line.trim().is_empty() {
            continue;
        }
        let is_comment = line.trim().starts_with("--");
        if is_comment && line.contains("+goose") {
            let told = annotation(line)?;
            match told {
                GooseAnnotation::NoTransaction => up.in_transaction = false,
                GooseAnnotation::EnvsubOn if place != GooseState::Section(GooseDirection::Down) => {
                    return Err(SectionFault::Environment);
                }
                GooseAnnotation::EnvsubOn | GooseAnnotation::EnvsubOff => {}
                _ => place = moved(place, told, &statement)?,
            }
            if told != GooseAnnotation::StatementEnd {
                continue;
            }
        }
        // What stands before a statement is left out: comments, empty lines, and a StatementEnd behind nothing.
        if statement.is_empty() && (is_comment || line.is_empty()) {
            continue;
        }
        if !matches!(place, GooseState::StatementEnd(_)) {
            statement.push_str(line);
            statement.push('\n');
        }
        match place {
            GooseState::Start => return Err(SectionFault::ToolRefuses("something stands before '-- +goose Up'")),
            GooseState::Section(GooseDirection::Down) | GooseState::Statement(GooseDirection::Down) => {
                statement.clear();
            }
            GooseState::StatementEnd(GooseDirection::Down) => {
                statement.clear();
                place = GooseState::Section(GooseDirection::Down);
            }
            GooseState::Section(GooseDirection::Up) if !ends_statement(line) => {}
            GooseState::Statement(GooseDirection::Up) => {}
            GooseState::Section(GooseDirection::Up) | GooseState::StatementEnd(GooseDirection::Up) => {
                up.batches.push(statement.trim().to_owned());
                statement.clear();
                place = GooseState::Section(GooseDirection::Up);
            }
        }
    }
    match place {
        GooseState::Start => Err(SectionFault::ToolRefuses("it has no '-- +goose Up'")),
        GooseState::Statement(_) => Err(SectionFault::ToolRefuses("a '-- +goose StatementBegin' has no end")),
        _ if !statement.trim().is_empty() => Err(SectionFault::ToolRefuses("its last statement has no semicolon")),
        _ => Ok(up),
    }
}

/// Reads the annotation of a comment with `+goose` in it.
fn annotation(line: &str) -> Result<GooseAnnotation, SectionFault> {
    if line.starts_with([' ', '\t']) {
        return Err(SectionFault::ToolRefuses("blanks stand before a '-- +goose' comment"));
    }
    let said = line.replace("--", "").replacen("+goose", "", 1);
    let known = ANNOTATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(said.trim()));
    known
        .map(|(_, annotation)| *annotation)
        .ok_or(SectionFault::ToolRefuses("a '-- +goose' comment says what goose does not know"))
}

/// Returns the state after a comment.
fn moved(place: GooseState, told: GooseAnnotation, statement: &str) -> Result<GooseState, SectionFault> {
    use GooseDirection::{Down, Up};
    match (told, place) {
        (GooseAnnotation::Up, GooseState::Start) => Ok(GooseState::Section(Up)),
        (GooseAnnotation::Up, _) => Err(SectionFault::ToolRefuses("it has more than one '-- +goose Up'")),
        (GooseAnnotation::Down, GooseState::Section(Up) | GooseState::StatementEnd(Up))
            if statement.trim().is_empty() =>
        {
            Ok(GooseState::Section(Down))
        }
        (GooseAnnotation::Down, GooseState::Section(Up) | GooseState::StatementEnd(Up)) => {
            Err(SectionFault::ToolRefuses("the last statement before '-- +goose Down' has no semicolon"))
        }
        (GooseAnnotation::Down, _) => {
            Err(SectionFault::ToolRefuses("a '-- +goose Down' stands where goose takes none"))
        }
        (GooseAnnotation::StatementBegin, GooseState::Section(direction) | GooseState::StatementEnd(direction)) => {
            Ok(GooseState::Statement(direction))
        }
        (GooseAnnotation::StatementEnd, GooseState::Statement(direction)) => Ok(GooseState::StatementEnd(direction)),
        (GooseAnnotation::StatementBegin | GooseAnnotation::StatementEnd, _) => Err(SectionFault::ToolRefuses(
            "a '-- +goose StatementBegin' or 'StatementEnd' stands where goose takes none",
        )),
        (GooseAnnotation::NoTransaction | GooseAnnotation::EnvsubOn | GooseAnnotation::EnvsubOff, _) => Ok(place),
    }
}

/// Returns true if the last word of a line, before a comment, ends with a semicolon.
fn ends_statement(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.starts_with("--"));
    words.last().is_some_and(|word| word.ends_with(';'))
}

/// Returns the statements of a sql-migrate file's way up, as the tool splits them: a statement ends with a line that ends with a semicolon,
/// or with `StatementEnd`.
pub(super) fn sql_migrate(text: &str) -> Result<UpSection, SectionFault> {
    const COMMAND: &str = "-- +migrate ";
    let mut up = UpSection {
        batches: Vec::new(),
        in_transaction: true,
    };
    // The direction of the section, if one has begun.
    let mut leads_up: Option<bool> = None;
    let mut statement = String::new();
    let mut is_marked = false;
    for line in text.lines() {
        if line.starts_with("-- ") && !line.starts_with("-- +") {
            continue;
        }
        let mut is_ended = false;
        if let Some(command) = line.strip_prefix(COMMAND) {
            let mut words = command.split_whitespace();
            match words.next() {
                Some(direction @ ("Up" | "Down")) => {
                    if !statement.trim().is_empty() {
                        return Err(SectionFault::ToolRefuses("the last statement of a section has no semicolon"));
                    }
                    leads_up = Some(direction == "Up");
                    if direction == "Up" && words.any(|option| option == "notransaction") {
                        up.in_transaction = false;
                    }
                }
                Some("StatementBegin") => is_marked |= leads_up.is_some(),
                Some("StatementEnd") if leads_up.is_some() => {
                    is_ended = is_marked;
                    is_marked = false;
                }
                _ => {}
            }
        }
        let Some(leads_up) = leads_up else { continue };
        if !line.starts_with("-- +") {
            statement.push_str(line);
            statement.push('\n');
        }
        if is_ended || (!is_marked && ends_statement(line)) {
            if leads_up {
                up.batches.push(std::mem::take(&mut statement));
            } else {
                statement.clear();
            }
        }
    }
    if is_marked {
        return Err(SectionFault::ToolRefuses("a '-- +migrate StatementBegin' has no 'StatementEnd'"));
    }
    if leads_up.is_none() {
        return Err(SectionFault::ToolRefuses("it has neither '-- +migrate Up' nor 'Down'"));
    }
    if !statement.trim().is_empty() {
        return Err(SectionFault::ToolRefuses("the last statement has no semicolon"));
    }
    Ok(up)
}

/// Returns the way up of a dbmate file: everything from `-- migrate:up` to `-- migrate:down`, the first comment included.
pub(super) fn dbmate(text: &str) -> Result<UpSection, SectionFault> {
    let ups = marks(text, "migrate:up");
    let Some(first) = ups.first().copied() else {
        return Err(SectionFault::ToolRefuses("it has no '-- migrate:up'"));
    };
    let before = text.get(..first).unwrap_or_default();
    let is_nothing = |line: &str| line.is_empty() || line.starts_with("--");
    if !before.split('\n').map(|line| line.trim_start_matches(is_blank)).all(is_nothing) {
        return Err(SectionFault::ToolRefuses("something stands before '-- migrate:up'"));
    }
    let downs = marks(text, "migrate:down");
    let mut section = ups.iter().zip(ups.iter().skip(1).copied().chain([text.len()]));
    if !section
        .clone()
        .all(|(up, end)| downs.iter().filter(|down| (*up..end).contains(down)).count() == 1)
    {
        return Err(SectionFault::ToolRefuses("a '-- migrate:up' has not one '-- migrate:down'"));
    }
    if ups.len() > 1 {
        // It writes the version into the ledger after the first, and cannot write it again.
        return Err(SectionFault::ToolRefuses(
            "it has more than one '-- migrate:up', and dbmate ends at the second",
        ));
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

/// Returns true for white space as dbmate's patterns have it.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Returns the offsets of comments at the beginning of a line that hold this mark as a whole word.
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

/// Returns true if the options behind `-- migrate:up` say `transaction:false`.
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
