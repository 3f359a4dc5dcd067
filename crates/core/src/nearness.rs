//! How near two words are: for "did you mean" of names that match nothing.

/// The nearest of those words, where one is near enough to have been meant: one slip in a short
/// word, two in a longer one.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    words
        .into_iter()
        // A longer difference in length is more slips than are forgiven.
        .filter(|other| other.chars().count().abs_diff(length) <= 2)
        .map(|other| (slips(&word, &other.to_lowercase()), other))
        .filter(|(slips, other)| {
            let shorter = other.chars().count().min(length);
            *slips <= if shorter > 3 { 2 } else { 1 } && *slips < shorter
        })
        .min_by_key(|(slips, other)| (*slips, *other))
        .map(|(_, other)| other)
}

/// How many letters to insert, delete, replace or swap with their neighbour to get from one word
/// to the other (optimal string alignment), of the first 64 letters.
fn slips(a: &str, b: &str) -> usize {
    let letters = |word: &str| -> Vec<char> { word.chars().take(64).collect() };
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j - 1] + change).min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_with_fewest_slips() {
        let running = ["node", "nginx", "postgres", "sh", "服务器"];
        for (word, want) in [
            ("nod", Some("node")),
            ("ndoe", Some("node")),
            ("NODE", Some("node")),
            ("ngnix", Some("nginx")),
            ("postgers", Some("postgres")),
            ("postmaster", None),
            ("服务", Some("服务器")),
            ("s", None),
            ("x", None),
            ("", None),
            ("python", None),
        ] {
            assert_eq!(nearest(word, running), want, "{word}");
        }
    }

    #[test]
    fn very_long_words_are_no_trouble() {
        let long = "n".repeat(1 << 20);
        assert_eq!(nearest(&long, ["node"]), None);
        assert_eq!(nearest("node", [long.as_str()]), None);
    }
}
