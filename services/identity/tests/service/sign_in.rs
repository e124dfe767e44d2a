//! Sign-in.

use bus::EndedSessions;
use contracts::membership::command::MemberKind;
use interfaces::identity::*;
use interfaces::{Problem, UseCase};

use crate::consortium::Consortium;

fn wrong(login: &str, device: Option<&str>) -> SignIn {
    SignIn {
        login: login.to_owned(),
        password: "not the password at all".into(),
        device: device.map(str::to_owned),
        second_factor: None,
    }
}

fn right(identity_id: &str, device: Option<&str>) -> SignIn {
    SignIn {
        login: format!("login {identity_id}"),
        password: format!("the password of {identity_id}"),
        device: device.map(str::to_owned),
        second_factor: None,
    }
}

async fn guess(consortium: &Consortium, login: &str) -> (u16, String) {
    let refused = consortium
        .ask(None, wrong(login, None))
        .await
        .err()
        .unwrap();
    (refused.status, refused.detail)
}

/// As somebody at an address.
async fn at<Q: UseCase>(
    consortium: &Consortium,
    address: [u8; 4],
    request: Q,
) -> Result<Q::Reply, Problem> {
    bus::origin::asked_from(address.into(), consortium.ask(None, request)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_login_and_a_wrong_password_get_the_same_answer() {
    let consortium = Consortium::start().await;
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    let known = guess(&consortium, "login D-1").await;
    assert_eq!(known.0, 401);
    assert_eq!(known, guess(&consortium, "nobody's login").await);
    consortium.sign_in("D-1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_wrong_passwords_lock_the_address_they_came_from_whether_the_login_exists_or_not() {
    let consortium = Consortium::start().await;
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    consortium.enrol(MemberKind::Doctor, "D-2").await;
    for login in ["login D-1", "nobody's login"] {
        for _ in 0..10 {
            let refused = at(&consortium, [192, 0, 2, 1], wrong(login, None)).await;
            assert_eq!(refused.err().unwrap().status, 401);
        }
        let refused = at(&consortium, [192, 0, 2, 1], wrong(login, None)).await;
        assert_eq!(refused.err().unwrap().status, 429);
    }
    // The right password comes too late there: nobody learns by guessing on whether it was right.
    let refused = at(&consortium, [192, 0, 2, 1], right("D-1", None)).await;
    assert_eq!(refused.err().unwrap().status, 429);
    // Its owner is somewhere else, and others are themselves.
    at(&consortium, [192, 0, 2, 2], right("D-1", None))
        .await
        .unwrap();
    at(&consortium, [192, 0, 2, 1], right("D-2", None))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_at_the_owners_own_address_does_not_lock_the_owners_device_out() {
    let consortium = Consortium::start().await;
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    let here = [192, 0, 2, 1];
    let first = at(&consortium, here, right("D-1", None)).await.unwrap();
    let device = first.device.expect("a mark of this device");
    for _ in 0..11 {
        let _ = at(&consortium, here, wrong("login D-1", None)).await;
    }
    let refused = at(&consortium, here, right("D-1", None)).await;
    assert_eq!(refused.err().unwrap().status, 429);
    at(&consortium, here, right("D-1", Some(&device)))
        .await
        .unwrap();
    // A made-up mark, or that of another login, is none.
    consortium.enrol(MemberKind::Doctor, "D-2").await;
    let other = consortium.ask(None, right("D-2", None)).await.unwrap();
    for mark in [Some("0".repeat(64)), other.device, Some("é".repeat(32))] {
        let refused = at(&consortium, here, right("D-1", mark.as_deref())).await;
        assert_eq!(refused.err().unwrap().status, 429);
    }
    // Guesses with the device in hand lock the device.
    for _ in 0..10 {
        let refused = at(&consortium, here, wrong("login D-1", Some(&device))).await;
        assert_eq!(refused.err().unwrap().status, 401);
    }
    let refused = at(&consortium, here, right("D-1", Some(&device))).await;
    assert_eq!(refused.err().unwrap().status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_password_forgives_the_wrong_ones_before() {
    let consortium = Consortium::start().await;
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    for _ in 0..2 {
        for _ in 0..9 {
            assert_eq!(guess(&consortium, "login D-1").await.0, 401);
        }
        consortium.sign_in("D-1").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_lists_the_own_sessions_and_ends_them_and_nobody_elses() {
    let consortium = Consortium::start().await;
    let (_, first) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let second = consortium.sign_in("D-1").await.unwrap();
    let (_, other) = consortium.enrol(MemberKind::Doctor, "D-2").await;
    let list = async |token: &str| consortium.ask(Some(token), ListSessions {}).await;
    let own = list(&second).await.unwrap();
    assert_eq!(own.len(), 2);
    let of_first = own.iter().find(|session| !session.current).unwrap();
    assert_eq!(
        (of_first.method.as_str(), of_first.through.as_str()),
        ("password", "gateway")
    );

    let end = |session: &str| EndSession {
        session: session.to_owned(),
    };
    let refused = consortium.ask(Some(&other), end(&of_first.session)).await;
    assert_eq!(refused.unwrap_err().status, 404);
    assert_eq!(list(&first).await.unwrap().len(), 2);
    consortium
        .ask(Some(&second), end(&of_first.session))
        .await
        .unwrap();
    assert_eq!(list(&first).await.unwrap_err().status, 401);
    assert_eq!(list(&second).await.unwrap().len(), 1);

    // All but this one.
    let third = consortium.sign_in("D-1").await.unwrap();
    consortium
        .ask(Some(&second), EndOtherSessions {})
        .await
        .unwrap();
    assert_eq!(list(&third).await.unwrap_err().status, 401);
    assert_eq!(list(&second).await.unwrap().len(), 1);
    assert_eq!(list(&other).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_hears_of_an_ended_session() {
    let consortium = Consortium::start().await;
    let (_, token) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let list = consortium.ask(Some(&token), ListSessions {}).await;
    let session = list.unwrap().remove(0).session;
    let early = EndedSessions::follow(&consortium.settlement, consortium.token_key)
        .await
        .unwrap();
    assert_eq!(early.check(&session), Ok(()));
    consortium.ask(Some(&token), SignOut {}).await.unwrap();
    early.ended(&session).await;
    assert_eq!(early.check(&session).unwrap_err().status, 401);
    assert_eq!(early.check("another"), Ok(()));
    // Whoever comes later hears of it, too.
    let late = EndedSessions::follow(&consortium.north, consortium.token_key)
        .await
        .unwrap();
    late.ended(&session).await;
}
