//! `init` and `up` with real brokers: what runs, what is allowed, and that nothing is left behind.
//!
//! Services have their own tests; here the system is cut down to its brokers, by taking the other processes out of
//! `system.toml`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use medshare::consortium::Consortium;
use medshare::init;
use medshare::layout::Layout;
use medshare::supervisor::{Options, State, System};
use medshare::system::SystemDescription;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_medshare");

/// A system of brokers alone, not started.
fn brokers(count: usize) -> (TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().join("system"));
    let consortium = Consortium {
        brokers: count,
        ..Consortium::built_in()
    };
    init::init(&consortium, layout.root()).unwrap();
    let mut system = SystemDescription::load(&layout.system()).unwrap();
    system
        .processes
        .retain(|process| process.command == "broker");
    system.save(&layout.system()).unwrap();
    (folder, layout)
}

fn options() -> Options {
    let mut options = Options::new().unwrap();
    options.program = PathBuf::from(PROGRAM);
    options
}

async fn connect(
    layout: &Layout,
    system: &System,
    process: &str,
    seed: &str,
) -> async_nats::Client {
    connect_hearing(
        layout,
        system,
        process,
        seed,
        tokio::sync::mpsc::unbounded_channel().0,
    )
    .await
}

/// As [`connect`]; what the server refuses, in lower case, goes to `refusals`.
async fn connect_hearing(
    layout: &Layout,
    system: &System,
    process: &str,
    seed: &str,
    refusals: tokio::sync::mpsc::UnboundedSender<String>,
) -> async_nats::Client {
    let address = system.address("nats-1", "client").unwrap();
    let key =
        keys::nkey::BusUserKey::load(&layout.process(process).join("keys").join(seed)).unwrap();
    async_nats::ConnectOptions::with_nkey(key.expose_seed().to_owned())
        .custom_inbox_prefix(bus::subjects::inbox_prefix(process))
        .event_callback(move |event| {
            if let async_nats::Event::ServerError(error) = event {
                let _ = refusals.send(error.to_string().to_lowercase());
            }
            async {}
        })
        .connect(address.to_string())
        .await
        .unwrap()
}

