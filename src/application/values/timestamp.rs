//! Points in time as RFC 3339 writes them, section 5.6.

/// Returns true if the bytes are a `date-time` of RFC 3339: with any fraction of a second, any offset, `T` and `Z` in either
/// case. A date that the calendar does not have is rejected; second 60 is a leap second, whenever it is.
pub(crate) fn is_rfc3339(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else {
        return false;
    };
    let Some((b'T' | b't', time)) = rest.split_first() else {
        return false;
    };
    let Some((clock, rest)) = time.split_at_checked(8) else {
        return false;
    };
    is_date(date) && is_clock(clock) && without_fraction(rest).is_some_and(is_offset)
}

fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return false;
    };
    match (two(y1, y2), two(y3, y4), two(m1, m2), two(d1, d2)) {
        (Some(century), Some(year), Some(month), Some(day)) => {
            (1..=12).contains(&month) && (1..=days(century * 100 + year, month)).contains(&day)
        }
        _ => false,
    }
}

fn is_clock(text: &[u8]) -> bool {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text else {
        return false;
    };
    at_most(two(h1, h2), 23) && at_most(two(m1, m2), 59) && at_most(two(s1, s2), 60)
}

fn is_offset(text: &[u8]) -> bool {
    match *text {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => at_most(two(h1, h2), 23) && at_most(two(m1, m2), 59),
        _ => false,
    }
}

/// Returns the text after a fraction of a second, or `None` if the fraction has no digits.
fn without_fraction(text: &[u8]) -> Option<&[u8]> {
    let Some((b'.', rest)) = text.split_first() else {
        return Some(text);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| &rest[digits..])
}

/// Returns two digits as a number.
fn two(tens: u8, ones: u8) -> Option<u32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn at_most(number: Option<u32>, most: u32) -> bool {
    number.is_some_and(|number| number <= most)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rfc_3339_allows_is_taken() {
        for text in [
            "2026-04-28T18:41:31Z",
            "2026-04-28t18:41:31z",
            "2026-04-28T18:41:31.123456789Z",
            "2026-04-28T18:41:31.1+05:30",
            "2026-04-28T18:41:31-23:59",
            "2026-04-28T18:41:31-00:00",
            "2016-12-31T23:59:60Z",
            "2024-02-29T00:00:00Z",
            "2000-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.99999999999999999999Z",
        ] {
            assert!(is_rfc3339(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_rfc_3339_does_not_allow_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-04-28",
            "2026-04-28T18:41:31",
            "2026-04-28 18:41:31Z",
            "2026-04-28T18:41Z",
            "2026-04-28T18:41:31,5Z",
            "2026-04-28T18:41:31.Z",
            "2026-04-28T18:41:31ZZ",
            "2026-04-28T18:41:31Z ",
            " 2026-04-28T18:41:31Z",
            "2026-04-28T18:41:31+0530",
            "2026-04-28T18:41:31+05",
            "2026-04-28T18:41:31+24:00",
            "2026-04-28T18:41:31+05:60",
            "2026-00-28T18:41:31Z",
            "2026-13-28T18:41:31Z",
            "2026-04-00T18:41:31Z",
            "2026-04-31T18:41:31Z",
            "2023-02-29T18:41:31Z",
            "1900-02-29T18:41:31Z",
            "2026-04-28T24:00:00Z",
            "2026-04-28T18:60:31Z",
            "2026-04-28T18:41:61Z",
            "+026-04-28T18:41:31Z",
            "2026-4-28T18:41:31Z0",
            "2026-04-28T18:41:31\u{2212}05:00",
            "２026-04-28T18:41:31Z",
        ] {
            assert!(!is_rfc3339(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn no_byte_that_is_cut_off_or_exchanged_makes_it_panic() {
        let whole = b"2026-04-28T18:41:31.25+05:30";
        for end in 0..whole.len() {
            assert!(!is_rfc3339(&whole[..end]), "{end}");
        }
        for at in 0..whole.len() {
            let mut changed = *whole;
            changed[at] = 0xff;
            assert!(!is_rfc3339(&changed), "{at}");
        }
    }
}
