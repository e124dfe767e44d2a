//! One row of the fault table: a system at work with somebody who overhears its replicas, and what is checked at its end.

use std::time::{Duration, Instant};

use client::Client;
use e2e::cast::{Cast, until_some};
use e2e::invariants::{self, REPLICAS};
use e2e::linearizable::{Judged, judge};
use e2e::load::{History, Load};
use e2e::overheard::Overheard;
use e2e::system::{RunningSystem, Setup};
use interfaces::settlement::Balance;
use serde_json::Value;

/// Receipts after which the cluster is at work again.
pub const AT_WORK: u64 = 20;
/// How many clients there are, as a rule.
const CLIENTS: usize = 8;
const BROKERS: [&str; 3] = ["nats-1", "nats-2", "nats-3"];

/// How many operations a row has at least: its faults come again until there are so many.
fn operations() -> u64 {
    let set = std::env::var("MEDSHARE_CHAOS_OPERATIONS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A system at work.
pub struct Row {
    /// The system.
    pub system: RunningSystem,
    /// Who takes part.
    pub cast: Cast,
    /// The clients.
    pub load: Load,
    overheard: Overheard,
    began: Instant,
}

impl Row {
    /// Starts a system with so many brokers, and the clients.
    pub async fn start(setup: Setup, brokers: usize) -> Row {
        let (setup, overheard) = Overheard::prepare(setup.brokers(brokers));
        Row::of(setup.start(), overheard, brokers, CLIENTS).await
    }

    /// Starts a system with one broker, and so many clients.
    pub async fn start_crowded(setup: Setup, clients: usize) -> Row {
        let (setup, overheard) = Overheard::prepare(setup.brokers(1));
        Row::of(setup.start(), overheard, 1, clients).await
    }

    /// Starts the clients of a system that runs and can be overheard.
    pub async fn of(
        system: RunningSystem,
        overheard: Overheard,
        brokers: usize,
        clients: usize,
    ) -> Row {
        for broker in &BROKERS[..brokers] {
            overheard.listen(system.root(), broker);
        }
        let cast = Cast::gather(&system).await;
        let load = Load::start(&cast.treasurer, clients);
        let row = Row {
            system,
            cast,
            load,
            overheard,
            began: Instant::now(),
        };
        row.load.goes_on(AT_WORK).await;
        row
    }

    /// Whether the row's faults are to come once more.
    pub fn has_more_to_do(&self) -> bool {
        self.load.committed() < operations()
    }

    /// The clients go on; says how long the next receipt took (I6).
    pub async fn goes_on_after(&self, what: &str) {
        let began = Instant::now();
        self.load.goes_on(1).await;
        let milliseconds = began.elapsed().as_millis();
        println!("I6: after {what} the next receipt came in {milliseconds} ms");
        self.load.goes_on(AT_WORK).await;
    }

    /// The view's primary, by the word of most.
    pub async fn primary(&self) -> usize {
        primary(&self.cast.client).await
    }

    /// Kills a replica, which the supervisor starts again, and waits until it is back.
    pub async fn crash_and_return(&self, name: &str) {
        let restarts = self.system.restarts(name);
        self.system.crash(name);
        self.load.goes_on(AT_WORK).await;
        self.system.until_ready(name, restarts + 1).await;
    }

    /// Ends the clients' work, waits for the slowest replica, and checks I1 to I5, that the history is linearizable, and
    /// that the books are what the history says.
    pub async fn settle(self) -> (RunningSystem, History) {
        let Row {
            mut system,
            cast,
            load,
            overheard,
            began,
        } = self;
        let history = load.finish().await;
        invariants::all_reach(&system, history.newest()).await;
        let balances: Vec<Balance> =
            until_some(async || cast.treasurer.get("/v1/balances").await.ok()).await;
        drop(cast);
        system.stop();
        invariants::check(&system, &history.receipts());
        let judged = judge(&e2e::chain::blocks(&system.blocks(0)), &history);
        let judged: Judged = judged.unwrap_or_else(|found| panic!("not linearizable: {found}"));
        assert_eq!(balances[0].balance, judged.balance, "the books");
        let slots = overheard.slots();
        assert!(slots > 0, "nothing was overheard");
        println!(
            "{} operations, {} rejected, {} readings, {slots} slots overheard, {:.0} s",
            judged.committed,
            judged.rejected,
            judged.readings,
            began.elapsed().as_secs_f64(),
        );
        (system, history)
    }
}

/// The view's primary, by the word of most.
async fn primary(client: &Client) -> usize {
    until_some(async || {
        let status: Value = client.get("/v1/status").await.ok()?;
        let replicas = status["replicas"].as_array()?;
        let view = replicas
            .iter()
            .filter_map(|it| it["status"]["view"].as_u64())
            .max()?;
        usize::try_from(view % REPLICAS as u64).ok()
    })
    .await
}

/// A replica's process.
pub fn replica(number: usize) -> String {
    format!("replica-{number}")
}

/// A pause that is part of a fault.
pub async fn lasts(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
