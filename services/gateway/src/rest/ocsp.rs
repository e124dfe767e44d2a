//! OCSP over HTTP (RFC 6960, appendix A): the protocol's own bytes in and out.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bus::Target;
use interfaces::Base64;
use interfaces::identity::AnswerOcsp;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Required, ResponseBuilder, schema::Schema};

use super::answer::Refusal;
use super::api::{Api, Route, Shared, take_apart};
use super::document::own_operation;

const OCSP: Route = Route::post(
    "/v1/ocsp",
    "Whether certificates of the authority count, by OCSP (RFC 6960); the answer is signed by the issuing authority",
)
.tag("members")
.by_anyone();
const REQUEST: &str = "application/ocsp-request";
const ANSWER: &str = "application/ocsp-response";

pub(crate) fn routes(api: Api) -> Api {
    api.own(OCSP, operation(), answer)
}

fn operation() -> OperationBuilder {
    let bytes = |text: &str| {
        let schema = Schema::Object(ObjectBuilder::new().description(Some(text)).build());
        ContentBuilder::new().schema(Some(schema)).build()
    };
    let body = RequestBodyBuilder::new()
        .content(REQUEST, bytes("An OCSPRequest, DER."))
        .required(Some(Required::True));
    own_operation(&OCSP, "answer_ocsp")
        .request_body(Some(body.build()))
        .response(
            "200",
            ResponseBuilder::new()
                .description("The answer.")
                .content(ANSWER, bytes("An OCSPResponse, DER.")),
        )
}

async fn answer(State(gateway): State<Shared>, request: Request) -> Result<Response, Refusal> {
    let parts = take_apart(&gateway, &OCSP, request).await?;
    let question = AnswerOcsp {
        request: Base64(parts.body.to_vec()),
    };
    let target = Target::of::<AnswerOcsp>();
    let answered = gateway.bus.request(&target, None, &question).await?;
    Ok(([(header::CONTENT_TYPE, ANSWER)], answered.answer.0).into_response())
}
