//! Why this replica stopped voting, in a file of its data folder: part of the core's thread.

use std::time::Instant;

use bus::ordering_wire::Standing;
use ledger::Height;
use pbft::HaltReason;

use crate::binding;
use crate::core::Core;
use crate::observer::Observer;
use crate::seat::Seat;

/// The report of a replica that stopped.
pub const HALTED: &str = "halted.json";

/// The report of a replica that never votes again (see [`binding::report_path`]).
const QUARANTINE: &str = "quarantine.json";

const WHAT_TO_DO: &str = "Keep this folder for inspection. Have the node operators vote a new replica in and this one out (a change ReplaceReplica with both); the new one has a number, a key and a folder of its own.";

impl Core {
    pub(crate) fn halt(&mut self, reason: HaltReason) {
        if let HaltReason::LostVotes { .. } = reason {
            return self.quarantine(&reason);
        }
        let height = match &reason {
            HaltReason::Divergence { sequence, .. }
            | HaltReason::ConflictingCommit { sequence, .. } => Some(sequence.height()),
            _ => None,
        };
        self.write_report(HALTED, &reason.to_string(), height);
        tracing::error!(%reason, "this replica halts");
        self.halted = Some(reason);
    }

    /// The vote log is not the one that this key voted with. From now on it only follows the chain.
    fn quarantine(&mut self, reason: &HaltReason) {
        let path = binding::report_path(&self.data);
        self.write_report(QUARANTINE, &reason.to_string(), None);
        tracing::error!(%reason, report = %path.display(), "in quarantine: this replica never votes again with its key");
        let certified = self
            .seat
            .summary()
            .map_or(Height(0), |summary| summary.certified.height());
        self.identity.quarantined = true;
        let observer = Observer::after(certified, Instant::now());
        self.seat = Seat::Observes(observer, Standing::Quarantined);
    }

    /// Writes why this replica stopped voting. `height` is the block in question: what stands in its header here goes
    /// into the report.
    pub(crate) fn write_report(&self, name: &str, reason: &str, height: Option<Height>) {
        let header = height
            .and_then(|height| self.recent.get(height.0))
            .and_then(|recent| recent.block.as_ref().map(|block| block.header.clone()));
        let report = serde_json::json!({
            "replica": self.identity.me.0,
            "epoch": self.epoch.epoch.0,
            "reason": reason,
            "height": height.map(|height| height.0),
            "executed_here": header,
            "summary": format!("{:?}", self.seat.summary()),
            "what_to_do": WHAT_TO_DO,
        });
        // The log says the same if the report can't be written.
        let _ = std::fs::write(self.data.join(name), format!("{report:#}"));
    }

    pub(crate) fn fail(&mut self, reason: String) {
        self.write_report(HALTED, &reason, None);
        self.failed = Some(reason);
    }
}
