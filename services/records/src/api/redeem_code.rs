//! Opens one record by an authorization code and the patient ID. By a doctor, a third party, an insurer or another
//! hospital.
//!
//! A code has 120 bits and is not guessed; whoever has one and tries patient IDs has ten tries, after which the code opens
//! nothing until its holder changes it. The holder is shown how often it was tried.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::{CodeHolder, Command, REDEMPTION_DOMAIN, redemption_message};
use interfaces::Problem;
use interfaces::identity::{CheckPatientId, GetMember};
use interfaces::records::{RedeemCode, RedeemReply};
use keys::{AuthorizationCode, Role};
use ledger::{LedgerId, PublicKey, Signature, TransactionBody};
use submission::Caller;

use crate::facts::codes;
use crate::failure::{Failure, forbidden};
use crate::projections::{self, OnLedger};
use crate::service::{Records, now_us};

/// Every wrong combination of code, record and patient ID gets this answer.
fn does_not_open() -> Failure {
    Problem::forbidden("this code and patient ID open no record to you").into()
}

pub(super) async fn redeem_code(
    records: Arc<Records>,
    call: Call,
    request: RedeemCode,
) -> Result<RedeemReply, Failure> {
    let caller = records.caller(&call)?;
    caller.require_any(&[
        Role::Doctor,
        Role::ThirdParty,
        Role::Insurer,
        Role::Hospital,
    ])?;
    let on_ledger = records
        .standing_record(&request.record)
        .await
        .map_err(|_| does_not_open())?;
    let (code, holder) = matching_code(&records, &on_ledger, &request.code).await?;
    let shown = code.key(&request.record.0).public_key();
    check_patient_id(&records, &on_ledger.patient, &request.patient_id, &shown).await?;
    let (redeemer, hospital) = redeemer(&records, &caller, holder).await?;
    let viewer = records
        .sealed_viewer(&caller, &on_ledger.patient, None)
        .await?;
    let key = public_key(&records, &caller, &redeemer).await?;
    let unproven = Command::RedeemCode {
        record: request.record,
        holder,
        proof: Signature([0; 64]),
        hospital,
        purpose: request.purpose,
        viewer: viewer.clone(),
    };
    let mut body: TransactionBody = records.desk.body(redeemer, key, &unproven.into());
    let message = redemption_message(&body.chain, &redeemer, &request.record, body.nonce);
    let proof = code
        .key(&request.record.0)
        .sign(REDEMPTION_DOMAIN, &message);
    let proven = Command::RedeemCode {
        record: request.record,
        holder,
        proof,
        hospital,
        purpose: request.purpose,
        viewer,
    };
    body.command = contracts::Command::from(proven).to_bytes();
    if caller.has_custodial_keys() {
        let signed = records.desk.sign_with_custody(&caller, body).await?;
        let committed = records
            .desk
            .commit_signed(signed, submission::no_facts())
            .await?;
        return Ok(RedeemReply::Viewed(records.content_of(committed).await?));
    }
    let unsigned = records
        .desk
        .prepare_body(body, submission::no_facts())
        .await?;
    Ok(RedeemReply::SignatureNeeded(unsigned))
}

/// The code and whose it is, if it is one of the record's current codes. The contract verifies the proof; this refuses
/// early, so that a wrong code leaves no trace of the guess on the ledger.
async fn matching_code(
    records: &Records,
    on_ledger: &OnLedger,
    text: &str,
) -> Result<(AuthorizationCode, CodeHolder), Failure> {
    let code: AuthorizationCode = text.parse().map_err(|_| does_not_open())?;
    let key = code.key(&on_ledger.record.0).public_key();
    for holder in [CodeHolder::Patient, CodeHolder::Hospital] {
        let current = projections::code(records.reader(), &on_ledger.record, holder).await?;
        if current
            .is_some_and(|current| current.key == key && current.is_usable(chassis::clock::now()))
        {
            return Ok((code, holder));
        }
    }
    Err(does_not_open())
}

async fn check_patient_id(
    records: &Records,
    patient: &LedgerId,
    patient_id: &str,
    code: &PublicKey,
) -> Result<(), Failure> {
    // Counted before it is known whether it is wrong: tries at the same time get no more of them.
    let mut transaction = records.store.begin().await?;
    codes::count_wrong_patient_id(&mut transaction, code).await?;
    transaction.commit().await?;
    let tried = codes::wrong_patient_ids(records.reader(), code).await?;
    if tried > codes::WRONG_PATIENT_IDS_MAX {
        return Err(does_not_open());
    }
    let check = CheckPatientId {
        patient: *patient,
        patient_id: patient_id.to_owned(),
    };
    let checked = records.ask_identity(None, &check).await?;
    if !checked.belongs {
        return Err(does_not_open());
    }
    let mut transaction = records.store.begin().await?;
    codes::forget_wrong_patient_ids(&mut transaction, code).await?;
    Ok(transaction.commit().await?)
}

/// The member who redeems and, for a doctor, the hospital they act for: another one where the hospital's code is shown,
/// which opens nothing to anybody else.
async fn redeemer(
    records: &Records,
    caller: &Caller,
    holder: CodeHolder,
) -> Result<(LedgerId, Option<LedgerId>), Failure> {
    if !caller.session().has_role(Role::Doctor) {
        return match holder {
            CodeHolder::Patient => Ok((caller.member()?, None)),
            CodeHolder::Hospital => Err(does_not_open()),
        };
    }
    let doctor = records.doctor_id(caller)?;
    let acts_for = projections::affiliations(records.reader(), &doctor, now_us()).await?;
    let other = acts_for
        .iter()
        .find(|hospital| **hospital != records.hospital)
        .copied();
    let hospital = match holder {
        CodeHolder::Patient => other.or_else(|| acts_for.first().copied()),
        CodeHolder::Hospital => other,
    };
    Ok((doctor, Some(hospital.ok_or_else(does_not_open)?)))
}

/// The redeemer's key; identity fills in a custodial one when it signs.
async fn public_key(
    records: &Records,
    caller: &Caller,
    redeemer: &LedgerId,
) -> Result<PublicKey, Failure> {
    if caller.has_custodial_keys() {
        return Ok(PublicKey([0; 32]));
    }
    caller.require_owner(redeemer).map_err(|_| forbidden())?;
    Ok(records
        .ask_identity(None, &GetMember { member: *redeemer })
        .await?
        .public_key)
}
