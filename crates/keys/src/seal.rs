//! HPKE (RFC 9180): X25519-HKDF-SHA256, HKDF-SHA256, ChaCha20-Poly1305.
//!
//! Two forms. [`seal_to`] is for anybody's data to one reader (mode base). [`RequestSealer`] and
//! [`RequestOpener`] are for a request between two processes (mode auth: the opener knows which key
//! sealed it) and the reply that only the requester can read, under a key exported from the same
//! context, as in RFC 9180, section 9.8.

use chacha20poly1305::aead::{Aead as _, KeyInit, Payload};
use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::Secret;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Bytes that sealing adds in front: the encapsulated key.
pub const ENCAPSULATED_KEY_BYTES: usize = 32;
/// Bytes of the authentication tag.
pub const TAG_BYTES: usize = 16;

const REPLY_CONTEXT: &[u8] = b"medshare/reply-key/v1";

/// Sealed bytes don't open: another key, other associated data, or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub struct OpenError;

/// The public half of a [`SealingKey`]: whoever has it can seal to its holder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct SealingPublicKey(
    /// The X25519 u-coordinate.
    #[serde(with = "ledger::byte_string::array")]
    pub [u8; 32],
);

impl SealingPublicKey {
    fn key(&self) -> PublicKey {
        PublicKey::from_bytes(&self.0).expect("any 32 bytes are an X25519 public key")
    }
}

/// A secret X25519 key; wiped when dropped, no `Debug` of the secret.
#[derive(Clone)]
pub struct SealingKey {
    private: PrivateKey,
    public: SealingPublicKey,
}

impl SealingKey {
    /// The key whose secret scalar is `secret` (clamped).
    pub fn from_secret(secret: &Secret) -> SealingKey {
        let private = PrivateKey::from_bytes(secret.expose())
            .expect("any 32 bytes are an X25519 private key");
        let public = SealingPublicKey(X25519HkdfSha256::sk_to_pk(&private).to_bytes().into());
        SealingKey { private, public }
    }

    /// A fresh key.
    pub fn random() -> SealingKey {
        SealingKey::from_secret(&Secret::random())
    }

    /// The public half.
    pub fn public_key(&self) -> SealingPublicKey {
        self.public
    }

    /// Opens what [`seal_to`] sealed to this key under the same `info` and `associated_data`.
    pub fn open(
        &self,
        info: &[u8],
        associated_data: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let (encapsulated, ciphertext) = sealed
            .split_at_checked(ENCAPSULATED_KEY_BYTES)
            .ok_or(OpenError)?;
        let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError)?;
        let mut context: AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256> =
            hpke::setup_receiver(&OpModeR::Base, &self.private, &encapsulated, info)
                .map_err(|_| OpenError)?;
        context
            .open(ciphertext, associated_data)
            .map_err(|_| OpenError)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "SealingKey(of {})",
            data_encoding::HEXLOWER.encode(&self.public.0)
        )
    }
}

/// Seals `plaintext` to the holder of `recipient`: 32 bytes of encapsulated key, then ciphertext with tag.
///
/// `info` names the purpose, `associated_data` what the plaintext belongs to; both are needed again to open.
/// Fails only when `recipient` is a weak point, to which nothing can be sealed.
pub fn seal_to(
    recipient: &SealingPublicKey,
    info: &[u8],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (encapsulated, mut context) = hpke::setup_sender::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &recipient.key(), info)
    .map_err(|_| SealError)?;
    let ciphertext = context
        .seal(plaintext, associated_data)
        .map_err(|_| SealError)?;
    Ok([&encapsulated.to_bytes()[..], &ciphertext].concat())
}

/// The recipient's key is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be sealed to this key")]
pub struct SealError;

/// The requester's side of one sealed request and its reply.
pub struct RequestSealer {
    context: AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>,
    /// To be sent along with the first part.
    pub encapsulated_key: [u8; ENCAPSULATED_KEY_BYTES],
}

impl RequestSealer {
    /// Starts a request from the holder of `sender` to the holder of `recipient`.
    pub fn new(
        sender: &SealingKey,
        recipient: &SealingPublicKey,
        info: &[u8],
    ) -> Result<RequestSealer, SealError> {
        let mode = OpModeS::Auth((sender.private.clone(), sender.public.key()));
        let (encapsulated, context) = hpke::setup_sender::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(&mode, &recipient.key(), info)
        .map_err(|_| SealError)?;
        Ok(RequestSealer {
            context,
            encapsulated_key: encapsulated.to_bytes().into(),
        })
    }

    /// Seals the next part of the request; parts open in this order only.
    pub fn seal(&mut self, associated_data: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.context
            .seal(plaintext, associated_data)
            .map_err(|_| SealError)
    }

