//! Every page: one file a page, or a few that belong together; one folder a role.

mod account;
mod factors;
mod fhir;
mod form_page;
mod frame;
mod hospital;
mod insurance;
pub(crate) mod invitation;
mod items;
mod kinds;
pub(crate) mod listing;
mod oversight;
mod passkeys;
mod patient;
pub(crate) mod receipts;
mod register;
mod research;
mod sessions;
mod sign;
mod sign_in;
mod sign_in_with_key;
mod treasury;
mod viewed;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use interfaces::Problem;

use crate::answer::{Answer, Refusal};
use crate::guard::guard;
use crate::service::Portal;
use crate::{assets, live};

/// Every path, behind the guard.
pub(crate) fn router(portal: Arc<Portal>) -> Router {
    Router::new()
        .route("/", get(frame::welcome))
        .route("/me", get(frame::me))
        .route("/language", post(frame::choose_language))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route(
            "/sign-in/key",
            get(sign_in_with_key::show).post(sign_in_with_key::submit),
        )
        .route("/sign-in/key/challenge", post(sign_in_with_key::challenge))
        .route("/sign/{transaction}", get(sign::show).post(sign::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/signed-out", get(sign_in::signed_out))
        .route("/register", get(register::show).post(register::submit))
        .route(
            invitation::HERE,
            get(invitation::show).post(invitation::submit),
        )
        .route("/receipts/{transaction}", get(receipts::show))
        .route("/receipts/{transaction}/file", get(receipts::download))
        .route("/live", get(live::stream))
        .route("/assets/{build}/{*name}", get(assets::serve))
        .route("/sessions", get(sessions::list))
        .route("/sessions/end", post(sessions::end))
        .route("/factors", get(factors::show))
        .route(
            "/factors/app",
            get(factors::show_app).post(factors::begin_app),
        )
        .route("/factors/app/confirm", post(factors::confirm_app))
        .route("/factors/app/end", post(factors::end_app))
        .route(
            "/factors/codes",
            get(factors::show_codes).post(factors::renew_codes),
        )
        .route(
            "/factors/password",
            get(factors::show_password).post(factors::change_password),
        )
        .route("/factors/passkeys", get(passkeys::show).post(passkeys::add))
        .route("/factors/passkeys/challenge", post(passkeys::challenge))
        .route("/factors/passkeys/remove", post(passkeys::remove))
        .route("/sign-in/passkey", post(passkeys::sign_in))
        .route(
            "/sign-in/passkey/challenge",
            post(passkeys::sign_in_challenge),
        )
        .route("/step-up", get(factors::ask_again).post(factors::step_up))
        .route("/account", get(account::show))
        .route("/account/pay", post(account::pay))
        .route(
            "/account/withdraw",
            get(account::ask_to_withdraw).post(account::withdraw),
        )
        .route(
            "/treasury",
            get(treasury::ask_deposit).post(treasury::deposit),
        )
        .merge(crate::explorer::routes())
        .merge(patient::routes())
        .merge(hospital::routes())
        .merge(research::routes())
        .merge(insurance::routes())
        .merge(oversight::routes())
        .fallback(no_such_page)
        .method_not_allowed_fallback(no_such_page)
        .layer(axum::middleware::from_fn_with_state(portal.clone(), guard))
        .with_state(portal)
}

async fn no_such_page() -> Answer {
    Err(Refusal::from(Problem::not_found("no such page")))
}
