//! What submitters hear: answers that are the same for several transactions, and receipts of one block, go together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::ordering_wire::{BlockReceipts, PartBytes, SubmitAnswer, SubmitReply, TOGETHER_BYTES_MAX};
use bytes::Bytes;
use ledger::{BlockProofs, Digest, EpochLink, canonical};

/// Transactions that have the same answer, by who waits for it.
#[derive(Debug, Default)]
pub struct SameAnswer(BTreeMap<Arc<str>, Vec<Digest>>);

impl SameAnswer {
    /// This transaction has it as well.
    pub fn add(&mut self, requester: &Arc<str>, transaction: Digest) {
        let transactions = self.0.entry(requester.clone()).or_default();
        transactions.push(transaction);
    }

    /// Each requester, with what it hears.
    pub fn into_messages(self, answer: &SubmitAnswer) -> impl Iterator<Item = (Arc<str>, Bytes)> {
        let message =
            move |(requester, transactions)| (requester, encoded(transactions, answer.clone()));
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
    let mut messages = Vec::new();
    let (mut ids, mut parts, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut close = |ids: &mut Vec<Digest>, parts: &mut Vec<PartBytes>| {
        let receipts = BlockReceipts {
            basis: basis.clone(),
            parts: std::mem::take(parts),
        };
        messages.push(encoded(
            std::mem::take(ids),
            SubmitAnswer::Receipts(receipts),
        ));
    };
    for (index, transaction) in transactions {
        let Some(part) = proofs.part(*index) else {
            continue;
        };
        let part = canonical::encode(&part);
        if !ids.is_empty() && bytes + part.len() > TOGETHER_BYTES_MAX {
            close(&mut ids, &mut parts);
            bytes = 0;
        }
        bytes += part.len();
        ids.push(*transaction);
        parts.push(PartBytes(part));
    }
    if !ids.is_empty() {
        close(&mut ids, &mut parts);
    }
    messages
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
    fn each_requester_hears_of_its_own_transactions() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut busy = SameAnswer::default();
        busy.add(&one, Digest([1; 32]));
        busy.add(&other, Digest([2; 32]));
        busy.add(&one, Digest([3; 32]));
        let heard: Vec<(Arc<str>, SubmitReply)> = busy
            .into_messages(&SubmitAnswer::Busy)
            .map(|(requester, bytes)| (requester, canonical::decode(&bytes).unwrap()))
            .collect();
        let reply = |transactions: &[u8]| SubmitReply {
            transactions: transactions
                .iter()
                .map(|byte| Digest([*byte; 32]))
                .collect(),
            answer: SubmitAnswer::Busy,
        };
        assert_eq!(heard, [(one, reply(&[1, 3])), (other, reply(&[2]))]);
    }
}
