//! Holds the page size and the text encoding in a database's header against the pages: the first page adds up with one page size
//! only, and the schema's rows begin with words that are known.

use super::cover::Cover;
use super::damage::Result;
use super::encoding::Encoding;
use super::header::{Layout, is_page_size};
use super::page::{Kind, Page};
use super::record::Fields;
use super::source::ReadAt;

/// The smallest and the largest page size, as powers of two.
const SIZES: std::ops::RangeInclusive<u32> = 9..=16;

/// The most levels that the schema's tree is descended.
const MOST_LEVELS: u32 = 20;

/// The types of the objects in a schema.
const TYPES: [&[u8]; 4] = [b"table", b"index", b"view", b"trigger"];

/// Returns the page size by the geometry of the first page: the one size with which its header, cells and free space are all that
/// it has. `stated` is the size by the header, and `reserved` the number of bytes that it reserves at the end of each page.
///
/// A page holds its cells at its end, so that no other size fits. `None` where the page is damaged.
pub fn page_size(file: &dyn ReadAt, stated: u32, reserved: u8) -> Option<u32> {
    let mut bytes = Vec::new();
    let mut fits = |size: u32| {
        let Some(layout) = is_page_size(size).then(|| Layout::new(size as usize, reserved.into())).flatten() else {
            return false;
        };
        bytes.resize(layout.page_size, 0);
        file.read_exact_at(&mut bytes, 0).is_ok() && adds_up(layout, &bytes).is_ok()
    };
    if fits(stated) {
        return Some(stated);
    }
    SIZES.map(|power| 1 << power).find(|size| fits(*size))
}

/// Checks that the first page's header, cells and free space are all that it has.
fn adds_up(layout: Layout, bytes: &[u8]) -> Result<()> {
    let page = Page::parse(layout, 1, bytes)?;
    let mut cover = Cover::new(layout);
    cover.begin(&page)?;
    for cell in page.all_cells() {
        let cell = cell?;
        cover.take(cell.at, cell.size)?;
    }
    cover.end(&page)
}

/// Returns the encoding of the schema's text, by the types of the objects on its first leaf; `None` where there is no object, or
/// they do not agree. `read` reads a page, and returns `false` where there is none of this number.
pub fn encoding(layout: Layout, read: &dyn Fn(u32, &mut Vec<u8>) -> bool) -> Option<Encoding> {
    let mut bytes = Vec::new();
    let mut number = 1;
    for _ in 0..MOST_LEVELS {
        if !read(number, &mut bytes) {
            return None;
        }
        let page = Page::parse(layout, number, &bytes).ok()?;
        match page.kind() {
            Kind::TableInterior if page.cells() > 0 => number = page.child(0).ok()?,
            Kind::TableInterior => number = page.right_child(),
            Kind::TableLeaf => return encoding_of_leaf(&page),
            _ => return None,
        }
    }
    None
}

fn encoding_of_leaf(page: &Page<'_>) -> Option<Encoding> {
    let mut fields = Fields::default();
    let mut found = None;
    for cell in page.all_cells() {
        let payload = cell.ok()?.payload;
        fields.read(payload.local, payload.len).ok()?;
        let text = payload.local.get(fields.all().first()?.range())?;
        let all = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be];
        let encoding = all
            .into_iter()
            .find(|encoding| TYPES.iter().any(|word| *encoding.encode(word) == *text))?;
        if found.is_some_and(|found| found != encoding) {
            return None;
        }
        found = Some(encoding);
    }
    found
}
