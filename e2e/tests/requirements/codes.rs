//! The voluntary path: a code and the patient ID.

use contracts::Purpose;
use contracts::membership::command::MemberKind;
use e2e::cast::{Cast, made_up, until_some};
use e2e::system::Setup;
use interfaces::Page;
use interfaces::records::{Integrity, RecordSummary, RedeemReply, ShownCode, ViewedRecords};
use serde_json::json;

/// A61, A62. Fault: a third party's redemption shows the record before its own signature is on the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_third_party_opens_one_record_by_the_patients_code_and_patient_id_with_its_own_signature()
{
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let person = made_up(1).remove(0);
    let patient = cast.patient(&person).await;
    let hospital = &cast.hospitals[0];
    until_some(async || {
        let report = hospital.import(&person.bundle).await.unwrap();
        (report.unchanged.len() == person.records).then_some(())
    })
    .await;
    let institute = cast
        .organisation(MemberKind::ThirdParty, "Institute of Codes")
        .await;
    let found: Page<RecordSummary> = hospital
        .member
        .post(&hospital.path("records/search"), &json!({}))
        .await
        .unwrap();
    let record = found.entries[0].record.unwrap();
    let path = hospital.path(&format!("records/{record}/code"));
    let shown: ShownCode = patient.member.get(&path).await.unwrap();
    let patient_id = patient.account.patient_id.clone().unwrap();
    let redeem = |patient_id: &str| json!({ "code": shown.code, "patient_id": patient_id, "purpose": Purpose::Research });
    let refused = institute
        .post::<_, RedeemReply>("/v1/codes/redeem", &redeem("0000-0000-0000"))
        .await
        .err()
        .unwrap();
    assert!(refused.is_status(403), "{refused}");

    // Nothing is shown for the code alone: the redemption is signed and committed first.
    let reply = institute
        .post("/v1/codes/redeem", &redeem(&patient_id))
        .await
        .unwrap();
    let RedeemReply::SignatureNeeded(unsigned) = reply else {
        panic!("a third party holds its own key")
    };
    let collect = hospital.path(&format!("records/views/{}", unsigned.transaction));
    let early = institute
        .get::<ViewedRecords>(&collect)
        .await
        .err()
        .unwrap();
    assert!(early.is_status(403), "{early}");
    institute.sign(&unsigned).await.unwrap();
    let viewed: ViewedRecords = institute.get(&collect).await.unwrap();
    assert_eq!(viewed.records.len(), 1);
    assert_eq!(
        (viewed.records[0].record, viewed.records[0].integrity),
        (record, Integrity::Verified)
    );
    assert!(viewed.records[0].content.is_some());
    let other = cast
        .insurer
        .get::<ViewedRecords>(&collect)
        .await
        .err()
        .unwrap();
    assert!(other.is_status(403), "{other}");
}
