//! Folding committed events into rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contracts::membership::event::Event as Membership;
use contracts::records::command::Basis;
use contracts::records::event::Event as RecordEvent;
use contracts::settlement::event::Event as Settlement;
use contracts::{Event, RecordNumber};
use ledger::{Commitment, LedgerId, Timestamp, canonical};
use sqlx::AssertSqlSafe;
use store::projections::{ProjectedBlock, ProjectedEvent, Projection};
use store::row;
use store::rows::{Insert, Rows};
use tokio::sync::Notify;

use super::{delegations, items, members};
use crate::facts::codes::holder_number;
use crate::heard::Heard;
use crate::service::time_us;

/// The rows of this hospital.
pub struct Ledger {
    /// The hospital.
    pub hospital: LedgerId,
    /// Told of every block.
    pub heard: Heard,
    /// Wakes the reactions.
    pub work: Arc<Notify>,
    /// Set when a member was activated: waiting patients may be found now.
    pub activated: Arc<AtomicBool>,
}

/// Whether an event may let a waiting patient's records go on.
pub fn member_activated(event: &Event) -> bool {
    matches!(
        event,
        Event::Membership(Membership::MemberActivated { .. } | Membership::MemberReinstated { .. })
    )
}

impl Projection for Ledger {
    const NAME: &'static str = "records";
    const VERSION: i64 = 3;

    async fn apply(
        &self,
        transaction: &mut store::projections::ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        self.apply_all(transaction, &[block]).await
    }

    async fn apply_all(
        &self,
        transaction: &mut store::projections::ProjectionTransaction<'_>,
        blocks: &[&ProjectedBlock],
    ) -> anyhow::Result<()> {
        // Codes and views are kept of own records, which are looked for in the first table.
        let mut rows = Rows::in_order(&["ledger_records", "ledger_codes"]);
        for block in blocks {
            self.heard.note();
            for (position, event) in block.events.iter().enumerate() {
                self.fold(&mut rows, event, i64::try_from(position)?);
            }
        }
        rows.flush(transaction).await?;
        Ok(())
    }

