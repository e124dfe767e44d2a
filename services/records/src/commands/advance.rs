//! Bringing a patient's records to the ledger, from whatever state they are in.

use bus::Target;
use contracts::RecordNumber;
use interfaces::identity::{MatchPatients, PatientToMatch};
use interfaces::index::{CodeLocator, PutCodeLocators, PutIndexRows};
use interfaces::{Committed, Problem};
use ledger::{Digest, PublicKey};

use super::register_record::version_command;
use super::submit::{Outgoing, is_rejection};
use crate::adapters::StoredEncounter;
use crate::facts::codes::{self, DrawnCode};
use crate::facts::patients::{self, Match, Patient};
use crate::facts::records::{self, Stored};
use crate::facts::versions::{self, ANNOUNCED, PREPARED, Version, WAITING};
use crate::failure::Failure;
use crate::intake::canonical_of_rows;
use crate::projections;
use crate::service::{Records, now_us};

/// Rows and locators that one request to the index carries.
const INDEX_ROWS_AT_ONCE: usize = 200;
/// Transactions that go into the outbox together.
const TRANSACTIONS_AT_ONCE: usize = 128;

/// What became of one version.
pub struct Advanced {
    /// The record.
    pub record: RecordNumber,
    /// The version.
    pub version: u32,
    /// Its receipt, or why there is none.
    pub committed: Result<Committed, Problem>,
}

/// A version that is due, with its record.
struct Due {
    stored: Stored,
    version: Version,
}

impl Records {
    /// Brings all of a patient's records as far as they can go, and tells of those that reached the ledger or were
    /// turned down. The caller holds the patient's lock.
    pub async fn advance(&self, patient_token: &str) -> Result<Vec<Advanced>, Failure> {
        let Some(patient) = patients::find(self.reader(), &self.vault, patient_token).await? else {
            return Ok(Vec::new());
        };
        let due = self.due_versions(&patient).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let matched = match patient.matched {
            Some(matched) => Some(matched),
            None => self.match_patients(&[patient]).await?.pop().flatten(),
        };
        let Some(matched) = matched else {
            return Ok(Vec::new());
        };
        if !projections::is_active(self.reader(), &matched.patient).await? {
            return Ok(Vec::new());
        }
        let (under_way, due): (Vec<Due>, Vec<Due>) = due
            .into_iter()
            .partition(|due| due.version.is_under_way(now_us()));
        let due = self.prepare(due, &matched).await?;
        let located = self.tell_index(&due, &matched).await?;
        let mut advanced = self.submit_versions(due, &matched, &located).await?;
        for Due { version, .. } in under_way {
            let Some(transaction) = version
                .transaction
                .as_deref()
                .and_then(|id| id.parse::<Digest>().ok())
            else {
                continue;
            };
            let committed = self.wait(transaction).await;
            advanced.push(Advanced {
                record: version.record,
                version: version.version,
                committed,
            });
        }
        Ok(advanced)
    }

    /// Asks identity who is behind these patients, and keeps what it says; in their order.
    pub async fn match_patients(
        &self,
        unmatched: &[Patient],
    ) -> Result<Vec<Option<Match>>, Failure> {
        let mut asked = Vec::new();
        for (place, patient) in unmatched.iter().enumerate() {
            if let Some(identity_id) = self.database.identity_id(&patient.number).await? {
                asked.push((
                    place,
                    PatientToMatch {
                        patient_number: patient.number.clone(),
                        identity_id,
                    },
                ));
            }
        }
        let mut matches = vec![None; unmatched.len()];
        if asked.is_empty() {
            return Ok(matches);
        }
        let (places, patients_to_match): (Vec<usize>, Vec<PatientToMatch>) =
            asked.into_iter().unzip();
        let request = MatchPatients {
            hospital: self.hospital,
            patients: patients_to_match,
        };
        let found = self.ask_identity(None, &request).await?;
        let mut transaction = self.store.begin().await?;
        for (place, found) in places.into_iter().zip(found.matches) {
            let Some(matched) = found.as_ref().and_then(Match::of) else {
                continue;
            };
            patients::set_match(
                &mut transaction,
                &self.vault,
                &unmatched[place].token,
                Some(&matched),
            )
            .await?;
            matches[place] = Some(matched);
        }
        transaction.commit().await?;
        Ok(matches)
    }

