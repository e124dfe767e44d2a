//! What the gateway shows of the ledger, counted while the story goes on.

use std::collections::BTreeSet;

use client::Client;
use ledger::Digest;
use serde_json::Value;

/// The count so far.
#[derive(Default)]
pub(crate) struct Tally {
    /// The next height to look at.
    next: u64,
    /// Every transaction.
    pub(crate) transactions: BTreeSet<Digest>,
    /// Records registered.
    pub(crate) records: u64,
    /// Claims adjudicated.
    pub(crate) adjudicated: BTreeSet<String>,
    /// Claims pended.
    pub(crate) pended: u64,
    /// Warnings raised.
    pub(crate) warnings: u64,
    /// Tampering reported.
    pub(crate) tampering: u64,
    /// Readings anchored.
    pub(crate) anchored: u64,
}

impl Tally {
    /// Reads all blocks that are new.
    pub(crate) async fn follow(&mut self, client: &Client) -> anyhow::Result<()> {
        loop {
            let block: Value = match client.get(&format!("/v1/blocks/{}", self.next)).await {
                Ok(block) => block,
                Err(error) if error.is_status(404) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.count(&block)?;
            self.next += 1;
        }
    }

    fn count(&mut self, block: &Value) -> anyhow::Result<()> {
        for transaction in block["transactions"].as_array().into_iter().flatten() {
            self.transactions.insert(
                transaction["transaction"]
                    .as_str()
                    .unwrap_or_default()
                    .parse()?,
            );
            for event in transaction["events"].as_array().into_iter().flatten() {
                let Some((name, body)) = event["event"]
                    .as_object()
                    .and_then(|event| event.iter().next())
                else {
                    continue;
                };
                match name.as_str() {
                    "RecordRegistered" => self.records += 1,
                    "ClaimAdjudicated" => {
                        self.adjudicated.insert(body["claim"].to_string());
                    }
                    "ClaimPended" => self.pended += 1,
                    "WarningRaised" => self.warnings += 1,
                    "TamperingReported" => self.tampering += 1,
                    "ReadingsAnchored" => {
                        self.anchored += body["readings"].as_u64().unwrap_or_default();
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
