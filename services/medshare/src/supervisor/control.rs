//! How `medshare admin` reaches a running `up`: one line of JSON each way on a loopback port, with a secret that only the
//! owner of the system's folder can read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use keys::Secret;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Order, ProcessStatus, System};
use crate::files;
use crate::layout::Layout;

/// What may be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// How the processes are.
    Status,
    /// Start a process that is down.
    Start(String),
    /// Stop a process in order; it stays down.
    Stop(String),
    /// Stop a process in order and start it again.
    Restart(String),
    /// Kill a process (SIGKILL); it stays down.
    Kill(String),
    /// Kill a process (SIGKILL); it is started again as after any crash.
    Crash(String),
    /// Make a process stand still (SIGSTOP).
    Pause(String),
    /// Let a process go on (SIGCONT).
    Resume(String),
    /// Start the processes that are new in `system.toml`.
    TakeUp,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// What went wrong, when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The processes, afterwards.
    pub processes: BTreeMap<String, ProcessStatus>,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    secret: String,
    action: Action,
}

/// `run/control.json`
#[derive(Serialize, Deserialize)]
struct Control {
    address: SocketAddr,
    secret: String,
    pid: u32,
}

const REQUEST_BYTES_MAX: u64 = 4096;

/// Answers for `system` until the returned task is aborted.
pub async fn serve(system: System) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let secret = Secret::random().expose_hex().to_string();
    let control = Control {
        address: listener.local_addr()?,
        secret: secret.clone(),
        pid: std::process::id(),
    };
    files::write_private(
        &system.layout().control(),
        serde_json::to_string(&control)?.as_bytes(),
    )?;
    Ok(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (system, secret) = (system.clone(), secret.clone());
            tokio::spawn(async move {
                // One who breaks off hears nothing, and that is all.
                let _ = answer(system, &secret, stream).await;
            });
        }
    }))
}

async fn answer(system: System, secret: &str, stream: TcpStream) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(REQUEST_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let asked: Asked = serde_json::from_str(&line)?;
    if !bool::from(subtle::ConstantTimeEq::ct_eq(
        asked.secret.as_bytes(),
        secret.as_bytes(),
    )) {
        bail!("wrong secret");
    }
    let outcome = act(&system, asked.action).await;
    let answer = Answer {
        done: outcome.is_ok(),
        reason: outcome.err().map(|error| format!("{error:#}")),
        processes: system.processes(),
    };
    writer
        .write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes())
        .await?;
    Ok(())
}

async fn act(system: &System, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Status => Ok(()),
        Action::Start(name) => system.order(&name, Order::Start).await,
        Action::Stop(name) => system.order(&name, Order::Stop).await,
        Action::Restart(name) => system.restart(&name).await,
        Action::Kill(name) => system.order(&name, Order::Kill).await,
        Action::Crash(name) => system.order(&name, Order::Crash).await,
        Action::Pause(name) => system.order(&name, Order::Pause).await,
        Action::Resume(name) => system.order(&name, Order::Resume).await,
        Action::TakeUp => system.take_up_new().await.map(drop),
    }
}

/// Asks the `up` that runs the system in this folder.
pub async fn ask(layout: &Layout, action: Action) -> anyhow::Result<Answer> {
    let nobody = || {
        format!(
            "no `medshare up` runs the system in {}",
            layout.root().display()
        )
    };
    let control: Control = files::read_json(&layout.control()).with_context(nobody)?;
    let stream = TcpStream::connect(control.address)
        .await
        .with_context(nobody)?;
    let (reader, mut writer) = stream.into_split();
    let asked = Asked {
        secret: control.secret,
        action,
    };
    writer
        .write_all(format!("{}\n", serde_json::to_string(&asked)?).as_bytes())
        .await?;
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await?;
    serde_json::from_str(&line).context("`medshare up` gave no answer")
}
