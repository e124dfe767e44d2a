//! Runs seeds, or scenarios of twins, on all cores, and prints what they found. See [`USAGE`].

use std::process::ExitCode;
use std::time::{Duration, Instant};

use simulator::{Outcome, Report, report, run_many};

const USAGE: &str = "\
simulator [--first N] [--seeds N | --seconds N] [--real | --model | --twins] [--json]
simulator --replay SEED

  --first N     the first seed (or scenario); 0
  --seeds N     how many; 200
  --seconds N   as many as fit into that time
  --real        Ed25519 signatures instead of the keyed-hash stand-in
  --model       every vote is judged by the rules of the model
  --twins       scenarios of twins instead of random seeds
  --json        one line instead of a page
  --replay N    one seed: every event, then the outcome
";

struct Options {
    first: u64,
    seeds: u64,
    seconds: Option<u64>,
    run: fn(u64) -> Outcome,
    json: bool,
    replay: Option<u64>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        first: 0,
        seeds: 200,
        seconds: None,
        run: simulator::run_seed,
        json: false,
        replay: None,
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
            "--seconds" => options.seconds = Some(number("--seconds")?),
            "--replay" => options.replay = Some(number("--replay")?),
            "--json" => options.json = true,
            "--real" => options.run = simulator::run_seed_with_real_signatures,
            "--model" => options.run = simulator::run_seed_against_model,
            "--twins" => options.run = simulator::twins::run,
            other => return Err(format!("unknown argument {other}\n\n{USAGE}")),
        }
    }
    Ok(options)
}

/// Says now and then how far it is.
fn run_all(options: &Options) -> Report {
    let start = Instant::now();
    let told = std::sync::Mutex::new(start);
    run_many(options.first, options.run, |done| {
        if let Ok(mut told) = told.lock()
            && told.elapsed() > Duration::from_secs(10)
        {
            *told = Instant::now();
            let per_second = done as f64 / start.elapsed().as_secs_f64();
            eprintln!("{done} done, {per_second:.0} a second");
        }
        match options.seconds {
            Some(seconds) => start.elapsed() < Duration::from_secs(seconds),
            None => done < options.seeds,
        }
    })
    .taking(start.elapsed().as_secs_f64())
}

fn print_replay(seed: u64) -> ExitCode {
    let (outcome, log) = simulator::replay(seed);
    print!("{log}");
    println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            eprintln!("seed {seed}, commit {}: {violation}", report::commit());
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = options.replay {
        return print_replay(seed);
    }
    let mut report = run_all(&options);
    report.commit = report::commit();
    let text = if options.json {
        serde_json::to_string(&report)
    } else {
        serde_json::to_string_pretty(&report)
    };
    println!("{}", text.unwrap_or_default());
    if report.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (seed, violation) in &report.violations {
        eprintln!("seed {seed}, commit {}: {violation}", report.commit);
    }
    ExitCode::FAILURE
}
