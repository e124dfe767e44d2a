//! A hospital's registration desk: invitations, and clerks.

use contracts::membership::command::{Command as Membership, MemberKind};
use interfaces::identity::*;
use interfaces::staff::*;
use interfaces::{Base64, Problem};
use keys::MemberKey;
use keys::token::Role;
use ledger::Timestamp;

use crate::consortium::{Consortium, registration};

const LOGIN: &str = "a login of one's own";
const PASSWORD: &str = "the password that nobody else knows";

/// A hospital signs in with its key; the token.
async fn hospital(consortium: &Consortium, key: &MemberKey) -> String {
    let member = key.ledger_id();
    let asked = GetSignInChallenge { member };
    let challenge = consortium.ask(None, asked).await.unwrap().challenge;
    let signature = key.sign_message(SIGN_IN_DOMAIN, &challenge.0);
    let request = SignInWithKey {
        member,
        challenge,
        signature: Base64(signature.0.to_vec()),
    };
    consortium.ask(None, request).await.unwrap().token
}

fn invite(kind: InvitedKind, identity_id: &str) -> InvitePerson {
    InvitePerson {
        kind,
        real_name: format!("Canary {identity_id}"),
        identity_id: identity_id.to_owned(),
    }
}

fn accept(code: &str) -> AcceptInvitation {
    AcceptInvitation {
        code: code.to_owned(),
        login: LOGIN.into(),
        password: PASSWORD.into(),
    }
}

async fn sign_in(consortium: &Consortium) -> Result<String, Problem> {
    let request = SignIn {
        login: LOGIN.into(),
        password: PASSWORD.into(),
        ..SignIn::default()
    };
    Ok(consortium.ask(None, request).await?.token)
}

/// A clerk of the first hospital; the hospital's token, the clerk's account and token.
async fn with_clerk(consortium: &Consortium) -> (String, String, String) {
    let hospital = hospital(consortium, &consortium.hospital).await;
    let asked = invite(InvitedKind::Clerk, "S-1");
    let invitation = consortium.ask(Some(&hospital), asked).await.unwrap();
    let accepted = consortium.ask(None, accept(&invitation.code)).await;
    let account = accepted.unwrap().account;
    let token = sign_in(consortium).await.unwrap();
    (hospital, account, token)
}

