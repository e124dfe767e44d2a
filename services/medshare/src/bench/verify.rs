//! `medshare bench verify`: a chain verified offline, as `medshare verify chain` does it.

use anyhow::ensure;
use serde::Serialize;

use super::VerifyBench;
use super::chain::Chain;
use super::measure::{Conditions, Spread};
use super::report::Report;
use super::scratch::Scratch;

#[derive(Debug, Serialize)]
struct Figures {
    megabytes: f64,
    transactions: u64,
    blocks: u64,
    /// Hashes, links and certificates.
    mb_per_second: Spread,
    /// As well as every member's signature.
    with_signatures_mb_per_second: Spread,
    with_signatures_transactions_per_second: Spread,
}

/// Measures as asked.
pub async fn run(arguments: &VerifyBench) -> anyhow::Result<Report> {
    let scratch = Scratch::make(&arguments.dir)?;
    let conditions = Conditions::of(format!(
        "a chain of {} transactions made by the real executor, {} a block, certified by 3 of 4 replicas; files warm",
        arguments.transactions, arguments.per_block
    ));
    let chain = Chain::make(scratch.path(), arguments.transactions, arguments.per_block)?;
    let megabytes = chain.bytes as f64 / 1e6;
    let run = |signatures: bool| -> anyhow::Result<f64> {
        let report = crate::verify::chain(&chain.blocks, &chain.genesis_file, signatures)?;
        ensure!(
            report.accepted == chain.transactions && report.blocks == chain.count,
            "{} transactions in {} blocks were made, {} in {} verified",
            chain.transactions,
            chain.count,
            report.accepted,
            report.blocks
        );
        Ok(report.seconds)
    };
    run(false)?;
    let (mut plain, mut with_signatures) = (Vec::new(), Vec::new());
    for _ in 0..arguments.runs.max(1) {
        plain.push(run(false)?);
        with_signatures.push(run(true)?);
    }
    let rate = |amount: f64, seconds: &[f64]| {
        Spread::of(seconds.iter().map(|seconds| amount / seconds).collect())
    };
    let figures = Figures {
        megabytes,
        transactions: chain.transactions,
        blocks: chain.count,
        mb_per_second: rate(megabytes, &plain),
        with_signatures_mb_per_second: rate(megabytes, &with_signatures),
        with_signatures_transactions_per_second: rate(chain.transactions as f64, &with_signatures),
    };
    let rows = vec![
        (
            "of it".to_owned(),
            format!(
                "{megabytes:.0} MB, {} transactions in {} blocks",
                figures.transactions, figures.blocks
            ),
        ),
        (
            "hashes, links and certificates".to_owned(),
            format!("{} MB/s", figures.mb_per_second.text(0)),
        ),
        (
            "with members' signatures".to_owned(),
            format!(
                "{} MB/s, {} transactions/s",
                figures.with_signatures_mb_per_second.text(0),
                figures.with_signatures_transactions_per_second.text(0)
            ),
        ),
    ];
    Report::new("verify", rows, conditions, &figures)
}