/// Waits until the condition holds; a test that waits in vain is ended by the test runner.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lives(pid: i32) -> bool {
    rustix::process::Pid::from_raw(pid)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn up(layout: &Layout) -> Child {
    Command::new(PROGRAM)
        .args(["up", "--json", "--dir"])
        .arg(layout.root())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Every process whose working folder is below `folder`, as /proc shows it.
fn processes_in(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let here = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    };
    processes
        .filter(here)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_systems_run_side_by_side_and_a_second_start_takes_the_same_ports() {
    let (_first_folder, first) = brokers(1);
    let (_second_folder, second) = brokers(1);
    let first = System::start(first.root(), options()).await.unwrap();
    let second = System::start(second.root(), options()).await.unwrap();
    let address = first.address("nats-1", "client").unwrap();
    assert_ne!(Some(address), second.address("nats-1", "client"));
    let layout = first.layout().clone();
    first.shut_down().await;
    drop(first);
    let again = System::start(layout.root(), options()).await.unwrap();
    assert_eq!(again.address("nats-1", "client"), Some(address));
    again.shut_down().await;
    second.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_folder_has_one_supervisor() {
    let (_folder, layout) = brokers(1);
    let system = System::start(layout.root(), options()).await.unwrap();
    let error = System::start(layout.root(), options()).await.err().unwrap();
    assert!(error.to_string().contains("runs already"), "{error}");
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_started_again_and_one_that_is_killed_on_order_stays_down() {
    let (_folder, layout) = brokers(1);
    let system = System::start(layout.root(), options()).await.unwrap();
    let pid = system.processes()["nats-1"].pid.unwrap();
    system
        .order("nats-1", medshare::supervisor::Order::Crash)
        .await
        .unwrap();
    until(|| {
        let status = &system.processes()["nats-1"];
        status.state == State::Ready && status.restarts == 1 && status.pid != Some(pid)
    })
    .await;
    system.kill("nats-1").await.unwrap();
    assert_eq!(system.processes()["nats-1"].state, State::Down);
    system.start_process("nats-1").await.unwrap();
    assert_eq!(system.processes()["nats-1"].state, State::Ready);
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupting_up_leaves_no_process_and_so_does_killing_it() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let (_folder, layout) = brokers(1);
        let mut child = up(&layout);
        until(|| layout.control().exists()).await;
        assert!(!processes_in(layout.root()).is_empty());
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
        child.wait().unwrap();
        until(|| processes_in(layout.root()).is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_system_is_steered_by_admin() {
    let (_folder, layout) = brokers(1);
    let mut child = up(&layout);
    until(|| layout.control().exists()).await;
    let admin = |arguments: &[&str]| {
        let output = Command::new(PROGRAM)
            .arg("admin")
            .args(arguments)
            .args(["--json", "--dir"])
            .arg(layout.root())
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let status = admin(&["status"]);
    let pid = status["processes"]["nats-1"]["pid"].as_i64().unwrap();
    assert_eq!(status["processes"]["nats-1"]["state"], "ready");
    let restarted = admin(&["restart", "nats-1"]);
    assert_eq!(restarted["done"], true);
    assert_ne!(
        restarted["processes"]["nats-1"]["pid"].as_i64().unwrap(),
        pid
    );
    assert!(!lives(i32::try_from(pid).unwrap()));
    assert_eq!(admin(&["restart", "nats-7"])["done"], false);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_hears_and_says_only_what_its_role_may() {
    use futures::StreamExt as _;
    let (_folder, layout) = brokers(1);
    let system = System::start(layout.root(), options()).await.unwrap();
    let (sender, mut refusals) = tokio::sync::mpsc::unbounded_channel();
    let index = connect_hearing(&layout, &system, "index", "nats.seed", sender).await;
    let gateway = connect(&layout, &system, "gateway", "nats.seed").await;

    // Another's requests, replies, transactions, inbox; JetStream; the system account's subjects.
    for subject in [
        "service.gateway.>",
        "reply.*.gateway.>",
        "transactions.gateway",
        "_INBOX_gateway.>",
        "$JS.>",
        "$SYS.>",
        ">",
    ] {
        let _heard = index.subscribe(subject).await.unwrap();
        let refusal = refusals.recv().await.unwrap();
        assert!(
            refusal.contains("permissions violation for subscription"),
            "{subject}: {refusal}"
        );
    }
    // A denied publish succeeds at the client and reaches nobody; an allowed one does reach.
    let mut requests = index.subscribe("service.index.*").await.unwrap();
    index.flush().await.unwrap();
    let replica = connect(&layout, &system, "replica-0", "nats.seed").await;
    replica
        .publish("service.index.search", "from a replica".into())
        .await
        .unwrap();
    replica.flush().await.unwrap();
    gateway
        .publish("service.index.search", "from the gateway".into())
        .await
        .unwrap();
    gateway.flush().await.unwrap();
    let first = requests.next().await.unwrap();
    assert_eq!(first.payload.as_ref(), b"from the gateway");
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_connects_without_a_key_that_is_known() {
    let (_folder, layout) = brokers(1);
    let system = System::start(layout.root(), options()).await.unwrap();
    let address = system.address("nats-1", "client").unwrap().to_string();
    assert!(async_nats::connect(&address).await.is_err());
    let stranger = keys::nkey::BusUserKey::random();
    let connecting = async_nats::ConnectOptions::with_nkey(stranger.expose_seed().to_owned())
        .connect(&address)
        .await;
    assert!(connecting.is_err());
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_added_while_the_broker_runs_can_connect() {
    let (_folder, layout) = brokers(1);
    let system = System::start(layout.root(), options()).await.unwrap();
    let address = system.address("nats-1", "client").unwrap().to_string();
    let key = keys::nkey::BusUserKey::random();
    let user = medshare::broker::BrokerUser {
        name: "records-newcomer".to_owned(),
        nkey: Some(key.public_key().to_owned()),
        password: None,
    };
    medshare::files::write_json(&layout.broker_users().join("records-newcomer.json"), &user)
        .unwrap();
    loop {
        let connecting = async_nats::ConnectOptions::with_nkey(key.expose_seed().to_owned())
            .connect(&address)
            .await;
        if connecting.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_publishes_by_mqtt_on_its_own_topic_only() {
    use futures::StreamExt as _;
    use rumqttc::{AsyncClient, MqttOptions, QoS};
    let (_folder, layout) = brokers(1);
    for device in ["d1", "d2"] {
        let user = medshare::broker::BrokerUser {
            name: device.to_owned(),
            nkey: None,
            password: Some(device.repeat(20)),
        };
        medshare::files::write_json(&layout.broker_users().join(format!("{device}.json")), &user)
            .unwrap();
    }
    let system = System::start(layout.root(), options()).await.unwrap();
    let iot = connect(&layout, &system, "iot", "nats.seed").await;
    let mut readings = iot.subscribe("devices.*.readings").await.unwrap();
    iot.flush().await.unwrap();

    let address = system.address("nats-1", "mqtt").unwrap();
    let mut settings = MqttOptions::new("d1", address.ip().to_string(), address.port());
    settings.set_credentials("d1", "d1".repeat(20));
    let (device, mut connection) = AsyncClient::new(settings, 10);
    let driving = tokio::spawn(async move { while connection.poll().await.is_ok() {} });
    device
        .publish("devices/d2/readings", QoS::AtLeastOnce, false, "spoofed")
        .await
        .unwrap();
    device
        .publish("devices/d1/readings", QoS::AtLeastOnce, false, "own")
        .await
        .unwrap();
    let first = readings.next().await.unwrap();
    assert_eq!(
        (first.subject.as_str(), first.payload.as_ref()),
        ("devices.d1.readings", b"own".as_slice())
    );
    driving.abort();
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_brokers_form_one_cluster() {
    use futures::StreamExt as _;
    let (_folder, layout) = brokers(3);
    let system = System::start(layout.root(), options()).await.unwrap();
    let index = connect(&layout, &system, "index", "nats.seed").await;
    let mut requests = index.subscribe("service.index.*").await.unwrap();
    index.flush().await.unwrap();
    let key =
        keys::nkey::BusUserKey::load(&layout.process("gateway").join("keys/nats.seed")).unwrap();
    let elsewhere = system.address("nats-3", "client").unwrap().to_string();
    let gateway = async_nats::ConnectOptions::with_nkey(key.expose_seed().to_owned())
        .connect(elsewhere)
        .await
        .unwrap();
    let asking = tokio::spawn(async move {
        // Interest travels between brokers in its own time.
        loop {
            gateway
                .publish("service.index.search", "across".into())
                .await
                .unwrap();
            gateway.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(requests.next().await.unwrap().payload.as_ref(), b"across");
    asking.abort();
    system.shut_down().await;
}

#[test]
fn a_bad_key_in_a_configuration_ends_the_process_with_exit_code_2_and_its_name() {
    let (_folder, layout) = brokers(1);
    let file = layout.process("nats-1").join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("mqtt_port", "mqtt_prot")).unwrap();
    let output = Command::new(PROGRAM)
        .args(["broker", "--config", "config.toml"])
        .current_dir(layout.process("nats-1"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("config.toml") && message.contains("broker.mqtt_"),
        "{message}"
    );
}

#[test]
fn key_files_and_configurations_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, layout) = brokers(1);
    let mut open = vec![layout.root().to_owned()];
    let mut secrets = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_secret = [
                ".seed",
                ".secret",
                ".key.pem",
                "member.json",
                "operator.json",
                "config.toml",
            ]
            .iter()
            .any(|end| name.ends_with(end));
            if is_secret {
                secrets += 1;
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
            }
        }
    }
    assert!(secrets > 40);
}
