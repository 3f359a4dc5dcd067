//! The word that was probably meant, where one was mistyped.

/// The candidate that is fewest slips away, if those are few enough for a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (distance(&lower, name), name))
        .filter(|(distance, name)| *distance <= if name.len() > 3 { 2 } else { 1 })
        .filter(|(distance, name)| *distance < name.len().min(lower.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters to insert, delete, replace or swap with their neighbour to get from one word
/// to the other (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j - 1] + change).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_few() {
        let words = ["free", "kill", "on", "ports"];
        for (word, want) in [
            ("fre", Some("free")),
            ("Kilk", Some("kill")),
            ("prots", Some("ports")),
            ("no", Some("on")),
            ("nginx", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), want, "{word}");
        }
    }
}
