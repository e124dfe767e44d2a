//! Authorization codes: 24 characters that open one record, and prove themselves to the ledger.
//!
//! A code is 120 random bits in Crockford's base 32, shown in groups of four. With the record's number
//! it seeds an Ed25519 key (HKDF-SHA256); the ledger holds the public half, and whoever redeems the code
//! signs with the secret half. The ledger never sees a code.

use std::str::FromStr;

use ledger::SigningKey;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::secret;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARACTERS: usize = 24;
const GROUP: usize = 4;
const BYTES: usize = 15;

/// The text is not an authorization code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an authorization code has 24 characters out of 0-9 and A-Z without I, L, O, U")]
pub struct MalformedCode;

/// A code that opens one record. Wiped when dropped; no `Debug` of the secret.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AuthorizationCode([u8; BYTES]);

impl AuthorizationCode {
    /// A fresh code.
    pub fn random() -> AuthorizationCode {
        AuthorizationCode(secret::random())
    }

    /// The signing key that this code stands for on one record.
    pub fn key(&self, record: &[u8; 16]) -> SigningKey {
        SigningKey::from_seed(secret::hkdf_sha256(
            &self.0,
            record,
            b"medshare/authorization-code/v1",
        ))
    }

    /// The one-way locator by which the index finds the record that a code opens.
    pub fn locator(&self) -> ledger::Digest {
        ledger::tagged("medshare/code-locator/v1", &[&self.0])
    }

    /// The 120 bits, for keeping the code sealed.
    pub fn expose_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// The code of these bits.
    pub fn from_bytes(bytes: [u8; BYTES]) -> AuthorizationCode {
        AuthorizationCode(bytes)
    }

    /// The code as it is shown: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX`.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP - 1));
        for index in 0..CHARACTERS {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(self.five_bits(index))]));
        }
        text
    }

    fn five_bits(&self, index: usize) -> u8 {
        let bit = index * 5;
        let high = u16::from(self.0[bit / 8]);
        let low = u16::from(self.0.get(bit / 8 + 1).copied().unwrap_or(0));
        let window = (high << 8) | low;
        ((window >> (11 - bit % 8)) & 0x1f) as u8
    }
}

impl FromStr for AuthorizationCode {
    type Err = MalformedCode;

    /// Tolerant of case, spaces and hyphens, and of `O` for 0, `I` and `L` for 1.
    fn from_str(text: &str) -> Result<AuthorizationCode, MalformedCode> {
        let mut bytes = Zeroizing::new([0u8; BYTES]);
        let mut count = 0;
        for character in text
            .chars()
            .filter(|character| *character != '-' && !character.is_whitespace())
        {
            let value = value_of(character).ok_or(MalformedCode)?;
            if count == CHARACTERS {
                return Err(MalformedCode);
            }
            for offset in 0..5 {
                let bit = count * 5 + offset;
                bytes[bit / 8] |= ((value >> (4 - offset)) & 1) << (7 - bit % 8);
            }
            count += 1;
        }
        if count == CHARACTERS {
            Ok(AuthorizationCode(*bytes))
        } else {
            Err(MalformedCode)
        }
    }
}

fn value_of(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let byte = u8::try_from(character).ok()?;
    ALPHABET
        .iter()
        .position(|known| *known == byte)
        .map(|position| position as u8)
}

impl std::fmt::Debug for AuthorizationCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AuthorizationCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_from_its_text() {
        for _ in 0..200 {
            let code = AuthorizationCode::random();
            let text = code.expose_text();
            assert_eq!(text.len(), 29);
            assert_eq!(text.parse::<AuthorizationCode>().unwrap(), code);
            assert_eq!(
                text.to_lowercase()
                    .replace('-', " ")
                    .parse::<AuthorizationCode>()
                    .unwrap(),
                code
            );
        }
    }

    #[test]
    fn letters_that_look_like_digits_are_read_as_digits() {
        let code: AuthorizationCode = "0011-2345-6789-ABCD-EFGH-JKMN".parse().unwrap();
        assert_eq!(
            "OoIl23456789abcdefghjkmn"
                .parse::<AuthorizationCode>()
                .unwrap(),
            code
        );
        assert_eq!(code.expose_text().as_str(), "0011-2345-6789-ABCD-EFGH-JKMN");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "0011-2345",
            "0011-2345-6789-ABCD-EFGH-JKMU",
            "0011-2345-6789-ABCD-EFGH-JKMN0",
            "ä",
        ] {
            assert_eq!(
                text.parse::<AuthorizationCode>(),
                Err(MalformedCode),
                "{text}"
            );
        }
    }

    #[test]
    fn a_code_stands_for_another_key_on_each_record() {
        let code = AuthorizationCode::random();
        assert_eq!(
            code.key(&[1; 16]).public_key(),
            code.key(&[1; 16]).public_key()
        );
        assert_ne!(
            code.key(&[1; 16]).public_key(),
            code.key(&[2; 16]).public_key()
        );
    }
}
