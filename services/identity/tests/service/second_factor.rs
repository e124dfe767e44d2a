//! Second factors, passwords and showing again who one is.

use contracts::authorization::command::{Command as Authorization, RefusalReason};
use contracts::membership::command::MemberKind;
use contracts::records::command::{Command as Records, DelegationScope};
use contracts::{ApplicationId, Command, ItemId};
use interfaces::identity::*;
use interfaces::{Base64, Problem};
use keys::token::TokenKey;
use ledger::{PublicKey, Timestamp, TransactionBody, canonical};
use totp_rs::{Builder, Secret, Totp};

use crate::consortium::Consortium;

/// An authenticator app that was told the secret.
fn app(secret: &str) -> Totp {
    Builder::new()
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .with_account_name("somebody")
        .build()
        .unwrap()
}

/// The code so many steps of half a minute from now.
fn code(app: &Totp, steps: i64) -> String {
    let now = chassis::clock::now() / 1_000_000;
    app.generate(now.saturating_add_signed(30 * steps))
        .to_string()
}

const PASSWORD: &str = "the password of D-1";

async fn sign_in(consortium: &Consortium, second_factor: Option<&str>) -> Result<Session, Problem> {
    let request = SignIn {
        login: "login D-1".into(),
        password: PASSWORD.into(),
        device: None,
        second_factor: second_factor.map(str::to_owned),
    };
    consortium.ask(None, request).await
}

fn kind<T>(answer: Result<T, Problem>) -> (u16, String) {
    let refused = answer.err().expect("refused");
    (refused.status, refused.kind)
}

