//! `simulator [--first N] [--seeds N] [--json] [--show]`: runs seeds on all cores and prints what they found.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use simulator::{Outcome, Report, run_seed};

struct Options {
    first: u64,
    seeds: u64,
    json: bool,
    show: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        first: 0,
        seeds: 200,
        json: false,
        show: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = |name: &str| {
            let value = arguments.next().ok_or(format!("{name} wants a number"))?;
            value
                .parse::<u64>()
                .map_err(|error| format!("{name} {value}: {error}"))
        };
        match argument.as_str() {
            "--first" => options.first = number("--first")?,
            "--seeds" => options.seeds = number("--seeds")?,
            "--json" => options.json = true,
            "--show" => options.show = true,
            other => {
                return Err(format!(
                    "unknown argument {other}; known: --first N, --seeds N, --json, --show"
                ));
            }
        }
    }
    Ok(options)
}

fn run_all(options: &Options) -> Vec<Outcome> {
    let next = AtomicU64::new(options.first);
    let end = options.first + options.seeds;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return found;
                }
                let outcome = run_seed(seed);
                if let Some(violation) = &outcome.violation {
                    eprintln!("seed {seed}: {violation}");
                }
                found.push(outcome);
            }
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().expect("a worker panicked: see above"))
            .collect()
    });
    outcomes.sort_by_key(|outcome| outcome.seed);
    outcomes
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let outcomes = run_all(&options);
    let report = Report::of(&outcomes).taking(start.elapsed().as_secs_f64());
    if options.show {
        for outcome in &outcomes {
            println!("{}", serde_json::to_string(outcome).unwrap_or_default());
        }
    }
    if options.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).unwrap_or_default()
        );
    }
    if report.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
