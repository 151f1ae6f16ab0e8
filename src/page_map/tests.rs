//! A map is exact where pages are kept one by one, bounded where they are not, and never hides a damaged page.

use proptest::prelude::*;

use super::builder::{MOST_PARTS, MOST_RANGES, MOST_SINGLE};
use super::*;

/// The pages that a map counts.
fn counted(map: &PageMap) -> u64 {
    map.counts().iter().map(|count| u64::from(count.pages)).sum()
}

#[test]
fn a_small_store_has_a_block_a_page() {
    let mut builder = PageMapBuilder::new(8);
    let schema = builder.add_table("sqlite_schema");
    let notes = builder.add_table("notes");
    let name = builder.add_index("notes_title", Some(notes));
    builder.set_class(1, PageClass::Tree(schema, PageRole::Leaf));
    builder.set_class(2, PageClass::Tree(notes, PageRole::Interior));
    builder.set_class(3, PageClass::Tree(notes, PageRole::Leaf));
    builder.set_class(4, PageClass::Tree(notes, PageRole::Overflow));
    builder.set_class(5, PageClass::Tree(name, PageRole::Leaf));
    builder.set_class(6, PageClass::FreeTrunk);
    builder.set_class(7, PageClass::Tree(notes, PageRole::Unclear));
    builder.mark_damaged(7);
    builder.mark_damaged(7);
    builder.mark_damaged(8);
    builder.mark_replaced(3);
    let map = builder.finish();

    assert_eq!((map.pages(), map.block_pages(), map.blocks().len()), (8, 1, 8));
    assert_eq!((map.name(notes), map.tree_kind(name)), ("notes", TreeKind::Index(Some(notes))));
    let classes: Vec<PageClass> = map.blocks().iter().map(|block| block.parts[0].0).collect();
    assert_eq!(classes[6], PageClass::Tree(notes, PageRole::Unclear));
    assert_eq!(classes[7], PageClass::Unreached);
    assert_eq!(map.damaged().pages, 2);
    assert_eq!(map.replaced().pages, 1);
    assert_eq!(counted(&map), 8);
    assert!(map.counts().contains(&ClassCount {
        class: PageClass::Unreached,
        pages: 1,
        damaged: Some(1)
    }));
    let place = |page, class| DamagedRange {
        first: page,
        last: page,
        class: Some(class),
    };
    assert_eq!(
        map.damaged_ranges(),
        [
            place(7, PageClass::Tree(notes, PageRole::Unclear)),
            place(8, PageClass::Unreached)
        ]
    );
}

#[test]
fn pages_that_the_store_does_not_have_are_passed_over() {
    for single in [MOST_SINGLE, 0] {
        let builder = PageMapBuilder::with_single_pages(3, single);
        for page in [0, 4, u32::MAX] {
            builder.set_class(page, PageClass::FreeLeaf);
            builder.mark_damaged(page);
            builder.mark_replaced(page);
        }
        let map = builder.finish();
        assert_eq!(
            (map.damaged(), map.replaced(), map.counts().len()),
            (MarkCount::default(), MarkCount::default(), 1)
        );
    }
    let none = PageMapBuilder::new(0).finish();
    assert!(none.blocks().is_empty() && none.counts().is_empty());
}

#[test]
fn of_two_claims_to_a_page_the_same_one_is_kept_in_whatever_order_they_come() {
    let map = |swapped: bool| {
        let mut builder = PageMapBuilder::new(1);
        let mut claims = [
            PageClass::Tree(builder.add_table("a"), PageRole::Leaf),
            PageClass::Tree(builder.add_table("b"), PageRole::Leaf),
        ];
        if swapped {
            claims.reverse();
        }
        for claim in claims {
            builder.set_class(1, claim);
        }
        builder.mark_damaged(1);
        builder.finish()
    };
    assert_eq!(map(false), map(true));
}

#[test]
fn a_name_is_cut_and_made_safe_where_it_enters_and_names_have_a_bound() {
    let mut builder = PageMapBuilder::new(1);
    let long = builder.add_table(&"\u{202e}x".repeat(200_000));
    for n in 0..5_000 {
        builder.add_table(&format!("t{n}"));
    }
    let further = builder.add_table("one more");
    let index = builder.add_index("an index", Some(long));
    builder.set_class(1, PageClass::Tree(index, PageRole::Leaf));
    let map = builder.finish();
    assert!(map.name(long).starts_with("\\u{202e}x\\u{202e}x") && map.name(long).len() < 1_000);
    assert!(map.name(long).ends_with(" characters more)"));
    assert_eq!((map.name(further), map.tree_kind(further)), ("further tables", TreeKind::Table));
    assert_eq!((map.name(index), map.tree_kind(index)), ("further indexes", TreeKind::Index(None)));
    assert_eq!(map.blocks()[0].parts, [(PageClass::Tree(index, PageRole::Leaf), 1)]);
}

