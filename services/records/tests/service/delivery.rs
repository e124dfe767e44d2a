//! From an application to its released content.

use contracts::authorization::command::{Command as Ask, ItemOffer};
use contracts::authorization::event::Event as Workflow;
use contracts::settlement::command::Command as Money;
use contracts::{ApplicationId, Event, ItemId, PaymentReference, Purpose};
use interfaces::records::*;
use keys::SealingKey;
use ledger::{Commitment, DigestAlgorithm, Timestamp};

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_item_is_delivered_sealed_and_its_key_released_after_the_patient() {
    let (consortium, records) = with_records("b").await;
    let consent = SetConsent {
        share_for_treatment: true,
        research: true,
    };
    consortium.ask(&consortium.patient, consent).await.unwrap();
    let shown = consortium.ask(&consortium.patient, GetConsent {}).await;
    assert!(shown.unwrap().research);
    let deposit = Money::Deposit {
        reference: PaymentReference([1; 16]),
        account: consortium.institute.key.ledger_id(),
        amount: 100_000,
    };
    consortium.submit(&consortium.treasurer, deposit).await;
    let item_key = SealingKey::random();
    let application = ApplicationId([5; 16]);
    let statement = Commitment::new(DigestAlgorithm::Sha256, &[0; 32], &[b"why"]);
    let offers = records.iter().map(|record| ItemOffer {
        record: *record,
        price: 500,
        item_key: item_key.public_key().0,
    });
    let until = Timestamp(chassis::clock::now() + 86_400_000_000);
    let apply = Ask::ApplyForRecords {
        application,
        purpose: Purpose::Research,
        until,
        statement,
        items: offers.collect(),
    };
    consortium.submit(&consortium.institute, apply).await;
    let (first, second) = (
        ItemId {
            application,
            index: 0,
        },
        ItemId {
            application,
            index: 1,
        },
    );
    let decide = |item, refuse| DecideItemAsHospital { item, refuse };
    assert_eq!(
        status(consortium.ask(&consortium.south, decide(first, None)).await),
        403
    );
    let approved = consortium
        .ask(&consortium.north, decide(first, None))
        .await
        .unwrap();
    let reason = contracts::authorization::command::RefusalReason::Sensitive;
    consortium
        .ask(&consortium.north, decide(second, Some(reason)))
        .await
        .unwrap();
    assert_eq!(
        status(
            consortium
                .ask(&consortium.north, decide(second, None))
                .await
        ),
        409
    );
    assert!(approved.height > 0);
    let released =
        |event: &Event| matches!(event, Event::Authorization(Workflow::ItemReleased { .. }));
    assert_eq!(
        consortium
            .events()
            .iter()
            .filter(|event| released(event))
            .count(),
        0
    );
    consortium
        .submit(&consortium.patient, Ask::ApproveAsPatient { item: first })
        .await;
    consortium.wait_for_events(1, released).await;
    let ciphertext = consortium.outside.deliveries.lock().unwrap()[&first].clone();
    let (mut sealed, mut commitment) = (None, None);
    for event in consortium.events() {
        match event {
            Event::Authorization(Workflow::ItemReleased { sealed_key, .. }) => {
                sealed = Some(sealed_key.0)
            }
            Event::Authorization(Workflow::HospitalApproved { release, .. }) => {
                commitment = Some(release)
            }
            _ => {}
        }
    }
    let named = keys::delivery::item_data(&application.0, 0);
    let package = keys::delivery::open(&item_key, &named, &sealed.unwrap(), &ciphertext).unwrap();
    assert!(
        commitment
            .unwrap()
            .opens(&package.salt, &[&package.content])
    );
    assert!(
        !String::from_utf8(package.content)
            .unwrap()
            .contains("Canary")
    );
}
