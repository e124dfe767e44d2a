//! `medshare up`: runs a system in the foreground.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Up;
use crate::consortium::Consortium;
use crate::layout::Layout;
use crate::supervisor::{Notice, Options, ProcessStatus, System, control};

/// Starts the system, and keeps it until a signal.
pub async fn run(arguments: &Up, json: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let layout = Layout::new(&arguments.dir);
    if !layout.system().exists() {
        eprintln!(
            "up: there is no system in {} yet; making one",
            arguments.dir.display()
        );
        crate::init::init(&Consortium::built_in(), &arguments.dir)?;
    }
    let mut options = Options::new()?;
    options.restarts = !arguments.no_restart;
    options.notices = Arc::new(report);
    if let Some(endpoint) = &arguments.otlp {
        let key = "MEDSHARE__PROCESS__TELEMETRY__ENDPOINT".to_owned();
        options.environment.insert(key, endpoint.clone());
    }
    let started = Instant::now();
    let starting = System::start(&arguments.dir, options);
    let system = tokio::select! {
        system = starting => system?,
        // What was started so far stops with this process.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let control = control::serve(system.clone())
        .await
        .context("the system cannot be steered")?;
    let processes = system.processes();
    if json {
        let folder = system.layout().root();
        println!(
            "{}",
            serde_json::json!({ "up": folder, "processes": processes })
        );
    } else {
        print!("{}", table(&processes));
        println!(
            "up: {} processes after {:.1} s; Ctrl-C stops them",
            processes.len(),
            started.elapsed().as_secs_f64()
        );
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    eprintln!("up: stopping");
    control.abort();
    let _ = std::fs::remove_file(system.layout().control());
    system.shut_down().await;
    eprintln!("up: stopped");
    Ok(())
}

fn report(notice: Notice) {
    match notice {
        Notice::Ready { name } => eprintln!("up: {name} is ready"),
        Notice::Died { name, how } => eprintln!("up: {name} ended unasked: {how}"),
        Notice::KilledAtStop { name } => {
            eprintln!("up: {name} did not stop in time and was killed")
        }
        Notice::Trouble { what } => eprintln!("up: {what}"),
    }
}

/// The processes as a table for people.
pub fn table(processes: &BTreeMap<String, ProcessStatus>) -> String {
    let width = processes
        .keys()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("process".len());
    let mut text = format!(
        "{:width$}  {:9} {:>8}  {:12} addresses\n",
        "process", "state", "pid", "operator"
    );
    for (name, status) in processes {
        let addresses: Vec<String> = status
            .addresses
            .iter()
            .map(|(listener, address)| format!("{listener} {address}"))
            .collect();
        let pid = status.pid.map_or("-".to_owned(), |pid| pid.to_string());
        let state = format!("{:?}", status.state).to_lowercase();
        let _ = writeln!(
            text,
            "{name:width$}  {state:9} {pid:>8}  {:12} {}",
            status.operator,
            addresses.join(", ")
        );
    }
    text
}
