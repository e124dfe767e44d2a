//! `medshare bench rest`: what the whole system takes when nobody asks anything of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::RestBench;
use super::measure::Conditions;
use super::proc::{self, Memory};
use super::report::Report;
use super::whole_system::WholeSystem;

#[derive(Debug, Serialize)]
struct Figures {
    processes: BTreeMap<String, Memory>,
    /// Sum of what is resident; pages that processes share count for each.
    resident_mb: f64,
    /// Sum of proportional shares: shared pages count once.
    proportional_mb: f64,
    /// Processor time used, in hundredths of one core.
    cpu_percent: f64,
}

/// Measures as asked.
pub async fn run(arguments: &RestBench) -> anyhow::Result<Report> {
    let conditions = Conditions::of(format!(
        "4 replicas, 1 broker, all services as processes, {} s after the start",
        arguments.settle_seconds
    ));
    let whole = WholeSystem::start(&arguments.dir, async |_| Ok(())).await?;
    tokio::time::sleep(Duration::from_secs(arguments.settle_seconds)).await;
    let processes = proc::descendants(std::process::id());
    let (began, used) = (Instant::now(), cpu(&processes));
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let cpu_percent = (cpu(&processes) - used) * 100.0 / began.elapsed().as_secs_f64();
    let mut memory: BTreeMap<String, Memory> = BTreeMap::new();
    for (id, name) in &processes {
        memory.insert(name.clone(), proc::memory(*id)?);
    }
    whole.stop_and_recount(|_, _| {}).await?;
    let sum = |of: fn(&Memory) -> f64| memory.values().map(of).sum::<f64>();
    let figures = Figures {
        resident_mb: sum(|memory| memory.resident_mb),
        proportional_mb: sum(|memory| memory.proportional_mb),
        cpu_percent,
        processes: memory,
    };
    let mut rows = vec![
        (
            "resident, shared pages counted for each".to_owned(),
            format!("{:.0} MB", figures.resident_mb),
        ),
        (
            "proportional, shared pages counted once".to_owned(),
            format!("{:.0} MB", figures.proportional_mb),
        ),
        (
            "processor".to_owned(),
            format!("{:.1} % of one core", figures.cpu_percent),
        ),
    ];
    for (name, memory) in &figures.processes {
        let text = format!(
            "{:.0} MB resident, {:.0} MB proportional",
            memory.resident_mb, memory.proportional_mb
        );
        rows.push((format!("  {name}"), text));
    }
    Report::new("rest", rows, conditions, &figures)
}

fn cpu(processes: &[(u32, String)]) -> f64 {
    let ids = processes.iter().map(|(id, _)| *id);
    ids.map(super::process::cpu_seconds).sum()
}
