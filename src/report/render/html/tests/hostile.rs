//! Whatever the names in a store are, they show as themselves.

use proptest::prelude::*;

use super::*;

/// Text that would break out if anything could: markup, quotes, comments, references, controls, any character at all.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "</style><script>alert(1)</script>",
            "</title>",
            "\" onload=\"alert(1)",
            "' onerror='x",
            "<!--",
            "-->",
            "<![CDATA[",
            "&lt;",
            "&#0;",
            "&amp",
            "\0",
            "\u{202e}",
            "\u{2066}",
            "\u{feff}",
            "\u{fffe}",
            "\u{fdd0}",
            "\u{10ffff}",
            "\u{85}",
            "\r\n",
            "<img src=//x.y onerror=z>",
            "https://x.y/",
            "javascript:",
            "<svg/onload=x>",
            "`",
            "{}",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[a-z]{1,5}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Text as a page shows it: what no page may hold is escaped.
fn shown(text: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_control() || super::super::is_noncharacter(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_breaks_out_and_each_shows_as_itself(names in prop::collection::vec(hostile(), 4), damaged in 1_u32..9) {
        let mut builder = PageMapBuilder::new(8);
        let table = builder.add_table(&names[0]);
        let index = builder.add_index(&names[1], Some(table));
        for page in 1..=8 {
            builder.set_class(page, PageClass::Tree(if page % 2 == 0 { table } else { index }, PageRole::Leaf));
        }
        builder.mark_damaged(damaged);
        let map = builder.finish();
        let mut findings = Findings::default();
        findings.add(|| Finding::new(names[2].clone()).table(names[0].clone()).column(names[1].clone()));
        let failed = Outcome::found(names[3].clone(), Problem::Dangling { rows: 1 }, findings);
        let report = report_of(&names[3], vec![row_advised(CheckId::RowValues, failed, &names[2]), row(CheckId::File, Outcome::pass(names[1].clone()))]);
        let html = held(&drawn(&report, Some(&map), &names[2]));
        told_truly(&html, &map);

        let said = |text: &str| shown(&escape_untrusted(text, 1_200));
        let dd: Vec<&str> = html.named("dd").iter().map(|dd| dd.text.as_str()).collect();
        prop_assert_eq!(dd[0], said(&names[3]));
        prop_assert_eq!(dd[4], shown(&names[2]));
        let key = html.named("tbody")[0];
        let name = shown(&super::super::cut(&escape_untrusted(&names[0], 160), 64));
        prop_assert!(key.named("th")[0].text.starts_with(&format!("{name} table: ")), "{name}");
        let rows = html.classed("rows")[0];
        prop_assert_eq!(&rows.children[0].named("p")[0].text, &said(&names[3]));
        prop_assert_eq!(&rows.children[1].named("p")[0].text, &said(&names[1]));
        // Line ends and controls of a store never reach the page, not even as text.
        prop_assert!(!html.text.contains(|c: char| c.is_control() && c != '\n'));
    }
}
