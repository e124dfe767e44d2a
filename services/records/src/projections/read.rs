//! Reading the projection's rows.

use std::collections::BTreeMap;

use contracts::records::command::{CodeHolder, TamperingKind};
use contracts::{EmergencyId, ItemId, Purpose, RecordNumber};
use ledger::{Commitment, Digest, LedgerId, PublicKey, Timestamp, canonical};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row};

use interfaces::records::Consent;

use crate::facts::codes::holder_number;
use crate::facts::deliveries::item_text;
use crate::facts::{column, count, parsed, record_of};
use crate::failure::Failure;

/// A record of this hospital, as the ledger has it.
#[derive(Clone, Debug)]
pub struct OnLedger {
    /// The record.
    pub record: RecordNumber,
    /// Its owner.
    pub patient: LedgerId,
    /// Its current version.
    pub version: u32,
    /// Whether its patient had it erased.
    pub erased: bool,
    /// Commitment to the current version.
    pub commitment: Commitment,
    /// Transaction of the current version.
    pub transaction: Digest,
}

/// A code, as the ledger has it.
#[derive(Clone, Debug)]
pub struct CodeOnLedger {
    /// Its public key.
    pub key: PublicKey,
    /// Uses left; `u32::MAX` is without limit.
    pub uses_left: u32,
    /// Until when, exclusive.
    pub until: Timestamp,
}

impl CodeOnLedger {
    /// Whether the contract would take it now.
    pub fn is_usable(&self, now: u64) -> bool {
        self.uses_left > 0 && now < self.until.0
    }
}

/// An opened emergency.
#[derive(Clone, Debug)]
pub struct Emergency {
    /// The patient.
    pub patient: LedgerId,
    /// The doctor.
    pub doctor: LedgerId,
    /// Until when, exclusive.
    pub until: i64,
}

/// An item that asks for a record of this hospital.
#[derive(Clone, Debug)]
pub struct Item {
    /// The item.
    pub item: ItemId,
    /// The record.
    pub record: RecordNumber,
    /// Key to which the content key is sealed.
    pub item_key: [u8; 32],
    /// Where it stands.
    pub state: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// A view of records of this hospital.
#[derive(Clone, Debug)]
pub struct FoundView {
    /// Where it stands on the ledger: height and place.
    pub position: (i64, i64),
    /// The transaction.
    pub transaction: Digest,
    /// Who viewed.
    pub viewer: LedgerId,
    /// On what basis, as `interfaces::records::ViewTrace::basis` says it.
    pub basis: String,
    /// Why.
    pub purpose: Purpose,
    /// The viewer's name, sealed.
    pub viewer_name: Vec<u8>,
    /// Records and versions.
    pub records: Vec<(RecordNumber, u32)>,
    /// Block time.
    pub time: Timestamp,
}

/// A record of this hospital on the ledger.
pub async fn own_record(
    pool: &AnyPool,
    record: &RecordNumber,
) -> Result<Option<OnLedger>, Failure> {
    let row = sqlx::query(
        "SELECT ledger_records.record, ledger_records.patient, ledger_records.version, ledger_records.erased, \
         ledger_versions.commitment, ledger_versions.transaction_id FROM ledger_records \
         JOIN ledger_versions ON ledger_versions.record = ledger_records.record \
         AND ledger_versions.version = ledger_records.version WHERE ledger_records.record = $1",
    )
    .bind(record.to_string())
    .fetch_optional(pool)
    .await?;
    row.map(|row| read_record(&row)).transpose()
}

/// Those of the records that are on the ledger.
pub async fn own_records_among(
    pool: &AnyPool,
    records: &[RecordNumber],
) -> Result<BTreeMap<RecordNumber, OnLedger>, Failure> {
    // Numbers are hex: nothing in them can end the text.
    let list: Vec<String> = records.iter().map(|record| format!("'{record}'")).collect();
    let statement = format!(
        "SELECT ledger_records.record, ledger_records.patient, ledger_records.version, ledger_records.erased, \
         ledger_versions.commitment, ledger_versions.transaction_id FROM ledger_records \
         JOIN ledger_versions ON ledger_versions.record = ledger_records.record \
         AND ledger_versions.version = ledger_records.version WHERE ledger_records.record IN ({})",
        list.join(", ")
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .persistent(false)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| read_record(row).map(|found| (found.record, found)))
        .collect()
}

/// Records of this hospital on the ledger that are not erased, after `after`, by number.
pub async fn own_records_after(
    pool: &AnyPool,
    after: Option<&RecordNumber>,
    limit: i64,
) -> Result<Vec<OnLedger>, Failure> {
    let rows = sqlx::query(
        "SELECT ledger_records.record, ledger_records.patient, ledger_records.version, ledger_records.erased, \
         ledger_versions.commitment, ledger_versions.transaction_id FROM ledger_records \
         JOIN ledger_versions ON ledger_versions.record = ledger_records.record \
         AND ledger_versions.version = ledger_records.version \
         WHERE ledger_records.erased = 0 AND ledger_records.record > $1 ORDER BY ledger_records.record LIMIT $2",
    )
    .bind(after.map(ToString::to_string).unwrap_or_default())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read_record).collect()
}

