//! Suggests the known word that is closest to a misspelled one.

/// Returns the known word with the smallest edit distance to `word`; `None` if no known word is
/// close enough.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A typo changes at most a third of the letters, but at least one letter. A word that differs
    // in more letters is another word.
    let most = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (distance(candidate, word), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the Levenshtein distance between two words: the minimum number of letters to change,
/// insert, or delete to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, candidate) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != candidate);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<&str>) {
        let known = ["status", "phase", "phase.connect", "front_door"];
        assert_eq!(nearest(word, known.into_iter()), expected);
    }

    #[test]
    fn a_typo_gets_a_suggestion_and_another_word_does_not() {
        check("statsu", Some("status"));
        check("frontdoor", Some("front_door"));
        check("phase.conect", Some("phase.connect"));
        check("zebra", None);
    }
}
