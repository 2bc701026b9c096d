//! Parting mails into those to learn from and those to ask about.

use std::collections::BTreeMap;

/// Mails by their places in the list that was parted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<usize>,
    /// To ask about.
    pub test: Vec<usize>,
}

/// Parts by group, so that none is on both sides: groups come into a random order that follows from `seed`, and are
/// asked about until they have the `share` (0 to 1) of all mails. A group that would make it much more than that is
/// learnt from.
pub fn by_group(groups: &[usize], share: f64, seed: u64) -> Split {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (mail, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(mail);
    }
    let mut order: Vec<(u64, Vec<usize>)> =
        members.into_iter().map(|(group, members)| (random(seed, group as u64), members)).collect();
    order.sort();
    let wanted = (share * groups.len() as f64).round() as usize;
    let mut split = Split::default();
    for (_, members) in order {
        let fits = split.test.len() + members.len() <= wanted + wanted / 20;
        let side = if split.test.len() < wanted && fits { &mut split.test } else { &mut split.train };
        side.extend(members);
    }
    split.train.sort_unstable();
    split.test.sort_unstable();
    split
}

/// Parts by time, as it would have been: the older mails are learnt from, and the newest are asked about, so many that
/// they have the `share` (0 to 1) of all. Mails of one time stay on one side.
pub fn by_time(times: &[i64], share: f64) -> Split {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let older = times.len() - (share.clamp(0.0, 1.0) * times.len() as f64).round() as usize;
    let from = sorted.get(older).copied();
    let (test, train) = (0..times.len()).partition(|mail| from.is_some_and(|from| times[*mail] >= from));
    Split { train, test }
}

/// So many mails of each label, drawn by `seed`; all of a label that has fewer. In the order of the list.
pub fn per_label(labels: &[u32], number: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = (0..labels.len()).map(|mail| (random(seed, mail as u64), mail)).collect();
    order.sort_unstable();
    let mut drawn_of: BTreeMap<u32, usize> = BTreeMap::new();
    let mut drawn: Vec<usize> = order
        .into_iter()
        .filter(|(_, mail)| {
            let of = drawn_of.entry(labels[*mail]).or_default();
            *of += 1;
            *of <= number
        })
        .map(|(_, mail)| mail)
        .collect();
    drawn.sort_unstable();
    drawn
}

/// A number that looks random and follows from its two (SplitMix64).
fn random(seed: u64, number: u64) -> u64 {
    let sum = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (sum ^ sum >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_is_ever_on_both_sides() {
        let groups: Vec<usize> = (0..1_000).map(|mail| mail * 7919 % 1_000 / 4).collect();
        for seed in 1..20 {
            let split = by_group(&groups, 0.2, seed);
            assert_eq!(split.train.len() + split.test.len(), 1_000);
            assert!((190..=210).contains(&split.test.len()), "{}", split.test.len());
            assert!(split.test.iter().all(|mail| split.train.iter().all(|other| groups[*mail] != groups[*other])));
        }
        assert_ne!(by_group(&groups, 0.2, 1), by_group(&groups, 0.2, 2));
        assert_eq!(by_group(&groups, 0.2, 1), by_group(&groups, 0.2, 1));
    }

    #[test]
    fn a_group_of_half_of_all_is_learnt_from() {
        let groups: Vec<usize> = (0..100).map(|mail| if mail < 50 { 0 } else { mail }).collect();
        for seed in 1..20 {
            let split = by_group(&groups, 0.2, seed);
            assert!(split.train.contains(&0) && split.test.len() == 20);
        }
    }

    #[test]
    fn the_newest_are_asked_about_and_one_time_is_not_parted() {
        assert_eq!(by_time(&[5, 1, 4, 2, 3], 0.4), Split { train: vec![1, 3, 4], test: vec![0, 2] });
        assert_eq!(by_time(&[1, 2, 2, 2], 0.25), Split { train: vec![0], test: vec![1, 2, 3] });
        assert_eq!(by_time(&[], 0.2), Split::default());
        assert_eq!(by_time(&[1, 2], 0.0).test, Vec::<usize>::new());
    }

    #[test]
    fn so_many_of_each_label_are_drawn() {
        let labels: Vec<u32> = (0..100).map(|mail| u32::from(mail % 10 == 0)).collect();
        let drawn = per_label(&labels, 20, 3);
        assert_eq!(drawn.len(), 30);
        assert_eq!(drawn.iter().filter(|mail| labels[**mail] == 1).count(), 10);
        assert_ne!(drawn, per_label(&labels, 20, 4));
    }
}
