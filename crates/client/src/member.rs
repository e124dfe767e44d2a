//! Somebody who is signed in.

use interfaces::{Base64, CommandReply, Committed, UnsignedCommand};
use keys::MemberKey;
use ledger::{TransactionBody, canonical};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{Client, ClientError, VerifiedCommit};

/// A signed-in member. No `Debug`: it holds a token and perhaps a key.
#[derive(Clone)]
pub struct Member {
    client: Client,
    token: String,
    key: Option<MemberKey>,
}

impl Member {
    pub(crate) fn new(client: Client, token: String, key: Option<MemberKey>) -> Member {
        Member { client, token, key }
    }

    /// The gateway.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The session's token, for requests by other means than this client.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The own key, for members that hold one.
    pub fn key(&self) -> Option<&MemberKey> {
        self.key.as_ref()
    }

    /// Asks.
    ///
    /// # Errors
    /// The gateway's problem, or what the connection says.
    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, ClientError> {
        self.client
            .ask(Method::GET, path, Some(&self.token), None::<&()>)
            .await
    }

    /// Posts.
    ///
    /// # Errors
    /// The gateway's problem, or what the connection says.
    pub async fn post<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<R, ClientError> {
        self.client
            .ask(Method::POST, path, Some(&self.token), Some(body))
            .await
    }

    /// Hands in a FHIR resource (`application/fhir+json`).
    ///
    /// # Errors
    /// The gateway's problem, or what the connection says.
    pub async fn post_fhir<R: DeserializeOwned>(
        &self,
        path: &str,
        resource: Vec<u8>,
    ) -> Result<R, ClientError> {
        self.client.hand_in(path, &self.token, resource).await
    }

    /// Puts.
    ///
    /// # Errors
    /// The gateway's problem, or what the connection says.
    pub async fn put<Q: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<R, ClientError> {
        self.client
            .ask(Method::PUT, path, Some(&self.token), Some(body))
            .await
    }

    /// Deletes.
    ///
    /// # Errors
    /// The gateway's problem, or what the connection says.
    pub async fn delete<R: DeserializeOwned>(&self, path: &str) -> Result<R, ClientError> {
        self.client
            .ask(Method::DELETE, path, Some(&self.token), None::<&()>)
            .await
    }

    /// Gives a command and sees it through: signs it if the member holds the own key, and verifies the receipt.
    ///
    /// # Errors
    /// The gateway's problem (a contract's rejection among them), or a receipt that proves nothing.
    pub async fn command<Q: Serialize + ?Sized>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<VerifiedCommit, ClientError> {
        let reply = self.post(path, body).await?;
        self.see_through(reply).await
    }

    /// As [`Member::command`], by PUT.
    ///
    /// # Errors
    /// As [`Member::command`].
    pub async fn put_command<Q: Serialize + ?Sized>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<VerifiedCommit, ClientError> {
        let reply = self.put(path, body).await?;
        self.see_through(reply).await
    }

    async fn see_through(&self, reply: CommandReply) -> Result<VerifiedCommit, ClientError> {
        match reply {
            CommandReply::Committed(committed) => self.client.receipts().verify(&committed),
            CommandReply::SignatureNeeded(unsigned) => self.sign(&unsigned).await,
        }
    }

    /// Gives a command whose answer is committed at once, and verifies the receipt.
    ///
    /// # Errors
    /// As [`Member::command`].
    pub async fn commit<Q: Serialize + ?Sized>(
        &self,
        path: &str,
        body: &Q,
    ) -> Result<VerifiedCommit, ClientError> {
        let committed: Committed = self.post(path, body).await?;
        self.client.receipts().verify(&committed)
    }

    /// Signs a prepared transaction with the own key, after checking that it is the member's own, for this chain; hands
    /// the signature in and verifies the receipt.
    ///
    /// # Errors
    /// [`ClientError::NotSigned`] and as [`Member::command`].
    pub async fn sign(&self, unsigned: &UnsignedCommand) -> Result<VerifiedCommit, ClientError> {
        let refuse = |reason: &str| ClientError::NotSigned(reason.to_owned());
        let key = self
            .key
            .as_ref()
            .ok_or_else(|| refuse("this member holds no key of its own"))?;
        let body: TransactionBody =
            canonical::decode(&unsigned.unsigned.0).map_err(|error| refuse(&error.to_string()))?;
        if body.submitter != key.ledger_id() || body.public_key != key.public_key() {
            return Err(refuse("it is not for this member's key"));
        }
        if body.chain != self.client.receipts().chain() {
            return Err(refuse("it is for another chain"));
        }
        if body.id() != unsigned.transaction {
            return Err(refuse("its id is another"));
        }
        let signed = key.sign(body);
        let path = format!("/v1/transactions/{}/signature", unsigned.transaction);
        let request = json!({ "service": unsigned.service, "signature": Base64(signed.signature.0.to_vec()) });
        self.commit(&path, &request).await
    }
}
