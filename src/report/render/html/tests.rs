//! The page as a browser takes it: parsed as HTML says, without an error, and held against what it may have in it.

mod hostile;
mod parsed;

use std::path::Path;
use std::time::Duration;

use crate::application::{Application, Problem, Remedy};
use crate::findings::check_id::CheckId;
use crate::findings::{Finding, Findings};
use crate::page_map::{MapResult, PageClass, PageMap, PageMapBuilder, PageRole, TreeId};
use crate::report::outcome::Outcome;
use crate::report::{Report, Row};
use crate::text::escape::escape_untrusted;
use parsed::{Element, held};

/// Returns a report with these rows. The only place of these tests where one is made.
fn report_of(store: &str, rows: Vec<Row>) -> Report {
    Report {
        index: 0,
        store: escape_untrusted(store, 4096),
        application: "another".to_owned(),
        situation: "crashed",
        sandbox: "landlock 7".to_owned(),
        examined_at: "2026-11-20T09:00:00Z".to_owned(),
        tables: Vec::new(),
        rows,
        cause: Vec::new(),
        map: MapResult::NotRequested,
        short_of_memory: false,
    }
}

fn row(check: CheckId, outcome: Outcome) -> Row {
    row_advised(check, outcome, "keep a copy of the store first")
}

/// Returns a row whose application says this.
fn row_advised(check: CheckId, outcome: Outcome, advice: &str) -> Row {
    let application = Application {
        advice: |_, _, _| "something".into(),
        ..Application::new("another", Vec::new())
    };
    let files = application.files_of(Path::new("a & b/state.db"));
    let mut row = Row::new(check, outcome, Duration::ZERO, &application, &files);
    let advice = escape_untrusted(advice, 1_200);
    row.remedy = row.remedy.map(|_| Remedy::default().run(advice, [files.keep()]));
    row
}

/// Returns a report with this map as a page.
fn drawn(of: &Report, map: Option<&PageMap>, system: &str) -> String {
    let map = map.map_or(MapResult::NotRequested, |map| map.clone().into());
    super::report(&Report { map, ..of.clone() }, system)
}

/// Returns a pass, a skip, and a failure with seven places.
fn sample() -> Report {
    let mut findings = Findings::default();
    for n in 1..=7 {
        findings.add(|| Finding {
            row: Some(n),
            ..Finding::new("refers to a row of tags that is not there").table("notes")
        });
    }
    let found = Outcome::found("7 rows refer to rows that are not there", Problem::Dangling { rows: 7 }, findings);
    let rows = vec![
        row(CheckId::File, Outcome::pass("an SQLite database, 9 pages of 4096 bytes")),
        row(CheckId::SchemaState, Outcome::skip("needs `read-only`")),
        row(CheckId::ForeignKeys, found),
    ];
    report_of("~/notes/state.db", rows)
}

/// Returns a table with an index on nine pages: one is damaged, one the WAL replaces, one is free, nothing leads to one.
fn small() -> PageMapBuilder {
    let mut builder = PageMapBuilder::new(9);
    let schema = builder.add_table("sqlite_schema");
    let notes = builder.add_table("notes");
    let name = builder.add_index("notes_title", Some(notes));
    for (page, class) in (1..).zip([
        PageClass::Tree(schema, PageRole::Leaf),
        PageClass::Tree(notes, PageRole::Interior),
        PageClass::Tree(notes, PageRole::Leaf),
        PageClass::Tree(notes, PageRole::Leaf),
        PageClass::Tree(notes, PageRole::Overflow),
        PageClass::Tree(name, PageRole::Leaf),
        PageClass::FreeTrunk,
        PageClass::FreeLeaf,
    ]) {
        builder.set_class(page, class);
    }
    builder
}

fn small_and_damaged() -> PageMap {
    let builder = small();
    builder.mark_damaged(4);
    builder.mark_replaced(3);
    builder.finish()
}

/// Returns a number as people read it.
fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("{text:?} is a number"))
}

/// Returns the pages of the key's lines, and of the line for all.
fn key(html: &Element) -> (Vec<u64>, u64) {
    let pages = |row: &&Element| number(&row.children[2].text);
    let lines = html.named("tbody")[0].named("tr").iter().map(pages).collect();
    (lines, pages(&html.named("tfoot")[0].named("tr")[0]))
}

/// Returns the cells of the map.
fn cells(html: &Element) -> Vec<&Element> {
    html.classed("map")[0].named("i")
}

