//! The network between replicas and brokers, and between brokers, does what networks do.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::by_hand::ByHand;
use e2e::proxy::{Link, Network};
use e2e::system::{RunningSystem, Setup};
use serde_json::Value;

use crate::row::{AT_WORK, Row, lasts, replica};

/// A backup in the first view.
const BACKUP: &str = "replica-3";

/// Where a listener of a system in this folder is, once it has a port.
fn listener(root: &Path, name: &str) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(root.join("run/ports.json")).ok()?;
    let ports: Value = serde_json::from_str(&text).ok()?;
    let port = u16::try_from(ports[name].as_u64()?).ok()?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// A link to the broker, and a replica that reaches it over the link alone.
async fn behind_link(system: &RunningSystem, name: &str) -> (Link, ByHand) {
    let root = system.root().to_owned();
    let link = Link::to(move || listener(&root, "nats-1/client")).await;
    let servers = format!("[\"nats://127.0.0.1:{}\"]", link.port);
    let process = ByHand::take_over(system, name, &[("MEDSHARE__BUS__SERVERS", &servers)]);
    (link, process)
}

/// Waits until a replica's own blocks have reached where the chain is now.
async fn catches_up(system: &RunningSystem, number: usize) {
    let height = |number: usize| {
        let blocks = e2e::chain::blocks(&system.blocks(number));
        blocks.last().map_or(0, |block| block.block.header.height.0)
    };
    let wanted = height((number + 1) % 4);
    while height(number) < wanted {
        tokio::time::sleep(e2e::system::LOOK_EVERY).await;
    }
}

/// A16. Fault: what a subscriber missed while it took nothing is missed for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_network_stands_still_for_twenty_seconds_catches_up() {
    // Many, so that much is missed. Whether the broker gives the connection up depends on how much the system keeps for
    // it; it is told.
    let row = Row::start_crowded(Setup::new(), 64).await;
    let (link, mut process) = behind_link(&row.system, BACKUP).await;
    catches_up(&row.system, 3).await;
    loop {
        link.set(Network::Stalls);
        row.goes_on_after("a backup's network stood still").await;
        // Twice as long as the broker waits for a write that does not end.
        lasts(20).await;
        row.load.goes_on(AT_WORK).await;
        link.set(Network::Works);
        catches_up(&row.system, 3).await;
        if !row.has_more_to_do() {
            break;
        }
    }
    println!(
        "connections that the broker ended meanwhile: {}",
        link.broken_by_target()
    );
    assert!(process.runs(), "{}", row.system.log(BACKUP));
    drop(process);
    row.system.start_process(BACKUP);
    row.settle().await;
}

/// A16. Fault: a message that comes twice counts twice, or an old one counts at all.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_thrice_late_in_any_order_and_long_after_change_nothing() {
    let row = Row::start(Setup::new(), 1).await;
    let mut links = Vec::new();
    for number in 0..4 {
        links.push(behind_link(&row.system, &replica(number)).await);
        row.load.goes_on(AT_WORK).await;
    }
    loop {
        for (late_max, more) in [(20, 3 * AT_WORK), (200, AT_WORK), (1_000, AT_WORK / 4)] {
            let late_max = Duration::from_millis(late_max);
            for (link, _) in &links {
                link.set(Network::Unreliable { late_max });
            }
            row.load.goes_on(more).await;
            println!("{more} receipts came while messages were up to {late_max:?} late");
        }
        for (link, _) in &links {
            link.set(Network::Works);
        }
        row.goes_on_after("the network is reliable again").await;
        if !row.has_more_to_do() {
            break;
        }
    }
    for (number, (link, mut process)) in links.into_iter().enumerate() {
        println!(
            "{} messages came again at replica {number}",
            link.repeated()
        );
        assert!(link.repeated() > 100, "nothing was said again");
        assert!(process.runs(), "{}", row.system.log(&replica(number)));
        drop(process);
        row.system.start_process(&replica(number));
    }
    row.settle().await;
}

/// The ways from each of three brokers to each other one.
struct Routes {
    links: BTreeMap<(usize, usize), Link>,
    /// The system's folder, once there is one.
    root: std::sync::Arc<std::sync::OnceLock<PathBuf>>,
}

impl Routes {
    async fn new() -> Routes {
        let root = std::sync::Arc::new(std::sync::OnceLock::<PathBuf>::new());
        let mut links = BTreeMap::new();
        for from in 1..=3 {
            for to in (1..=3).filter(|to| *to != from) {
                let root = root.clone();
                let target = move || listener(root.get()?, &format!("nats-{to}/cluster"));
                links.insert((from, to), Link::to(target).await);
            }
        }
        Routes { links, root }
    }

    /// A setup whose brokers have no other ways.
    fn prepare(&self, setup: Setup) -> Setup {
        let ports = self
            .links
            .iter()
            .map(|((from, to), link)| (format!("nats-{from} nats-{to}"), Value::from(link.port)));
        let ports: serde_json::Map<String, Value> = ports.collect();
        setup.environment("MEDSHARE_BROKER_LINKS", &Value::from(ports).to_string())
    }

    /// Cuts a broker off from the others, or lets it back.
    fn set_around(&self, broker: usize, network: Network) {
        for ((from, to), link) in &self.links {
            if *from == broker || *to == broker {
                link.set(network);
            }
        }
    }
}

/// A08. Fault: brokers that are parted let each side go on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_parted_fork_nothing_and_find_together_again() {
    let routes = Routes::new().await;
    let setup = routes.prepare(Setup::new()).brokers(3);
    let (setup, overheard) = e2e::overheard::Overheard::prepare(setup);
    let made = setup.make();
    routes.root.set(made.root.clone()).expect("set once");
    let row = Row::of(made.start(), overheard, 3, 8).await;
    loop {
        // Who is at which broker is the processes' own choice: whether a part has a quorum is left open, and that it
        // stalls is allowed.
        for alone in 1..=3 {
            routes.set_around(alone, Network::Cut);
            lasts(3).await;
            let committed = row.load.committed();
            routes.set_around(alone, Network::Works);
            println!("{committed} receipts when broker {alone} had been alone");
            row.goes_on_after("a broker found back to two").await;
        }
        for broker in 1..=3 {
            routes.set_around(broker, Network::Cut);
        }
        lasts(3).await;
        for broker in 1..=3 {
            routes.set_around(broker, Network::Works);
        }
        row.goes_on_after("three brokers alone found together again")
            .await;
        if !row.has_more_to_do() {
            break;
        }
    }
    row.settle().await;
}
