//! Applications, items, grants and notices, folded from the ledger.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use contracts::authorization::event::{Event as Authorized, Refuser};
use contracts::membership::event::Event as Membership;
use contracts::records::command::Basis;
use contracts::records::event::Event as Recorded;
use contracts::{Event, ItemId};
use ledger::{Digest, LedgerId};
use sqlx::Row;
use store::projections::ProjectionTransaction;
use store::rows::{Insert, Rows};
use store::{ProjectedBlock, Projection, row};

/// Places of one block's rows: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// The projection `workflow`.
pub(crate) struct Workflow;

impl Projection for Workflow {
    const NAME: &'static str = "workflow";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        self.apply_all(transaction, &[block]).await
    }

    async fn apply_all(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        blocks: &[&ProjectedBlock],
    ) -> anyhow::Result<()> {
        let mut fold = Fold {
            stored: transaction,
            rows: Rows::new(),
            parties: BTreeMap::new(),
            place: 0,
            time_us: 0,
            transaction: Digest::default(),
        };
        for block in blocks {
            fold.place = block.header.height.0 as i64 * PLACES_PER_BLOCK;
            fold.time_us = block.header.time.0 as i64;
            for event in &block.events {
                fold.transaction = event.transaction;
                match &event.event {
                    Event::Authorization(authorized) => fold.authorized(authorized).await?,
                    Event::Membership(membership) => fold.named(membership),
                    Event::Records(recorded) => {
                        fold.viewed(recorded);
                        fold.delegated(recorded);
                    }
                    _ => {}
                }
            }
        }
        fold.rows.flush(fold.stored).await?;
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in [
            "organisations",
            "applications",
            "items",
            "item_transactions",
            "notices",
            "grant_views",
            "delegations",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

static PUT_APPLICATION: Insert = Insert::new(
    "applications",
    &["application", "applicant", "purpose", "until_us"],
    0,
    "",
);
static PUT_ITEM: Insert = Insert::new(
    "items",
    &[
        "application",
        "item_index",
        "place",
        "record",
        "hospital",
        "patient",
        "applicant",
        "price",
        "item_key",
        "state",
        "hospital_approved",
        "deadline_us",
        "grant_withdrawn",
    ],
    0,
    "",
);
static PUT_ITEM_TRANSACTION: Insert = Insert::new(
    "item_transactions",
    &["application", "item_index", "place", "transaction_id"],
    0,
    "",
);
static PUT_NOTICE: Insert = Insert::new(
    "notices",
    &[
        "recipient",
        "place",
        "kind",
        "application",
        "item_index",
        "time_us",
        "transaction_id",
    ],
    0,
    "",
);
static PUT_ORGANISATION: Insert = Insert::new(
    "organisations",
    &["member", "name"],
    0,
    "ON CONFLICT (member) DO NOTHING",
);
static PUT_GRANT_VIEW: Insert = Insert::new(
    "grant_views",
    &["transaction_id", "grant_id", "viewer", "time_us"],
    0,
    "",
);

static PUT_DELEGATION: Insert = Insert::new(
    "delegations",
    &["patient", "guardian", "decides", "until_us", "ended"],
    2,
    "ON CONFLICT (patient, guardian) DO UPDATE SET decides = excluded.decides, until_us = excluded.until_us, \
     ended = excluded.ended",
);

struct Fold<'a, 't> {
    /// The rows as they were before these blocks.
    stored: &'a mut ProjectionTransaction<'t>,
    /// What these blocks change.
    rows: Rows,
    /// Of the items that these blocks concern.
    parties: BTreeMap<ItemId, Parties>,
    place: i64,
    time_us: i64,
    transaction: Digest,
}

/// Whom an item concerns.
#[derive(Clone)]
struct Parties {
    applicant: String,
    hospital: String,
    patient: String,
    hospital_approved: bool,
}

impl Fold<'_, '_> {
    fn next_place(&mut self) -> i64 {
        self.place += 1;
        self.place
    }

    async fn authorized(&mut self, event: &Authorized) -> Result<(), sqlx::Error> {
        match event {
            Authorized::ApplicationMade {
                application,
                applicant,
                purpose,
                until,
                ..
            } => self.rows.insert(
                &PUT_APPLICATION,
                row![
                    application.to_string(),
                    applicant.to_string(),
                    crate::rows::purpose_name(*purpose),
                    until.0 as i64
                ],
            ),
            Authorized::ItemOpened { .. } => self.opened(event),
            Authorized::HospitalApproved {
                item,
                ciphertext,
                release,
                ..
            } => {
                self.parties(item).await?.hospital_approved = true;
                self.rows.execute(
                    "items",
                    "UPDATE items SET state = 'patient_pending', hospital_approved = 1, ciphertext = $1, release_commitment = $2
                     WHERE application = $3 AND item_index = $4",
                    row![
                        ciphertext.to_string(),
                        serde_json::to_string(release).unwrap_or_default(),
                        item.application.to_string(),
                        i64::from(item.index)
                    ],
                );
                self.trace(item);
                let patient = self.parties(item).await?.patient.clone();
                self.notify(&patient, "decision_needed", item);
            }
            Authorized::PatientApproved { item } => self.moved(item, "approved", &[]).await?,
            Authorized::ItemRefused { item, refuser, .. } => {
                let state = match refuser {
                    Refuser::Hospital => "refused_by_hospital",
                    Refuser::Patient => "refused_by_patient",
                };
                self.moved(item, state, &["refused"]).await?;
            }
            Authorized::ItemReleased {
                item,
                grant,
                sealed_key,
                ..
            } => {
                self.rows.execute(
                    "items",
                    "UPDATE items SET grant_id = $1, sealed_key = $2 WHERE application = $3 AND item_index = $4",
                    row![
                        grant.to_string(),
                        sealed_key.0.clone(),
                        item.application.to_string(),
                        i64::from(item.index)
                    ],
                );
                self.moved(item, "released", &["released"]).await?;
            }
            Authorized::ItemWithdrawn { item } => {
                self.moved(item, "withdrawn", &["withdrawn"]).await?;
            }
            Authorized::ItemExpired { item } => self.moved(item, "expired", &["expired"]).await?,
            Authorized::ApplicationClosed { .. } => {}
            Authorized::GrantWithdrawn { grant, item } => {
                self.rows.execute(
                    "items",
                    "UPDATE items SET grant_withdrawn = 1 WHERE grant_id = $1",
                    row![grant.to_string()],
                );
                self.trace(item);
                let applicant = self.parties(item).await?.applicant.clone();
                self.notify(&applicant, "grant_withdrawn", item);
            }
            Authorized::ReleaseDisputed { item, .. } => self.moved(item, "disputed", &[]).await?,
            Authorized::DisputeSettled { item, reversed } => {
                let state = if *reversed { "reversed" } else { "released" };
                self.moved(item, state, &[]).await?;
            }
            Authorized::DecidedByGuardian {
                item,
                patient,
                guardian,
            } => {
                self.rows.execute(
                    "items",
                    "UPDATE items SET guardian = $1 WHERE application = $2 AND item_index = $3",
                    row![
                        guardian.to_string(),
                        item.application.to_string(),
                        i64::from(item.index)
                    ],
                );
                self.notify(&patient.to_string(), "decided_by_guardian", item);
            }
        }
        Ok(())
    }

    fn opened(&mut self, event: &Authorized) {
        let Authorized::ItemOpened {
            item,
            record,
            hospital,
            patient,
            applicant,
            price,
            item_key,
            deadline,
        } = event
        else {
            return;
        };
        let parties = Parties {
            applicant: applicant.to_string(),
            hospital: hospital.to_string(),
            patient: patient.to_string(),
            hospital_approved: false,
        };
        let place = self.next_place();
        self.rows.insert(
            &PUT_ITEM,
            row![
                item.application.to_string(),
                i64::from(item.index),
                place,
                record.to_string(),
                parties.hospital.clone(),
                parties.patient.clone(),
                parties.applicant.clone(),
                *price,
                Digest(*item_key).to_string(),
                "hospital_pending",
                0_i64,
                deadline.0 as i64,
                0_i64
            ],
        );
        self.trace(item);
        self.notify(&parties.hospital, "decision_needed", item);
        self.parties.insert(*item, parties);
    }

    /// A new state, its trace, and notices to the applicant and, where it had a part, to the patient.
    async fn moved(
        &mut self,
        item: &ItemId,
        state: &str,
        notices: &[&str],
    ) -> Result<(), sqlx::Error> {
        self.rows.execute(
            "items",
            "UPDATE items SET state = $1 WHERE application = $2 AND item_index = $3",
            row![state, item.application.to_string(), i64::from(item.index)],
        );
        self.trace(item);
        if notices.is_empty() {
            return Ok(());
        }
        let parties = self.parties(item).await?.clone();
        for kind in notices {
            self.notify(&parties.applicant, kind, item);
            if parties.hospital_approved {
                self.notify(&parties.patient, kind, item);
            }
            if matches!(*kind, "expired" | "withdrawn") {
                self.notify(&parties.hospital, kind, item);
            }
        }
        Ok(())
    }

    /// Whom an item concerns: known from these blocks, or read.
    async fn parties(&mut self, item: &ItemId) -> Result<&mut Parties, sqlx::Error> {
        match self.parties.entry(*item) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let row = sqlx::query("SELECT applicant, hospital, patient, hospital_approved FROM items WHERE application = $1 AND item_index = $2")
                    .bind(item.application.to_string())
                    .bind(i64::from(item.index))
                    .fetch_one(&mut **self.stored)
                    .await?;
                Ok(unknown.insert(Parties {
                    applicant: row.try_get(0)?,
                    hospital: row.try_get(1)?,
                    patient: row.try_get(2)?,
                    hospital_approved: row.try_get::<i64, _>(3)? != 0,
                }))
            }
        }
    }

    fn trace(&mut self, item: &ItemId) {
        let place = self.next_place();
        let row = row![
            item.application.to_string(),
            i64::from(item.index),
            place,
            self.transaction.to_string()
        ];
        self.rows.insert(&PUT_ITEM_TRANSACTION, row);
    }

    fn notify(&mut self, recipient: &str, kind: &str, item: &ItemId) {
        let place = self.next_place();
        let row = row![
            recipient,
            place,
            kind,
            item.application.to_string(),
            i64::from(item.index),
            self.time_us,
            self.transaction.to_string()
        ];
        self.rows.insert(&PUT_NOTICE, row);
    }

    fn named(&mut self, event: &Membership) {
        let (member, name): (&LedgerId, &str) = match event {
            Membership::FounderNamed {
                member,
                name: Some(name),
                ..
            } => (member, name),
            Membership::MemberRegistered {
                member,
                name: Some(name),
                ..
            } => (member, name),
            _ => return,
        };
        self.rows
            .insert(&PUT_ORGANISATION, row![member.to_string(), name]);
    }

    fn delegated(&mut self, event: &Recorded) {
        match event {
            Recorded::GuardianNamed {
                patient,
                guardian,
                scope,
                until,
                ..
            } => self.rows.insert(
                &PUT_DELEGATION,
                row![
                    patient.to_string(),
                    guardian.to_string(),
                    i64::from(scope.decides()),
                    until.0 as i64,
                    0_i64
                ],
            ),
            Recorded::DelegationEnded {
                patient, guardian, ..
            } => self.rows.execute(
                "delegations",
                "UPDATE delegations SET ended = 1 WHERE patient = $1 AND guardian = $2",
                row![patient.to_string(), guardian.to_string()],
            ),
            _ => {}
        }
    }

    fn viewed(&mut self, event: &Recorded) {
        let Recorded::AccessLogged {
            viewer,
            basis: Basis::Grant { grant },
            ..
        } = event
        else {
            return;
        };
        let row = row![
            self.transaction.to_string(),
            grant.to_string(),
            viewer.to_string(),
            self.time_us
        ];
        self.rows.insert(&PUT_GRANT_VIEW, row);
    }
}
