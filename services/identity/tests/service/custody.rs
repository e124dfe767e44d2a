//! Custody: what a thief of identity's database can do with it, and what a session can.

use contracts::Command;
use contracts::PaymentReference;
use contracts::membership::command::MemberKind;
use contracts::settlement::command::Command as Money;
use interfaces::Base64;
use interfaces::identity::*;
use keys::{MemberKey, SealingKey, Secret};
use ledger::{LedgerId, PublicKey, Timestamp, TransactionBody, canonical};
use sqlx::{Connection, Row};

use crate::consortium::Consortium;

fn withdrawal(consortium: &Consortium, submitter: LedgerId) -> SignTransaction {
    let command = Command::from(Money::Withdraw {
        reference: PaymentReference([1; 16]),
        amount: 1,
    });
    let body = TransactionBody {
        chain: consortium.gateway.chain(),
        submitter,
        public_key: PublicKey([0; 32]),
        nonce: 1,
        valid_until: Timestamp(chassis::clock::now() + 30_000_000),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    SignTransaction {
        unsigned: Base64(canonical::encode(&body)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_signs_for_its_own_account_and_for_the_service_that_works_for_the_contract() {
    let consortium = Consortium::start().await;
    let (person, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let (other, other_token) = consortium.enrol(MemberKind::Patient, "P-2").await;
    let own = person.ledger_ids["insurance"];
    let asked = withdrawal(&consortium, own);
    let signature = consortium
        .ask_by(&consortium.settlement, Some(&token), asked.clone())
        .await
        .unwrap();
    let member = consortium
        .ask(None, GetMember { member: own })
        .await
        .unwrap();
    assert_eq!(signature.public_key, member.public_key);

    // Not for another's ledger id, not with another's token, not without one, not for another service.
    let of_another = withdrawal(&consortium, other.ledger_ids["insurance"]);
    for (process, token, request, status) in [
        (&consortium.settlement, Some(&token), of_another, 403),
        (
            &consortium.settlement,
            Some(&other_token),
            asked.clone(),
            403,
        ),
        (&consortium.settlement, None, asked.clone(), 401),
        (&consortium.gateway, Some(&token), asked.clone(), 403),
        (&consortium.north, Some(&token), asked.clone(), 403),
    ] {
        let refused = consortium
            .ask_by(process, token.map(String::as_str), request)
            .await
            .unwrap_err();
        assert_eq!(refused.status, status, "{refused:?}");
    }
    // Nor after the session's end.
    consortium.ask(Some(&token), SignOut {}).await.unwrap();
    let refused = consortium
        .ask_by(&consortium.settlement, Some(&token), asked)
        .await
        .unwrap_err();
    assert_eq!(refused.status, 401);
}

/// The thief has every row; not the password, not a live token. (The session secret is in a file beside the database;
/// with it alone nothing opens either.)
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_database_signs_nothing_and_names_nobody() {
    let consortium = Consortium::start().await;
    let (person, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    sqlx::any::install_default_drivers();
    let mut stolen = sqlx::AnyConnection::connect(consortium.database.url())
        .await
        .unwrap();
    let rows = sqlx::query("SELECT ledger_id, public_key, sealed_seed FROM ledger_ids")
        .fetch_all(&mut stolen)
        .await
        .unwrap();
    assert_eq!(rows.len(), person.ledger_ids.len());
    for row in rows {
        let id: LedgerId = row.get::<String, _>(0).parse().unwrap();
        let public: PublicKey = row.get::<String, _>(1).parse().unwrap();
        let sealed: Vec<u8> = row.get(2);
        // The sealed bytes are no seed, at no place in them, and open with no key that can be had from the rows.
        for window in sealed.windows(32) {
            let seed: [u8; 32] = window.try_into().unwrap();
            let key = MemberKey::from_seed(id, Secret::from_bytes(seed));
            assert_ne!(key.public_key(), public, "a seed lies in the open");
            let opened = SealingKey::from_secret(&Secret::from_bytes(seed)).open(
                b"medshare/custody/seed/v1",
                b"",
                &sealed,
            );
            assert!(opened.is_err());
        }
    }
    // Every file of the database, the write-ahead log among them.
    let file = consortium.database.url().trim_start_matches("sqlite://");
    let file = file.split('?').next().unwrap();
    for end in ["", "-wal"] {
        let bytes = std::fs::read(format!("{file}{end}")).unwrap_or_default();
        for secret in ["Canary P-1", "the password of P-1", &token] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes()),
                "{secret} lies in the open"
            );
        }
    }
}