fn read_record(row: &AnyRow) -> Result<OnLedger, Failure> {
    Ok(OnLedger {
        record: record_of(row)?,
        patient: parsed(row, "patient")?,
        version: count(row, "version")?,
        erased: column::<i64>(row, "erased")? != 0,
        commitment: decoded(row, "commitment")?,
        transaction: parsed(row, "transaction_id")?,
    })
}

/// The versions of a record that are on the ledger, with their commitments.
pub async fn committed_versions(
    pool: &AnyPool,
    record: &RecordNumber,
) -> Result<BTreeMap<u32, Commitment>, Failure> {
    let rows = sqlx::query("SELECT version, commitment FROM ledger_versions WHERE record = $1")
        .bind(record.to_string())
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| Ok((count(row, "version")?, decoded(row, "commitment")?)))
        .collect()
}

/// Whether a member is active on the ledger.
pub async fn is_active(pool: &AnyPool, member: &LedgerId) -> Result<bool, Failure> {
    let row =
        sqlx::query("SELECT COUNT(*) FROM ledger_members WHERE member = $1 AND status = 'active'")
            .bind(member.to_string())
            .fetch_one(pool)
            .await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

/// A member's current sealing key, as far as the ledger has it.
pub async fn sealing_key(pool: &AnyPool, member: &LedgerId) -> Result<Option<[u8; 32]>, Failure> {
    let row = sqlx::query(
        "SELECT sealing_key FROM ledger_members WHERE member = $1 AND sealing_key IS NOT NULL",
    )
    .bind(member.to_string())
    .fetch_optional(pool)
    .await?;
    row.map(|row| key_bytes(&row, "sealing_key")).transpose()
}

/// The hospitals that a doctor acts for at `now`.
pub async fn affiliations(
    pool: &AnyPool,
    doctor: &LedgerId,
    now: i64,
) -> Result<Vec<LedgerId>, Failure> {
    let rows = sqlx::query(
        "SELECT hospital FROM ledger_affiliations WHERE doctor = $1 AND from_time <= $2 AND until_time > $2 ORDER BY hospital",
    )
    .bind(doctor.to_string())
    .bind(now)
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| parsed(row, "hospital")).collect()
}

/// The code of a holder.
pub async fn code(
    pool: &AnyPool,
    record: &RecordNumber,
    holder: CodeHolder,
) -> Result<Option<CodeOnLedger>, Failure> {
    let row = sqlx::query(
        "SELECT public_key, uses_left, until FROM ledger_codes WHERE record = $1 AND holder = $2",
    )
    .bind(record.to_string())
    .bind(holder_number(holder))
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(CodeOnLedger {
            key: parsed(&row, "public_key")?,
            uses_left: count(&row, "uses_left")?,
            until: Timestamp(column::<i64>(&row, "until")?.unsigned_abs()),
        })
    })
    .transpose()
}

