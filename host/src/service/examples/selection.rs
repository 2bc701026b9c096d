//! Which of many candidates become examples: so many at most, the rare labels whole, the newest first. Pure rules.

/// Chooses at most `bound` of the candidates, which come newest first: of each label of each question the newest, as
/// many of one as of another where there are enough. `labels` gives the labels of a candidate, by question. Gives the
/// places of those that were chosen, in order.
pub fn balanced(candidates: &[Vec<Option<u32>>], bound: usize) -> Vec<usize> {
    if candidates.len() <= bound {
        return (0..candidates.len()).collect();
    }
    // The largest number of each label with which all fits. More of a label never takes fewer candidates.
    let (mut fits, mut too_many) = (0, bound + 1);
    while fits + 1 < too_many {
        let middle = fits.midpoint(too_many);
        if with_at_most(candidates, middle).len() <= bound {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    let mut chosen = with_at_most(candidates, fits);
    // What is left over goes to the newest of those that one more of each label would bring.
    if chosen.len() < bound {
        let taken: std::collections::HashSet<usize> = chosen.iter().copied().collect();
        let more = with_at_most(candidates, too_many);
        chosen.extend(more.into_iter().filter(|place| !taken.contains(place)).take(bound - taken.len()));
        chosen.sort_unstable();
    }
    chosen
}

/// The candidates that are among the newest `most` of one of their labels.
fn with_at_most(candidates: &[Vec<Option<u32>>], most: usize) -> Vec<usize> {
    let mut counts: std::collections::HashMap<(usize, u32), usize> = std::collections::HashMap::new();
    let mut chosen = Vec::new();
    for (place, labels) in candidates.iter().enumerate() {
        let mut wanted = false;
        for (question, label) in labels.iter().enumerate() {
            if let Some(label) = label {
                let count = counts.entry((question, *label)).or_default();
                *count += 1;
                wanted |= *count <= most;
            }
        }
        if wanted {
            chosen.push(place);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &[u32]) -> Vec<Vec<Option<u32>>> {
        labels.iter().map(|label| vec![Some(*label)]).collect()
    }

    #[test]
    fn all_are_taken_where_they_are_few() {
        assert_eq!(balanced(&of(&[0, 1, 0]), 3), [0, 1, 2]);
        assert_eq!(balanced(&[], 3), [0_usize; 0]);
    }

    #[test]
    fn rare_labels_are_taken_whole_and_of_frequent_ones_the_newest() {
        let mut labels = vec![0; 90];
        labels.extend([1, 2, 1, 2, 2]);
        let candidates = of(&labels);
        let chosen = balanced(&candidates, 20);
        assert_eq!(chosen.len(), 20);
        assert_eq!(chosen[..15], (0..15).collect::<Vec<_>>()[..], "the newest of the frequent one");
        assert_eq!(chosen[15..], [90, 91, 92, 93, 94]);
    }

    #[test]
    fn no_bound_is_overstepped_with_several_questions() {
        let candidates: Vec<Vec<Option<u32>>> =
            (0..1_000_u32).map(|place| vec![Some(place % 7), (place % 3 == 0).then_some(place % 2), None]).collect();
        for bound in [0, 1, 10, 333, 999] {
            let chosen = balanced(&candidates, bound);
            assert_eq!(chosen.len(), bound, "as many as fit");
            assert!(chosen.is_sorted());
        }
    }
}