    async fn reset(
        &self,
        transaction: &mut store::projections::ProjectionTransaction<'_>,
    ) -> anyhow::Result<()> {
        for table in [
            "ledger_members",
            "ledger_affiliations",
            "ledger_records",
            "ledger_versions",
            "ledger_codes",
            "ledger_views",
            "ledger_emergencies",
            "ledger_applications",
            "ledger_items",
            "ledger_claims",
            "ledger_findings",
            "ledger_consents",
            "ledger_delegations",
        ] {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn after_commit(&self, events: &[ProjectedEvent]) {
        if events.iter().any(|event| member_activated(&event.event)) {
            self.activated.store(true, Ordering::Release);
        }
        self.work.notify_one();
    }
}

static PUT_RECORD: Insert = Insert::new(
    "ledger_records",
    &["record", "patient", "version", "erased", "certified"],
    0,
    "ON CONFLICT (record) DO NOTHING",
);
static PUT_VERSION: Insert = Insert::new(
    "ledger_versions",
    &["record", "version", "commitment", "transaction_id"],
    0,
    "ON CONFLICT (record, version) DO NOTHING",
);
/// Of own records only.
static PUT_CODE: Insert = Insert::new(
    "ledger_codes",
    &["record", "holder", "public_key", "uses_left", "until"],
    2,
    "ON CONFLICT (record, holder) DO UPDATE SET public_key = excluded.public_key, uses_left = excluded.uses_left, \
     until = excluded.until",
)
.only_where(
    0,
    "EXISTS (SELECT 1 FROM ledger_records WHERE ledger_records.record = given.column1)",
);
/// Of own records only.
static PUT_VIEW: Insert = Insert::new(
    "ledger_views",
    &[
        "height",
        "position",
        "transaction_id",
        "patient",
        "viewer",
        "basis",
        "purpose",
        "viewer_name",
        "records",
        "time",
    ],
    0,
    "ON CONFLICT (height, position) DO NOTHING",
)
.only_where(
    1,
    "EXISTS (SELECT 1 FROM ledger_records WHERE ledger_records.record = given.column11)",
);
static PUT_EMERGENCY: Insert = Insert::new(
    "ledger_emergencies",
    &[
        "emergency",
        "patient",
        "doctor",
        "hospital",
        "until",
        "place",
        "time",
        "transaction_id",
    ],
    0,
    "ON CONFLICT (emergency) DO NOTHING",
);
static PUT_FINDING: Insert = Insert::new(
    "ledger_findings",
    &["record", "version", "kind", "transaction_id"],
    0,
    "ON CONFLICT (record, version, kind) DO NOTHING",
);
static PUT_CONSENT: Insert = Insert::new(
    "ledger_consents",
    &["patient", "share_for_treatment", "research"],
    1,
    "ON CONFLICT (patient) DO UPDATE SET share_for_treatment = excluded.share_for_treatment, \
     research = excluded.research",
);
static PUT_CLAIM: Insert = Insert::new(
    "ledger_claims",
    &["reference"],
    0,
    "ON CONFLICT (reference) DO NOTHING",
);

impl Ledger {
    fn fold(&self, rows: &mut Rows, event: &ProjectedEvent, position: i64) {
        match &event.event {
            Event::Membership(membership) => members::fold(rows, membership),
            Event::Records(records) => self.fold_record(rows, event, records, position),
            Event::Authorization(authorization) => {
                items::fold(rows, &self.hospital, authorization);
            }
            Event::Settlement(settlement) => self.fold_claim(rows, settlement),
            Event::Telemetry(_) | Event::Governance(_) => {}
        }
    }

    fn fold_record(
        &self,
        rows: &mut Rows,
        event: &ProjectedEvent,
        decided: &RecordEvent,
        position: i64,
    ) {
        match decided {
            RecordEvent::RecordRegistered {
                record,
                patient,
                hospital,
                content,
                patient_code,
                hospital_code,
                ..
            } if *hospital == self.hospital => {
                rows.insert(
                    &PUT_RECORD,
                    row![record.to_string(), patient.to_string(), 1_i64, 0_i64, 0_i64],
                );
                put_version(rows, record, 1, content, event);
                for (holder, code) in [(0, patient_code), (1, hospital_code)] {
                    put_code(rows, record, holder, code);
                }
            }
            RecordEvent::RecordAmended {
                record,
                hospital,
                version,
                content,
                ..
            } if *hospital == self.hospital => {
                rows.execute(
                    "ledger_records",
                    "UPDATE ledger_records SET version = $1 WHERE record = $2",
                    row![*version, record.to_string()],
                );
                put_version(rows, record, *version, content, event);
            }
            RecordEvent::CodeSet {
                record,
                holder,
                code,
            } => put_code(rows, record, holder_number(*holder), code),
            RecordEvent::ConsentSet {
                patient,
                share_for_treatment,
                research,
            } => rows.insert(
                &PUT_CONSENT,
                row![
                    patient.to_string(),
                    i64::from(*share_for_treatment),
                    i64::from(*research)
                ],
            ),
            RecordEvent::CodeWithdrawn { record, holder } => rows.execute(
                "ledger_codes",
                "DELETE FROM ledger_codes WHERE record = $1 AND holder = $2",
                row![record.to_string(), holder_number(*holder)],
            ),
            RecordEvent::CodeRedeemed { hospital, .. } if *hospital == self.hospital => {
                fold_redemption(rows, event, decided, position);
            }
            RecordEvent::AccessLogged {
                records,
                patient,
                viewer,
                basis,
                purpose,
                viewer_name,
            } => {
                let view = View {
                    patient,
                    viewer,
                    basis: basis_text(basis),
                    purpose,
                    name: &viewer_name.0,
                    records,
                    time: match basis {
                        Basis::OfflineEmergency { viewed_at, .. } => *viewed_at,
                        _ => event.time,
                    },
                };
                put_view(rows, event, position, view);
            }
            RecordEvent::EmergencyOpened {
                emergency,
                patient,
                doctor,
                hospital,
                until,
                ..
            } => rows.insert(
                &PUT_EMERGENCY,
                row![
                    emergency.to_string(),
                    patient.to_string(),
                    doctor.to_string(),
                    hospital.to_string(),
                    time_us(*until),
                    emergency_place(event, position),
                    time_us(event.time),
                    event.transaction.to_string()
                ],
            ),
            RecordEvent::EmergencyReviewed {
                emergency,
                justified,
                ..
            } => rows.execute(
                "ledger_emergencies",
                "UPDATE ledger_emergencies SET review = $1 WHERE emergency = $2",
                row![i64::from(*justified), emergency.to_string()],
            ),
            RecordEvent::TamperingReported {
                record,
                hospital,
                version,
                kind,
                ..
            } if *hospital == self.hospital => rows.insert(
                &PUT_FINDING,
                row![
                    record.to_string(),
                    *version,
                    *kind as i64,
                    event.transaction.to_string()
                ],
            ),
            RecordEvent::RecordErased { record, .. } => rows.execute(
                "ledger_records",
                "UPDATE ledger_records SET erased = 1 WHERE record = $1",
                row![record.to_string()],
            ),
            RecordEvent::ErasureCertified { record, .. } => rows.execute(
                "ledger_records",
                "UPDATE ledger_records SET certified = 1 WHERE record = $1",
                row![record.to_string()],
            ),
            RecordEvent::GuardianNamed { .. } | RecordEvent::DelegationEnded { .. } => {
                delegations::fold(rows, decided);
            }
            RecordEvent::RecordRegistered { .. }
            | RecordEvent::RecordAmended { .. }
            | RecordEvent::CodeRedeemed { .. }
            | RecordEvent::TamperingReported { .. } => {}
        }
    }

    fn fold_claim(&self, rows: &mut Rows, decided: &Settlement) {
        if let Settlement::ClaimAdjudicated {
            claim, hospital, ..
        }
        | Settlement::ClaimPended {
            claim, hospital, ..
        } = decided
            && *hospital == self.hospital
        {
            rows.insert(&PUT_CLAIM, row![claim.0.to_string()]);
        }
    }
}

fn fold_redemption(rows: &mut Rows, event: &ProjectedEvent, redeemed: &RecordEvent, position: i64) {
    let RecordEvent::CodeRedeemed {
        record,
        version,
        patient,
        viewer,
        holder,
        uses_left,
        purpose,
        viewer_name,
        ..
    } = redeemed
    else {
        return;
    };
    let holder = holder_number(*holder);
    rows.execute(
        "ledger_codes",
        "UPDATE ledger_codes SET uses_left = $1 WHERE record = $2 AND holder = $3",
        row![*uses_left, record.to_string(), holder],
    );
    let view = View {
        patient,
        viewer,
        basis: ["patient_code", "hospital_code"][usize::from(holder != 0)],
        purpose,
        name: &viewer_name.0,
        records: &[(*record, *version)],
        time: event.time,
    };
    put_view(rows, event, position, view);
}

fn put_version(
    rows: &mut Rows,
    record: &RecordNumber,
    version: u32,
    content: &Commitment,
    event: &ProjectedEvent,
) {
    rows.insert(
        &PUT_VERSION,
        row![
            record.to_string(),
            version,
            canonical::encode(content),
            event.transaction.to_string()
        ],
    );
}

fn put_code(
    rows: &mut Rows,
    record: &RecordNumber,
    holder: i64,
    code: &contracts::records::command::Code,
) {
    rows.insert(
        &PUT_CODE,
        row![
            record.to_string(),
            holder,
            code.key.to_string(),
            code.uses,
            time_us(code.until)
        ],
    );
}

struct View<'a> {
    patient: &'a LedgerId,
    viewer: &'a LedgerId,
    basis: &'static str,
    purpose: &'a contracts::Purpose,
    name: &'a [u8],
    records: &'a [(RecordNumber, u32)],
    /// When the content was shown, or could be.
    time: Timestamp,
}

/// Places of one block's events: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// Where in the ledger an emergency was opened, as one number that grows.
fn emergency_place(event: &ProjectedEvent, position: i64) -> i64 {
    let height = i64::try_from(event.height.0).unwrap_or(i64::MAX);
    height
        .saturating_mul(PLACES_PER_BLOCK)
        .saturating_add(position)
}

/// One access is about records of one hospital: the first says whether they are own ones.
fn put_view(rows: &mut Rows, event: &ProjectedEvent, position: i64, view: View<'_>) {
    let Some((first, _)) = view.records.first() else {
        return;
    };
    rows.insert(
        &PUT_VIEW,
        row![
            i64::try_from(event.height.0).unwrap_or(i64::MAX),
            position,
            event.transaction.to_string(),
            view.patient.to_string(),
            view.viewer.to_string(),
            view.basis,
            canonical::encode(view.purpose),
            view.name.to_vec(),
            canonical::encode(&view.records.to_vec()),
            time_us(view.time),
            first.to_string()
        ],
    );
}

fn basis_text(basis: &Basis) -> &'static str {
    match basis {
        Basis::Owner => "owner",
        Basis::OwnHospital { .. } => "own_hospital",
        Basis::Grant { .. } => "grant",
        Basis::Emergency { .. } => "emergency",
        Basis::OfflineEmergency { .. } => "offline_emergency",
        Basis::Delegation => "delegation",
    }
}
