//! Listens while a system works: to every subject of every account of its brokers, and to the spans of all its processes.
//!
//! The brokers' own configuration lets nobody do so; a stand-in for `nats-server` (`e2e/capture/nats-server`) adds a
//! listening user to each account.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::story::workspace;
use crate::system::LOOK_EVERY;
use crate::traces::Receiver;

/// The accounts of a broker.
const ACCOUNTS: [&str; 2] = ["medshare", "system"];
/// Random enough for a server on the loopback address that lives for a minute.
const PASSWORD_BYTES: usize = 16;

/// What was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    folder: PathBuf,
}

impl Heard {
    /// What lies in this folder.
    pub fn of(folder: &Path) -> Heard {
        Heard {
            folder: folder.to_owned(),
        }
    }

    /// Every message, with subject and headers.
    ///
    /// # Panics
    /// If nothing was kept.
    pub fn messages(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("messages")).expect("messages were kept")
    }

    /// Every span, as it came.
    ///
    /// # Panics
    /// If nothing was kept.
    pub fn spans(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("spans")).expect("spans were kept")
    }

    /// How many messages there were by the first token of their subject.
    ///
    /// # Panics
    /// If nothing was kept.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let text = std::fs::read_to_string(self.folder.join("counts.json"));
        serde_json::from_str(&text.expect("counts were kept")).expect("counts can be read")
    }
}

/// The environment in which a system's brokers run behind the stand-in, and let a listener in under this password.
pub fn stand_in(password: &str) -> Vec<(String, String)> {
    let real = std::env::var("MEDSHARE_NATS_SERVER").unwrap_or_else(|_| "nats-server".into());
    let stand_in = workspace().join("e2e/capture/nats-server");
    let stand_in = stand_in.to_string_lossy().into_owned();
    [
        ("MEDSHARE_NATS_SERVER", stand_in),
        ("MEDSHARE_REAL_NATS_SERVER", real),
        ("MEDSHARE_CAPTURE_PASSWORD", password.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Listens in a thread of its own until it is closed.
pub struct Listening {
    environment: Vec<(String, String)>,
    close: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Listening {
    /// Begins to listen to the system that is made in `system`, and keeps what it hears in `folder`.
    ///
    /// # Panics
    /// If it cannot.
    pub fn begin(system: &Path, folder: &Path) -> Listening {
        std::fs::create_dir_all(folder).expect("a folder can be made");
        let random: [u8; PASSWORD_BYTES] = keys::secret::random();
        let password = data_encoding::HEXLOWER.encode(&random);
        let (close, closed) = oneshot::channel();
        let (started, endpoint) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let (system, folder, password) =
                (system.to_owned(), folder.to_owned(), password.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let receiver = Receiver::start().await;
                    started.send(receiver.endpoint()).expect("it is waited for");
                    let mut kept = Kept::new(&folder);
                    tokio::select! {
                        () = hear(&system, &password, &mut kept) => {}
                        _ = closed => {}
                    }
                    kept.finish(&receiver.bytes());
                });
            }
        });
        let mut environment = stand_in(&password);
        environment.push((
            "MEDSHARE__PROCESS__TELEMETRY__ENDPOINT".to_owned(),
            endpoint.recv().expect("the receiver starts"),
        ));
        Listening {
            environment,
            close,
            thread,
        }
    }

    /// What the system is to be run with.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Ends, once the system is stopped.
    ///
    /// # Panics
    /// If something could not be kept.
    pub fn close(self) {
        let _ = self.close.send(());
        self.thread.join().expect("what was heard is kept");
    }
}

/// The files of what is heard.
struct Kept {
    folder: PathBuf,
    messages: BufWriter<File>,
    counts: BTreeMap<String, u64>,
}

impl Kept {
    fn new(folder: &Path) -> Kept {
        let messages = File::create(folder.join("messages")).expect("messages can be kept");
        Kept {
            folder: folder.to_owned(),
            messages: BufWriter::new(messages),
            counts: BTreeMap::new(),
        }
    }

    fn keep(&mut self, message: &async_nats::Message) {
        let subject = message.subject.as_str();
        let first = subject.split('.').next().unwrap_or_default();
        *self.counts.entry(first.to_owned()).or_default() += 1;
        let headers = message.headers.as_ref();
        let headers = headers.map(|headers| format!("{headers:?}"));
        let line = format!("\n{subject} {}\n", headers.unwrap_or_default());
        self.messages
            .write_all(line.as_bytes())
            .and_then(|()| self.messages.write_all(&message.payload))
            .expect("a message can be kept");
    }

    fn finish(mut self, spans: &[u8]) {
        self.messages.flush().expect("messages can be kept");
        let counts = serde_json::to_string(&self.counts).expect("counts are plain JSON");
        std::fs::write(self.folder.join("counts.json"), counts).expect("counts can be kept");
        std::fs::write(self.folder.join("spans"), spans).expect("spans can be kept");
    }
}

/// Hears every subject of every account, from before the first process is ready until the broker is gone.
async fn hear(system: &Path, password: &str, kept: &mut Kept) {
    let mut all = Vec::new();
    for account in ACCOUNTS {
        let client = connect(system, "nats-1", account, password).await;
        let heard = client.subscribe(">").await.expect("a subscription");
        client.flush().await.expect("the broker has it");
        // The connection lives as long as what is heard over it.
        all.push(heard.map(move |message| (client.clone(), message).1));
    }
    let mut all = futures::stream::select_all(all);
    while let Some(message) = all.next().await {
        kept.keep(&message);
    }
}

/// Connects to a broker of the system in this folder, as soon as there is one, as the listener of an account.
pub async fn connect(
    system: &Path,
    broker: &str,
    account: &str,
    password: &str,
) -> async_nats::Client {
    let listener = format!("{broker}/client");
    loop {
        let ports = std::fs::read_to_string(system.join("run/ports.json")).unwrap_or_default();
        let ports: Value = serde_json::from_str(&ports).unwrap_or_default();
        if let Some(port) = ports[&listener].as_u64() {
            let user = format!("capture-{account}");
            let options =
                async_nats::ConnectOptions::with_user_and_password(user, password.to_owned());
            if let Ok(client) = options.connect(format!("nats://127.0.0.1:{port}")).await {
                return client;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
