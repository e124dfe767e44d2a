//! Nothing personal where it does not belong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::canary::{Search, canaries, files};
use e2e::cast::until_some;
use e2e::story::{PATIENTS, story};
use e2e::system::{RunningSystem, Setup};
use serde_json::Value;

/// Every personal string of the story's people.
fn strings() -> BTreeSet<String> {
    let mut strings = canaries(PATIENTS);
    strings.extend(["Dr. Canary 0", "Dr. Canary 1", "D-doctor-lakeside"].map(str::to_owned));
    assert!(
        strings.len() > 10 * PATIENTS,
        "only {} canaries",
        strings.len()
    );
    strings
}

/// A09, A79, A80, A81. Fault: a name is put into an event, a message, a log line or an unsealed column.
#[test]
fn no_personal_string_of_the_input_is_anywhere_but_in_the_hospitals_own_databases() {
    let story = story();
    let search = Search::new(strings());
    let hospital_file = |name: &str| name.starts_with("hospital.db");
    let (mut in_hospitals, mut searched, mut leaks) = (0, 0_u64, Vec::new());
    for file in files(&story.folder) {
        let bytes = std::fs::read(&file).unwrap();
        let found = search.find(&bytes);
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if hospital_file(name) {
            in_hospitals += found.len();
            continue;
        }
        searched += bytes.len() as u64;
        if !found.is_empty() {
            leaks.push(format!(
                "{}: {} strings",
                file.strip_prefix(&story.folder).unwrap().display(),
                found.len()
            ));
        }
    }
    assert!(
        in_hospitals > 10 * PATIENTS,
        "the search finds {in_hospitals} strings where they are"
    );
    assert!(searched > 1_000_000, "only {searched} bytes were searched");
    assert!(
        leaks.is_empty(),
        "personal strings in:\n{}",
        leaks.join("\n")
    );
}

/// A09, A80, A81. Fault: a request goes over the bus unsealed, or a header, a subject or a span carries a name.
#[test]
fn no_personal_string_is_in_any_message_of_any_account_of_the_brokers_nor_in_any_span() {
    let heard = &story().heard;
    let counts = heard.counts();
    // Requests, replies, transactions, votes, blocks, devices, the stream's and the brokers' own talk were all heard.
    for first in [
        "service",
        "reply",
        "addressed",
        "pbft",
        "blocks",
        "devices",
        "ordering",
        "$SYS",
    ] {
        assert!(
            counts.contains_key(first),
            "no message {first}.>: {counts:?}"
        );
    }
    let (messages, spans) = (heard.messages(), heard.spans());
    assert!(
        messages.len() > 1_000_000 && spans.len() > 1_000_000,
        "only {} bytes of messages and {} of spans were heard",
        messages.len(),
        spans.len()
    );
    let search = Search::new(strings());
    assert_eq!(search.find(&messages), BTreeSet::new(), "on the brokers");
    assert_eq!(search.find(&spans), BTreeSet::new(), "in spans");
}

/// A09, A79. Fault: an answer that needs no session names somebody.
#[tokio::test(flavor = "multi_thread")]
async fn no_personal_string_is_in_any_answer_that_needs_no_session() {
    // The story's folder is others' to look at: a copy of it goes on.
    let copy = FolderCopy::of(&story().folder);
    let system = RunningSystem::continue_in(&copy.0, Setup::new());
    let visitor = Visitor::of(&system);
    let status: Value = serde_json::from_slice(&visitor.ask("/v1/status").await).unwrap();
    let mut answers = Vec::new();
    for path in [
        "/v1/status",
        "/v1/genesis",
        "/v1/openapi.json",
        "/v1/hospitals",
        "/v1/certificates/authority",
        "/v1/readings/key",
        // What is refused says nothing more.
        "/v1/members",
        "/v1/me",
        "/v1/me/records",
        "/v1/searches",
        "/v1/nothing-here",
    ] {
        answers.extend(visitor.ask(path).await);
    }
    let mut transactions = 0;
    for height in 0..=status["height"].as_u64().unwrap() {
        let block = visitor.ask(&format!("/v1/blocks/{height}")).await;
        let shown: Value = serde_json::from_slice(&block).unwrap();
        for transaction in shown["transactions"].as_array().into_iter().flatten() {
            transactions += 1;
            // Every one in full would take minutes: each tenth.
            if transactions % 10 == 0 {
                let id = transaction["transaction"].as_str().unwrap();
                answers.extend(visitor.ask(&format!("/v1/transactions/{id}")).await);
                answers.extend(visitor.ask(&format!("/v1/receipts/{id}")).await);
            }
        }
        answers.extend(block);
    }
    for process in visitor.health_addresses(&system) {
        for path in ["metrics", "readyz", "healthz"] {
            answers.extend(visitor.ask(&format!("http://{process}/{path}")).await);
        }
    }
    assert!(transactions as u64 >= story().figure("transactions"));
    assert_eq!(Search::new(strings()).find(&answers), BTreeSet::new());
}

/// A copy of a system's folder, removed when dropped.
struct FolderCopy(PathBuf);

impl FolderCopy {
    fn of(folder: &Path) -> FolderCopy {
        let copy = folder.with_file_name(format!("copy-{}", std::process::id()));
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .args([folder, &copy])
            .status();
        assert!(copied.unwrap().success());
        FolderCopy(copy)
    }
}

impl Drop for FolderCopy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Somebody who is not signed in.
struct Visitor {
    http: reqwest::Client,
    gateway: String,
}

impl Visitor {
    fn of(system: &RunningSystem) -> Visitor {
        keys::tls::use_ring();
        Visitor {
            http: reqwest::Client::new(),
            gateway: format!("http://{}", system.address("gateway", "rest")),
        }
    }

    /// The answer with its head, whatever it is; again when it asked too much.
    async fn ask(&self, path: &str) -> Vec<u8> {
        let url = match path.starts_with('/') {
            true => format!("{}{path}", self.gateway),
            false => path.to_owned(),
        };
        until_some(async || {
            let answer = self.http.get(&url).send().await.unwrap();
            if [429, 503].contains(&answer.status().as_u16()) {
                return None;
            }
            Some(answer.bytes().await.unwrap().to_vec())
        })
        .await
    }

    fn health_addresses(&self, system: &RunningSystem) -> Vec<String> {
        let text = std::fs::read_to_string(system.root().join("run/addresses.json")).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        let listeners = all.as_object().into_iter().flatten();
        listeners
            .filter_map(|(_, addresses)| Some(addresses["health"].as_str()?.to_owned()))
            .collect()
    }
}
