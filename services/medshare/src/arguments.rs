//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::consortium::Tls;
use crate::wiring::Service;

/// Share medical records between hospitals, patients and others, each act a signed transaction on a ledger that anybody
/// concerned can verify.
#[derive(Debug, Parser)]
#[command(
    name = "medshare",
    disable_version_flag = true,
    arg_required_else_help = true,
    after_help = "\
First steps:
  medshare demo                     see the whole story on a system of its own, made for it
  medshare init --dir system        make keys, genesis file and configuration of a small consortium
  medshare up --dir system          start it; Ctrl-C stops all of it, and a second `up` continues
  medshare admin status --dir system"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Report as JSON on standard output, for machines.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a system in a folder: keys, certificate authority, genesis file, broker users, configuration.
    Init(Init),
    /// Start a system and keep it running until Ctrl-C or SIGTERM.
    Up(Up),
    /// Start a system of its own in a fresh folder, play the whole story against it, and report.
    Demo(crate::demo::Demo),
    /// Steer a system that `up` runs.
    #[command(subcommand)]
    Admin(Admin),
    /// Verify a receipt or a chain offline, from the genesis file alone.
    #[command(subcommand)]
    Verify(Verify),
    /// Measure on this machine.
    Bench(crate::bench::BenchArguments),
    /// Say which version this is.
    Version,
    /// Run one service in this process, as `up` does.
    #[command(flatten)]
    Service(Service),
}

/// `medshare init`
#[derive(Debug, Args)]
pub struct Init {
    /// The description of the consortium; without one, a small consortium is set up: an authority, two hospitals and a
    /// chamber of physicians (each operating one of four replicas), a regulator, a treasury and an insurer.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder to make it in; empty or absent.
    #[arg(long, value_name = "DIR", default_value = "system")]
    pub dir: PathBuf,
    /// How many message brokers: 1, or 3 that form a cluster. Goes before the description's.
    #[arg(long, value_name = "1|3")]
    pub nats_servers: Option<usize>,
    /// Where services keep their rows: `sqlite`, or `postgres://user@host:port`. Goes before the description's.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// How everybody connects: `mutual` (TLS with certificates on both sides) or `plain`, for a single machine. Goes
    /// before the description's.
    #[arg(long, value_enum)]
    pub tls: Option<Tls>,
    /// Print the description that would be used, and make nothing: a start for one of your own.
    #[arg(long)]
    pub print_config: bool,
}

/// `medshare up`
#[derive(Debug, Args)]
pub struct Up {
    /// The system's folder. When there is no system in it yet, the one that `init` makes without a description.
    #[arg(long, value_name = "DIR", default_value = "system")]
    pub dir: PathBuf,
    /// Leave a process down that dies unasked, and report it, instead of starting it again.
    #[arg(long)]
    pub no_restart: bool,
    /// Send traces of all processes to this OTLP collector (gRPC), such as http://127.0.0.1:4317.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
}

/// `medshare admin ...`
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// How each process is, and where it listens.
    Status(Folder),
    /// Start a process that is down.
    Start(Named),
    /// Stop a process in order; it stays down.
    Stop(Named),
    /// Stop a process in order and start it again.
    Restart(Named),
    /// Kill a process (SIGKILL).
    Kill(Kill),
    /// Make a process stand still (SIGSTOP).
    Pause(Named),
    /// Let a process go on (SIGCONT).
    Resume(Named),
    /// Add a hospital: makes its keys and configuration, and starts its records service when the system runs. On the
    /// ledger it is registered and endorsed like any organisation.
    AddHospital(AddHospital),
    /// Add a node: makes the keys and the configuration of one more replica, and starts it when the system runs. It
    /// follows the ledger, and votes once `replace-node` has voted it in.
    AddNode(AddNode),
    /// Vote a node in, an old one out, or both in one change, as operators of nodes: each `--as` signs. Registers and
    /// endorses the new node's operator first where that is still to be done. Once a quorum has voted, waits until the
    /// change is in force.
    ReplaceNode(ReplaceNode),
    /// Let a device connect to the brokers by MQTT. With mutual TLS: issues a certificate for the key that the device
    /// made (`--request`), which counts for as long as the ledger has the device as active. Without: prints a password,
    /// once. On the ledger it is registered to a patient like any device.
    AddDevice(AddDevice),
    /// Put a new issuing authority in place of the current one, with the root's key, which is kept offline otherwise.
    /// Identity takes it up when it is restarted; what was issued before counts to its end.
    NewIssuingAuthority(NewIssuingAuthority),
}

