//! Authorization codes.

use contracts::Purpose;
use contracts::records::command::CodeHolder;
use interfaces::records::*;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_opens_one_record_until_it_is_changed_or_withdrawn() {
    let (consortium, records) = with_records("a").await;
    consortium
        .submit(&consortium.south, south_affiliation(&consortium))
        .await;
    let record = records[0];
    let shown = consortium
        .ask(&consortium.patient, ShowCode { record })
        .await
        .unwrap();
    assert_eq!(shown.holder, CodeHolder::Patient);
    let patient_id = format!("PID-{}", consortium.patient.key.ledger_id());
    let redeem = |record, code: &str, patient_id: &str| RedeemCode {
        record,
        code: code.to_owned(),
        patient_id: patient_id.to_owned(),
        purpose: Purpose::Treatment,
    };
    for wrong in [
        redeem(record, "0000-0000-0000-0000-0000-0000", &patient_id),
        redeem(record, "nonsense", &patient_id),
        redeem(record, &shown.code, "PID-wrong"),
        redeem(records[1], &shown.code, &patient_id),
    ] {
        let refused = consortium
            .ask(&consortium.visitor, wrong)
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.detail.as_str()),
            (403, "this code and patient ID open no record to you")
        );
    }
    let reply = consortium
        .ask(
            &consortium.visitor,
            redeem(record, &shown.code.to_lowercase(), &patient_id),
        )
        .await
        .unwrap();
    let RedeemReply::Viewed(viewed) = reply else {
        panic!("a doctor's key is in custody")
    };
    assert_eq!(viewed.records[0].integrity, Integrity::Verified);
    let hospital_code = consortium
        .ask(&consortium.north, ShowCode { record })
        .await
        .unwrap();
    let reply = consortium
        .ask(
            &consortium.visitor,
            redeem(record, &hospital_code.code, &patient_id),
        )
        .await;
    assert!(
        matches!(reply, Ok(RedeemReply::Viewed(_))),
        "the hospital's code opens while the patient shares"
    );
    let changed = consortium
        .ask(
            &consortium.patient,
            ChangeCode {
                record,
                uses: Some(1),
                hours: None,
            },
        )
        .await
        .unwrap();
    assert_ne!(changed.code, shown.code);
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &shown.code, &patient_id)
                )
                .await
        ),
        403
    );
    let locators = consortium.outside.locators.lock().unwrap().clone();
    let new_locator = changed
        .code
        .parse::<keys::AuthorizationCode>()
        .unwrap()
        .locator();
    assert!(
        locators
            .iter()
            .any(|locator| locator.locator == new_locator && locator.service == "records-north")
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &changed.code, &patient_id)
                )
                .await
        ),
        200
    );
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &changed.code, &patient_id)
                )
                .await
        ),
        403
    );
    consortium
        .ask(&consortium.north, WithdrawCode { record })
        .await
        .unwrap();
    assert_eq!(
        status(
            consortium
                .ask(
                    &consortium.visitor,
                    redeem(record, &hospital_code.code, &patient_id)
                )
                .await
        ),
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_party_signs_its_redemption_and_collects_the_view_once_it_is_committed() {
    let (consortium, records) = with_records("a").await;
    let record = records[0];
    let shown = consortium
        .ask(&consortium.patient, ShowCode { record })
        .await
        .unwrap();
    let patient_id = format!("PID-{}", consortium.patient.key.ledger_id());
    let request = RedeemCode {
        record,
        code: shown.code,
        patient_id,
        purpose: Purpose::Payment,
    };
    let RedeemReply::SignatureNeeded(unsigned) = consortium
        .ask(&consortium.institute, request)
        .await
        .unwrap()
    else {
        panic!("a third party holds the own key")
    };
    assert_eq!(unsigned.service, "records-north");
    let collect = CollectView {
        transaction: unsigned.transaction,
    };
    assert_eq!(
        status(consortium.ask(&consortium.institute, collect.clone()).await),
        403,
        "not committed yet"
    );
    let body = ledger::canonical::decode(&unsigned.unsigned.0).unwrap();
    let signature = interfaces::Base64(consortium.institute.key.sign(body).signature.0.to_vec());
    let submit = interfaces::SubmitSignature {
        transaction: unsigned.transaction,
        signature,
    };
    consortium.ask(&consortium.institute, submit).await.unwrap();
    let viewed = consortium
        .ask(&consortium.institute, collect.clone())
        .await
        .unwrap();
    assert_eq!(viewed.records[0].integrity, Integrity::Verified);
    assert_eq!(
        status(consortium.ask(&consortium.visitor, collect).await),
        403,
        "only for the one who viewed"
    );
}
