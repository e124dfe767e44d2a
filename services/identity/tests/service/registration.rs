//! Persons register; nodes endorse them.

use contracts::membership::command::{Command as Membership, MemberKind};
use interfaces::identity::*;

use crate::consortium::{Consortium, registration};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_acts_only_once_nodes_have_endorsed_them() {
    let consortium = Consortium::start().await;
    let registered = consortium
        .register(MemberKind::Doctor, "D-1")
        .await
        .unwrap();
    let id = registered.ledger_ids["self"];
    assert_eq!(registered.registrations.len(), 1);
    let refused = consortium.sign_in("D-1").await.unwrap_err();
    assert_eq!(refused.status, 403, "{refused:?}");
    let summary = consortium
        .ask(None, GetMember { member: id })
        .await
        .unwrap();
    assert_eq!((summary.status.as_str(), summary.name), ("pending", None));
    consortium.endorse(id).await;
    consortium.sign_in("D-1").await.unwrap();
    let suspend = Membership::SuspendMember { member: id };
    assert!(consortium.submit(&consortium.regulator, suspend).await);
    let refused = consortium.sign_in("D-1").await.unwrap_err();
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_identity_id_registers_once_and_a_bad_registration_names_its_field() {
    let consortium = Consortium::start().await;
    consortium
        .register(MemberKind::Patient, "P-1")
        .await
        .unwrap();
    for again in [
        // The same document under another login, and the same login with another document.
        RegisterPerson {
            login: "another login".into(),
            ..registration(MemberKind::Patient, "P-1")
        },
        RegisterPerson {
            identity_id: "P-2".into(),
            ..registration(MemberKind::Patient, "P-1")
        },
    ] {
        let refused = consortium.ask(None, again).await.err().unwrap();
        assert_eq!(refused.status, 409);
        assert!(
            !refused.detail.contains("P-1"),
            "the refusal repeats what was asked"
        );
    }
    let bad = |change: fn(&mut RegisterPerson)| {
        let mut request = registration(MemberKind::Patient, "P-9");
        change(&mut request);
        request
    };
    for (request, field) in [
        (bad(|it| it.kind = MemberKind::Insurer), "/kind"),
        (bad(|it| it.real_name = "  ".into()), "/real_name"),
        (bad(|it| it.identity_id = "x".repeat(201)), "/identity_id"),
        (bad(|it| it.login.clear()), "/login"),
        (bad(|it| it.password = "too short".into()), "/password"),
    ] {
        let refused = consortium.ask(None, request).await.err().unwrap();
        assert_eq!(
            (refused.status, refused.field.as_deref()),
            (400, Some(field))
        );
    }
    // What was refused left nothing behind.
    consortium
        .register(MemberKind::Patient, "P-9")
        .await
        .unwrap();
}