    /// The next version of each record that is not on the ledger. What was only announced is resolved by looking at
    /// the hospital's rows.
    async fn due_versions(&self, patient: &Patient) -> Result<Vec<Due>, Failure> {
        let mut due = Vec::new();
        let open = versions::open_of_patient(self.reader(), &patient.token).await?;
        let mut last = None;
        for mut version in open {
            // One after the other: a record's later versions wait for its earlier ones.
            if last.replace(version.record) == Some(version.record) || version.rejection.is_some() {
                continue;
            }
            let Some(stored) = records::find(self.reader(), &self.vault, &version.record).await?
            else {
                continue;
            };
            if version.state == ANNOUNCED {
                if !self.rows_hold(&stored, &version).await? {
                    self.forget_announced(&stored, &version).await?;
                    continue;
                }
                let mut transaction = self.store.begin().await?;
                versions::set_state(&mut transaction, &version.record, version.version, WAITING)
                    .await?;
                transaction.commit().await?;
                version.state = WAITING.to_owned();
            }
            due.push(Due { stored, version });
        }
        Ok(due)
    }

    async fn rows_hold(&self, stored: &Stored, version: &Version) -> Result<bool, Failure> {
        let rows = self
            .database
            .read_encounter(version.mapping_version, &stored.summary.encounter)
            .await?;
        if rows == StoredEncounter::Missing {
            return Ok(false);
        }
        let Some(bytes) = canonical_of_rows(rows, version.canonical_version) else {
            return Ok(false);
        };
        let digest = ledger::DigestAlgorithm::Sha256.digest(&bytes);
        Ok(versions::content_token(&self.vault, &digest) == version.content_token)
    }

