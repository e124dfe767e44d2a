//! A service's process, from its command line to its exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::configuration::{self, InvalidKey};
use crate::health::{self, HealthConfig};
use crate::shutdown::Shutdown;
use crate::telemetry::{self, TelemetryConfig};

/// The table `[process]` of every service's configuration file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessConfig {
    /// Where health is served.
    pub health: HealthConfig,
    /// Logs and spans.
    pub telemetry: TelemetryConfig,
    /// Threads that run the service.
    pub threads: usize,
    /// How long the service may take to stop before the process ends without it.
    pub grace_seconds: u64,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            health: HealthConfig::default(),
            telemetry: TelemetryConfig::default(),
            threads: 2,
            grace_seconds: 10,
        }
    }
}

/// What the command line gives a service's process.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Stop when standard input ends: the parent keeps the other end, so this process cannot outlive it.
    pub die_with_parent: bool,
}

/// Runs a service until it is told to stop, and returns the process's exit code (see the crate's documentation).
pub fn run_service<C, F, R>(service: &str, options: &ProcessOptions, run: F) -> ExitCode
where
    C: DeserializeOwned,
    F: FnOnce(C, Shutdown) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let (process, config) = match configuration::load::<C>(&options.config) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(service, &error),
    };
    if process.threads == 0 {
        return refuse(
            service,
            &InvalidKey::new("process.threads", "must be at least 1"),
        );
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(process.threads)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{service}: no threads to run on: {error}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(supervise(service, options, &process, config, run));
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn supervise<C, F, R>(
    service: &str,
    options: &ProcessOptions,
    process: &ProcessConfig,
    config: C,
    run: F,
) -> ExitCode
where
    F: FnOnce(C, Shutdown) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let telemetry = match telemetry::init(service, &process.telemetry) {
        Ok(telemetry) => telemetry,
        Err(error) => return refuse(service, &format!("{}: {error}", options.config.display())),
    };
    exit_on_panic();
    let shutdown = Shutdown::announcing(service);
    if let Err(error) = health::serve(&process.health, shutdown.clone()).await {
        let port = process.health.port;
        return refuse(
            service,
            &InvalidKey::new(
                "process.health.port",
                format!("cannot listen on {port}: {error}"),
            ),
        );
    }
    if let Err(error) = stop_on_signals(shutdown.clone()) {
        eprintln!("{service}: cannot listen for signals: {error}");
        return ExitCode::from(1);
    }
    let grace = Duration::from_secs(process.grace_seconds);
    if options.die_with_parent {
        stop_with_parent(shutdown.clone(), grace);
    }
    let overdue = async {
        shutdown.requested().await;
        tokio::time::sleep(grace).await;
    };
    let code = tokio::select! {
        ended = run(config, shutdown.clone()) => exit_code(service, options, ended, shutdown.is_requested()),
        () = overdue => {
            tracing::error!(grace_seconds = process.grace_seconds, "did not stop in time");
            ExitCode::from(1)
        }
    };
    let flushed = tokio::task::spawn_blocking(move || telemetry.flush());
    let _ = flushed.await;
    code
}

fn exit_code(
    service: &str,
    options: &ProcessOptions,
    ended: anyhow::Result<()>,
    asked: bool,
) -> ExitCode {
    match ended {
        Ok(()) if asked => ExitCode::SUCCESS,
        Ok(()) => {
            tracing::error!("ended without being asked to");
            ExitCode::from(1)
        }
        Err(error) => match error.downcast_ref::<InvalidKey>() {
            Some(invalid) => refuse(service, &format!("{}: {invalid}", options.config.display())),
            None => {
                tracing::error!("{service} failed: {error:#}");
                ExitCode::from(1)
            }
        },
    }
}

fn refuse(service: &str, reason: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("medshare {service}: bad configuration: {reason}");
    ExitCode::from(2)
}

fn stop_on_signals(shutdown: Shutdown) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.request();
    });
    Ok(())
}

/// A thread of its own: reading standard input blocks, and must not keep the runtime from ending.
fn stop_with_parent(shutdown: Shutdown, grace: Duration) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        shutdown.request();
        std::thread::sleep(grace + Duration::from_secs(5));
        std::process::exit(1);
    });
}

/// A panic is a broken invariant: the process ends, and whoever supervises it starts it again from what is durable,
/// rather than going on with a task missing.
fn exit_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(70);
    }));
}
