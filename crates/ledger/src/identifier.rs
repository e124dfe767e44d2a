//! Identifiers and numbers that everyone shares. Sixteen-byte ids are random and say nothing by themselves.

use serde::{Deserialize, Serialize};

/// Declares a 16-byte identifier: `identifier16! { /// What it names. RecordNumber }`.
///
/// Text form: 32 lowercase hex characters. See [`hex_bytes!`](crate::hex_bytes) for what it implements.
#[macro_export]
macro_rules! identifier16 {
    ($(#[$attribute:meta])* $name:ident) => {
        $crate::hex_bytes! { $(#[$attribute])* $name, 16 }
    };
}

crate::identifier16! {
    /// The pseudonym under which a member acts. A patient has one per context.
    LedgerId
}

macro_rules! number {
    ($(#[$attribute:meta])* $name:ident, $inner:ty) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(
            /// The number.
            pub $inner,
        );

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    };
}

number! {
    /// The position of a block; the genesis block has height 0.
    Height, u64
}
number! {
    /// The number of a replica set; the genesis file describes epoch 0.
    Epoch, u64
}
number! {
    /// A replica of the ordering cluster. Numbers are never reused.
    ReplicaId, u16
}
number! {
    /// A contract. 0 is the ledger itself ([`LEDGER_CONTRACT`](crate::LEDGER_CONTRACT)).
    ContractId, u16
}
number! {
    /// Microseconds since the Unix epoch.
    Timestamp, u64
}

impl Height {
    /// The next height.
    ///
    /// # Panics
    /// Past `u64::MAX` blocks.
    pub fn next(self) -> Height {
        Height(
            self.0
                .checked_add(1)
                .expect("a chain never has 2^64 blocks"),
        )
    }
}

impl Timestamp {
    /// The time `microseconds` later, at most the end of time.
    pub fn plus(self, microseconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(microseconds))
    }
}