    /// What opens the reply.
    pub fn reply_key(&self) -> ReplyKey {
        let mut key = Zeroizing::new([0; 32]);
        self.context
            .export(REPLY_CONTEXT, &mut key[..])
            .expect("32 bytes can be exported");
        ReplyKey(key)
    }
}

/// The answering side of one sealed request and its reply.
pub struct RequestOpener {
    context: AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>,
}

impl RequestOpener {
    /// Starts to open a request that the holder of `sender` sealed to `recipient`.
    pub fn new(
        recipient: &SealingKey,
        sender: &SealingPublicKey,
        encapsulated_key: &[u8; ENCAPSULATED_KEY_BYTES],
        info: &[u8],
    ) -> Result<RequestOpener, OpenError> {
        let encapsulated = EncappedKey::from_bytes(encapsulated_key).map_err(|_| OpenError)?;
        let context = hpke::setup_receiver(
            &OpModeR::Auth(sender.key()),
            &recipient.private,
            &encapsulated,
            info,
        )
        .map_err(|_| OpenError)?;
        Ok(RequestOpener { context })
    }

    /// Opens the next part.
    pub fn open(&mut self, associated_data: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.context
            .open(sealed, associated_data)
            .map_err(|_| OpenError)
    }

    /// What seals the reply.
    pub fn reply_key(&self) -> ReplyKey {
        let mut key = Zeroizing::new([0; 32]);
        self.context
            .export(REPLY_CONTEXT, &mut key[..])
            .expect("32 bytes can be exported");
        ReplyKey(key)
    }
}

/// Seals and opens the parts of the one reply to a request. Part numbers are the nonces: each is used once.
pub struct ReplyKey(Zeroizing<[u8; 32]>);

impl ReplyKey {
    /// Seals part `part` of the reply. The responder calls it once for each part.
    pub fn seal(
        &self,
        part: u32,
        associated_data: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.cipher()
            .encrypt(
                &nonce(part).into(),
                Payload {
                    msg: plaintext,
                    aad: associated_data,
                },
            )
            .map_err(|_| SealError)
    }

    /// Opens part `part` of the reply.
    pub fn open(
        &self,
        part: u32,
        associated_data: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        self.cipher()
            .decrypt(
                &nonce(part).into(),
                Payload {
                    msg: sealed,
                    aad: associated_data,
                },
            )
            .map_err(|_| OpenError)
    }

    fn cipher(&self) -> chacha20poly1305::ChaCha20Poly1305 {
        chacha20poly1305::ChaCha20Poly1305::new((&*self.0).into())
    }
}

fn nonce(part: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&part.to_be_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_to_a_key_opens_with_it_and_with_no_other() {
        let reader = SealingKey::random();
        let sealed = seal_to(&reader.public_key(), b"test", b"record 1", b"hello").unwrap();
        assert_eq!(
            reader.open(b"test", b"record 1", &sealed).unwrap(),
            b"hello"
        );
        assert_eq!(reader.open(b"test", b"record 2", &sealed), Err(OpenError));
        assert_eq!(reader.open(b"other", b"record 1", &sealed), Err(OpenError));
        assert_eq!(
            SealingKey::random().open(b"test", b"record 1", &sealed),
            Err(OpenError)
        );
        assert_eq!(
            reader.open(b"test", b"record 1", &sealed[..20]),
            Err(OpenError)
        );
    }

    #[test]
    fn a_request_and_its_reply_open_on_the_other_side() {
        let (caller, service) = (SealingKey::random(), SealingKey::random());
        let mut sealer = RequestSealer::new(&caller, &service.public_key(), b"info").unwrap();
        let first = sealer.seal(b"0", b"question").unwrap();
        let second = sealer.seal(b"1", b"more").unwrap();
        let mut opener = RequestOpener::new(
            &service,
            &caller.public_key(),
            &sealer.encapsulated_key,
            b"info",
        )
        .unwrap();
        assert_eq!(opener.open(b"0", &first).unwrap(), b"question");
        assert_eq!(opener.open(b"1", &second).unwrap(), b"more");
        let reply = opener.reply_key().seal(0, b"ok", b"answer").unwrap();
        assert_eq!(
            sealer.reply_key().open(0, b"ok", &reply).unwrap(),
            b"answer"
        );
        assert_eq!(sealer.reply_key().open(1, b"ok", &reply), Err(OpenError));
    }

    #[test]
    fn a_request_that_names_another_sender_does_not_open() {
        let (caller, other, service) = (
            SealingKey::random(),
            SealingKey::random(),
            SealingKey::random(),
        );
        let mut sealer = RequestSealer::new(&caller, &service.public_key(), b"info").unwrap();
        let sealed = sealer.seal(b"", b"question").unwrap();
        let mut opener = RequestOpener::new(
            &service,
            &other.public_key(),
            &sealer.encapsulated_key,
            b"info",
        )
        .unwrap();
        assert_eq!(opener.open(b"", &sealed), Err(OpenError));
    }
}