/// Holds the cells and the key against the map that they were drawn from.
fn told_truly(html: &Element, map: &PageMap) {
    let (lines, all) = key(html);
    assert_eq!(lines.iter().sum::<u64>(), all);
    assert_eq!(all, u64::from(map.pages()));
    let cells = cells(html);
    assert_eq!(cells.len(), map.blocks().len());
    for (cell, block) in cells.iter().zip(map.blocks()) {
        let (note, place) = (cell.get("title"), note_pages(cell.get("title")));
        assert_eq!(place, (u64::from(block.first), u64::from(block.last())), "{note}");
        let (damaged, replaced) = (!block.damaged.is_empty(), !block.replaced.is_empty());
        assert_eq!(
            (cell.has_class("dm"), cell.text == "×", note.contains(" damaged")),
            (damaged, damaged, damaged)
        );
        assert_eq!((cell.has_class("w"), note.contains("replaced by the WAL")), (replaced, replaced));
    }
}

/// Returns the pages that a cell's note is about.
fn note_pages(note: &str) -> (u64, u64) {
    let (place, _) = note.split_once(": ").unwrap();
    let (_, numbers) = place.split_once(' ').unwrap();
    let (first, last) = numbers.split_once('–').unwrap_or((numbers, numbers));
    (number(first), number(last))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a whole page")]
fn a_page_says_the_verdict_the_rows_and_what_the_pages_are() {
    let page = drawn(&sample(), Some(&small_and_damaged()), "Linux 6.1.0 x86_64");
    held(&page);
    assert!(page.contains("<title>FAIL: state.db</title>"));
    let body = page.replace(rusqlite::version(), "SQLITE");
    let (_, body) = body.split_once("<main>\n").unwrap();
    insta::assert_snapshot!(body, @r#"
    <header class="fail">
    <h1><strong>FAIL</strong>: 1 of 3 checks failed<small> (foreign-keys), 1 skipped</small></h1>
    <p>It is not known whether data is lost.</p>
    <dl>
    <div><dt>store</dt><dd>~/notes/state.db</dd></div>
    <div><dt>examined</dt><dd>2026-11-20T09:00:00Z</dd></div>
    <div><dt>situation</dt><dd>crashed</dd></div>
    <div><dt>versions</dt><dd>doctor 0.1.0, SQLite SQLITE</dd></div>
    <div><dt>system</dt><dd>Linux 6.1.0 x86_64</dd></div>
    <div><dt>sandbox</dt><dd>landlock 7</dd></div>
    </dl>
    </header>
    <section>
    <h2>What was checked</h2>
    <ul class="rows">
    <li class="pass">
    <h3><span class="word">pass</span> <code>file</code></h3>
    <div>
    <p>an SQLite database, 9 pages of 4096 bytes</p>
    </div>
    </li>
    <li class="skip">
    <h3><span class="word">skip</span> <code>schema-state</code></h3>
    <div>
    <p>needs <code>read-only</code></p>
    </div>
    </li>
    <li class="fail">
    <h3><span class="word">FAIL</span> <code>foreign-keys</code></h3>
    <div>
    <p>7 rows refer to rows that are not there</p>
    <ul>
    <li>notes row 1: refers to a row of tags that is not there</li>
    <li>notes row 2: refers to a row of tags that is not there</li>
    <li>notes row 3: refers to a row of tags that is not there</li>
    <li>notes row 4: refers to a row of tags that is not there</li>
    <li>notes row 5: refers to a row of tags that is not there</li>
    </ul>
    <details>
    <summary>more of them</summary>
    <ul>
    <li>notes row 6: refers to a row of tags that is not there</li>
    <li>notes row 7: refers to a row of tags that is not there</li>
    </ul>
    </details>
    </div>
    </li>
    </ul>
    </section>
    <section>
    <h2>What to do</h2>
    <h3 class="for"><code>foreign-keys</code></h3>
    <ol class="steps">
    <li><p>keep a copy of the store first</p>
    <pre>umask 077 &amp;&amp; mkdir kept &amp;&amp; cp -a &#39;a &amp; b/state.db&#39;* kept</pre>
    </li>
    </ol>
    </section>
    <section>
    <h2>The store’s pages</h2>
    <div class="note">
    <p><b>1 page is damaged:</b></p>
    <ul>
    <li>page 4: <bdi>notes</bdi> (table)</li>
    </ul>
    </div>
    <p class="note"><b>1 page is unreached:</b> nothing that could be read leads there.</p>
    <p>9 pages in the order of the file, line by line. One cell is one page.</p>
    <div class="pages">
    <div class="key">
    <table>
    <thead><tr><td></td><th scope="col">what</th><th scope="col">pages</th><th scope="col">share</th></tr></thead>
    <tbody>
    <tr><td><i class="t0">A</i></td><th scope="row"><bdi>notes</bdi> <small>table: 2 leaf, 1 interior, 1 overflow; <b>1 damaged</b></small></th><td>4</td><td>44.4 %</td></tr>
    <tr><td><i class="t0 x">a</i></td><th scope="row">indexes of <bdi>notes</bdi> <small><bdi>notes_title</bdi>: 1</small></th><td>1</td><td>11.1 %</td></tr>
    <tr><td><i class="t1">B</i></td><th scope="row"><bdi>sqlite_schema</bdi> <small>table: 1 leaf</small></th><td>1</td><td>11.1 %</td></tr>
    <tr><td><i class="fr">·</i></td><th scope="row"><bdi>free</bdi> <small>on the freelist, to be used again</small></th><td>2</td><td>22.2 %</td></tr>
    <tr><td><i class="un">?</i></td><th scope="row"><bdi>unreached</bdi> <small>nothing that could be read leads there</small></th><td>1</td><td>11.1 %</td></tr>
    </tbody>
    <tfoot><tr><td></td><th scope="row">all</th><td>9</td><td>100 %</td></tr></tfoot>
    </table>
    <ul class="marks">
    <li><i class="dm">×</i> damaged: 1 page in 1 cell</li>
    <li><i class="fr w"></i> replaced by the WAL: 1 page in 1 cell</li>
    <li><i class="in"></i> framed: interior pages, which lead to others</li>
    <li><i class="ov"></i> half: overflow pages, the rest of long rows</li>
    </ul>
    </div>
    <div class="map large" role="img" aria-label="A map of 9 pages; the table says how many there are of each kind">
    <i class="t1" title="page 1: sqlite_schema (table)">B</i><i class="t0 in" title="page 2: notes (table, interior)">A</i><i class="t0 w" title="page 3: notes (table); replaced by the WAL">A</i><i class="dm" title="page 4: notes (table); damaged">×</i><i class="t0 ov" title="page 5: notes (table, overflow)">A</i><i class="t0 x" title="page 6: notes_title (index)">a</i><i class="fr" title="page 7: freelist trunk">·</i><i class="fr" title="page 8: free">·</i><i class="un" title="page 9: unreached">?</i>
    </div>
    </div>
    </section>
    <footer>
    <p>This page names tables, columns, row numbers and pages of the store, and holds none of its values. It loads nothing and runs nothing.</p>
    </footer>
    </main>
    </body>
    </html>
    "#);
}

#[test]
fn without_a_map_the_page_says_so() {
    let html = held(&drawn(&sample(), None, ""));
    assert!(html.text.contains("No map of this store’s pages was asked for."));
    assert!(html.named("i").is_empty());
}

#[test]
fn a_store_without_pages_has_a_map_without_cells() {
    let map = PageMapBuilder::new(0).finish();
    let html = held(&drawn(&sample(), Some(&map), ""));
    told_truly(&html, &map);
    assert!(html.text.contains("No damaged page was found."));
}

#[test]
fn no_line_ends_within_an_option_or_a_suffix() {
    let rows = vec![row(CheckId::File, Outcome::pass("its -wal, with --salvage; not a-b"))];
    let html = held(&drawn(&report_of("x", rows), None, ""));
    let whole: Vec<&str> = html.classed("whole").iter().map(|span| span.text.as_str()).collect();
    assert_eq!(whole, ["-wal,", "--salvage;"]);
    assert_eq!(html.classed("rows")[0].named("p")[0].text, "its -wal, with --salvage; not a-b");
}

#[test]
fn what_is_wrong_between_pages_is_not_called_nothing() {
    let failed = row(
        CheckId::PageStructure,
        Outcome::found("an index is wrong", Problem::Dangling { rows: 1 }, Findings::default()),
    );
    let map = PageMapBuilder::new(1).finish();
    let html = held(&drawn(&report_of("x", vec![failed]), Some(&map), ""));
    assert!(html.text.contains("No single page was found to be damaged"));
    assert!(!html.text.contains("No damaged page was found"));
}

#[test]
fn why_there_is_no_map_is_said() {
    let report = Report {
        cause: Vec::new(),
        map: MapResult::unavailable("it <moved>\u{7}"),
        ..sample()
    };
    let html = held(&super::report(&report, ""));
    assert!(html.text.contains("There is no map of this store’s pages: it <moved>\\u{7}."));
}

#[test]
fn every_finding_is_listed_and_five_are_shown() {
    let html = held(&drawn(&sample(), None, ""));
    let failed = html.classed("fail");
    let lists = failed[1].named("ul");
    assert_eq!(lists.iter().map(|list| list.named("li").len()).collect::<Vec<_>>(), [5, 2]);
    assert_eq!(failed[1].named("details")[0].named("li").len(), 2);
}

#[test]
fn the_key_adds_up_and_each_damaged_page_has_a_cell() {
    for pages in [9, 300, 2_048, 2_049, 40_000] {
        let mut builder = PageMapBuilder::new(pages);
        let trees: Vec<TreeId> = (0..12).map(|n| builder.add_table(&format!("t{n}"))).collect();
        let indexes: Vec<TreeId> = trees.iter().map(|tree| builder.add_index("i", Some(*tree))).collect();
        for page in 1..=pages {
            let n = page as usize;
            builder.set_class(
                page,
                match n % 7 {
                    0 => PageClass::FreeLeaf,
                    1 => PageClass::Tree(indexes[n / 50 % 12], PageRole::Leaf),
                    2 => PageClass::Tree(trees[n / 50 % 12], PageRole::Overflow),
                    3 if n % 100 == 3 => PageClass::Unreached,
                    _ => PageClass::Tree(trees[n / 50 % 12], PageRole::Leaf),
                },
            );
            if n % 97 == 5 {
                builder.mark_damaged(page);
            }
            if n % 89 == 5 {
                builder.mark_replaced(page);
            }
        }
        let map = builder.finish();
        let html = held(&drawn(&sample(), Some(&map), ""));
        told_truly(&html, &map);
        // What the list does not name, it counts.
        let note = html.classed("note")[0];
        let listed: u64 = note
            .named("li")
            .iter()
            .map(|li| {
                if let Some(rest) = li.text.strip_prefix("… and ") {
                    return number(rest.split(' ').next().unwrap());
                }
                let (first, last) = note_pages(&li.text);
                last - first + 1
            })
            .sum();
        assert_eq!(listed, u64::from(map.damaged().pages));
    }
}

#[test]
fn a_look_that_ended_early_calls_nothing_unreached() {
    let map = small().finish_early("the time limit of 1 s came");
    let html = held(&drawn(&sample(), Some(&map), ""));
    assert!(html.text.contains("Not all pages were looked at: the time limit of 1 s came."));
    assert!(html.text.contains("No damaged page was found among those that were looked at."));
    assert!(html.text.contains("not looked at") && !html.text.contains("unreached"));
}

#[test]
fn an_unreached_page_is_never_hidden_and_one_that_was_not_looked_at_hides_nothing() {
    let told = || {
        let mut builder = PageMapBuilder::new(3 * 2_048);
        let notes = builder.add_table("notes");
        for page in 2..=4 {
            builder.set_class(page, PageClass::Tree(notes, PageRole::Leaf));
        }
        builder
    };
    let first = |map: &PageMap| {
        let html = held(&drawn(&sample(), Some(map), ""));
        (cells(&html)[0].text.clone(), cells(&html)[0].get("title").to_owned())
    };
    let unreached = "pages 1–4: 3 notes (table), 1 unreached";
    assert_eq!(first(&told().finish()), ("?".to_owned(), unreached.to_owned()));
    let not_looked_at = "pages 1–4: 3 notes (table), 1 not looked at";
    assert_eq!(first(&told().finish_early("Ctrl-C")), ("A".to_owned(), not_looked_at.to_owned()));
}

#[test]
fn the_greatest_store_fits_on_a_page() {
    let mut builder = PageMapBuilder::new(u32::MAX - 1);
    let notes = builder.add_table("notes");
    builder.set_class(1, PageClass::Tree(notes, PageRole::Leaf));
    for page in (1..=2_000).map(|n| n * 2_000_000) {
        builder.mark_damaged(page);
        builder.mark_replaced(page + 1);
    }
    let map = builder.finish();
    let page = drawn(&sample(), Some(&map), "");
    let html = held(&page);
    told_truly(&html, &map);
    assert!(html.text.contains("One cell is 2,097,152 pages, drawn as what most of them are"));
    assert!(page.len() < 512 * 1024, "{}", page.len());
}

#[test]
fn a_page_has_a_bound_whatever_the_names_are() {
    let hostile = "\"".repeat(400_000);
    let mut builder = PageMapBuilder::new(50_000);
    let trees: Vec<TreeId> = (0..5).map(|_| builder.add_table(&hostile)).collect();
    for page in 1..=50_000_u32 {
        builder.set_class(page, PageClass::Tree(trees[page as usize % 5], PageRole::Unclear));
        builder.mark_damaged(page);
        builder.mark_replaced(page);
    }
    let map = builder.finish();
    let page = drawn(&sample(), Some(&map), &hostile[..200]);
    told_truly(&held(&page), &map);
    assert!(page.len() < 1024 * 1024, "{}", page.len());
}
