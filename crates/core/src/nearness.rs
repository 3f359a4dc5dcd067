//! How near two words are: for "did you mean" of names that match nothing.

/// The nearest of those words, where one is near enough to have been meant: it differs by one slip
/// in a short word, by two in a longer one, or one begins with the whole other, four letters at
/// least. Of several as near, one that begins as the word does.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let (length, first) = (word.chars().count(), word.chars().next());
    words
        .into_iter()
        .filter_map(|other| {
            let small = other.to_lowercase();
            let shorter = small.chars().count().min(length);
            let slips = far((&word, length), (&small, small.chars().count()));
            let near = slips <= if shorter > 3 { 2 } else { 1 } && slips < shorter;
            // The first letter is the last that people get wrong.
            near.then_some((slips, small.chars().next() != first, other))
        })
        .min()
        .map(|(_, _, other)| other)
}

/// One for a word that begins with the other; else the slips between them. Each comes with how many
/// letters it has.
fn far((a, first): (&str, usize), (b, second): (&str, usize)) -> usize {
    let begins = first.min(second) >= 4 && (a.starts_with(b) || b.starts_with(a));
    match first.abs_diff(second) {
        _ if begins => 1,
        0..=2 => slips(a, b),
        // More slips than are forgiven, whatever the letters.
        more => more,
    }
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
        let running = ["node", "nginx", "postgres", "sh", "Web Content", "python3.12", "服务器"];
        for (word, want) in [
            ("nod", Some("node")),
            ("ndoe", Some("node")),
            ("NODE", Some("node")),
            ("ngnix", Some("nginx")),
            ("postgers", Some("postgres")),
            ("postmaster", None),
            ("node-server", Some("node")),
            ("post", Some("postgres")),
            ("服务", Some("服务器")),
            ("s", None),
            ("x", None),
            ("", None),
            ("python", Some("python3.12")),
            ("postgresql", Some("postgres")),
            ("web contant", Some("Web Content")),
            ("ruby", None),
        ] {
            assert_eq!(nearest(word, running), want, "{word}");
        }
    }

    #[test]
    fn of_several_as_near_the_one_that_begins_as_the_word_does_counts() {
        for words in [["ftp", "http"], ["http", "ftp"]] {
            assert_eq!(nearest("htp", words), Some("http"));
        }
    }

    #[test]
    fn very_long_words_are_no_trouble() {
        let long = "n".repeat(1 << 20);
        assert_eq!(nearest(&long, ["node"]), None);
        assert_eq!(nearest("node", [long.as_str()]), None);
    }
}