/// An opened emergency.
pub async fn emergency(pool: &AnyPool, id: &EmergencyId) -> Result<Option<Emergency>, Failure> {
    let row =
        sqlx::query("SELECT patient, doctor, until FROM ledger_emergencies WHERE emergency = $1")
            .bind(id.to_string())
            .fetch_optional(pool)
            .await?;
    row.map(|row| {
        Ok(Emergency {
            patient: parsed(&row, "patient")?,
            doctor: parsed(&row, "doctor")?,
            until: column(&row, "until")?,
        })
    })
    .transpose()
}

/// A patient's standing consents; both are on until something else was set.
pub async fn consent(pool: &AnyPool, patient: &LedgerId) -> Result<Consent, Failure> {
    let row =
        sqlx::query("SELECT share_for_treatment, research FROM ledger_consents WHERE patient = $1")
            .bind(patient.to_string())
            .fetch_optional(pool)
            .await?;
    let Some(row) = row else {
        return Ok(Consent {
            share_for_treatment: true,
            research: true,
        });
    };
    Ok(Consent {
        share_for_treatment: column::<i64>(&row, "share_for_treatment")? != 0,
        research: column::<i64>(&row, "research")? != 0,
    })
}

/// An item that asks for a record of this hospital.
pub async fn item(pool: &AnyPool, id: &ItemId) -> Result<Option<Item>, Failure> {
    let row = sqlx::query(
        "SELECT ledger_items.item_id, ledger_items.record, ledger_items.item_key, ledger_items.state, \
         ledger_applications.purpose FROM ledger_items \
         JOIN ledger_applications ON ledger_applications.application = $1 WHERE ledger_items.item = $2",
    )
    .bind(id.application.to_string())
    .bind(item_text(id))
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Item {
            item: decoded(&row, "item_id")?,
            record: record_of(&row)?,
            item_key: key_bytes(&row, "item_key")?,
            state: column(&row, "state")?,
            purpose: decoded(&row, "purpose")?,
        })
    })
    .transpose()
}

/// Items that both approved and whose key was not sent lately.
pub async fn items_to_release(pool: &AnyPool, now: i64) -> Result<Vec<ItemId>, Failure> {
    let rows = sqlx::query(
        "SELECT ledger_items.item_id FROM ledger_items JOIN deliveries ON deliveries.item = ledger_items.item \
         WHERE ledger_items.state = 'approved' AND deliveries.attempt_until < $1 ORDER BY ledger_items.item LIMIT 256",
    )
    .bind(now - crate::service::SETTLING_US)
    .fetch_all(pool)
    .await?;
    rows.iter().map(|row| decoded(row, "item_id")).collect()
}

/// Erased records whose erasure is not certified yet.
pub async fn records_to_certify(pool: &AnyPool, now: i64) -> Result<Vec<RecordNumber>, Failure> {
    let rows = sqlx::query(
        "SELECT ledger_records.record FROM ledger_records LEFT JOIN erasures ON erasures.record = ledger_records.record \
         WHERE ledger_records.erased = 1 AND ledger_records.certified = 0 \
         AND (erasures.attempt_until IS NULL OR erasures.attempt_until < $1) ORDER BY ledger_records.record LIMIT 64",
    )
    .bind(now - crate::service::SETTLING_US)
    .fetch_all(pool)
    .await?;
    rows.iter().map(record_of).collect()
}