    /// The content never reached the hospital's tables: whoever imported it got no answer, and imports it again.
    async fn forget_announced(&self, stored: &Stored, version: &Version) -> Result<(), Failure> {
        let mut transaction = self.store.begin().await?;
        versions::remove(&mut transaction, &version.record, version.version).await?;
        if version.version == 1 {
            records::destroy(&mut transaction, &stored.record, records::DETACHED).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn prepare(&self, due: Vec<Due>, matched: &Match) -> Result<Vec<Due>, Failure> {
        let mut prepared = Vec::with_capacity(due.len());
        let mut transaction = self.store.begin().await?;
        for mut due in due {
            if due.version.state == WAITING {
                self.prepare_version(&mut transaction, &due.stored.key, matched, &due.version)
                    .await?;
                due.version.state = PREPARED.to_owned();
            }
            prepared.push(due);
        }
        transaction.commit().await?;
        // The sealed secrets changed: read the versions again.
        for due in &mut prepared {
            let known = versions::of_record(self.reader(), &due.version.record).await?;
            let current = known
                .into_iter()
                .find(|version| version.version == due.version.version);
            due.version = current.ok_or(Failure::Row("versions"))?;
        }
        Ok(prepared)
    }

    /// Rows and locators go to the index before their records are committed: it shows only what the ledger confirms. Gives
    /// the keys of the codes that the index can locate now.
    async fn tell_index(&self, due: &[Due], matched: &Match) -> Result<Vec<PublicKey>, Failure> {
        let mut located = Vec::new();
        for part in due.chunks(INDEX_ROWS_AT_ONCE) {
            let mut rows = Vec::with_capacity(part.len());
            let mut locators = Vec::new();
            for Due { stored, version } in part {
                let secrets = version.secrets(&stored.key)?;
                let commitments = secrets.commitments.ok_or(Failure::Row("commitments"))?;
                let about = (&version.record, version.version);
                rows.push(self.index_row(matched, about, &secrets.brief, &commitments.index_salt));
                if version.version == 1 {
                    let drawn =
                        codes::of_record(self.reader(), &stored.key, &stored.record).await?;
                    locators.extend(
                        drawn
                            .iter()
                            .map(|drawn| (self.locator(&stored.record, drawn), drawn.public.key)),
                    );
                }
            }
            let index = Target::service("index");
            let (locators, keys): (Vec<_>, Vec<_>) = locators.into_iter().unzip();
            let (rows, locators) = (PutIndexRows { rows }, PutCodeLocators { locators });
            let told = async {
                if locators.locators.is_empty() {
                    return Ok(());
                }
                let done = self.bus.request(&index, None, &locators).await;
                done.map(|_| ())
            };
            let (rows, locators) = tokio::join!(self.bus.request(&index, None, &rows), told);
            rows?;
            locators?;
            located.extend(keys);
        }
        Ok(located)
    }

    /// What the index learns of a code.
    pub fn locator(&self, record: &RecordNumber, drawn: &DrawnCode) -> CodeLocator {
        let holder = if codes::holder_number(drawn.holder) == 0 {
            "patient"
        } else {
            "hospital"
        };
        CodeLocator {
            locator: drawn.code.locator(),
            record: *record,
            holder: holder.to_owned(),
            service: self.bus_name.clone(),
        }
    }

    async fn submit_versions(
        &self,
        due: Vec<Due>,
        matched: &Match,
        mut located: &[PublicKey],
    ) -> Result<Vec<Advanced>, Failure> {
        let mut outgoing: Vec<Outgoing<(RecordNumber, u32)>> = Vec::with_capacity(due.len());
        for Due { stored, version } in due {
            let commitments = version
                .secrets(&stored.key)?
                .commitments
                .ok_or(Failure::Row("commitments"))?;
            let drawn = codes::of_record(self.reader(), &stored.key, &stored.record).await?;
            let command = version_command(&version, &commitments, &matched.patient, &drawn)?;
            outgoing.push(self.outgoing((version.record, version.version), command));
        }
        let mut advanced = Vec::with_capacity(outgoing.len());
        let mut rest = outgoing.into_iter().peekable();
        while rest.peek().is_some() {
            let part: Vec<_> = rest.by_ref().take(TRANSACTIONS_AT_ONCE).collect();
            let mut transaction = self.store.begin().await?;
            // A crash before this tells the index again, which changes nothing.
            for key in std::mem::take(&mut located) {
                codes::set_located(&mut transaction, key).await?;
            }
            for outgoing in &part {
                let (record, version) = &outgoing.about;
                let id = outgoing.transaction();
                versions::set_submitted(
                    &mut transaction,
                    record,
                    *version,
                    &id,
                    outgoing.valid_until(),
                )
                .await?;
                store::outbox::put(&mut transaction, &outgoing.signed).await?;
            }
            transaction.commit().await?;
            for ((record, version), committed) in self.wait_all(part).await {
                self.note_rejection(&record, version, &committed).await?;
                advanced.push(Advanced {
                    record,
                    version,
                    committed,
                });
            }
        }
        Ok(advanced)
    }

    async fn note_rejection(
        &self,
        record: &RecordNumber,
        version: u32,
        committed: &Result<Committed, Problem>,
    ) -> Result<(), Failure> {
        let Some(problem) = committed
            .as_ref()
            .err()
            .filter(|problem| is_rejection(problem))
        else {
            return Ok(());
        };
        let rejection = problem.rejection.clone().unwrap_or_default();
        tracing::warn!(record_id = %record, version, code = %rejection, "a record was turned down by the contract");
        let mut transaction = self.store.begin().await?;
        versions::set_rejected(&mut transaction, record, version, &rejection).await?;
        transaction.commit().await?;
        Ok(())
    }
}
