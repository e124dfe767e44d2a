//! Many commands of the hospital at once: facts and signed transactions in one database transaction, then all receipts.

use contracts::Command;
use futures::future::join_all;
use interfaces::{Committed, Problem};
use ledger::{Digest, SignedTransaction};

use crate::service::Records;

/// A command on its way.
pub struct Outgoing<T> {
    /// What it is for.
    pub about: T,
    /// The signed transaction.
    pub signed: SignedTransaction,
}

impl<T> Outgoing<T> {
    /// The transaction's id.
    pub fn transaction(&self) -> Digest {
        self.signed.id()
    }

    /// Until when it is valid, as tables hold it.
    pub fn valid_until(&self) -> i64 {
        crate::service::time_us(self.signed.body.valid_until)
    }
}

impl Records {
    /// A command signed with the hospital's key.
    pub fn outgoing<T>(&self, about: T, command: impl Into<Command>) -> Outgoing<T> {
        let body = self
            .desk
            .body(self.key.ledger_id(), self.key.public_key(), &command.into());
        Outgoing {
            about,
            signed: self.key.sign(body),
        }
    }

    /// Waits for the receipts of transactions that are in the outbox, in their order.
    pub async fn wait_all<T>(
        &self,
        sent: Vec<Outgoing<T>>,
    ) -> Vec<(T, Result<Committed, Problem>)> {
        let waits = sent.into_iter().map(|outgoing| async move {
            let committed = self.wait(outgoing.transaction()).await;
            (outgoing.about, committed)
        });
        join_all(waits).await
    }
}

/// Whether a problem is the contract's no: trying the same again would change nothing.
pub fn is_rejection(problem: &Problem) -> bool {
    problem.rejection.is_some()
}
