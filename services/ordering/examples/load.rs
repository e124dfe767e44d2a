//! Load on a cluster: four replicas as processes, a real nats-server, real fsync, pre-signed RegisterRecord
//! transactions of many members, open loop at a given rate; every receipt is verified afterwards.
//!
//! `cargo run --release -p ordering --example load -- --rate 1000 --seconds 20 [--members 1000] [--replicas 4]
//! [--kill-primary-after SECONDS] [--dir FOLDER] [--set KEY=VALUE]...`, with `MEDSHARE_NATS_SERVER` naming the server.
//! `--set` changes `[ordering.tuning]`. Prints one line of JSON.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::ordering_wire::{StatusRequest, SubmitReply};
use bus::subjects;
use bus::testing::{TestBroker, test_genesis};
use bytes::Bytes;
use contracts::RecordNumber;
use contracts::records::command::{Code, Command as RecordsCommand, RegisterRecord};
use futures::StreamExt;
use keys::Secret;
use ledger::{
    Commitment, Digest, DigestAlgorithm, GenesisFile, GenesisMember, Height, LedgerId, Receipt,
    ReplicaId, SignedTransaction, SigningKey, Timestamp, TransactionBody, canonical,
};

const REPLICA_CONFIG: &str = "MEDSHARE_LOAD_REPLICA_CONFIG";
const PATIENT: LedgerId = LedgerId([0xbb; 16]);

struct Arguments {
    rate: u64,
    seconds: u64,
    members: u64,
    replicas: u16,
    kill_primary_after: Option<u64>,
    dir: Option<String>,
    tuning: serde_json::Map<String, serde_json::Value>,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments {
        rate: 1_000,
        seconds: 20,
        members: 1_000,
        replicas: 4,
        kill_primary_after: None,
        dir: None,
        tuning: serde_json::Map::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = || {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name}: expected a number, found {value:?}"))
        };
        match name.as_str() {
            "--rate" => parsed.rate = number(),
            "--seconds" => parsed.seconds = number(),
            "--members" => parsed.members = number(),
            "--replicas" => parsed.replicas = number() as u16,
            "--kill-primary-after" => parsed.kill_primary_after = Some(number()),
            "--dir" => parsed.dir = Some(value),
            "--set" => {
                let (key, value) = value.split_once('=').expect("KEY=VALUE");
                parsed.tuning.insert(
                    key.to_owned(),
                    value.parse::<u64>().expect("a number").into(),
                );
            }
            _ => panic!("unknown argument {name}"),
        }
    }
    parsed
}

fn main() {
    if let Some(path) = std::env::var_os(REPLICA_CONFIG) {
        return replica(Path::new(&path));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let report = runtime.block_on(load(arguments()));
    println!("{report}");
}

/// One replica, until standard input ends; then its metrics.
fn replica(path: &Path) {
    let config: ordering::Config =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let shutdown = chassis::Shutdown::detached("ordering");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    std::thread::spawn({
        let shutdown = shutdown.clone();
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            shutdown.request();
        }
    });
    if let Err(error) = runtime.block_on(ordering::run(config, shutdown)) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
    print!("{}", chassis::metrics::render("ordering"));
}

fn member_key(number: u64) -> SigningKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed)
}

