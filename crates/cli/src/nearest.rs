//! The word that was probably meant, where one was mistyped.

use proc_core::names::distance;

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
