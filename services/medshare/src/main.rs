//! The `medshare` command; everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use medshare::arguments::{Arguments, Command, Init};
use medshare::consortium::Consortium;
use medshare::{admin, bench, demo, init, up, verify, version, wiring};

/// Replicas allocate on one thread what they free on another, some ten times a transaction; this one is made for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keys::tls::use_ring();
    let arguments = Arguments::parse();
    let json = arguments.json;
    let outcome = match arguments.command {
        Command::Service(service) => return wiring::run(service),
        Command::Init(arguments) => make(&arguments, json),
        Command::Up(arguments) => {
            in_runtime(async { up::run(&arguments, json).await.map(|()| String::new()) })
        }
        Command::Demo(arguments) => return play(&arguments, json),
        Command::Admin(command) => in_runtime(admin::run(&command, json)),
        Command::Verify(command) => verify::run(&command, json),
        Command::Bench(command) => in_runtime(bench::run(&command, json)),
        Command::Version => Ok(version::report(json)),
    };
    match outcome {
        Ok(report) => {
            if !report.is_empty() {
                println!("{}", report.trim_end());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            if json {
                println!("{}", serde_json::json!({ "error": format!("{error:#}") }));
            }
            eprintln!("medshare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The demo reports even what failed, and says so by its exit status as well.
fn play(arguments: &demo::Demo, json: bool) -> ExitCode {
    let mut all_well = false;
    let outcome = in_runtime(async {
        let (report, well) = demo::run(arguments, json).await?;
        all_well = well;
        Ok(report)
    });
    match outcome {
        Ok(report) => println!("{}", report.trim_end()),
        Err(error) => {
            eprintln!("medshare: {error:#}");
            all_well = false;
        }
    }
    if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn in_runtime(task: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(task)
}

fn make(arguments: &Init, json: bool) -> anyhow::Result<String> {
    let mut consortium = match &arguments.config {
        None => Consortium::built_in(),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
            Consortium::from_toml(&text)
                .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?
        }
    };
    consortium.brokers = arguments.nats_servers.unwrap_or(consortium.brokers);
    consortium.database = arguments.database.clone().unwrap_or(consortium.database);
    consortium.tls = arguments.tls.unwrap_or(consortium.tls);
    let description = toml::to_string(&consortium)?;
    let consortium = Consortium::from_toml(&description)?;
    if arguments.print_config {
        return Ok(description);
    }
    in_runtime(async {
        init::create_databases(&consortium)
            .await
            .map(|made| made.join(", "))
    })?;
    let made = init::init(&consortium, &arguments.dir)?;
    if json {
        return Ok(serde_json::to_string(&made)?);
    }
    Ok(format!(
        "made a system in {}\n  chain      {}\n  processes  {}\nstart it: medshare up --dir {}",
        made.folder,
        made.chain,
        made.processes.join(", "),
        arguments.dir.display()
    ))
}