fn member_id(number: u64) -> LedgerId {
    let mut id = [0xaa; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    LedgerId(id)
}

fn genesis(arguments: &Arguments) -> (GenesisFile, BTreeMap<ReplicaId, SigningKey>) {
    let (mut genesis, keys) = test_genesis(arguments.replicas);
    let member = |ledger_id, key: &SigningKey, kind: &str, name: String| GenesisMember {
        ledger_id,
        public_key: key.public_key(),
        kind: kind.to_owned(),
        name,
        allowed: Vec::new(),
    };
    genesis.members.push(member(
        PATIENT,
        &SigningKey::from_seed([0xbb; 32]),
        "Patient",
        String::new(),
    ));
    for number in 0..arguments.members {
        genesis.members.push(member(
            member_id(number),
            &member_key(number),
            "Hospital",
            format!("Hospital {number}"),
        ));
    }
    for replica in &genesis.epoch.replicas {
        let key = SigningKey::from_seed([0xc0 + replica.replica.0 as u8; 32]);
        genesis.members.push(member(
            replica.operator,
            &key,
            "NodeOperator",
            format!("Operator {}", replica.replica),
        ));
    }
    (genesis, keys)
}

/// A record's registration by one of the members, signed.
fn transaction(
    chain: Digest,
    number: u64,
    members: u64,
    keys: &[SigningKey],
    now: u64,
) -> SignedTransaction {
    let mut record = [0; 16];
    record[..8].copy_from_slice(&number.to_be_bytes());
    record[8..].copy_from_slice(&now.to_be_bytes());
    let commitment = Commitment::new(
        DigestAlgorithm::Sha256,
        &[number as u8; 32],
        &[&number.to_be_bytes()],
    );
    let key = &keys[(number % members) as usize];
    let code = Code {
        key: key.public_key(),
        uses: 3,
        until: Timestamp(now + 24 * 3_600 * 1_000_000),
    };
    let command = contracts::Command::from(RecordsCommand::RegisterRecord(RegisterRecord {
        record: RecordNumber(record),
        patient: PATIENT,
        content: commitment,
        index: commitment,
        patient_code: code,
        hospital_code: code,
    }));
    let body = TransactionBody {
        chain,
        submitter: member_id(number % members),
        public_key: key.public_key(),
        nonce: now + number,
        valid_until: Timestamp(now + 59_000_000),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    SignedTransaction::sign(body, key)
}

struct Cluster {
    processes: BTreeMap<ReplicaId, Child>,
}

impl Cluster {
    fn start(broker: &TestBroker, folder: &Path, arguments: &Arguments) -> Cluster {
        let mut processes = BTreeMap::new();
        for number in 0..arguments.replicas {
            let replica = ReplicaId(number);
            let voting_key_file = folder.join(format!("{number}.key"));
            let _ = std::fs::remove_file(&voting_key_file);
            Secret::from_bytes([number as u8 + 1; 32])
                .save(&voting_key_file)
                .unwrap();
            let tuning = serde_json::from_value(arguments.tuning.clone().into()).unwrap();
            let data = folder.join(format!("replica-{number}"));
            let bus = broker.config(&subjects::replica_name(replica));
            let config = ordering::Config {
                bus,
                replica,
                voting_key_file,
                next_voting_key_file: None,
                data,
                tuning,
            };
            let path = folder.join(format!("{number}.json"));
            std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
            let process = Command::new(std::env::current_exe().unwrap())
                .env(REPLICA_CONFIG, path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            processes.insert(replica, process);
        }
        Cluster { processes }
    }

    /// CPU seconds used so far, by replica.
    fn cpu_seconds(&self) -> BTreeMap<u16, f64> {
        self.processes
            .iter()
            .map(|(replica, process)| (replica.0, cpu_seconds(process.id())))
            .collect()
    }

    fn rss_mb(&self) -> BTreeMap<u16, u64> {
        let rss = |process: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))
                .unwrap_or_default();
            let line = status
                .lines()
                .find(|line| line.starts_with("VmRSS:"))
                .unwrap_or_default();
            line.split_whitespace()
                .nth(1)
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                / 1024
        };
        self.processes
            .iter()
            .map(|(replica, process)| (replica.0, rss(process)))
            .collect()
    }

    /// Stops all, and gives the metrics of each.
    fn stop(mut self) -> BTreeMap<u16, String> {
        let mut metrics = BTreeMap::new();
        for (replica, process) in &mut self.processes {
            drop(process.stdin.take());
            let mut text = String::new();
            if let Some(mut out) = process.stdout.take() {
                let _ = out.read_to_string(&mut text);
            }
            let _ = process.wait();
            metrics.insert(replica.0, text);
        }
        metrics
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

fn metric(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("medshare_{name}{{")));
    line.and_then(|line| line.rsplit(' ').next())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0.0)
}

struct Reply {
    at: Instant,
    payload: Bytes,
}

