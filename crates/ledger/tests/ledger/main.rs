//! What the ledger promises, each test named after its claim.

mod block_file;
mod canonical_encoding;
mod certificates;
mod chain_of_blocks;
mod checkpoints;
mod consortium;
mod digests;
mod epochs;
mod fuzz;
mod golden;
mod receipts;
mod signatures;
mod tree_nodes;
mod trees;