fn status<T>(answer: Result<T, Problem>) -> u16 {
    answer.err().expect("refused").status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_acts_for_the_hospital_that_invited_them_and_has_no_key_of_their_own() {
    let consortium = Consortium::start().await;
    let (hospital, account, token) = with_clerk(&consortium).await;
    let now = Timestamp(chassis::clock::now());
    let session = keys::token::verify(&consortium.token_key, &token, now).unwrap();
    assert_eq!(session.roles, [Role::Clerk]);
    assert_eq!(session.organisation, Some(consortium.hospital.ledger_id()));
    assert!(session.ledger_ids.is_empty());
    let own = consortium
        .ask(Some(&token), GetOwnAccount {})
        .await
        .unwrap();
    assert_eq!((own.kind, own.ledger_ids.len()), (MemberKind::Hospital, 0));
    let listed = consortium.ask(Some(&hospital), ListClerks::default()).await;
    let listed = listed.unwrap().entries;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            listed[0].account.as_str(),
            listed[0].real_name.as_str(),
            listed[0].staff_number.as_str(),
        ),
        (account.as_str(), "Canary S-1", "S-1")
    );
    // Another hospital has none, and a clerk is no hospital.
    let other = super::desk::hospital(&consortium, &consortium.other_hospital).await;
    let none = consortium.ask(Some(&other), ListClerks::default()).await;
    assert_eq!(none.unwrap().entries, []);
    let refused = consortium.ask(Some(&token), ListClerks::default()).await;
    assert_eq!(status(refused), 403);
    // The same staff number is another person at another hospital, and the same one here.
    let asked = invite(InvitedKind::Clerk, "s 1");
    assert_eq!(
        status(consortium.ask(Some(&hospital), asked.clone()).await),
        409
    );
    consortium.ask(Some(&other), asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_who_was_invited_at_the_desk_is_one_like_any_other() {
    let consortium = Consortium::start().await;
    let (_, _, clerk) = with_clerk(&consortium).await;
    let asked = invite(InvitedKind::Patient, "P-1");
    let invitation = consortium.ask(Some(&clerk), asked).await.unwrap();
    let accepting = AcceptInvitation {
        login: registration(MemberKind::Patient, "P-1").login,
        password: registration(MemberKind::Patient, "P-1").password,
        ..accept(&invitation.code)
    };
    let registered = consortium.ask(None, accepting).await.unwrap();
    assert_eq!(registered.registrations.len(), 2);
    assert!(registered.patient_id.is_some());
    assert_eq!(status(consortium.sign_in("P-1").await), 403);
    for id in registered.ledger_ids.values() {
        consortium.endorse(*id).await;
    }
    consortium.sign_in("P-1").await.unwrap();
    // Who has an account is not invited again.
    let asked = invite(InvitedKind::Patient, "p1");
    assert_eq!(status(consortium.ask(Some(&clerk), asked).await), 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_hospital_invites_and_clerks_invite_patients_alone() {
    let consortium = Consortium::start().await;
    let (_, _, clerk) = with_clerk(&consortium).await;
    let (_, doctor) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let (_, patient) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let regulator = hospital(&consortium, &consortium.regulator).await;
    for (token, kind) in [
        (&doctor, InvitedKind::Patient),
        (&patient, InvitedKind::Patient),
        (&regulator, InvitedKind::Patient),
        (&regulator, InvitedKind::Clerk),
        (&doctor, InvitedKind::Clerk),
        (&clerk, InvitedKind::Clerk),
    ] {
        let refused = consortium.ask(Some(token), invite(kind, "X-1")).await;
        assert_eq!(status(refused), 403, "{kind:?}");
    }
    let refused = consortium
        .ask(None, invite(InvitedKind::Patient, "X-1"))
        .await;
    assert_eq!(status(refused), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_counts_once_and_a_wrong_one_says_nothing() {
    let consortium = Consortium::start().await;
    let hospital = hospital(&consortium, &consortium.hospital).await;
    let asked = invite(InvitedKind::Clerk, "S-1");
    let invitation = consortium.ask(Some(&hospital), asked).await.unwrap();
    let weak = AcceptInvitation {
        password: "short".into(),
        ..accept(&invitation.code)
    };
    assert_eq!(status(consortium.ask(None, weak).await), 400);
    for wrong in ["", "nonsense", "0000-0000-0000-0000-0000-0000"] {
        assert_eq!(status(consortium.ask(None, accept(wrong)).await), 404);
    }
    // Two at once: one of them gets the account.
    let (one, other) = tokio::join!(
        consortium.ask(None, accept(&invitation.code)),
        consortium.ask(
            None,
            AcceptInvitation {
                login: "another login".into(),
                ..accept(&invitation.code)
            }
        )
    );
    assert_eq!(
        [one.is_ok(), other.is_ok()]
            .iter()
            .filter(|ok| **ok)
            .count(),
        1
    );
    assert_eq!(
        status(consortium.ask(None, accept(&invitation.code)).await),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_whose_account_the_hospital_ends_is_signed_out_and_stays_so() {
    let consortium = Consortium::start().await;
    let (hospital, account, token) = with_clerk(&consortium).await;
    let end = EndClerk {
        account: account.clone(),
    };
    let other = super::desk::hospital(&consortium, &consortium.other_hospital).await;
    for stranger in [&other, &token] {
        let refused = status(consortium.ask(Some(stranger), end.clone()).await);
        assert!(matches!(refused, 403 | 404), "{refused}");
    }
    consortium
        .ask(Some(&token), GetOwnAccount {})
        .await
        .unwrap();
    consortium.ask(Some(&hospital), end).await.unwrap();
    assert_eq!(
        status(consortium.ask(Some(&token), GetOwnAccount {}).await),
        401
    );
    assert_eq!(status(sign_in(&consortium).await), 403);
    let listed = consortium.ask(Some(&hospital), ListClerks::default()).await;
    assert!(listed.unwrap().entries[0].ended.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn clerks_of_a_hospital_that_is_suspended_act_nowhere() {
    let consortium = Consortium::start().await;
    let (_, _, token) = with_clerk(&consortium).await;
    let member = consortium.hospital.ledger_id();
    let suspend = Membership::SuspendMember { member };
    assert!(consortium.submit(&consortium.regulator, suspend).await);
    assert_eq!(
        status(consortium.ask(Some(&token), GetOwnAccount {}).await),
        401
    );
    assert_eq!(status(sign_in(&consortium).await), 403);
}
