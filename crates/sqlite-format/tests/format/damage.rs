//! Damage of every kind, done to the bytes of a store.

use super::random::Random;

fn page_size(bytes: &[u8]) -> usize {
    let Some([high, low]) = bytes.get(16..18) else {
        return 512;
    };
    match usize::from(u16::from_be_bytes([*high, *low])) {
        1 => 65_536,
        size => size.max(512),
    }
}

/// Bytes that mean something wherever they stand: kinds of pages, sizes, the ends of ranges.
const BYTES: [u8; 16] = [0, 1, 2, 3, 4, 5, 8, 9, 10, 13, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x20];

/// Damages a store once or a few times; `older` is what it was before, if that is known.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Random, older: Option<&[u8]>) {
    for _ in 0..=random.below(3) * random.below(2) {
        once(bytes, random, older);
    }
}

fn once(bytes: &mut Vec<u8>, random: &mut Random, older: Option<&[u8]>) {
    let size = page_size(bytes);
    let pages = bytes.len() / size;
    if pages == 0 {
        return;
    }
    let page = random.below(pages) * size;
    let header = page + if page == 0 { 100 } else { 0 };
    let place = match random.below(6) {
        // A page's header and its first cell pointers.
        0 => header + random.below(30),
        // A cell, at its very beginning.
        1 => {
            let cell = header + 8 + 2 * random.below(8);
            let at = bytes
                .get(cell..cell + 2)
                .map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
            page + at + random.below(12)
        }
        2 => random.below(100),
        3 => page + random.below(16),
        _ => random.below(bytes.len()),
    };
    let place = place.min(bytes.len() - 1);
    match random.below(16) {
        0..=3 => bytes[place] ^= 1 << random.below(8),
        4..=6 => bytes[place] = random.one_of(&BYTES),
        7 => bytes[place] = bytes[place].wrapping_add(1),
        8 => bytes[place] = bytes[place].wrapping_sub(1),
        9 => {
            // A number of two or four bytes: a page, an offset, a count.
            let width = random.one_of(&[2, 4]);
            let place = place & !1;
            let number = u32::try_from(random.below(pages + 3)).unwrap().to_be_bytes();
            if let Some(there) = bytes.get_mut(place..place + width) {
                there.copy_from_slice(&number[4 - width..]);
            }
        }
        10 => {
            let other = random.below(pages) * size;
            if page != 0 && other != 0 {
                for at in 0..size {
                    bytes.swap(page + at, other + at);
                }
            }
        }
        11 => {
            let other = random.below(pages) * size;
            bytes.copy_within(other..other + size, page);
        }
        12 => {
            let len = random.one_of(&[1, 4, 64, 512, size]).min(bytes.len() - place);
            bytes[place..place + len].fill(random.one_of(&[0, 0xff]));
        }
        13 => {
            let len = random.one_of(&[2, 8, 40, 200]).min(bytes.len() - place);
            let from = random.below(bytes.len() - len + 1);
            bytes.copy_within(from..from + len, place);
        }
        14 => {
            if let Some(older) = older.and_then(|older| older.get(page..page + size)) {
                bytes[page..page + size].copy_from_slice(older);
            }
        }
        _ => {
            let len = random.one_of(&[1, 100, size]).min(bytes.len() - 1);
            if random.once_in(2) {
                bytes.truncate(bytes.len() - len);
            } else {
                bytes.extend(std::iter::repeat_n(0, len));
            }
        }
    }
}
