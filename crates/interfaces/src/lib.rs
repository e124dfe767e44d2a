//! The messages services answer over the bus and the gateway shows over REST: one module a service, one pair of types a use case.
//!
//! A use case has one name everywhere: [`UseCase::NAME`] is its bus subject's last token, its api file, its command file and
//! its story. Types are JSON; ids and digests are lowercase hex, bytes are base64url without padding.

pub mod authorization;
pub mod identity;
pub mod index;
pub mod iot;
pub mod records;
pub mod settlement;
pub mod staff;

mod bytes;
mod committed;
mod page;
mod problem;
mod time;

use serde::{Serialize, de::DeserializeOwned};

pub use bytes::Base64;
pub use committed::{CommandReply, Committed, SubmitSignature, UnsignedCommand};
pub use page::{Page, PageRequest};
pub use problem::Problem;
pub use time::time_text;

/// A request that one service answers.
pub trait UseCase: Serialize + DeserializeOwned + Send + 'static {
    /// The answering service (`records` stands for the records service of one hospital).
    const SERVICE: &'static str;
    /// The use case's name, snake_case, unique in its service.
    const NAME: &'static str;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// Says which service answers a request, under which name, with what.
macro_rules! use_case {
    ($service:literal, $name:literal, $request:ident -> $reply:ty) => {
        impl $crate::UseCase for $request {
            const SERVICE: &'static str = $service;
            const NAME: &'static str = $name;
            type Reply = $reply;
        }
    };
}
pub(crate) use use_case;
