//! Databases for tests, and the contracts behind a test broker.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bus::testing::{TestBroker, TestOrdering};
use contracts::Context;
use ledger::{Epoch, Height, SignedTransaction, Timestamp};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::database::{Migration, Store, sqlite_url};

/// A database that is gone when dropped (SQLite), or left behind under a random name (PostgreSQL).
pub struct TestDatabase {
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// A fresh SQLite file.
    ///
    /// # Panics
    /// If there is no temporary folder.
    pub fn sqlite() -> TestDatabase {
        let folder = tempfile::tempdir().expect("a temporary folder");
        TestDatabase {
            url: sqlite_url(&folder.path().join("test.db")),
            _folder: Some(folder),
        }
    }

    /// A fresh database on the PostgreSQL server of `MEDSHARE_TEST_POSTGRES`; `None` without that variable
    /// (`./dev test` starts a server), which is noted in the file `MEDSHARE_SKIPPED`.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn postgres(test: &str) -> Option<TestDatabase> {
        let Some(server) = std::env::var("MEDSHARE_TEST_POSTGRES")
            .ok()
            .filter(|url| !url.is_empty())
        else {
            note_skipped(test);
            return None;
        };
        sqlx::any::install_default_drivers();
        let name = format!("test_{:.32}", random_digest().to_string());
        let mut connection = sqlx::AnyConnection::connect(&server)
            .await
            .expect("MEDSHARE_TEST_POSTGRES");
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(format!(
                "CREATE DATABASE {name}"
            ))))
            .await
            .expect("a fresh database");
        let (base, parameters) = server
            .split_once('?')
            .map_or((server.as_str(), None), |(base, rest)| (base, Some(rest)));
        let (base, _) = base.rsplit_once('/').expect("a database in the URL");
        let parameters = parameters
            .map(|rest| format!("?{rest}"))
            .unwrap_or_default();
        Some(TestDatabase {
            url: format!("{base}/{name}{parameters}"),
            _folder: None,
        })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens it.
    ///
    /// # Panics
    /// If that fails.
    pub async fn open(&self, migrations: &[Migration]) -> Store {
        Store::open(&self.url, migrations)
            .await
            .expect("a test database")
    }
}

fn random_digest() -> ledger::Digest {
    ledger::Digest(keys::secret::random())
}

fn note_skipped(test: &str) {
    use std::io::Write;
    let Some(path) = std::env::var_os("MEDSHARE_SKIPPED") else {
        return;
    };
    if let Ok(mut file) = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
    {
        // A note that can't be written is no reason to fail a test.
        let _ = writeln!(
            file,
            "{test}: no PostgreSQL server (MEDSHARE_TEST_POSTGRES)"
        );
    }
}

/// The real contracts, over a state in memory, behind replicas that agree by construction.
///
/// # Panics
/// If the genesis file describes no state.
pub async fn start_contracts(broker: &TestBroker) -> TestOrdering {
    let genesis = broker.genesis().clone();
    let (events, writes) = contracts::genesis(&genesis).expect("a genesis state");
    let mut state: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    apply(&mut state, writes);
    let chain = genesis.chain_id();
    let state = Mutex::new(state);
    let decide = move |signed: &SignedTransaction| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let context = Context {
            chain,
            height: Height(1),
            time: Timestamp(chassis::clock::now()),
            epoch: Epoch(0),
            submitter: signed.body.submitter,
            public_key: signed.body.public_key,
            nonce: signed.body.nonce,
            transaction: signed.id(),
        };
        let executed = contracts::execute(
            &*state,
            &context,
            signed.body.contract,
            &signed.body.command,
        );
        apply(&mut state, executed.writes);
        (
            executed.outcome,
            executed
                .events
                .iter()
                .map(contracts::Event::recorded)
                .collect(),
        )
    };
    let events = events.iter().map(contracts::Event::recorded).collect();
    TestOrdering::start(broker, events, Box::new(decide)).await
}

fn apply(state: &mut BTreeMap<Vec<u8>, Vec<u8>>, writes: ledger::WriteSet) {
    for (key, value) in writes.0 {
        match value {
            Some(value) => drop(state.insert(key, value)),
            None => drop(state.remove(&key)),
        }
    }
}
