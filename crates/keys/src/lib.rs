//! Member keys: signing, sealing, codes, certificates and session tokens.
//!
//! Everything secret in this crate is wiped when dropped and has no `Debug` that shows it. Randomness
//! comes from the operating system ([`secret::random`]); times are arguments, in microseconds since
//! the Unix epoch.
//!
//! | module | what |
//! |---|---|
//! | [`secret`] | 32-byte secrets, derivation by HKDF, files of mode 0600 |
//! | [`member`] | the signing and sealing key of one member, from one seed |
//! | [`seal`] | HPKE: sealing to a public key, and request with reply between two processes |
//! | [`content`] | XChaCha20-Poly1305 with a key per record, wrapped keys |
//! | [`delivery`] | released content, sealed to an applicant's item key |
//! | [`viewer_name`] | the viewer's name, sealed to patient and regulator |
//! | [`code`] | authorization codes that prove themselves |
//! | [`password`] | secrets wrapped under a password (Argon2id) |
//! | [`token`] | session tokens (PASETO v4.public) |
//! | [`certificate`], [`certificate_check`] | the certificate authority: issuing, and verifying chains |
//! | [`identity_hash`] | the keyed hash by which a hospital's patient is matched to a member |
//! | [`nkey`] | user keys of the message broker |
//! | [`pseudonym`] | a reader's pseudonyms of ids, by a keyed permutation |
//! | [`tls`] | TLS with the consortium's certificates on both sides |

pub mod certificate;
pub mod certificate_check;
pub mod code;
pub mod content;
pub mod delivery;
pub mod device_envelope;
pub mod identity_hash;
pub mod member;
pub mod nkey;
pub mod ocsp;
pub mod password;
pub mod pseudonym;
pub mod seal;
pub mod secret;
pub mod tls;
pub mod token;
pub mod viewer_name;

pub use code::AuthorizationCode;
pub use content::ContentKey;
pub use member::MemberKey;
pub use seal::{SealingKey, SealingPublicKey};
pub use secret::Secret;
pub use token::{Role, Session, TokenKey};
