//! What every use case works with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, Call, Target};
use contracts::RecordNumber;
use contracts::records::command::Command;
use interfaces::identity::GetOwnAccount;
use interfaces::{Committed, Problem, UseCase};
use keys::{MemberKey, Role};
use ledger::{Digest, DigestAlgorithm, Height, LedgerId, Timestamp};
use sqlx::AnyPool;
use store::Store;
use store::projections::Progress;
use submission::{Caller, Desk, Sessions};
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::adapters::HospitalDatabase;
use crate::failure::{Failure, forbidden};
use crate::heard::Heard;
use crate::vault::Vault;

/// How long after the end of a transaction's validity its fate is certain, in microseconds.
pub const SETTLING_US: i64 = 5_000_000;
/// How long a permission to view lasts after its block time, in microseconds.
pub const VIEW_WITHIN_US: u64 = 30_000_000;
/// How long an answer waits for the own projection to reach its block.
const PROJECTED_WITHIN: Duration = Duration::from_secs(5);

/// One hospital's records service.
pub struct Records {
    /// The hospital's ledger id.
    pub hospital: LedgerId,
    /// The service's bus name, `records-<slug>`.
    pub bus_name: String,
    /// The hospital's key.
    pub key: MemberKey,
    /// Checks session tokens.
    pub sessions: Sessions,
    /// The hospital's secrets.
    pub vault: Vault,
    /// The service's own database.
    pub store: Store,
    /// The hospital's database.
    pub database: Arc<dyn HospitalDatabase>,
    /// The bus.
    pub bus: Bus,
    /// Signs, submits and waits.
    pub desk: Desk,
    /// How far the projection is.
    pub progress: Progress,
    /// Wakes the reactions.
    pub work: Arc<Notify>,
    /// Digest algorithm of new commitments.
    pub algorithm: DigestAlgorithm,
    /// Plan by payer.
    pub plans: BTreeMap<String, u16>,
    /// One writer per patient at a time.
    pub patients: PatientLocks,
    /// Whether the ledger can be reached.
    pub heard: Heard,
    /// One writer of the emergency journal at a time.
    pub journal: tokio::sync::Mutex<()>,
}

impl Records {
    /// For reading the own database.
    pub fn reader(&self) -> &AnyPool {
        self.store.reader()
    }

    /// The verified caller.
    pub fn caller(&self, call: &Call) -> Result<Caller, Failure> {
        Ok(self.sessions.caller(call)?)
    }

    /// The caller, who must be this hospital.
    pub fn hospital_caller(&self, call: &Call) -> Result<Caller, Failure> {
        let caller = self.caller(call)?;
        if self.is_hospital(&caller) {
            Ok(caller)
        } else {
            Err(forbidden())
        }
    }

    /// Whether the caller acts as this hospital.
    pub fn is_hospital(&self, caller: &Caller) -> bool {
        let session = caller.session();
        session.has_role(Role::Hospital)
            && (session.organisation == Some(self.hospital) || session.owns(&self.hospital))
    }

    /// Whether the caller is a clerk of this hospital. The ledger names the hospital alone: which clerk it was, the log says.
    pub fn acts_as_clerk(&self, caller: &Caller) -> bool {
        let session = caller.session();
        let is_clerk = session.has_role(Role::Clerk) && session.organisation == Some(self.hospital);
        if is_clerk {
            let account_id = session.subject.as_str();
            tracing::info!(account_id, "a clerk acts for the hospital");
        }
        is_clerk
    }

    /// The caller, who must be this hospital or one of its clerks.
    pub fn desk_caller(&self, call: &Call) -> Result<Caller, Failure> {
        let caller = self.caller(call)?;
        if self.is_hospital(&caller) || self.acts_as_clerk(&caller) {
            Ok(caller)
        } else {
            Err(forbidden())
        }
    }

    /// The caller's ledger id as a patient of this hospital.
    pub async fn own_patient_id(&self, caller: &Caller) -> Result<LedgerId, Failure> {
        caller.require(Role::Patient)?;
        let context = format!("hospital:{}", self.hospital);
        if let Some(own) = caller.session().ledger_ids.get(&context) {
            return Ok(*own);
        }
        // The id for a hospital may be younger than the token.
        let account = self.ask_identity(Some(caller), &GetOwnAccount {}).await?;
        account
            .ledger_ids
            .get(&context)
            .copied()
            .ok_or_else(forbidden)
    }

    /// The ledger id of a doctor, whichever hospital they act for.
    pub fn doctor_id(&self, caller: &Caller) -> Result<LedgerId, Failure> {
        caller.require(Role::Doctor)?;
        Ok(caller.member()?)
    }

    /// The ledger id of a doctor who acts for this hospital now.
    pub async fn own_doctor_id(&self, caller: &Caller) -> Result<LedgerId, Failure> {
        let doctor = self.doctor_id(caller)?;
        let hospitals = crate::projections::affiliations(self.reader(), &doctor, now_us()).await?;
        if hospitals.contains(&self.hospital) {
            Ok(doctor)
        } else {
            Err(forbidden())
        }
    }

    /// Asks the identity service, with the member's token where it is about the member.
    pub async fn ask_identity<Q: UseCase>(
        &self,
        caller: Option<&Caller>,
        request: &Q,
    ) -> Result<Q::Reply, Failure> {
        let token = caller.map(Caller::token);
        Ok(self
            .bus
            .request(&Target::service("identity"), token, request)
            .await?)
    }

    /// Commits a command of a member whose key identity keeps, and waits until what is read next shows it.
    pub async fn commit(
        &self,
        caller: &Caller,
        member: LedgerId,
        command: Command,
    ) -> Result<Committed, Failure> {
        let committed = self
            .desk
            .commit_with_custody(caller, member, command, submission::no_facts())
            .await?;
        self.projected(&committed).await;
        Ok(committed)
    }

    /// Waits until the own projection has a committed command, so that what is read next shows it.
    pub async fn projected(&self, committed: &Committed) {
        let _ = self
            .progress
            .wait_for(Height(committed.height), PROJECTED_WITHIN)
            .await;
    }

    /// Waits for a transaction in the outbox.
    pub async fn wait(&self, transaction: Digest) -> Result<Committed, Problem> {
        self.desk.wait(transaction).await
    }
}

/// The present time as tables hold it.
pub fn now_us() -> i64 {
    i64::try_from(chassis::clock::now()).unwrap_or(i64::MAX)
}

/// A time as tables hold it.
pub fn time_us(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A fresh record number.
pub fn random_record() -> RecordNumber {
    RecordNumber(keys::secret::random())
}

/// One lock per patient: whoever changes a patient's records holds it.
#[derive(Default)]
pub struct PatientLocks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl PatientLocks {
    /// Waits for the patient's lock.
    pub async fn lock(&self, patient_token: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() > 10_000 {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            locks.entry(patient_token.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