/// A system's folder.
#[derive(Debug, Args)]
pub struct Folder {
    /// The system's folder.
    #[arg(long, value_name = "DIR", default_value = "system")]
    pub dir: PathBuf,
}

/// A process of a system.
#[derive(Debug, Args)]
pub struct Named {
    /// The process, as `medshare admin status` names it.
    pub name: String,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare admin kill`
#[derive(Debug, Args)]
pub struct Kill {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// Leave it down until it is started.
    #[arg(long)]
    pub stay_down: bool,
}

/// `medshare admin add-hospital`
#[derive(Debug, Args)]
pub struct AddHospital {
    /// Its short name: lowercase letters, digits, hyphens.
    pub slug: String,
    /// Its public name.
    #[arg(long)]
    pub name: String,
    /// What its database is: sqlite, mysql or postgres.
    #[arg(long, value_name = "KIND", default_value = "sqlite")]
    pub database_kind: String,
    /// Where its database is; without it, a SQLite file of the service's own.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The name of the mapping from its tables.
    #[arg(long, value_name = "NAME", default_value = "a")]
    pub mapping: String,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare admin add-node`
#[derive(Debug, Args)]
pub struct AddNode {
    /// The organisation that operates it, by its short name: a new one, or one that takes part already.
    pub slug: String,
    /// The public name of an organisation that is new.
    #[arg(long)]
    pub name: Option<String>,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare admin replace-node`
#[derive(Debug, Args)]
pub struct ReplaceNode {
    /// The number of the replica that comes, as `add-node` said.
    #[arg(long, value_name = "NUMBER", required_unless_present = "retire")]
    pub add: Option<u16>,
    /// The number of the replica that goes.
    #[arg(long, value_name = "NUMBER")]
    pub retire: Option<u16>,
    /// An organisation whose operator votes, by its short name; its `operator.json` must be in the system's folder. The
    /// first one proposes.
    #[arg(long = "as", value_name = "SLUG", required = true)]
    pub voters: Vec<String>,
    /// Vote on this proposal, which another operator has made, instead of proposing: the same change is to be named.
    #[arg(long, value_name = "ID")]
    pub proposal: Option<String>,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare admin add-device`
#[derive(Debug, Args)]
pub struct AddDevice {
    /// Its name in topics, `devices/<name>/readings`: the ledger id under which it is registered.
    pub name: String,
    /// The certificate request (PKCS #10, PEM) that the device has made and signed.
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare admin new-issuing-authority`
#[derive(Debug, Args)]
pub struct NewIssuingAuthority {
    /// The root's key (PEM, mode 0600); `init` puts it into the authority's folder, from where it goes into a safe.
    #[arg(long, value_name = "FILE")]
    pub root_key: PathBuf,
    /// The system's folder.
    #[command(flatten)]
    pub folder: Folder,
}

/// `medshare verify ...`
#[derive(Debug, Subcommand)]
pub enum Verify {
    /// A receipt: that its transaction was ordered, with this outcome, in a certified block of this chain.
    Receipt {
        /// The receipt file.
        file: PathBuf,
        /// The consortium's genesis file, from which alone trust starts.
        #[arg(long, value_name = "FILE")]
        genesis: PathBuf,
    },
    /// A chain: every block of a replica's folder, from the genesis block on.
    Chain {
        /// The folder of block files (`*.blk`), or one that has it as `blocks`.
        folder: PathBuf,
        /// The consortium's genesis file, from which alone trust starts.
        #[arg(long, value_name = "FILE")]
        genesis: PathBuf,
        /// Check the members' signatures too, not only hashes and the replicas' certificates.
        #[arg(long)]
        signatures: bool,
    },
}
