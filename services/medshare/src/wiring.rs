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
    /// A replica of the ordering cluster.
    Ordering(ServiceArguments),
    /// Registration, certificates, sign-in and custody of persons' keys.
    Identity(ServiceArguments),
    /// Disease search with brief, de-identified answers.
    Index(ServiceArguments),
    /// Applications, decisions, grants and sealed delivery.
    Authorization(ServiceArguments),
    /// Accounts, payment and insurance.
    Settlement(ServiceArguments),
    /// One hospital's records: intake, commitment, viewing, codes, release.
    Records(ServiceArguments),
    /// Devices, their readings and early warnings.
    Iot(ServiceArguments),
    /// REST and gRPC for partner systems.
    Gateway(ServiceArguments),
    /// The pages of every role, and the explorer.
    Portal(ServiceArguments),
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
        Self {
            config: arguments.config,
            die_with_parent: arguments.die_with_parent,
        }
    }
}

/// Runs a service until it is told to stop.
pub fn run(service: Service) -> ExitCode {
    match service {
        Service::Broker(arguments) => run_service("broker", &arguments.into(), crate::broker::run),
        Service::Ordering(arguments) => run_service("ordering", &arguments.into(), ordering::run),
        Service::Identity(arguments) => run_service("identity", &arguments.into(), identity::run),
        Service::Index(arguments) => run_service("index", &arguments.into(), index::run),
        Service::Authorization(arguments) => {
            run_service("authorization", &arguments.into(), authorization::run)
        }
        Service::Settlement(arguments) => {
            run_service("settlement", &arguments.into(), settlement::run)
        }
        Service::Records(arguments) => run_service("records", &arguments.into(), records::run),
        Service::Iot(arguments) => run_service("iot", &arguments.into(), iot::run),
        Service::Gateway(arguments) => run_service("gateway", &arguments.into(), gateway::run),
        Service::Portal(arguments) => run_service("portal", &arguments.into(), portal::run),
    }
}
