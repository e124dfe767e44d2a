//! The ledger as people read it: blocks, transactions, replicas, checkpoints. Everything here is on the ledger or is said by
//! replicas of themselves, and holds nothing personal. The gateway answers with it, the explorer shows it.

mod block;
mod checkpoint;
mod status;
mod transaction;

pub use block::{BlockSummary, BlockView};
pub use checkpoint::{ConsistencyView, checkpoint_note, consistency};
pub use status::{NoticeView, ReplicaStatus, ReplicaView, StatusView};
pub use transaction::{
    EventView, TransactionView, command_name, contract_name, outcome_name, rejection_text,
};