async fn load(arguments: Arguments) -> serde_json::Value {
    let (genesis, keys) = genesis(&arguments);
    let names = TestBroker::replica_names(arguments.replicas);
    let names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .chain(["client", "generator"])
        .collect();
    let broker = TestBroker::start_with(&names, genesis.clone(), keys).await;
    let temporary = tempfile::tempdir().unwrap();
    let folder = arguments
        .dir
        .as_ref()
        .map_or(temporary.path().to_owned(), |dir| dir.into());
    std::fs::create_dir_all(&folder).unwrap();
    let mut cluster = Cluster::start(&broker, &folder, &arguments);
    let client = broker.connect("client").await;
    for replica in cluster.processes.keys() {
        while client.ask(*replica, &StatusRequest {}).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let count = arguments.rate * arguments.seconds;
    let member_keys: Vec<SigningKey> = (0..arguments.members).map(member_key).collect();
    let chain = genesis.chain_id();
    // Valid for less than a minute, so signed in parts shortly before they are sent.
    let (sender, mut parts) = tokio::sync::mpsc::channel::<Vec<(String, Bytes)>>(2);
    let part = (arguments.rate * 10).clamp(1, 100_000);
    let (first_part, rest) = (part.min(count), count.saturating_sub(part));
    let sign = move |from: u64, many: u64| -> Vec<(String, Bytes)> {
        let now = chassis::clock::now();
        (from..from + many)
            .map(|number| {
                let signed = transaction(chain, number, arguments.members, &member_keys, now);
                (
                    subjects::transaction_token(&signed.id()),
                    Bytes::from(signed.to_bytes()),
                )
            })
            .collect()
    };
    let first = sign(0, first_part);
    let transaction_bytes = first[0].1.len();
    std::thread::spawn(move || {
        let mut from = first_part;
        let _ = sender.blocking_send(first);
        let mut left = rest;
        while left > 0 {
            let many = left.min(part);
            if sender.blocking_send(sign(from, many)).is_err() {
                return;
            }
            from += many;
            left -= many;
        }
    });

    // A connection of its own, so that the bus's own handling of replies costs nothing.
    let generator = broker.config("generator");
    let seed = std::fs::read_to_string(&generator.nkey_seed_file).unwrap();
    let nats = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned())
        .custom_inbox_prefix(subjects::inbox_prefix("generator"))
        .subscription_capacity(1 << 20)
        .connect(broker.url())
        .await
        .unwrap();
    let mut replies = nats
        .subscribe(subjects::all_replies("generator"))
        .await
        .unwrap();
    nats.flush().await.unwrap();
    let received: Arc<Mutex<HashMap<String, Reply>>> = Arc::default();
    let answered = Arc::new(AtomicU64::new(0));
    let (busy, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    tokio::spawn({
        let (received, answered, busy, refused) = (
            received.clone(),
            answered.clone(),
            busy.clone(),
            refused.clone(),
        );
        async move {
            while let Some(message) = replies.next().await {
                let at = Instant::now();
                // The first byte says which kind of reply it is.
                match message.payload.first() {
                    Some(0) => {}
                    Some(1) => {
                        busy.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    _ => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                }
                let token = message
                    .subject
                    .rsplit('.')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let mut received = received.lock().unwrap();
                if let std::collections::hash_map::Entry::Vacant(room) = received.entry(token) {
                    room.insert(Reply {
                        at,
                        payload: message.payload,
                    });
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });

    let cpu_before = cluster.cpu_seconds();
    let own_before = cpu_seconds(std::process::id());
    let started = Instant::now();
    let subject = subjects::transactions("generator");
    let mut sent: Vec<(String, Instant, Bytes)> = Vec::with_capacity(count as usize);
    let mut killed = None;
    let mut next = 0_u64;
    while let Some(part) = parts.recv().await {
        for (token, bytes) in part {
            let due = started + Duration::from_nanos(next * 1_000_000_000 / arguments.rate);
            // Sleeping is coarse: what is due by now goes out together.
            while Instant::now() < due {
                nats.flush().await.unwrap();
                let wait = due.saturating_duration_since(Instant::now());
                tokio::time::sleep(wait.max(Duration::from_micros(500))).await;
            }
            if let Some(after) = arguments.kill_primary_after
                && killed.is_none()
                && started.elapsed() >= Duration::from_secs(after)
            {
                let primary = client
                    .ask(ReplicaId(1), &StatusRequest {})
                    .await
                    .unwrap()
                    .primary;
                let mut process = cluster.processes.remove(&primary).unwrap();
                process.kill().unwrap();
                process.wait().unwrap();
                killed = Some(Instant::now());
            }
            // Latency counts from when it was due: waiting for the generator is not hidden.
            sent.push((token, due.max(started), bytes.clone()));
            nats.publish(subject.clone(), bytes).await.unwrap();
            next += 1;
        }
    }
    nats.flush().await.unwrap();
    let sending = started.elapsed();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut resent = Instant::now();
    let mut repeats = 0_u64;
    while answered.load(Ordering::Relaxed) < count && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if resent.elapsed() > Duration::from_millis(1_500) {
            resent = Instant::now();
            let missing: Vec<Bytes> = {
                let received = received.lock().unwrap();
                sent.iter()
                    .filter(|(token, ..)| !received.contains_key(token))
                    .map(|(.., bytes)| bytes.clone())
                    .collect()
            };
            repeats += missing.len() as u64;
            for bytes in missing {
                nats.publish(subject.clone(), bytes).await.unwrap();
            }
        }
    }
    let finished = started.elapsed();
    let cpu_after = cluster.cpu_seconds();
    let own_cpu = cpu_seconds(std::process::id()) - own_before;
    let rss = cluster.rss_mb();
    let received = std::mem::take(&mut *received.lock().unwrap());
    let mut latencies: Vec<u64> = sent
        .iter()
        .filter_map(|(token, due, _)| {
            Some(
                received
                    .get(token)?
                    .at
                    .saturating_duration_since(*due)
                    .as_micros() as u64,
            )
        })
        .collect();
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    let outage_ms = killed.map(|killed| longest_silence(&received, killed));
    let last = received
        .values()
        .map(|reply| reply.at)
        .max()
        .unwrap_or(started);
    let window = last.saturating_duration_since(started).as_secs_f64();
    let checked = verify_all(
        &genesis,
        received.into_values().map(|reply| reply.payload).collect(),
    );
    let hashes = tips(&client, &cluster).await;
    let metrics = cluster.stop();
    let total_cpu: f64 = cpu_after
        .iter()
        .map(|(replica, after)| after - cpu_before[replica])
        .sum();
    let (_, sample) = metrics.first_key_value().unwrap();
    let blocks = metric(sample, "ordering_execution_seconds_count");
    serde_json::json!({
        "replicas": arguments.replicas,
        "offered_tps": arguments.rate,
        "tps": (latencies.len() as f64 / window).round(),
        "transactions": count,
        "receipts": latencies.len(),
        "receipts_verified": checked.verified,
        "accepted": checked.accepted,
        "busy": busy.load(Ordering::Relaxed),
        "refused": refused.load(Ordering::Relaxed),
        "repeats": repeats,
        "p50_ms": percentile(50),
        "p90_ms": percentile(90),
        "p99_ms": percentile(99),
        "max_ms": percentile(100),
        "outage_ms": outage_ms,
        "sending_seconds": sending.as_secs_f64(),
        "seconds": finished.as_secs_f64(),
        "transaction_bytes": transaction_bytes,
        "batch_size_mean": count as f64 / blocks.max(1.0),
        "cpu_seconds_replicas": total_cpu,
        "cpu_us_per_transaction_and_replica": total_cpu * 1e6 / count as f64 / f64::from(arguments.replicas),
        "cpu_seconds_generator": own_cpu,
        "signature_checks_per_transaction":
            metrics.values().map(|text| metric(text, "ordering_checked_total")).sum::<f64>() / count as f64,
        "syncs": metric(sample, "ordering_sync_seconds_count"),
        "sync_mean_us": metric(sample, "ordering_sync_seconds_sum") * 1e6
            / metric(sample, "ordering_sync_seconds_count").max(1.0),
        "execution_mean_us": metric(sample, "ordering_execution_seconds_sum") * 1e6 / blocks.max(1.0),
        "rss_mb": rss,
        "replicas_agree": hashes,
    })
}

/// The longest time without a receipt from the kill on, in milliseconds.
fn longest_silence(received: &HashMap<String, Reply>, killed: Instant) -> f64 {
    let mut times: Vec<Instant> = received
        .values()
        .map(|reply| reply.at)
        .filter(|at| *at >= killed)
        .collect();
    times.push(killed);
    times.sort_unstable();
    times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0)
        .fold(0.0, f64::max)
}

struct Checked {
    verified: usize,
    accepted: usize,
}

/// Verifies every receipt against the genesis file alone.
fn verify_all(genesis: &GenesisFile, payloads: Vec<Bytes>) -> Checked {
    let mut counts = Checked {
        verified: 0,
        accepted: 0,
    };
    let half = payloads.len().div_ceil(2).max(1);
    let chain = &genesis.chain_id();
    std::thread::scope(|scope| {
        let parts: Vec<_> = payloads
            .chunks(half)
            .map(|part| {
                scope.spawn(move || {
                    let verified = part.iter().filter_map(|payload| {
                        let SubmitReply::Receipt(bytes) = canonical::decode(payload).ok()? else {
                            return None;
                        };
                        Receipt::from_bytes(&bytes)
                            .ok()?
                            .verify_from(chain, &genesis.epoch)
                            .ok()
                    });
                    verified.fold((0, 0), |(all, accepted), receipt| {
                        (
                            all + 1,
                            accepted + usize::from(receipt.outcome().is_accepted()),
                        )
                    })
                })
            })
            .collect();
        for part in parts {
            let (verified, accepted) = part.join().unwrap();
            counts.verified += verified;
            counts.accepted += accepted;
        }
    });
    counts
}

/// Whether all replicas that run hold the same block at the height that all of them have.
async fn tips(client: &bus::Bus, cluster: &Cluster) -> bool {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut heights = Vec::new();
    for replica in cluster.processes.keys() {
        if let Ok(status) = client.ask(*replica, &StatusRequest {}).await {
            heights.push(status.height);
        }
    }
    let Some(height) = heights
        .iter()
        .min()
        .copied()
        .filter(|_| heights.len() == cluster.processes.len())
    else {
        return false;
    };
    let mut blocks = Vec::new();
    for replica in cluster.processes.keys() {
        let question = bus::ordering_wire::BlocksRequest {
            from: height,
            to: Height(height.0),
        };
        match client.ask(*replica, &question).await {
            Ok(reply) => blocks.push(reply.blocks.first().and_then(|bytes| {
                canonical::decode::<ledger::CertifiedBlock>(bytes)
                    .ok()
                    .map(|block| block.block.hash())
            })),
            Err(_) => return false,
        }
    }
    blocks
        .iter()
        .all(|block| block.is_some() && *block == blocks[0])
}
