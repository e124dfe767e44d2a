//! The service: its configuration, what it holds, and how it runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bus::{Bus, BusConfig, Call, Router};
use chassis::{InvalidKey, Shutdown};
use interfaces::Problem;
use keys::certificate::Authority;
use keys::content::ContentKey;
use keys::seal::SealingPublicKey;
use keys::token::TokenKey;
use keys::{MemberKey, Secret};
use ledger::{LedgerId, Timestamp};
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Outbox, Store};
use submission::{Caller, Desk};
use tokio::sync::{Notify, Semaphore};

use crate::migrations::MIGRATIONS;
use crate::passkeys::Passkeys;
use crate::projections::members::Members;

/// Configuration of the identity service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// The service's member key file: signs registrations.
    pub member_key: PathBuf,
    /// Secret file: encrypts names, keys the hashes of identity IDs.
    pub master_secret: PathBuf,
    /// Secret file: the seed of the key that signs session tokens.
    pub token_seed: PathBuf,
    /// Secret file: opens the session secrets inside tokens.
    pub session_secret: PathBuf,
    /// Directory with `root.pem`, `issuing.pem`, `issuing.key.pem`, and `issued.jsonl` of what was issued beside this service.
    pub authority: PathBuf,
    /// Sealing key (hex) of the regulator, to whom viewers' names are sealed as well.
    pub regulator_sealing_key: SealingPublicKey,
    /// How long a session lasts, in minutes.
    #[serde(default = "default_session_minutes")]
    pub session_minutes: u64,
    /// The host of the portal's pages, to which passkeys are bound: a name, since browsers take no address.
    #[serde(default = "default_passkey_host")]
    pub passkey_host: String,
    /// How long a certificate counts, in hours; a fraction is fine.
    #[serde(default = "default_certificate_hours")]
    pub certificate_hours: f64,
}

fn default_certificate_hours() -> f64 {
    72.0
}

fn default_passkey_host() -> String {
    "localhost".to_owned()
}

fn default_session_minutes() -> u64 {
    60
}

/// What every use case works with.
pub(crate) struct Identity {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) desk: Desk,
    pub(crate) member: MemberKey,
    pub(crate) names: ContentKey,
    pub(crate) hash_key: Secret,
    pub(crate) person_key: Secret,
    pub(crate) attestation_key: Secret,
    pub(crate) token: TokenKey,
    pub(crate) session: keys::seal::SealingKey,
    pub(crate) authority: Authority,
    pub(crate) root_pem: String,
    pub(crate) certificate_us: u64,
    pub(crate) issued_file: PathBuf,
    /// How much of it was entered.
    pub(crate) issued_read: AtomicU64,
    pub(crate) regulator: SealingPublicKey,
    pub(crate) session_us: u64,
    pub(crate) passkeys: Passkeys,
    /// A session was ended: everybody is told at once.
    pub(crate) sessions_ended: Notify,
    /// Few password derivations at a time: each takes 19 MiB and a core.
    pub(crate) derivations: Semaphore,
}

impl Identity {
    /// The verified caller, whose session has not been ended.
    pub(crate) async fn caller(&self, call: &Call) -> Result<Caller, Problem> {
        let caller = Caller::verify(
            &self.token.public_key(),
            call.authorization.as_deref(),
            now(),
            self.desk.stopped(),
        )?;
        crate::sessions::require_open(self, &caller.session().session).await?;
        Ok(caller)
    }

    /// Refuses (403) unless the calling records service belongs to the hospital.
    pub(crate) async fn require_own_hospital(
        &self,
        call: &Call,
        hospital: &LedgerId,
    ) -> Result<(), Problem> {
        let key_on_the_bus = self
            .bus
            .directory()
            .get(&call.caller)
            .map(|entry| entry.public_key);
        let member = self.member_status(hospital).await?;
        if member.is_some_and(|(status, key)| status == "active" && Some(key) == key_on_the_bus) {
            return Ok(());
        }
        Err(Problem::forbidden("this is another hospital's"))
    }

    /// Refuses (403) unless the calling process is a hospital's records service.
    pub(crate) fn require_records_service(call: &Call) -> Result<(), Problem> {
        if call.caller.starts_with("records-") {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this is for hospitals' records services",
        ))
    }
}

/// The present time.
pub(crate) fn now() -> Timestamp {
    Timestamp(chassis::clock::now())
}

fn usable<T, E: std::fmt::Display>(key: &str, result: Result<T, E>) -> Result<T, InvalidKey> {
    result.map_err(|error| InvalidKey::new(key, error))
}

/// Runs the identity service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let master = usable("master_secret", Secret::load(&config.master_secret))?;
    let read = |file: &str| std::fs::read_to_string(config.authority.join(file));
    let root_pem = usable("authority", read("root.pem"))?;
    let issuing_pem = usable("authority", read("issuing.pem"))?;
    let issuing_key = usable(
        "authority",
        keys::secret::read_private(&config.authority.join("issuing.key.pem")),
    )?;
    if !(0.001..=24.0 * 366.0).contains(&config.certificate_hours) {
        return Err(InvalidKey::new("certificate_hours", "must be between 0.001 and 8784").into());
    }
    let member = usable("member_key", MemberKey::load(&config.member_key))?;
    let token = TokenKey::from_seed(&usable("token_seed", Secret::load(&config.token_seed))?);
    let session_secret = usable("session_secret", Secret::load(&config.session_secret))?;
    let authority = usable("authority", Authority::from_pem(&issuing_pem, &issuing_key))?;

    let store = usable(
        "database.url",
        Store::open(&config.database.url, MIGRATIONS).await,
    )?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Members, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress.clone());
    let identity = Arc::new(Identity {
        bus: bus.clone(),
        desk,
        member,
        names: ContentKey::from_secret(master.derive("medshare/identity/names/v1")),
        hash_key: master.derive("medshare/identity/hash/v1"),
        attestation_key: master.derive("medshare/identity/attestations/v1"),
        person_key: master.derive("medshare/identity/person/v1"),
        token,
        session: keys::seal::SealingKey::from_secret(&session_secret),
        authority,
        root_pem,
        certificate_us: (config.certificate_hours * 3.6e9) as u64,
        issued_file: config.authority.join("issued.jsonl"),
        issued_read: AtomicU64::new(0),
        regulator: config.regulator_sealing_key,
        session_us: config.session_minutes * 60_000_000,
        passkeys: usable("passkey_host", Passkeys::at(&config.passkey_host))?,
        sessions_ended: Notify::new(),
        derivations: Semaphore::new(2),
        store: store.clone(),
    });
    let registrations = tokio::spawn(crate::reactions::resend_registrations(
        identity.clone(),
        shutdown.clone(),
    ));
    let saying = tokio::spawn(crate::sessions::say_ended(
        identity.clone(),
        shutdown.clone(),
    ));
    let serving = crate::api::router(keeping_up(Router::new(&bus), &progress), identity)
        .serve(shutdown.clone());
    shutdown.ready();
    tokio::select! {
        served = serving => served?,
        ended = registrations => ended?,
        ended = saying => ended?,
    }
    Ok(())
}
