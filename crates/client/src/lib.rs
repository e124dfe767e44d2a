//! The Rust client of the gateway's REST interface.
//!
//! ```no_run
//! # async fn example(genesis: ledger::GenesisFile, key: keys::MemberKey) -> Result<(), client::ClientError> {
//! let client = client::Client::new("http://127.0.0.1:8080", genesis)?;
//! let member = client.sign_in_with_key(key).await?;
//! let committed = member.command("/v1/deposits", &serde_json::json!({})).await?;
//! # Ok(()) }
//! ```
//!
//! A member that holds the own key signs here, never elsewhere: the gateway answers a command with the bytes to sign,
//! and [`Member::command`] checks what it is about to sign, signs, and hands the signature in. Every receipt is
//! verified against the genesis file before it is given to the caller.

pub mod device;
mod error;
mod member;
mod receipts;

use std::time::Duration;

use interfaces::identity::{
    GetSignInChallenge, SIGN_IN_DOMAIN, Session, SignIn, SignInChallenge, SignInWithKey,
};
use interfaces::{Base64, Problem};
use keys::MemberKey;
use keys::tls::TlsIdentity;
use ledger::{Digest, GenesisFile, Receipt};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::ClientError;
pub use member::Member;
pub use receipts::{Receipts, VerifiedCommit};

/// Long enough for the import of a large Bundle, which answers when all of it is on the ledger.
const TIMEOUT: Duration = Duration::from_secs(660);
/// Pause before a request that the gateway's rate limit turned down is made again.
const RATE_PAUSE: Duration = Duration::from_millis(250);
/// The header that says what its sender has seen of the ledger.
const SEEN: &str = "medshare-seen";
/// What a FHIR resource comes as.
const FHIR: &str = "application/fhir+json";

/// A gateway, and the chain whose receipts it is expected to give. Cloning is cheap.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    receipts: Receipts,
}

impl Client {
    /// A client of the gateway at `base` (`http://host:port`).
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(base: &str, genesis: GenesisFile) -> Result<Client, ClientError> {
        Client::over(base, genesis, keys::tls::trusting_nobody())
    }

    /// A client of the gateway at `base` (`https://host:port`) over mutual TLS: shows the identity's certificate, and
    /// trusts its root alone.
    ///
    /// # Errors
    /// If no HTTP client can be made, or the identity is unusable.
    pub fn with_certificate(
        base: &str,
        genesis: GenesisFile,
        identity: &TlsIdentity,
    ) -> Result<Client, ClientError> {
        Client::over(base, genesis, identity.client_config()?)
    }

    fn over(
        base: &str,
        genesis: GenesisFile,
        tls: rustls::ClientConfig,
    ) -> Result<Client, ClientError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .tls_backend_preconfigured(tls)
            .build()?;
        Ok(Client {
            http,
            base: base.trim_end_matches('/').to_owned(),
            receipts: Receipts::new(genesis),
        })
    }

    /// Whether it speaks over TLS.
    pub fn is_secured(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// The receipts seen so far.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// Asks without being signed in.
    ///
    /// # Errors
    /// The gateway's [`Problem`], or what the connection says.
    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, ClientError> {
        self.ask(Method::GET, path, None, None::<&()>).await
    }

    /// Posts without being signed in.
    ///
    /// # Errors
    /// The gateway's [`Problem`], or what the connection says.
    pub async fn post<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<R, ClientError> {
        self.ask(Method::POST, path, None, Some(body)).await
    }

    /// Signs a person in with login and password.
    ///
    /// # Errors
    /// The gateway's [`Problem`], or what the connection says.
    pub async fn sign_in(&self, login: &str, password: &str) -> Result<Member, ClientError> {
        let request = SignIn {
            login: login.to_owned(),
            password: password.to_owned(),
            device: None,
            second_factor: None,
        };
        let session: Session = self.post("/v1/sessions", &request).await?;
        Ok(Member::new(self.clone(), session.token, None))
    }

    /// Signs a member in who holds the own key.
    ///
    /// # Errors
    /// The gateway's [`Problem`], or what the connection says.
    pub async fn sign_in_with_key(&self, key: MemberKey) -> Result<Member, ClientError> {
        let asked = GetSignInChallenge {
            member: key.ledger_id(),
        };
        let challenge: SignInChallenge = self.post("/v1/sessions/challenge", &asked).await?;
        let signature = key.sign_message(SIGN_IN_DOMAIN, &challenge.challenge.0);
        let request = SignInWithKey {
            member: key.ledger_id(),
            challenge: challenge.challenge,
            signature: Base64(signature.0.to_vec()),
        };
        let session: Session = self.post("/v1/sessions/key", &request).await?;
        Ok(Member::new(self.clone(), session.token, Some(key)))
    }

    /// Downloads a receipt by its transaction's id, and verifies it with the genesis file alone.
    ///
    /// # Errors
    /// The gateway's problem (404 while it is not on the ledger), or [`ClientError::Receipt`].
    pub async fn receipt(&self, transaction: &Digest) -> Result<VerifiedCommit, ClientError> {
        let path = format!("/v1/receipts/{transaction}");
        let bytes = self.bytes(Method::GET, &path, None, None).await?;
        let unreadable = |reason: String| ClientError::Unreadable {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
        let receipt = Receipt::from_file(&text).map_err(|error| unreadable(error.to_string()))?;
        self.receipts.keep(receipt, transaction)
    }

    pub(crate) async fn ask<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Q>,
    ) -> Result<R, ClientError> {
        let unreadable = |error: serde_json::Error| ClientError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(unreadable)?;
        let bytes = self
            .bytes(
                method,
                path,
                token,
                body.map(|body| ("application/json", body)),
            )
            .await?;
        serde_json::from_slice(&bytes).map_err(unreadable)
    }

    pub(crate) async fn hand_in<R: DeserializeOwned>(
        &self,
        path: &str,
        token: &str,
        resource: Vec<u8>,
    ) -> Result<R, ClientError> {
        let bytes = self
            .bytes(Method::POST, path, Some(token), Some((FHIR, resource)))
            .await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Makes the request; again after a while when the rate limit turned it down, which is before anything is done.
    async fn bytes(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Vec<u8>, ClientError> {
        loop {
            let mut request = self
                .http
                .request(method.clone(), format!("{}{path}", self.base));
            // Whichever service answers shows at least what the receipts so far are of.
            request = request.header(SEEN, self.receipts.newest().0);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some((kind, bytes)) = &body {
                request = request.header("content-type", *kind).body(bytes.clone());
            }
            let response = request.send().await?;
            let status = response.status();
            let bytes = response.bytes().await?;
            if status.is_success() {
                return Ok(bytes.to_vec());
            }
            if status != StatusCode::TOO_MANY_REQUESTS {
                return Err(refusal(path, status, &bytes));
            }
            tokio::time::sleep(RATE_PAUSE).await;
        }
    }
}

fn refusal(path: &str, status: StatusCode, bytes: &[u8]) -> ClientError {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => ClientError::Problem(Box::new(problem)),
        Err(_) => ClientError::Unreadable {
            path: path.to_owned(),
            reason: format!("status {status} without a problem"),
        },
    }
}
