//! The session: identity's token, sealed into cookies that scripts and other sites never see.
//!
//! The portal keeps no sessions: what a browser sends is opened with the portal's secret, and the token inside verified
//! with identity's key. A token that is too long for one cookie goes into several.

use axum::http::{HeaderMap, HeaderValue, header};
use chassis::clock;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use keys::token::{self, Role, Session};
use ledger::{LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::service::Portal;

const SEALED_AS: &[u8] = b"medshare/portal/session/v1";
/// Characters of one cookie; browsers keep at least 4,096 bytes with name and attributes.
const COOKIE_CHARACTERS: usize = 3_600;
const COOKIES_MAX: usize = 4;

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    name: String,
}

/// Who is signed in. No `Debug`: the token is a secret.
#[derive(Clone)]
pub(crate) struct SignedIn {
    /// Handed on to services inside sealed requests.
    pub(crate) token: String,
    /// What to call them on their own pages.
    pub(crate) name: String,
    /// What the token says.
    pub(crate) session: Session,
    /// To be sent with every form.
    pub(crate) csrf: String,
}

impl SignedIn {
    /// Whether they have the role; decides what is offered, never what is permitted.
    pub(crate) fn is(&self, role: Role) -> bool {
        self.session.has_role(role)
    }

    /// The hospital whose staff they are: signed in with its key, or as its clerk.
    pub(crate) fn staff_of(&self) -> Option<LedgerId> {
        let is_staff = self.is(Role::Hospital) || self.is(Role::Clerk);
        self.session.organisation.filter(|_| is_staff)
    }

    /// The ledger id of a member that has one.
    pub(crate) fn member(&self) -> Option<LedgerId> {
        self.session.ledger_ids.get("self").copied()
    }
}

/// The session that came with a request, if it is whole and has not ended.
pub(crate) fn read(portal: &Portal, headers: &HeaderMap) -> Option<SignedIn> {
    let mut text = String::new();
    for part in 0..COOKIES_MAX {
        match cookie(headers, &name(portal, part)) {
            Some(value) => text.push_str(value),
            None => break,
        }
    }
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let opened = portal.cookies.open(SEALED_AS, &sealed).ok()?;
    let kept: Kept = serde_json::from_slice(&opened).ok()?;
    let now = Timestamp(clock::now());
    let session = token::verify(&portal.sessions.public_key, &kept.token, now).ok()?;
    portal.ended.check(&session.session).ok()?;
    Some(SignedIn {
        csrf: csrf(portal, &session.session),
        token: kept.token,
        name: kept.name,
        session,
    })
}

/// The cookies of a new session.
pub(crate) fn cookies_of(portal: &Portal, token: &str, name: &str) -> Vec<HeaderValue> {
    let kept = Kept {
        token: token.to_owned(),
        name: name.to_owned(),
    };
    let plain = serde_json::to_vec(&kept).unwrap_or_default();
    let text = BASE64URL_NOPAD.encode(&portal.cookies.seal(SEALED_AS, &plain));
    let mut rest = text.as_str();
    (0..COOKIES_MAX)
        .filter_map(|part| {
            let (now, later) = rest.split_at(rest.len().min(COOKIE_CHARACTERS));
            rest = later;
            set(portal, part, now)
        })
        .collect()
}

/// The cookies that end a session.
pub(crate) fn no_cookies(portal: &Portal) -> Vec<HeaderValue> {
    (0..COOKIES_MAX)
        .filter_map(|part| set(portal, part, ""))
        .collect()
}

/// The cookie by which identity knows that somebody signed in on this device before. It opens nothing; it keeps guesses that
/// are made elsewhere from locking this device out.
pub(crate) fn device_cookie(portal: &Portal, device: &str) -> Option<HeaderValue> {
    let secure = if portal.web.is_over_tls() {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{}={device}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000{secure}",
        device_name(portal)
    );
    HeaderValue::from_str(&text).ok()
}

/// What [`device_cookie`] gave this browser.
pub(crate) fn device(portal: &Portal, headers: &HeaderMap) -> Option<String> {
    cookie(headers, device_name(portal)).map(str::to_owned)
}

fn device_name(portal: &Portal) -> &'static str {
    if portal.web.is_over_tls() {
        "__Host-medshare-device"
    } else {
        "medshare-device"
    }
}

fn set(portal: &Portal, part: usize, value: &str) -> Option<HeaderValue> {
    let ends = if value.is_empty() { "; Max-Age=0" } else { "" };
    let secure = if portal.web.is_over_tls() {
        "; Secure"
    } else {
        ""
    };
    let text = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}",
        name(portal, part)
    );
    HeaderValue::from_str(&text).ok()
}

/// Over TLS the name's prefix keeps neighbours of the host from setting it.
fn name(portal: &Portal, part: usize) -> String {
    let prefix = if portal.web.is_over_tls() {
        "__Host-"
    } else {
        ""
    };
    format!("{prefix}medshare-session-{part}")
}

/// A cookie by its name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| {
            pair.trim()
                .split_once('=')
                .filter(|(found, _)| *found == name)
        })
        .map(|(_, value)| value)
}

/// What a form of this session has to bring.
fn csrf(portal: &Portal, session: &str) -> String {
    let derived = portal
        .secret
        .derive_with(session.as_bytes(), b"medshare/portal/csrf/v1");
    HEXLOWER.encode(&derived.expose()[..16])
}