#[test]
fn the_greatest_store_has_a_map_and_no_damaged_page_is_hidden() {
    let pages = u32::MAX - 1;
    let mut builder = PageMapBuilder::new(pages);
    let notes = builder.add_table("notes");
    for page in [1, 2, 3, 2_000_000_000, pages] {
        builder.set_class(page, PageClass::Tree(notes, PageRole::Leaf));
        builder.mark_damaged(page);
    }
    let map = builder.finish();
    assert_eq!((map.blocks().len(), map.block_pages()), (2_048, 1 << 21));
    assert_eq!(map.blocks().iter().map(|block| u64::from(block.pages)).sum::<u64>(), u64::from(pages));
    assert_eq!(map.blocks().last().map(PageBlock::last), Some(pages));
    let damaged: Vec<u32> = map.blocks().iter().map(|block| block.damaged.pages).filter(|n| *n > 0).collect();
    assert_eq!(damaged, [3, 1, 1]);
    assert_eq!(
        map.damaged(),
        MarkCount {
            pages: 5,
            at_least: false
        }
    );
    assert_eq!(
        map.damaged_ranges()[0],
        DamagedRange {
            first: 1,
            last: 3,
            class: None
        }
    );
    assert_eq!(counted(&map), u64::from(pages));
    assert_eq!(
        map.blocks()[0].parts,
        [
            (PageClass::Unreached, (1 << 21) - 3),
            (PageClass::Tree(notes, PageRole::Leaf), 3)
        ]
    );
}

#[test]
fn a_block_keeps_no_more_than_it_has_room_for() {
    let pages = 1 << 18;
    let mut builder = PageMapBuilder::with_single_pages(pages, 0);
    let trees: Vec<TreeId> = (0..300).map(|n| builder.add_table(&format!("t{n}"))).collect();
    for page in 1..=pages {
        builder.set_class(page, PageClass::Tree(trees[page as usize % 300], PageRole::Leaf));
        builder.set_class(page, PageClass::FreeLeaf);
        builder.mark_damaged(page);
    }
    let map = builder.finish();
    assert_eq!(counted(&map), u64::from(pages));
    assert!(map.damaged().at_least && map.damaged().pages == 64 * 2_048);
    assert!(
        map.blocks()
            .iter()
            .all(|block| block.damaged.pages > 0 && block.parts.len() <= MOST_PARTS)
    );
    assert_eq!(map.damaged_ranges().len(), MOST_RANGES);
}

#[test]
fn several_threads_fill_one_map() {
    for single in [MOST_SINGLE, 0] {
        let mut builder = PageMapBuilder::with_single_pages(40_000, single);
        let trees = [builder.add_table("a"), builder.add_table("b")];
        std::thread::scope(|scope| {
            for (n, tree) in trees.into_iter().enumerate() {
                let builder = &builder;
                scope.spawn(move || {
                    for page in (1..=40_000_u32).filter(|page| *page as usize % 2 == n) {
                        builder.set_class(page, PageClass::Tree(tree, PageRole::Leaf));
                        builder.mark_replaced(page);
                        builder.mark_replaced(1 + page / 2);
                    }
                });
            }
        });
        let map = builder.finish();
        let pages: Vec<u32> = map.counts().iter().map(|count| count.pages).collect();
        assert_eq!(pages, [20_000, 20_000]);
        assert_eq!(
            map.replaced(),
            MarkCount {
                pages: 40_000,
                at_least: false
            }
        );
    }
}

#[test]
fn a_look_that_ended_says_why() {
    let map = PageMapBuilder::new(2).finish_early("the time limit\u{7} came");
    assert_eq!(map.incomplete_reason(), Some("the time limit\\u{7} came"));
    assert_eq!(PageMapBuilder::new(2).finish().incomplete_reason(), None);
}

/// A page, what is told of it, and which bits it has.
type Told = (u32, u8, bool, bool);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a model that keeps everything: both ways of keeping pages count alike, and no mark is lost.
    #[test]
    fn nothing_that_is_told_once_is_lost(
        pages in 1_u32..9_000,
        told in prop::collection::vec((1_u32..9_000, 0_u8..8, any::<bool>(), any::<bool>()), 0..60),
    ) {
        let mut told: Vec<Told> = told.into_iter().filter(|(page, ..)| *page <= pages).collect();
        told.sort_unstable();
        told.dedup_by_key(|(page, ..)| *page);
        let mut maps = Vec::new();
        for single in [MOST_SINGLE, 0] {
            let mut builder = PageMapBuilder::with_single_pages(pages, single);
            let table = builder.add_table("t");
            let class = |n: u8| [
                PageClass::Unreached, PageClass::FreeTrunk, PageClass::FreeLeaf, PageClass::LockByte, PageClass::PointerMap,
                PageClass::Tree(table, PageRole::Leaf), PageClass::Tree(table, PageRole::Overflow), PageClass::Tree(table, PageRole::Interior),
            ][usize::from(n)];
            for (page, n, damaged, replaced) in &told {
                if *damaged {
                    builder.mark_damaged(*page);
                }
                builder.set_class(*page, class(*n));
                if *replaced {
                    builder.mark_replaced(*page);
                }
            }
            let map = builder.finish();
            prop_assert!(map.blocks().len() <= MOST_BLOCKS as usize);
            prop_assert_eq!(counted(&map), u64::from(pages));
            for (page, _, damaged, replaced) in &told {
                let block = &map.blocks()[(*page as usize - 1) / map.block_pages() as usize];
                prop_assert!((block.first..=block.last()).contains(page));
                prop_assert!(!damaged || block.damaged.pages > 0);
                prop_assert!(!replaced || block.replaced.pages > 0);
            }
            maps.push(map);
        }
        prop_assert_eq!(maps[0].blocks(), maps[1].blocks());
        prop_assert_eq!(maps[0].damaged(), maps[1].damaged());
        let counts = |map: &PageMap| map.counts().iter().map(|count| (count.class, count.pages)).collect::<Vec<_>>();
        prop_assert_eq!(counts(&maps[0]), counts(&maps[1]));
    }
}
