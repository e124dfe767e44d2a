//! `medshare bench demo`: the whole story, from nothing to its summary, by the clock.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokio::process::Command;

use super::DemoBench;
use super::measure::{Conditions, Spread};
use super::report::Report;
use super::scratch::Scratch;

#[derive(Debug, Serialize)]
struct Figures {
    seconds: Spread,
    transactions: u64,
    records: u64,
}

/// Measures as asked.
pub async fn run(arguments: &DemoBench) -> anyhow::Result<Report> {
    let conditions = Conditions::of(
        "`medshare demo` with made-up patients: every act, every receipt verified, recounted by the independent verifier",
    );
    let mut seconds = Vec::new();
    let mut report = serde_json::Value::Null;
    for _ in 0..arguments.runs.max(1) {
        let scratch = Scratch::make(&arguments.dir)?;
        let began = Instant::now();
        let output = Command::new(std::env::current_exe()?)
            .args(["--json", "demo", "--dir"])
            .arg(scratch.path().join("system"))
            .env_remove("DATA")
            .env_remove("VITALS")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        seconds.push(began.elapsed().as_secs_f64());
        report = serde_json::from_slice(&output.stdout).context("the demo's report")?;
        let failed = report["failed"].as_array().map_or(usize::MAX, Vec::len);
        ensure!(
            output.status.success() && failed == 0,
            "the demo failed: {}",
            report["failed"]
        );
        ensure!(
            report["receipts_verified"] == report["transactions"],
            "{} transactions, but {} receipts verified",
            report["transactions"],
            report["receipts_verified"]
        );
    }
    let figures = Figures {
        seconds: Spread::of(seconds),
        transactions: report["transactions"].as_u64().unwrap_or_default(),
        records: report["records"].as_u64().unwrap_or_default(),
    };
    let rows = vec![
        (
            "start to end".to_owned(),
            format!("{} s", figures.seconds.text(1)),
        ),
        (
            "of it".to_owned(),
            format!(
                "{} transactions, {} records",
                figures.transactions, figures.records
            ),
        ),
    ];
    Report::new("demo", rows, conditions, &figures)
}
