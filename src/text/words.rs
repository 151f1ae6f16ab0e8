//! Numbers and short lists for people to read.

/// Returns a number with its noun: "1 row", "200,000 rows".
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// Returns a number with commas at the thousands.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns the first few of many ids, with the true count of the rest: `[1 2 3 … and 97 more]`.
pub(crate) fn id_list<I>(ids: I, most: usize) -> String
where
    I: IntoIterator<Item: ToString, IntoIter: ExactSizeIterator>,
{
    let mut ids = ids.into_iter();
    let shown: Vec<String> = ids.by_ref().take(most).map(|id| id.to_string()).collect();
    let rest = match ids.len() {
        0 => String::new(),
        rest => format!(" … and {} more", thousands(rest as u64)),
    };
    format!("[{}{rest}]", shown.join(" "))
}

/// Returns text of at most `most` characters: its beginning, and the number of further characters. A store's names can be of any
/// length, and are cut when they are kept.
pub(crate) fn cut(text: &str, most: usize) -> String {
    // No text of so few bytes has more characters.
    if text.len() <= most || text.chars().count() <= most {
        return text.to_owned();
    }
    let all = text.chars().count();
    let rest = |kept: usize| format!("… (and {} characters more)", thousands((all - kept) as u64));
    let kept = most.saturating_sub(rest(0).chars().count());
    text.chars().take(kept).chain(rest(kept).chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(plural(1_234_567, "row", "rows"), "1,234,567 rows");
        assert_eq!(id_list([1, 2, 3], 3), "[1 2 3]");
        assert_eq!(id_list([-1, 2, 3, 4], 2), "[-1 2 … and 2 more]");
    }

    #[test]
    fn long_text_is_cut_to_its_bound_with_the_true_count() {
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut(&"ä".repeat(400_000), 40), "äääääääää… (and 399,991 characters more)");
        assert_eq!(cut(&"ä".repeat(400_000), 40).chars().count(), 40);
        // What is cut once is not cut again.
        let once = cut(&"n".repeat(1_000), 160);
        assert_eq!(cut(&once, 160), once);
    }
}
