//! Mistakes on the command line, which `*` makes where a stranger's files have hostile names.

use insta::assert_snapshot;

use crate::support::{Home, needs};

const SETS_THE_TITLE: &str = "\x1b]0;owned\x07";

/// The control characters that a terminal is sent, but for line ends and colours.
fn commands(screen: &str) -> Vec<char> {
    let mut rest = screen;
    let mut out = Vec::new();
    while let Some(at) = rest.find(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
        let c = rest[at..].chars().next().unwrap();
        rest = &rest[at + c.len_utf8()..];
        let is_colour = c == '\x1b' && rest.starts_with('[') && {
            let end = rest[1..].find(|c: char| !c.is_ascii_digit() && c != ';').unwrap();
            rest[1 + end..].starts_with('m')
        };
        if c != '\n' && !is_colour {
            out.push(c);
        }
    }
    out
}

#[test]
fn what_was_given_is_repeated_without_its_control_characters() {
    needs!("script");
    let home = Home::new();
    let hostile = [
        format!("-{SETS_THE_TITLE}.db"),
        format!("--{SETS_THE_TITLE}"),
        format!("-q{SETS_THE_TITLE}"),
        format!("--format={SETS_THE_TITLE}"),
        format!("--time-limit={SETS_THE_TITLE}"),
        format!("--only={SETS_THE_TITLE}"),
        format!("--system={SETS_THE_TITLE}"),
        format!("--formal{SETS_THE_TITLE}"),
        "--\u{9b}31m\u{202e}".to_owned(),
    ];
    for argument in hostile {
        for arguments in [vec![argument.as_str()], vec!["--check-migrations", &argument]] {
            let (screen, code) = home.screen(80, &[], &arguments);
            assert_eq!(code, 64, "{screen:?}");
            assert_eq!(commands(&screen), ['x'; 0], "{screen:?}");
            assert!(screen.contains("\x1b["), "it is coloured all the same: {screen:?}");
            let piped = home.doctor(&arguments);
            assert_eq!(commands(&piped.stderr), ['x'; 0], "{piped:?}");
            assert_eq!((piped.stdout.as_str(), piped.code), ("", Some(64)), "{piped:?}");
        }
    }
    assert_snapshot!(home.doctor(&[&format!("--{SETS_THE_TITLE}")]).stderr, @r"
    error: unexpected argument '--\u{1b}]0;owned\u{7}' found

    Usage: doctor [OPTIONS] [STATE_DB]...

    For more information, try '--help'.
    ");
}

#[test]
fn a_harmless_mistake_keeps_its_tip() {
    let home = Home::new();
    let said = |argument| home.doctor(&[argument]).stderr;
    assert!(said("--format=tabel").contains("a similar value exists: 'table'"));
    assert!(said("--formt=json").contains("a similar argument exists: '--format'"));
    assert!(said("-wal.db").contains("to pass '-w' as a value, use '-- -w'"), "{}", said("-wal.db"));
    for (argument, tip) in [
        ("--fix", "the doctor changes nothing"),
        ("--output", "redirect the output"),
        ("-v", "doctor --explain CHECK"),
        ("-q", "doctor > /dev/null"),
    ] {
        let said = said(argument);
        assert!(said.contains(tip) && !said.contains("as a value"), "{said}");
    }
    assert!(!said("--unheard-of").contains("as a value"));
    assert!(said("help").contains("there is no command `help`"));
}

#[test]
fn json_is_short_for_the_format() {
    let home = Home::new();
    let [long, short] = [&["--format", "json"][..], &["--json"]].map(|format| {
        let said = home.doctor(&[format, &["--only", "file", "nothing-here"]].concat()).stdout;
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["rows"][0]["kind"].clone()
    });
    assert!(long == short && long == "file-missing", "{long}, {short}");
}
