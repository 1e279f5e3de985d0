//! The known word that somebody who misspelt one most probably meant.

/// The nearest of the known words; `None` if nothing is anywhere near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters wrong is another word.
    let most = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (distance(candidate, word), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many letters to change, add or drop.
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
    fn a_slip_is_mended_and_another_word_is_not() {
        check("statsu", Some("status"));
        check("frontdoor", Some("front_door"));
        check("phase.conect", Some("phase.connect"));
        check("zebra", None);
    }
}
