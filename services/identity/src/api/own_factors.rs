//! How the one who is signed in proves who they are: password, authenticator app, recovery codes, and proving it again. By
//! natural persons, each for themselves; every change needs the factors that count now.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::{
    BeginSecondFactor, ChangePassword, ConfirmSecondFactor, Done, EndSecondFactor, GetSecondFactor,
    RecoveryCodes, RenewRecoveryCodes, SecondFactor, SecondFactorSecret, Session, StepUp,
};
use submission::Caller;
use submission::row::database;

use crate::attempts;
use crate::custody::CustodyKey;
use crate::factors::{self, Account, check_new_password};
use crate::service::Identity;
use crate::sessions::{self, Method, Which};

/// Who proved again, just now, who they are.
pub(super) struct Proven {
    caller: Caller,
    pub(super) account: Account,
    custody: CustodyKey,
}

/// Asks for password and second factor again.
pub(super) async fn prove(
    identity: &Identity,
    call: &Call,
    password: String,
    second_factor: Option<&str>,
) -> Result<Proven, Problem> {
    let caller = identity.caller(call).await?;
    let account = identity.account(&caller.session().subject).await?;
    let attempt = attempts::count(identity, &account.login, call.origin, None).await?;
    let custody = identity.unlock(&account, password).await?;
    let custody = custody.ok_or_else(|| {
        Problem::new(
            403,
            "wrong-password",
            "The password is wrong",
            "this is not the password of the one who is signed in",
        )
    })?;
    identity
        .check_second_factor(&account.account, &custody, second_factor)
        .await
        .map_err(|problem| Problem {
            status: 403,
            ..problem
        })?;
    attempts::forgive(identity, &attempt).await?;
    Ok(Proven {
        caller,
        account,
        custody,
    })
}

pub(crate) async fn get_second_factor(
    identity: Arc<Identity>,
    call: Call,
    _request: GetSecondFactor,
) -> Result<SecondFactor, Problem> {
    let caller = identity.caller(&call).await?;
    let account = identity.account(&caller.session().subject).await?.account;
    let factor = factors::factor_of(&identity, &account).await?;
    Ok(SecondFactor {
        authenticator_app: factor.is_some_and(|factor| factor.confirmed),
        recovery_codes_left: factors::recovery_codes_left(&identity, &account).await?,
    })
}

pub(crate) async fn begin_second_factor(
    identity: Arc<Identity>,
    call: Call,
    request: BeginSecondFactor,
) -> Result<SecondFactorSecret, Problem> {
    let proven = prove(&identity, &call, request.password, None).await?;
    let (secret, uri) = factors::begin(&identity, &proven.account, &proven.custody).await?;
    Ok(SecondFactorSecret { secret, uri })
}

pub(crate) async fn confirm_second_factor(
    identity: Arc<Identity>,
    call: Call,
    request: ConfirmSecondFactor,
) -> Result<RecoveryCodes, Problem> {
    let proven = prove(&identity, &call, request.password, None).await?;
    let account = &proven.account.account;
    let codes = factors::confirm(&identity, account, &proven.custody, &request.code).await?;
    end_others(&identity, &proven.caller).await?;
    Ok(RecoveryCodes { codes })
}

pub(crate) async fn end_second_factor(
    identity: Arc<Identity>,
    call: Call,
    request: EndSecondFactor,
) -> Result<Done, Problem> {
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    factors::end(&identity, &proven.account.account).await?;
    end_others(&identity, &proven.caller).await?;
    Ok(Done {})
}

pub(crate) async fn renew_recovery_codes(
    identity: Arc<Identity>,
    call: Call,
    request: RenewRecoveryCodes,
) -> Result<RecoveryCodes, Problem> {
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    let account = &proven.account.account;
    let factor = factors::factor_of(&identity, account).await?;
    if !factor.is_some_and(|factor| factor.confirmed) {
        return Err(Problem::conflict(
            "recovery codes stand in for an authenticator app, and there is none",
        ));
    }
    let codes = factors::renew_recovery_codes(&identity, account).await?;
    Ok(RecoveryCodes { codes })
}

/// The custody key is wrapped anew; what it opens stays as it is.
pub(crate) async fn change_password(
    identity: Arc<Identity>,
    call: Call,
    request: ChangePassword,
) -> Result<Done, Problem> {
    // Judged before anything is proved: a password that will not do costs no one-time code.
    let caller = identity.caller(&call).await?;
    let account = identity.account(&caller.session().subject).await?;
    let person = identity.person(&account.account).await?;
    let about_the_person = [account.login.as_str(), person.real_name.as_str()];
    check_new_password("/new_password", &request.new_password, &about_the_person)?;
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    let (account, custody) = (proven.account.account, proven.custody);
    let wrapped_for = account.clone();
    let envelope = identity
        .derive(move || custody.wrap(&wrapped_for, &request.new_password))
        .await?
        .map_err(|error| Problem::bad_input("/new_password", error.to_string()))?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("UPDATE accounts SET password_envelope = $1 WHERE account = $2")
        .bind(serde_json::to_string(&envelope).expect("an envelope is plain JSON"))
        .bind(&account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    end_others(&identity, &proven.caller).await?;
    Ok(Done {})
}

/// A new session takes the place of the present one; for some minutes it counts as just proven.
pub(crate) async fn step_up(
    identity: Arc<Identity>,
    call: Call,
    request: StepUp,
) -> Result<Session, Problem> {
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    let session = identity
        .open_session_of(&proven.account, &proven.custody, Method::Password, &call)
        .await?;
    let old = proven.caller.session();
    sessions::end(&identity, &old.subject, Which::This(&old.session)).await?;
    Ok(session)
}

/// Whoever changes a factor wants nobody else signed in.
async fn end_others(identity: &Identity, caller: &Caller) -> Result<(), Problem> {
    let session = caller.session();
    sessions::end(identity, &session.subject, Which::AllBut(&session.session))
        .await
        .map(|_| ())
}
