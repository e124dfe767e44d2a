//! The arrows between crates, read from `cargo metadata`: what ARCHITECTURE.md says about who may know whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The product's crates by layer: a crate may depend on crates of lower layers only.
const LAYERS: [&[&str]; 8] = [
    &["ledger", "chassis", "clinical", "fuzzing"],
    &["pbft", "contracts", "keys"],
    &["execution", "interfaces", "simulator"],
    &["bus", "client"],
    &["store", "ledger_view", "hospitals"],
    &["submission"],
    &[
        "identity",
        "records",
        "index",
        "authorization",
        "settlement",
        "iot",
        "ordering",
        "gateway",
        "portal",
    ],
    &["medshare", "e2e"],
];

/// Crates without I/O, clock or randomness: the same input gives the same output, everywhere and always.
const PURE: [&str; 6] = [
    "ledger",
    "pbft",
    "contracts",
    "execution",
    "clinical",
    "interfaces",
];

/// What a pure crate may not reach, however far down.
const IMPURE: [&str; 13] = [
    "tokio",
    "async-nats",
    "sqlx",
    "sqlx-core",
    "axum",
    "hyper",
    "reqwest",
    "tonic",
    "fjall",
    "mio",
    "tracing",
    "opentelemetry",
    "rustls",
];

/// What a pure crate may not name itself, though signatures' crates are built with it.
const RANDOM: [&str; 3] = ["rand", "getrandom", "uuid"];

struct Workspace {
    /// Direct dependencies of each of the product's crates, by kind (`normal`, `build`, `dev`).
    direct: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Direct normal dependencies of every package, by id.
    resolved: BTreeMap<String, Vec<String>>,
    names: BTreeMap<String, String>,
    /// Features of every package, by name, as a build of the workspace switches them on.
    features: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    fn read() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo metadata runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value =
            serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let members: BTreeSet<String> = list(&metadata["workspace_members"])
            .iter()
            .map(text)
            .collect();
        let names: BTreeMap<String, String> = list(&metadata["packages"])
            .iter()
            .map(|it| (text(&it["id"]), text(&it["name"])))
            .collect();
        let mut direct: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for package in list(&metadata["packages"])
            .iter()
            .filter(|it| members.contains(&text(&it["id"])))
        {
            let kinds = direct.entry(text(&package["name"])).or_default();
            for dependency in list(&package["dependencies"]) {
                let kind = dependency["kind"].as_str().unwrap_or("normal").to_owned();
                kinds
                    .entry(kind)
                    .or_default()
                    .insert(text(&dependency["name"]));
            }
        }
        let mut resolved = BTreeMap::new();
        let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let normal = |dependency: &Value| {
                list(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            };
            let dependencies = list(&node["deps"])
                .iter()
                .filter(|it| normal(it))
                .map(|it| text(&it["pkg"]))
                .collect();
            resolved.insert(text(&node["id"]), dependencies);
            let name = names[&text(&node["id"])].clone();
            let on = list(&node["features"]);
            features
                .entry(name)
                .or_default()
                .extend(on.iter().map(text));
        }
        Self {
            direct,
            resolved,
            names,
            features,
        }
    }

    /// The product's crates that `name` depends on, its tests aside.
    fn own(&self, name: &str) -> BTreeSet<&str> {
        let kinds = self.direct[name].iter().filter(|(kind, _)| *kind != "dev");
        kinds
            .flat_map(|(_, names)| names)
            .map(String::as_str)
            .filter(|it| self.direct.contains_key(*it))
            .collect()
    }

    /// The names of everything that `name` is built from.
    fn reached(&self, name: &str) -> BTreeSet<&str> {
        let start = self
            .names
            .iter()
            .filter(|(id, it)| *it == name && self.resolved.contains_key(*id));
        let mut open: Vec<&String> = start.map(|(id, _)| id).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&self.resolved[id]);
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}

fn layer(name: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&name))
        .unwrap_or_else(|| {
            panic!(
                "{name} has no layer: give it one in tests/architecture.rs, and in ARCHITECTURE.md"
            )
        })
}

#[test]
fn every_arrow_between_our_crates_points_to_a_lower_layer() {
    let workspace = Workspace::read();
    for name in workspace.direct.keys() {
        for dependency in workspace.own(name) {
            assert!(
                layer(dependency) < layer(name),
                "{name} may not depend on {dependency}"
            );
        }
    }
}

#[test]
fn services_never_depend_on_services_not_even_in_tests() {
    let workspace = Workspace::read();
    let services = LAYERS[6];
    for service in workspace
        .direct
        .keys()
        .filter(|name| services.contains(&name.as_str()) || *name == "e2e")
    {
        let all: BTreeSet<&String> = workspace.direct[service].values().flatten().collect();
        for other in services {
            assert!(
                !all.contains(&other.to_string()),
                "{service} may not depend on {other}"
            );
        }
    }
}

#[test]
fn pure_crates_reach_nothing_with_io_clock_or_randomness() {
    let workspace = Workspace::read();
    for name in PURE {
        for dependency in workspace.own(name) {
            assert!(
                PURE.contains(&dependency),
                "{name} is pure and may not depend on {dependency}"
            );
        }
        for random in RANDOM {
            let direct = workspace.direct[name]
                .get("normal")
                .is_some_and(|names| names.contains(random));
            assert!(!direct, "{name} is pure and may not depend on {random}");
        }
        let reached = workspace.reached(name);
        for impure in IMPURE {
            assert!(
                !reached.contains(impure),
                "{name} is pure and may not reach {impure}"
            );
        }
    }
}

#[test]
fn no_shipped_program_holds_the_seeded_defects_or_the_simulator() {
    let workspace = Workspace::read();
    for name in ["pbft", "simulator"] {
        assert!(
            !workspace.features[name].contains("mutants"),
            "{name} is built with its seeded defects"
        );
    }
    let reached = workspace.reached("medshare");
    assert!(reached.contains("pbft"));
    for name in ["simulator", "fuzzing", "stateright"] {
        assert!(!reached.contains(name), "medshare reaches {name}");
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifests = workspace.direct.keys().filter(|name| *name != "simulator");
    for name in manifests {
        for folder in ["crates", "services", "."] {
            let manifest = root.join(folder).join(name).join("Cargo.toml");
            let text = std::fs::read_to_string(manifest).unwrap_or_default();
            assert!(
                !text.contains("pbft/mutants") && !text.contains("\"mutants\""),
                "{name} asks for the seeded defects"
            );
        }
    }
}

#[test]
fn every_pure_crate_is_held_to_the_pure_crates_lints() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lints = std::fs::read_to_string(root.join("infra/lints/pure/clippy.toml")).unwrap();
    for name in PURE {
        let own = std::fs::read_to_string(root.join("crates").join(name).join("clippy.toml"))
            .unwrap_or_default();
        assert_eq!(
            own, lints,
            "crates/{name}/clippy.toml must be infra/lints/pure/clippy.toml"
        );
    }
}
