//! What submitters hear: answers that are the same for several transactions, and receipts of one block, go together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::groups::in_groups;
use bus::ordering_wire::{BlockReceipts, PartBytes, SubmitAnswer, SubmitReply, TOGETHER_BYTES_MAX};
use bytes::Bytes;
use ledger::{BlockProofs, Digest, EpochLink, canonical};

/// What a submitter hears when there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoReceipt {
    /// There is no room.
    Busy,
    /// It can never be committed: a number of [`bus::ordering_wire::refusal`], and words for people.
    Refused(u16, &'static str),
}

impl From<NoReceipt> for SubmitAnswer {
    fn from(answer: NoReceipt) -> SubmitAnswer {
        match answer {
            NoReceipt::Busy => SubmitAnswer::Busy,
            NoReceipt::Refused(code, reason) => SubmitAnswer::Refused {
                code,
                reason: reason.to_owned(),
            },
        }
    }
}

/// Answers without a receipt: those that are the same for one requester go together.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<(Arc<str>, NoReceipt), Vec<Digest>>);

impl Answers {
    /// A transaction has this answer.
    pub fn add(&mut self, requester: &Arc<str>, answer: NoReceipt, transaction: Digest) {
        let same = self.0.entry((requester.clone(), answer)).or_default();
        same.push(transaction);
    }

    /// What each requester hears.
    pub fn into_messages(self) -> impl Iterator<Item = (Arc<str>, Bytes)> {
        let message =
            |((requester, answer), transactions): ((Arc<str>, NoReceipt), Vec<Digest>)| {
                (requester, encoded(transactions, answer.into()))
            };
        self.0.into_iter().map(message)
    }
}

/// An answer to some transactions.
pub fn encoded(transactions: Vec<Digest>, answer: SubmitAnswer) -> Bytes {
    let reply = SubmitReply {
        transactions,
        answer,
    };
    canonical::encode(&reply).into()
}

/// The receipts of a block's transactions that are named by index and id, in as many messages as they need.
pub fn receipts(
    proofs: &BlockProofs<'_>,
    links: &[EpochLink],
    transactions: &[(u32, Digest)],
) -> Vec<Bytes> {
    let basis = canonical::encode(&proofs.basis(links));
    let parts = transactions.iter().filter_map(|(index, transaction)| {
        let part = PartBytes(canonical::encode(&proofs.part(*index)?));
        Some((*transaction, part))
    });
    let bytes_of = |(_, part): &(Digest, PartBytes)| part.0.len();
    in_groups(parts, bytes_of, TOGETHER_BYTES_MAX, usize::MAX)
        .into_iter()
        .map(|group| {
            let (transactions, parts) = group.into_iter().unzip();
            let basis = basis.clone();
            let receipts = BlockReceipts { basis, parts };
            encoded(transactions, SubmitAnswer::Receipts(receipts))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::certified;

    #[test]
    fn receipts_of_a_block_share_what_they_rest_on() {
        let block = certified(7);
        let proofs = BlockProofs::new(&block);
        let transactions: Vec<(u32, Digest)> = (0..3)
            .map(|index| (index, block.block.transactions[index as usize].id()))
            .collect();
        let messages = receipts(&proofs, &[], &transactions);
        assert_eq!(messages.len(), 1);
        let reply: SubmitReply = canonical::decode(&messages[0]).unwrap();
        let SubmitAnswer::Receipts(together) = reply.answer else {
            panic!("no receipts");
        };
        for (index, id) in transactions {
            assert_eq!(reply.transactions[index as usize], id);
            let alone = proofs.receipt(index, &[]);
            assert_eq!(together.receipt(index as usize), alone);
        }
        assert_eq!(together.receipt(3), None);
    }

    #[test]
    fn each_requester_hears_each_answer_once_for_all_its_transactions() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let malformed = NoReceipt::Refused(1, "malformed");
        let mut answers = Answers::default();
        answers.add(&one, NoReceipt::Busy, Digest([1; 32]));
        answers.add(&other, NoReceipt::Busy, Digest([2; 32]));
        answers.add(&one, malformed, Digest([4; 32]));
        answers.add(&one, NoReceipt::Busy, Digest([3; 32]));
        let heard: Vec<(Arc<str>, SubmitReply)> = answers
            .into_messages()
            .map(|(requester, bytes)| (requester, canonical::decode(&bytes).unwrap()))
            .collect();
        let reply = |transactions: &[u8], answer: NoReceipt| SubmitReply {
            transactions: transactions
                .iter()
                .map(|byte| Digest([*byte; 32]))
                .collect(),
            answer: answer.into(),
        };
        let expected = [
            (one.clone(), reply(&[1, 3], NoReceipt::Busy)),
            (one, reply(&[4], malformed)),
            (other, reply(&[2], NoReceipt::Busy)),
        ];
        assert_eq!(heard, expected);
    }
}
