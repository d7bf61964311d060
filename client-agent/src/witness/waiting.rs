//! The heads that were shown and could not be compared: signed evidence that waits for pages.

use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::links::WitnessHead;
use serde::{Deserialize, Serialize};

/// Heads in the order in which they were shown, as many as are kept.
///
/// Who shows heads could make one forgotten by showing many more, if it were known which ones go. So the first and the last stay, and of
/// those between a sample that this client draws: each has the same chance however many came before or after it, and who does not know
/// the client's id cannot tell which stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waiting(Vec<WitnessHead>);

impl Waiting {
    /// In the order in which they were shown.
    #[must_use]
    pub fn heads(&self) -> &[WitnessHead] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more that was shown. At most `most` are kept, and always the first and the last.
    pub(super) fn keep(&mut self, head: WitnessHead, client_id: &str, most: usize) {
        if self.0.contains(&head) {
            return;
        }
        self.0.push(head);
        while self.0.len() > most.max(2) {
            let drawn = |head: &WitnessHead| {
                let WitnessHead { ledger, sequence, link } = head;
                let bytes = [client_id.as_bytes(), &ledger.0, &sequence.to_be_bytes(), &link.0].concat();
                Sha256Digest::of(&bytes)
            };
            let between = 1..self.0.len().saturating_sub(1);
            let gone = between.max_by_key(|n| self.0.get(*n).map(drawn));
            // There is one between, since there are more than two.
            gone.map(|n| self.0.remove(n));
        }
    }

    /// They are settled.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64) -> WitnessHead {
        WitnessHead {
            ledger: Sha256Digest([1; 32]),
            sequence,
            link: Sha256Digest::of(&sequence.to_be_bytes()),
        }
    }

    fn kept(client_id: &str, shown: u64, most: usize) -> Vec<u64> {
        let mut waiting = Waiting::default();
        for n in 1..=shown {
            waiting.keep(head(n), client_id, most);
            waiting.keep(head(n), client_id, most);
        }
        waiting.heads().iter().map(|head| head.sequence).collect()
    }

    #[test]
    fn all_stay_while_there_is_room_and_then_the_first_the_last_and_a_sample_of_the_client_s_own() {
        assert_eq!(kept("a", 8, 8), (1..=8).collect::<Vec<_>>());
        let of = |client: &str| kept(client, 200, 8);
        let (one, other) = (of("a"), of("b"));
        for sample in [&one, &other] {
            assert_eq!((sample.len(), sample[0], sample[7]), (8, 1, 200));
            assert!(sample.is_sorted());
        }
        assert_ne!(one, other);
        assert_eq!(one, of("a"), "a retry draws the same");
    }

    /// So that of many agents some tell, however many heads were shown after a fork.
    #[test]
    fn each_has_the_same_chance_wherever_it_stood() {
        let mut stayed = [0_u32; 100];
        for client in 0..400 {
            for sequence in kept(&client.to_string(), 100, 12) {
                stayed[sequence as usize - 1] += 1;
            }
        }
        assert_eq!((stayed[0], stayed[99]), (400, 400));
        // 10 of 98, so 41 on average, with a deviation of 6.
        for (n, count) in stayed[1..99].iter().enumerate() {
            assert!((15..=70).contains(count), "head {}: {count}", n + 2);
        }
    }
}
