//! How byte strings travel through serde: raw bytes in binary formats, lowercase hex in text formats.
//!
//! Fixed-length arrays have no length prefix in postcard (they are serde tuples of `u8`);
//! `Vec<u8>` has one (varint), which equals what serde's own `Vec<u8>` gives in postcard.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserializer, Serializer};

/// For `#[serde(with = "ledger::byte_string::array")]` on `[u8; N]`.
pub mod array {
    use super::*;

    /// Writes `N` raw bytes, or `2 * N` hex characters in a text format.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes));
        }
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(ArrayVisitor::<N>)
        } else {
            deserializer.deserialize_tuple(N, ArrayVisitor::<N>)
        }
    }

    struct ArrayVisitor<const N: usize>;

    impl<'de, const N: usize> Visitor<'de> for ArrayVisitor<N> {
        type Value = [u8; N];

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(
                formatter,
                "{N} bytes, in text formats as {} lowercase hex characters",
                2 * N
            )
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<[u8; N], E> {
            from_hex(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<[u8; N], A::Error> {
            let mut bytes = [0; N];
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = sequence
                    .next_element()?
                    .ok_or_else(|| A::Error::invalid_length(index, &self))?;
            }
            Ok(bytes)
        }
    }
}

/// For `#[serde(with = "ledger::byte_string::vector")]` on `Vec<u8>`.
pub mod vector {
    use super::*;

    /// Writes a length-prefixed byte string, or hex in a text format.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
        } else {
            serializer.serialize_bytes(bytes)
        }
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(VectorVisitor)
        } else {
            deserializer.deserialize_byte_buf(VectorVisitor)
        }
    }

    struct VectorVisitor;

    impl Visitor<'_> for VectorVisitor {
        type Value = Vec<u8>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a byte string, in text formats as lowercase hex")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            data_encoding::HEXLOWER
                .decode(text.as_bytes())
                .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

/// The `N` bytes that `text` spells in hex (either case), or `None`.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The length is checked first, so that an oversized text costs nothing.
    if text.len() != 2 * N {
        return None;
    }
    HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

/// Declares a fixed-length byte type whose text form is lowercase hex.
///
/// Gives `Display`, `Debug`, `FromStr`, serde (raw bytes in binary formats, hex in text formats),
/// `Ord`, `Hash`, `Copy` and `AsRef<[u8]>`.
#[macro_export]
macro_rules! hex_bytes {
    ($(#[$attribute:meta])* $name:ident, $length:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            /// The raw bytes.
            pub [u8; $length],
        );

        impl ::core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                for byte in &self.0 {
                    write!(formatter, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::byte_string::NotHex;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::byte_string::from_hex(text)
                    .map($name)
                    .ok_or($crate::byte_string::NotHex { characters: 2 * $length })
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::byte_string::array::serialize(&self.0, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::byte_string::array::deserialize(deserializer).map($name)
            }
        }
    };
}

/// A text that should have been a certain number of hex characters is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {characters} hex characters")]
pub struct NotHex {
    /// How many characters the text must have.
    pub characters: usize,
}
