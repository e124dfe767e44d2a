//! The report of a divergence: what stands in the block's header here, and what the others certified.

use std::path::Path;

use bus::Bus;
use ledger::{Height, ReplicaId};

/// Adds to the report what a quorum certified at its height, if it names one: the roots that differ say where to look.
/// This replica has stopped voting; the others never hear of it.
pub async fn complete_report(bus: &Bus, me: ReplicaId, path: &Path) {
    let Some(mut report) = read(path) else { return };
    let Some(height) = report.get("height").and_then(serde_json::Value::as_u64) else {
        return;
    };
    let certified = match bus.block(Height(height)).await {
        Ok(Some(block)) => serde_json::json!(block.block.header),
        Ok(None) | Err(_) => {
            tracing::warn!(height, replica = me.0, "no certified block for the report");
            return;
        }
    };
    let differing: Vec<String> = differing(&report["executed_here"], &certified);
    report["certified_by_others"] = certified;
    report["differing_fields"] = serde_json::json!(differing);
    // The first report stands if this one can't be written.
    let _ = std::fs::write(path, format!("{report:#}"));
}

fn read(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// The header's fields that differ.
fn differing(here: &serde_json::Value, certified: &serde_json::Value) -> Vec<String> {
    let Some(fields) = certified.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .filter(|(name, value)| here.get(name.as_str()) != Some(value))
        .map(|(name, _)| name.clone())
        .collect()
}
