//! Fetched blocks are stored by another thread than those that were executed here from a batch. The core hears of both in
//! order of height: a block that was executed on top of fetched ones waits until they are stored.

use std::sync::Arc;

use ledger::{Digest, Height};

use crate::body::Body;
use crate::journal::JournaledBlock;

/// A block executed from a committed batch, with its hash and its transactions.
pub type Executed = (Arc<JournaledBlock>, Digest, Vec<Arc<Body>>);

/// Blocks on their way to the core.
#[derive(Debug, Default)]
pub struct ToldInOrder {
    /// The last height of the fetched blocks that are being stored.
    storing: Option<Height>,
    /// What was executed on top of them, in order.
    held: Vec<Executed>,
}

impl ToldInOrder {
    /// Fetched blocks up to this height were executed, and go to be stored.
    pub fn storing(&mut self, last: Height) {
        self.storing = self.storing.max(Some(last));
    }

    /// Takes a block executed from a batch, and gives it back if the core may hear of it now.
    pub fn executed(&mut self, executed: Executed) -> Option<Executed> {
        if self.storing.is_none() {
            return Some(executed);
        }
        self.held.push(executed);
        None
    }

    /// The core has heard that fetched blocks up to this height are stored; gives what it may hear of then.
    pub fn stored(&mut self, last: Height) -> Vec<Executed> {
        if self.storing.is_some_and(|storing| storing > last) {
            return Vec::new();
        }
        self.storing = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Header, Timestamp};

    use super::*;

    fn executed(height: u64) -> Executed {
        let header = Header {
            chain: Digest::ZERO,
            height: Height(height),
            previous: Digest::ZERO,
            time: Timestamp(height),
            epoch: ledger::Epoch(0),
            transactions: 0,
            transaction_root: Digest::ZERO,
            outcome_root: Digest::ZERO,
            state_root: Digest::ZERO,
            history_root: Digest::ZERO,
        };
        let block = JournaledBlock {
            header,
            wires: Vec::new(),
            outcomes: Vec::new(),
        };
        (Arc::new(block), Digest::ZERO, Vec::new())
    }

    fn heights(executed: impl IntoIterator<Item = Executed>) -> Vec<u64> {
        let heights = executed
            .into_iter()
            .map(|(block, ..)| block.header.height.0);
        heights.collect()
    }

    #[test]
    fn a_block_on_top_of_fetched_ones_waits_until_they_are_stored() {
        let mut told = ToldInOrder::default();
        assert_eq!(heights(told.executed(executed(5))), [5]);
        told.storing(Height(17));
        told.storing(Height(29));
        assert_eq!(heights(told.executed(executed(30))), [0; 0]);
        assert_eq!(heights(told.stored(Height(17))), [0; 0]);
        assert_eq!(heights(told.executed(executed(31))), [0; 0]);
        assert_eq!(heights(told.stored(Height(29))), [30, 31]);
        assert_eq!(heights(told.executed(executed(32))), [32]);
    }
}
