//! What replicas send each other besides the consensus messages themselves: the first kinds of `ordering::wire::Wire`, as whoever listens
//! to the bus finds them.

use serde::{Deserialize, Serialize};

/// A message from replica to replica. Long ones travel in pieces, and are not read here.
#[derive(Serialize, Deserialize)]
pub enum Wire {
    /// Signed consensus messages, and transactions that proposals among them name.
    Consensus(Vec<Vec<u8>>, Vec<Carried>),
    /// Transactions that are asked for.
    BodiesWanted(Vec<Vec<u8>>),
    /// Transactions that were asked for.
    Bodies(Vec<Carried>),
    /// Transactions that a backup relays to the primary.
    Relayed(Vec<Carried>),
    /// Transactions that were sent to another replica as the primary.
    PassedOn(Vec<Carried>),
}

/// A transaction on its way from replica to replica.
#[derive(Serialize, Deserialize)]
pub struct Carried {
    /// Its canonical signed bytes.
    #[serde(with = "ledger::byte_string::vector")]
    pub bytes: Vec<u8>,
    requester: Option<String>,
    traceparent: Option<String>,
}