/// The transaction that reported this finding.
pub async fn finding(
    pool: &AnyPool,
    record: &RecordNumber,
    version: u32,
    kind: TamperingKind,
) -> Result<Option<Digest>, Failure> {
    let row = sqlx::query("SELECT transaction_id FROM ledger_findings WHERE record = $1 AND version = $2 AND kind = $3")
        .bind(record.to_string())
        .bind(i64::from(version))
        .bind(kind as i64)
        .fetch_optional(pool)
        .await?;
    row.map(|row| parsed(&row, "transaction_id")).transpose()
}

/// Views of a patient's records, newest first, before `before`.
pub async fn views_of(
    pool: &AnyPool,
    patient: &LedgerId,
    before: (i64, i64),
    limit: i64,
) -> Result<Vec<FoundView>, Failure> {
    let rows = sqlx::query(
        "SELECT * FROM ledger_views WHERE patient = $1 AND (height < $2 OR (height = $2 AND position < $3)) \
         ORDER BY height DESC, position DESC LIMIT $4",
    )
    .bind(patient.to_string())
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read_view).collect()
}

/// As [`views_of`], without the patient's own.
pub async fn views_of_by_others(
    pool: &AnyPool,
    patient: &LedgerId,
    before: (i64, i64),
    limit: i64,
) -> Result<Vec<FoundView>, Failure> {
    let rows = sqlx::query(
        "SELECT * FROM ledger_views WHERE patient = $1 AND basis <> 'owner' \
         AND (height < $2 OR (height = $2 AND position < $3)) ORDER BY height DESC, position DESC LIMIT $4",
    )
    .bind(patient.to_string())
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read_view).collect()
}

/// Views of this hospital's records, newest first, before `before`; of one basis or viewer where told.
pub async fn views(
    pool: &AnyPool,
    basis: Option<&str>,
    viewer: Option<&LedgerId>,
    before: (i64, i64),
    limit: i64,
) -> Result<Vec<FoundView>, Failure> {
    // Each condition by itself, so that its index serves; `$1 = $1` where nothing is asked.
    let of_basis = basis.map_or("$1 = $1", |_| "basis = $1");
    let of_viewer = viewer.map_or("$2 = $2", |_| "viewer = $2");
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT * FROM ledger_views WHERE {of_basis} AND {of_viewer} \
         AND (height < $3 OR (height = $3 AND position < $4)) ORDER BY height DESC, position DESC LIMIT $5"
    )))
    .bind(basis.unwrap_or_default().to_owned())
    .bind(viewer.map(LedgerId::to_string).unwrap_or_default())
    .bind(before.0)
    .bind(before.1)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(read_view).collect()
}

/// The view that a transaction logged.
pub async fn view_of_transaction(
    pool: &AnyPool,
    transaction: &Digest,
) -> Result<Option<FoundView>, Failure> {
    let row = sqlx::query("SELECT * FROM ledger_views WHERE transaction_id = $1")
        .bind(transaction.to_string())
        .fetch_optional(pool)
        .await?;
    row.map(|row| read_view(&row)).transpose()
}

fn read_view(row: &AnyRow) -> Result<FoundView, Failure> {
    Ok(FoundView {
        position: (column(row, "height")?, column(row, "position")?),
        transaction: parsed(row, "transaction_id")?,
        viewer: parsed(row, "viewer")?,
        basis: column(row, "basis")?,
        purpose: decoded(row, "purpose")?,
        viewer_name: column(row, "viewer_name")?,
        records: decoded(row, "records")?,
        time: Timestamp(column::<i64>(row, "time")?.unsigned_abs()),
    })
}

fn decoded<T: DeserializeOwned + Serialize>(
    row: &AnyRow,
    name: &'static str,
) -> Result<T, Failure> {
    canonical::decode(&column::<Vec<u8>>(row, name)?).map_err(|_| Failure::Row(name))
}

fn key_bytes(row: &AnyRow, name: &'static str) -> Result<[u8; 32], Failure> {
    let text: String = column(row, name)?;
    ledger::byte_string::from_hex(&text).ok_or(Failure::Row(name))
}
