//! Transactions for the tests of this crate.

use ledger::{
    ContractId, Digest, LedgerId, SignedTransaction, SigningKey, Timestamp, TransactionBody,
};

/// A signed transaction that no contract knows.
pub fn transaction(nonce: u64) -> SignedTransaction {
    transaction_valid_until(nonce, Timestamp(1_000))
}

/// The same, valid until then.
pub fn transaction_valid_until(nonce: u64, valid_until: Timestamp) -> SignedTransaction {
    let key = SigningKey::from_seed([9; 32]);
    let body = TransactionBody {
        chain: Digest([1; 32]),
        submitter: LedgerId([2; 16]),
        public_key: key.public_key(),
        nonce,
        valid_until,
        contract: ContractId(2),
        command: vec![7; 40],
    };
    SignedTransaction::sign(body, &key)
}
