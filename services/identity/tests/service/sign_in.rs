//! Sign-in.

use contracts::membership::command::MemberKind;
use interfaces::identity::*;

use crate::consortium::Consortium;

async fn guess(consortium: &Consortium, login: &str) -> (u16, String) {
    let request = SignIn {
        login: login.to_owned(),
        password: "not the password at all".into(),
    };
    let refused = consortium.ask(None, request).await.err().unwrap();
    (refused.status, refused.detail)
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
async fn a_login_is_locked_after_ten_wrong_passwords_whether_it_exists_or_not_and_others_are_not() {
    let consortium = Consortium::start().await;
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    consortium.enrol(MemberKind::Doctor, "D-2").await;
    for login in ["login D-1", "nobody's login"] {
        for _ in 0..10 {
            assert_eq!(guess(&consortium, login).await.0, 401);
        }
        assert_eq!(guess(&consortium, login).await.0, 429);
    }
    // Even the right password waits; who knows another login's does not.
    let refused = consortium.sign_in("D-1").await.unwrap_err();
    assert_eq!(refused.status, 429, "{refused:?}");
    consortium.sign_in("D-2").await.unwrap();
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
