//! What a page's header says of its space.

use sqlite_format::page::Page;

/// What the header says is free: between the cell pointers and the content, and the free blocks.
pub fn free_space(page: &Page<'_>, into: &mut Vec<(usize, usize)>) {
    let usable = page.bytes().len();
    if page.pointers_end() <= page.content_at() && page.content_at() <= usable {
        into.push((page.pointers_end(), page.content_at()));
    }
    let mut at = page.first_free_block();
    let two = |at: usize| page.bytes().get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
    // They ascend, so that there is no circle.
    while let (Some(next), Some(size)) = (two(at), two(at + 2)) {
        if at == 0 {
            break;
        }
        into.push((at, (at + usize::from(size)).min(usable)));
        if usize::from(next) <= at {
            break;
        }
        at = next.into();
    }
}

/// Whether the page's header, its cells, its free space and its fragments are as many bytes as it has.
pub fn adds_up(page: &Page<'_>, free: &[(usize, usize)]) -> bool {
    let mut sum = page.pointers_end() + page.fragments() + free.iter().map(|(from, to)| to - from).sum::<usize>();
    for cell in page.all_cells() {
        let Ok(cell) = cell else { return false };
        sum += cell.size;
    }
    sum == page.bytes().len()
}