/// A doctor with an authenticator app; token, app and recovery codes.
async fn with_app(consortium: &Consortium) -> (String, Totp, Vec<String>) {
    let (_, token) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let begun = BeginSecondFactor {
        password: PASSWORD.into(),
    };
    let told = consortium.ask(Some(&token), begun).await.unwrap();
    assert!(
        told.uri.starts_with("otpauth://totp/Medshare:"),
        "{}",
        told.uri
    );
    assert!(told.uri.contains(&told.secret));
    let app = app(&told.secret);
    // Until a code was shown, nothing changes.
    sign_in(consortium, None).await.unwrap();
    let confirm = |code: String| ConfirmSecondFactor {
        password: PASSWORD.into(),
        code,
    };
    let refused = consortium.ask(Some(&token), confirm("000".into())).await;
    assert_eq!(refused.err().unwrap().status, 400);
    let confirmed = consortium.ask(Some(&token), confirm(code(&app, -1))).await;
    (token, app, confirmed.unwrap().codes)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_authenticator_app_the_password_alone_opens_nothing_and_a_code_counts_once() {
    let consortium = Consortium::start().await;
    let (token, app, codes) = with_app(&consortium).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(
        kind(sign_in(&consortium, None).await),
        (401, "urn:medshare:problem:second-factor-needed".to_owned())
    );
    let wrong = (401, "urn:medshare:problem:second-factor-wrong".to_owned());
    // The one that confirmed the app is used up; so is one that is too old.
    assert_eq!(
        kind(sign_in(&consortium, Some(&code(&app, -1))).await),
        wrong
    );
    assert_eq!(
        kind(sign_in(&consortium, Some(&code(&app, -9))).await),
        wrong
    );
    let next = code(&app, 0);
    sign_in(&consortium, Some(&next)).await.unwrap();
    assert_eq!(kind(sign_in(&consortium, Some(&next)).await), wrong);

    // Without the app: each recovery code opens once.
    sign_in(&consortium, Some(&codes[0])).await.unwrap();
    assert_eq!(kind(sign_in(&consortium, Some(&codes[0])).await), wrong);
    let lower = codes[1].to_lowercase().replace('-', " ");
    sign_in(&consortium, Some(&lower)).await.unwrap();
    let state = consortium
        .ask(Some(&token), GetSecondFactor {})
        .await
        .unwrap();
    assert_eq!(state.recovery_codes_left, 8);
    assert!(state.authenticator_app);

    // New ones take the place of the old ones, and the end of the app is the end of them all.
    let renew = RenewRecoveryCodes {
        password: PASSWORD.into(),
        second_factor: Some(codes[2].clone()),
    };
    let new = consortium.ask(Some(&token), renew).await.unwrap().codes;
    assert_eq!(kind(sign_in(&consortium, Some(&codes[3])).await), wrong);
    let end = |second_factor: Option<String>| EndSecondFactor {
        password: PASSWORD.into(),
        second_factor,
    };
    let refused = kind(consortium.ask(Some(&token), end(None)).await);
    assert_eq!(
        refused,
        (403, "urn:medshare:problem:second-factor-needed".to_owned())
    );
    consortium
        .ask(Some(&token), end(Some(new[0].clone())))
        .await
        .unwrap();
    sign_in(&consortium, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_one_time_codes_are_counted_like_wrong_passwords() {
    let consortium = Consortium::start().await;
    with_app(&consortium).await;
    // Three sign-ins and the confirmation before this came from the same place and were right.
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(
            sign_in(&consortium, Some("000000"))
                .await
                .err()
                .unwrap()
                .status,
        );
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_by_whoever_knows_it_and_all_other_sessions_end() {
    let consortium = Consortium::start().await;
    let (_, token) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let other = consortium.sign_in("D-1").await.unwrap();
    let change = |password: &str, new_password: &str| ChangePassword {
        password: password.into(),
        new_password: new_password.into(),
        second_factor: None,
    };
    let refused = kind(
        consortium
            .ask(
                Some(&token),
                change("not the password", "an entirely new phrase"),
            )
            .await,
    );
    assert_eq!(
        refused,
        (403, "urn:medshare:problem:wrong-password".to_owned())
    );
    for easy in ["short", "password1234", "login D-1 login D-1"] {
        let refused = consortium.ask(Some(&token), change(PASSWORD, easy)).await;
        let refused = refused.expect_err(easy);
        assert_eq!(
            (refused.status, refused.field.as_deref()),
            (400, Some("/new_password"))
        );
    }
    consortium
        .ask(Some(&token), change(PASSWORD, "an entirely new phrase"))
        .await
        .unwrap();
    assert_eq!(kind(consortium.sign_in("D-1").await).0, 401);
    let account = consortium.ask(Some(&token), GetOwnAccount {}).await;
    account.unwrap();
    let refused = consortium.ask(Some(&other), GetOwnAccount {}).await;
    assert_eq!(kind(refused).0, 401);
    let request = SignIn {
        login: "login D-1".into(),
        password: "an entirely new phrase".into(),
        ..SignIn::default()
    };
    consortium.ask(None, request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_that_will_not_do_costs_no_one_time_code() {
    let consortium = Consortium::start().await;
    let (token, app, codes) = with_app(&consortium).await;
    for shown in [code(&app, 0), codes[0].clone()] {
        let change = |new_password: &str| ChangePassword {
            password: PASSWORD.into(),
            new_password: new_password.into(),
            second_factor: Some(shown.clone()),
        };
        let refused = consortium.ask(Some(&token), change("short")).await;
        assert_eq!(kind(refused).0, 400);
        // The same code counts still, for one that will do.
        let changed = consortium.ask(Some(&token), change(PASSWORD)).await;
        changed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn showing_again_who_one_is_opens_a_new_session_in_place_of_the_old_one() {
    let consortium = Consortium::start().await;
    let (_, token) = consortium.enrol(MemberKind::Doctor, "D-1").await;
    let proof = |password: &str| StepUp {
        password: password.into(),
        second_factor: None,
    };
    assert_eq!(
        kind(consortium.ask(Some(&token), proof("wrong")).await).0,
        403
    );
    let session = consortium.ask(Some(&token), proof(PASSWORD)).await.unwrap();
    let account = consortium.ask(Some(&session.token), GetOwnAccount {}).await;
    account.unwrap();
    assert_eq!(
        kind(consortium.ask(Some(&token), GetOwnAccount {}).await).0,
        401
    );
}

/// The same session in a token that identity gave so many minutes earlier.
fn aged(consortium: &Consortium, token: &str, minutes: u64) -> String {
    let now = Timestamp(chassis::clock::now());
    let mut claims = keys::token::verify(&consortium.token_key, token, now).unwrap();
    claims.issued.0 -= minutes * 60_000_000;
    TokenKey::from_seed(&consortium.token_seed).issue(&claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_signed_for_a_quarter_of_an_hour_after_showing_who_one_is() {
    let consortium = Consortium::start().await;
    let (person, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let own = person.ledger_ids["insurance"];
    let unsigned = |command: Command| {
        let body = TransactionBody {
            chain: consortium.gateway.chain(),
            submitter: own,
            public_key: PublicKey([0; 32]),
            nonce: 1,
            valid_until: Timestamp(chassis::clock::now() + 30_000_000),
            contract: command.contract().id(),
            command: command.to_bytes(),
        };
        SignTransaction {
            unsigned: Base64(canonical::encode(&body)),
        }
    };
    let item = ItemId {
        application: ApplicationId([1; 16]),
        index: 0,
    };
    let approval = || unsigned(Authorization::ApproveAsPatient { item }.into());
    let refusal = || {
        let reason = RefusalReason::Unstated;
        unsigned(Authorization::RefuseAsPatient { item, reason }.into())
    };
    let signed = async |token: &str, request: SignTransaction| {
        let by = &consortium.authorization;
        consortium.ask_by(by, Some(token), request).await
    };
    signed(&aged(&consortium, &token, 14), approval())
        .await
        .unwrap();
    let old = aged(&consortium, &token, 16);
    assert_eq!(
        kind(signed(&old, approval()).await),
        (403, "urn:medshare:problem:step-up-needed".to_owned())
    );
    // So is everything else that lets somebody see records, ends that, or cannot be undone.
    let record = contracts::RecordNumber([2; 16]);
    let sealed = || contracts::Sealed(vec![1; 60]);
    let others: [Command; 5] = [
        Authorization::WithdrawGrant {
            grant: contracts::GrantId([3; 16]),
        }
        .into(),
        Records::SetConsent {
            share_for_treatment: true,
            research: true,
        }
        .into(),
        Records::EraseRecord { record }.into(),
        Records::NameGuardian {
            guardian: ledger::LedgerId([4; 16]),
            scope: DelegationScope::Read,
            until: Timestamp(u64::MAX),
            patient_name: sealed(),
            guardian_name: sealed(),
        }
        .into(),
        Records::EndDelegation {
            patient: own,
            guardian: ledger::LedgerId([4; 16]),
        }
        .into(),
    ];
    for command in others {
        let refused = signed(&old, unsigned(command.clone())).await;
        assert_eq!(kind(refused).0, 403, "{command:?}");
        signed(&token, unsigned(command)).await.unwrap();
    }
    // What gives nothing away goes on; so does the approval in the session that the proof opens.
    signed(&old, refusal()).await.unwrap();
    let proof = StepUp {
        password: "the password of P-1".into(),
        second_factor: None,
    };
    let session = consortium.ask(Some(&old), proof).await.unwrap();
    signed(&session.token, approval()).await.unwrap();
    assert_eq!(kind(signed(&old, approval()).await).0, 401);
}
