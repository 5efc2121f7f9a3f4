//! Whose turn it is: smooth weighted round robin, for target groups by weight and for targets
//! during slow start. Pure.
//!
//! Each turn every candidate gains its weight; the richest is taken and pays the total. Over any
//! run of `total` turns each is taken exactly `weight` times, and the turns are well mixed.

/// The state of one rotation.
#[derive(Clone, Debug, Default)]
pub(crate) struct SmoothRotation {
    credit: Vec<i64>,
}

impl SmoothRotation {
    /// The index of the next one; `None` if all weights are zero. A changed number of weights
    /// starts the rotation over.
    pub(crate) fn next(&mut self, weights: impl ExactSizeIterator<Item = u32>) -> Option<usize> {
        if self.credit.len() != weights.len() {
            self.credit = vec![0; weights.len()];
        }
        let mut total = 0;
        let mut best: Option<usize> = None;
        for (i, weight) in weights.enumerate() {
            if weight == 0 {
                self.credit[i] = 0;
                continue;
            }
            total += i64::from(weight);
            self.credit[i] += i64::from(weight);
            if best.is_none_or(|b| self.credit[i] > self.credit[b]) {
                best = Some(i);
            }
        }
        if let Some(b) = best {
            self.credit[b] -= total;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_exact_and_mixed() {
        let weights = [5u32, 1, 1];
        let mut rotation = SmoothRotation::default();
        let turns: Vec<_> = (0..7).map(|_| rotation.next(weights.into_iter()).unwrap()).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_weight_of_zero_is_never_taken() {
        let mut rotation = SmoothRotation::default();
        for _ in 0..100 {
            assert_eq!(rotation.next([0u32, 7].into_iter()), Some(1));
        }
        assert_eq!(rotation.next([0u32, 0].into_iter()), None);
        assert_eq!(rotation.next([].into_iter()), None);
    }

    #[test]
    fn a_canary_gets_its_five_percent_exactly() {
        let mut rotation = SmoothRotation::default();
        let canary = (0..1_000).filter(|_| rotation.next([95u32, 5].into_iter()) == Some(1)).count();
        assert_eq!(canary, 50); // 1,000 turns × 5 %
    }
}
