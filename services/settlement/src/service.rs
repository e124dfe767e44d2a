//! The service: its configuration, what it holds, and how it runs.

use std::sync::Arc;

use bus::{Bus, BusConfig, Router};
use chassis::{InvalidKey, Shutdown};
use contracts::settlement::command::PlanId;
use interfaces::Problem;
use keys::token::Role;
use ledger::{Digest, LedgerId};
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Outbox, Store};
use submission::row::{database, parse};
use submission::{Caller, Desk, Sessions, SessionsConfig};

use crate::migrations::MIGRATIONS;
use crate::projections::books::Books;

/// Configuration of the settlement service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// How session tokens are checked.
    pub sessions: SessionsConfig,
}

/// What every use case works with.
pub(crate) struct Settlement {
    pub(crate) store: Store,
    pub(crate) desk: Desk,
    pub(crate) sessions: Sessions,
}

/// Whoever can have money here; what the others own is not an empty list, but none.
const ACCOUNT_HOLDERS: [Role; 5] = [
    Role::Patient,
    Role::Hospital,
    Role::ThirdParty,
    Role::Insurer,
    Role::Treasurer,
];

impl Settlement {
    /// The accounts of the caller.
    ///
    /// # Errors
    /// 403 for roles that have none.
    pub(crate) async fn accounts(&self, caller: &Caller) -> Result<Vec<LedgerId>, Problem> {
        caller.require_any(&ACCOUNT_HOLDERS)?;
        self.desk.ledger_ids(caller).await
    }

    /// Refuses (404) unless the claim is under a plan of the insurer's.
    pub(crate) async fn require_own_claim(
        &self,
        insurer: &LedgerId,
        claim: &Digest,
    ) -> Result<(), Problem> {
        let found = sqlx::query(
            "SELECT 1 FROM claims WHERE claim = $1 AND plan IN (SELECT plan FROM plans WHERE insurer = $2)",
        )
        .bind(claim.to_string())
        .bind(insurer.to_string())
        .fetch_optional(self.store.reader())
        .await
        .map_err(database)?;
        found
            .map(|_| ())
            .ok_or_else(|| Problem::not_found("no claim under a plan of yours has this reference"))
    }

    /// Refuses (404) unless the claim is the insured's.
    pub(crate) async fn require_claim_of(
        &self,
        insured: &LedgerId,
        claim: &Digest,
    ) -> Result<(), Problem> {
        let found = sqlx::query("SELECT 1 FROM claims WHERE claim = $1 AND insured = $2")
            .bind(claim.to_string())
            .bind(insured.to_string())
            .fetch_optional(self.store.reader())
            .await
            .map_err(database)?;
        found
            .map(|_| ())
            .ok_or_else(|| Problem::not_found("no claim of yours has this reference"))
    }

    /// Whose plan this is; nobody's until its first rules are published.
    pub(crate) async fn insurer_of(&self, plan: PlanId) -> Result<Option<LedgerId>, Problem> {
        let found: Option<(String,)> = sqlx::query_as("SELECT insurer FROM plans WHERE plan = $1")
            .bind(i64::from(plan.0))
            .fetch_optional(self.store.reader())
            .await
            .map_err(database)?;
        found.map(|(insurer,)| parse(&insurer)).transpose()
    }
}

/// Runs the settlement service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Books, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress.clone());
    let settlement = Arc::new(Settlement {
        store,
        sessions: config.sessions.over(desk.stopped(), &bus).await?,
        desk,
    });
    let serving = crate::api::router(keeping_up(Router::new(&bus), &progress), settlement)
        .serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}
