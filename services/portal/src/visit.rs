//! One request: who looks, in which language, and how a page is made for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::Target;
use data_encoding::BASE64URL_NOPAD;
use interfaces::{Problem, UseCase};
use keys::token::Role;
use ledger::{Digest, LedgerId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::answer::{Answer, Refusal, redirect};
use crate::assets;
use crate::design::Html;
use crate::design::frame::{Layout, Person, Tab};
use crate::language::{Language, Locale};
use crate::service::Portal;
use crate::session::SignedIn;
use crate::tabs;
use crate::words::Words;

/// How long a view, a sweep or a record may take.
const SLOW_WITHIN: Duration = Duration::from_secs(60);

/// One request.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) portal: Arc<Portal>,
    pub(crate) language: Language,
    pub(crate) words: Words,
    pub(crate) locale: Locale,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) session: Option<SignedIn>,
    /// To find the request in the traces.
    pub(crate) trace: String,
    /// The address it came from.
    pub(crate) address: std::net::IpAddr,
    /// What a sign-in on this device gave it.
    pub(crate) device: Option<String>,
}

/// One page to show.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// Where the page before is, and what it is called.
    pub(crate) back: Option<(String, String)>,
    /// Whether it takes the whole width.
    pub(crate) wide: bool,
    /// Scripts it needs besides what every page has.
    pub(crate) scripts: Vec<&'static str>,
    pub(crate) content: Html,
}

impl Page {
    /// A page with a title, which its first heading repeats.
    pub(crate) fn new(title: &str, content: Html) -> Page {
        Page {
            title: title.to_owned(),
            content: crate::design::text::title(title).and(content),
            ..Page::default()
        }
    }

    /// A page below another.
    pub(crate) fn below(mut self, path: &str, name: &str) -> Page {
        self.back = Some((path.to_owned(), name.to_owned()));
        self
    }

    /// A page of the whole width.
    pub(crate) fn wide(mut self) -> Page {
        self.wide = true;
        self
    }
}

impl Visit {
    /// Shows a page.
    pub(crate) fn page(&self, page: Page) -> Response {
        self.page_with(StatusCode::OK, page)
    }

    /// Shows a page under a status.
    pub(crate) fn page_with(&self, status: StatusCode, page: Page) -> Response {
        let person = self.session.as_ref().map(|session| Person {
            name: &session.name,
            csrf: &session.csrf,
        });
        let tabs: Vec<Tab<'_>> = tabs::of(self.session.as_ref(), &self.words, &self.path);
        let layout = Layout {
            language: self.language.tag(),
            other_language: self.language.other().tag(),
            words: self.words.frame,
            title: &page.title,
            assets: assets::path(),
            scripts: &page.scripts,
            path: &self.path,
            person,
            tabs: &tabs,
            back: page
                .back
                .as_ref()
                .map(|(path, name)| (path.as_str(), name.as_str())),
            wide: page.wide,
            content: &page.content,
        };
        let body = String::from(Html::of(&layout));
        (
            status,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            body,
        )
            .into_response()
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// 401, which leads to the sign-in page and back.
    pub(crate) fn signed_in(&self) -> Result<&SignedIn, Refusal> {
        self.session
            .as_ref()
            .ok_or_else(|| Problem::unauthenticated("nobody is signed in").into())
    }

    /// Whether somebody with the role is signed in; decides what is shown, never what is permitted.
    pub(crate) fn is(&self, role: Role) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.is(role))
    }

    /// Asks the service of a use case.
    pub(crate) async fn ask<Q: UseCase>(&self, question: &Q) -> Result<Q::Reply, Problem> {
        self.ask_at(&Target::of::<Q>(), question).await
    }

    /// Asks a hospital's records service.
    pub(crate) async fn ask_hospital<Q: UseCase>(
        &self,
        hospital: LedgerId,
        question: &Q,
    ) -> Result<Q::Reply, Problem> {
        let target = self.portal.hospitals.records_service(hospital).await?;
        self.ask_at(&target, question).await
    }

    /// Asks a process of the bus.
    pub(crate) async fn ask_at<Q: UseCase>(
        &self,
        target: &Target,
        question: &Q,
    ) -> Result<Q::Reply, Problem> {
        let token = self.session.as_ref().map(|session| session.token.as_str());
        let asked = self
            .portal
            .bus
            .request_within(target, token, question, SLOW_WITHIN);
        bus::origin::asked_from(self.address, asked).await
    }

    /// A value of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.path.split_once('?')?;
        form_urlencoded::parse(query.as_bytes())
            .find(|(found, value)| found == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    }

    /// The path alone.
    pub(crate) fn path_alone(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// What every form brings: the session's mark, and a key so that it is done once.
    pub(crate) fn hidden<'a>(&self) -> Vec<(&'a str, String)> {
        let csrf = self
            .session
            .as_ref()
            .map(|session| session.csrf.clone())
            .unwrap_or_default();
        let key = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
        vec![("csrf", csrf), ("key", key)]
    }

    /// Something that goes through the address: sealed for this session alone, so that an address that is passed on opens
    /// nothing, and histories and logs hold nothing.
    pub(crate) fn sealed<T: Serialize>(&self, what: &str, value: &T) -> String {
        let plain = serde_json::to_vec(value).unwrap_or_default();
        let sealed = self.portal.cookies.seal(&self.sealed_as(what), &plain);
        BASE64URL_NOPAD.encode(&sealed)
    }

    /// What [`Visit::sealed`] sealed in this session.
    pub(crate) fn opened<T: DeserializeOwned>(&self, what: &str, text: &str) -> Option<T> {
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = self
            .portal
            .cookies
            .open(&self.sealed_as(what), &sealed)
            .ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn sealed_as(&self, what: &str) -> Vec<u8> {
        let session = self
            .session
            .as_ref()
            .map_or("", |session| session.session.session.as_str());
        format!("{what}/{session}").into_bytes()
    }

    /// The names of hospitals, by ledger id.
    pub(crate) async fn hospital_names(&self) -> BTreeMap<LedgerId, String> {
        self.portal.hospitals.names().await.unwrap_or_default()
    }
}

