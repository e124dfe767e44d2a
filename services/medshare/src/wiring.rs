//! Which subcommand runs which service; the only place that sees them all.

use std::path::PathBuf;
use std::process::ExitCode;

use chassis::{ProcessOptions, run_service};
use clap::{Args, Subcommand};

/// A service's subcommand.
#[derive(Debug, Subcommand)]
pub enum Service {
    /// The process around a message broker (nats-server).
    Broker(ServiceArguments),
}

/// What every service's subcommand takes.
#[derive(Debug, Args)]
pub struct ServiceArguments {
    /// The configuration file. Single keys are overridden by the environment: MEDSHARE__BUS__SERVERS for `servers` in
    /// `[bus]`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input ends.
    #[arg(long)]
    die_with_parent: bool,
}

impl From<ServiceArguments> for ProcessOptions {
    fn from(arguments: ServiceArguments) -> Self {
        Self { config: arguments.config, die_with_parent: arguments.die_with_parent }
    }
}

/// Runs a service until it is told to stop.
pub fn run(service: Service) -> ExitCode {
    match service {
        Service::Broker(arguments) => run_service("broker", &arguments.into(), crate::broker::run),
    }
}

/// Whether there is a subcommand for `command`.
pub fn knows(command: &str) -> bool {
    Service::has_subcommand(command)
}
