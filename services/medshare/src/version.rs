//! `medshare version`

/// The version of this program and what it reads and writes.
pub fn report(json: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if json {
        let report = serde_json::json!({
            "version": version,
            "receipt_file": ledger::receipt_file::RECEIPT_FILE_VERSION,
            "block_file": String::from_utf8_lossy(&ledger::store_format::MAGIC),
        });
        return report.to_string();
    }
    format!("medshare {version}")
}