impl FromRequestParts<Arc<Portal>> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _portal: &Arc<Portal>,
    ) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Visit>()
            .cloned()
            .ok_or_else(|| Problem::failure("the request did not pass the guard").into())
    }
}

/// A form that was sent, by somebody who may send forms.
pub(crate) struct Submitted {
    pub(crate) visit: Visit,
    fields: Vec<(String, String)>,
}

impl Submitted {
    /// Reads a form that anybody may send, without a session's mark.
    ///
    /// # Errors
    /// 413 when it is too large.
    pub(crate) async fn without_session(
        request: Request,
        portal: &Arc<Portal>,
    ) -> Result<Submitted, Refusal> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, portal).await?;
        let bytes = axum::body::to_bytes(body, portal.web.form_bytes)
            .await
            .map_err(|_| Problem::new(413, "too-large", "Too large", "the form is too large"))?;
        let fields = form_urlencoded::parse(&bytes).into_owned().collect();
        Ok(Submitted { visit, fields })
    }

    /// Reads a form that may bring a file of up to `bytes`.
    async fn with_file(
        request: Request,
        portal: &Arc<Portal>,
        bytes: usize,
    ) -> Result<Submitted, Refusal> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, portal).await?;
        let bytes = axum::body::to_bytes(body, bytes)
            .await
            .map_err(|_| Problem::new(413, "too-large", "Too large", "the file is too large"))?;
        let request = Request::from_parts(parts, bytes.into());
        let unreadable = |error: &dyn std::fmt::Display| {
            Refusal::from(Problem::bad_input(
                "",
                format!("the form can't be read: {error}"),
            ))
        };
        let mut sent = Multipart::from_request(request, portal)
            .await
            .map_err(|error| unreadable(&error))?;
        let mut fields = Vec::new();
        while let Some(field) = sent
            .next_field()
            .await
            .map_err(|error| unreadable(&error))?
        {
            let name = field.name().unwrap_or_default().to_owned();
            let text = field.text().await.map_err(|error| unreadable(&error))?;
            fields.push((name, text));
        }
        Ok(Submitted { visit, fields })
    }

    /// Refuses (403) a form that does not bring the mark of the session it comes in.
    fn of_this_session(self) -> Result<Submitted, Refusal> {
        if let Some(session) = &self.visit.session {
            let sent = self.get("csrf").as_bytes();
            if !bool::from(sent.ct_eq(session.csrf.as_bytes())) {
                return Err(Problem::new(
                    403,
                    "stale-form",
                    "Stale form",
                    "the form does not belong to this session",
                )
                .into());
            }
        }
        Ok(self)
    }

    /// A field, without spaces around it; empty when it was left out.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field as it was typed.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(found, _)| found == name)
            .map_or("", |(_, value)| value)
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads an id.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.get(name)
            .parse()
            .map_err(|_| Problem::bad_input(name, "not an id").into())
    }

    /// Does something once, however often the form is sent, and leads to where it says.
    pub(crate) async fn once(&self, work: impl Future<Output = Result<String, Refusal>>) -> Answer {
        let whose = self
            .visit
            .session
            .as_ref()
            .map_or("", |session| session.session.subject.as_str());
        let key = self.get("key");
        if key.is_empty() {
            return Ok(redirect(&work.await?));
        }
        let named = format!("{whose}/{}/{key}", self.visit.path_alone());
        let place = self.visit.portal.once.run(named, work).await?;
        Ok(redirect(&place))
    }
}

impl FromRequest<Arc<Portal>> for Submitted {
    type Rejection = Refusal;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Refusal> {
        Submitted::without_session(request, portal)
            .await?
            .of_this_session()
    }
}

/// The most bytes of a form with a file: what a service takes, and room for the form around it.
pub(crate) const UPLOAD_BYTES: usize = 30 * 1024 * 1024;

/// A form with a file that was sent, by somebody who may send forms.
pub(crate) struct Upload(pub(crate) Submitted);

impl FromRequest<Arc<Portal>> for Upload {
    type Rejection = Refusal;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Refusal> {
        let submitted = Submitted::with_file(request, portal, UPLOAD_BYTES).await?;
        Ok(Upload(submitted.of_this_session()?))
    }
}

/// A path with a transaction to show as done.
pub(crate) fn done(path: &str, transaction: Digest) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}done={transaction}")
}

/// A response with more headers of one name.
pub(crate) fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
