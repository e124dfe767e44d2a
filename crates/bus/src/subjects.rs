//! Every subject of the bus is built here, and nowhere else.
//!
//! | subject | who publishes | who listens |
//! |---|---|---|
//! | `service.<name>.<use case>` | any service, as a request | the service of that name (a queue group) |
//! | `parts.<responder>.<instance>.<requester>` | the requester | one instance of the responder |
//! | `reply.<responder>.<requester>.<id>` | the responder | the requester |
//! | `transactions.<user>` | the submitting user | every replica |
//! | `addressed.<replica>.<user>` | the submitting user | that replica |
//! | `ordering.<replica>.<use case>` | any service, as a request | that replica |
//! | `pbft.<epoch>.<from>.all`, `pbft.<epoch>.<from>.to.<replica>` | replica `from` | replicas |
//! | `blocks.<replica>.<height>` | that replica | every service; the stream [`BLOCKS_STREAM`] keeps them |
//! | `devices.<device>.readings` | the device (MQTT topic `devices/<device>/readings`) | the iot service |
//! | `devices.<device>.acknowledgements` | the iot service | the device |
//! | [`SESSIONS_ENDED`] | identity | every service |

use ledger::{Epoch, Height, ReplicaId};

/// The JetStream stream that keeps blocks: a cache, the replicas are the truth.
pub const BLOCKS_STREAM: &str = "BLOCKS";
/// What the stream keeps.
pub const BLOCKS_SUBJECTS: &str = "blocks.*.*";
/// What the iot service listens to.
pub const ALL_READINGS: &str = "devices.*.readings";
/// Where replicas receive transactions of all users.
pub const ALL_TRANSACTIONS: &str = "transactions.*";
/// Where identity tells every service which sessions have been ended.
pub const SESSIONS_ENDED: &str = "sessions.ended";
/// Asked for one stored message of [`BLOCKS_STREAM`].
pub const BLOCKS_DIRECT_GET: &str = "$JS.API.DIRECT.GET.BLOCKS";

const NAME_CHARACTERS_MAX: usize = 64;

/// Whether `name` can be a bus name or any other single token: 1 to 64 of a-z, 0-9, `-`, `_`.
pub fn is_token(name: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        })
}

/// The bus name of a replica: `replica-<number>`.
pub fn replica_name(replica: ReplicaId) -> String {
    format!("replica-{}", replica.0)
}

/// The replica of a bus name.
pub fn replica_of(name: &str) -> Option<ReplicaId> {
    let number = name.strip_prefix("replica-")?;
    let replica = ReplicaId(number.parse().ok()?);
    (replica_name(replica) == name).then_some(replica)
}

/// Whether this is the bus name of a broker's own process: `nats-<number>`.
pub fn is_broker(name: &str) -> bool {
    name.strip_prefix("nats-")
        .is_some_and(|number| number.parse::<u16>().is_ok())
}

/// The bus name of a hospital's records service: `records-<slug>`.
pub fn records_name(slug: &str) -> String {
    format!("records-{slug}")
}

/// Where a service is asked for one use case.
pub fn service(name: &str, use_case: &str) -> String {
    format!("service.{name}.{use_case}")
}

/// All use cases of one service.
pub fn all_of_service(name: &str) -> String {
    format!("service.{name}.*")
}

/// Where one instance of a service takes the further parts of a large request.
pub fn parts(responder: &str, instance: &str, requester: &str) -> String {
    format!("parts.{responder}.{instance}.{requester}")
}

/// All further parts for one instance.
pub fn all_parts(responder: &str, instance: &str) -> String {
    format!("parts.{responder}.{instance}.*")
}

/// Where the answer to one request goes.
pub fn reply(responder: &str, requester: &str, id: &str) -> String {
    format!("reply.{responder}.{requester}.{id}")
}

/// All answers to one requester.
pub fn all_replies(requester: &str) -> String {
    format!("reply.*.{requester}.*")
}

/// Where a replica answers a user's transactions, those at hand together: receipts, refusals.
pub fn transaction_replies(replica: ReplicaId, user: &str) -> String {
    reply(&replica_name(replica), user, TRANSACTIONS)
}

/// The last token of [`transaction_replies`]. (Those of other answers are random.)
pub const TRANSACTIONS: &str = "transactions";

/// Where a user publishes signed transactions.
pub fn transactions(user: &str) -> String {
    format!("transactions.{user}")
}

/// Where a user publishes signed transactions for one replica. (Not below `transactions`: whoever may listen to
/// [`ALL_TRANSACTIONS`] may listen to `transactions.>` as well, as the server has it.)
pub fn transactions_to(user: &str, replica: ReplicaId) -> String {
    format!("addressed.{}.{user}", replica.0)
}

/// Where one replica receives transactions of all users.
pub fn transactions_to_me(replica: ReplicaId) -> String {
    transactions_to("*", replica)
}

/// Where a replica is asked: see [`crate::ordering_wire`].
pub fn ordering(replica: ReplicaId, use_case: &str) -> String {
    format!("ordering.{}.{use_case}", replica.0)
}

/// All questions to one replica.
pub fn all_of_ordering(replica: ReplicaId) -> String {
    format!("ordering.{}.*", replica.0)
}

/// A replica's message to all others.
pub fn pbft_all(epoch: Epoch, from: ReplicaId) -> String {
    format!("pbft.{}.{}.all", epoch.0, from.0)
}

/// A replica's message to one other.
pub fn pbft_to(epoch: Epoch, from: ReplicaId, to: ReplicaId) -> String {
    format!("pbft.{}.{}.to.{}", epoch.0, from.0, to.0)
}

/// What a replica listens to: messages to all.
pub const PBFT_TO_ALL: &str = "pbft.*.*.all";

/// What a replica listens to: messages to itself.
pub fn pbft_to_me(replica: ReplicaId) -> String {
    format!("pbft.*.*.to.{}", replica.0)
}

/// Where a replica publishes a certified block.
pub fn block(replica: ReplicaId, height: Height) -> String {
    format!("blocks.{}.{}", replica.0, height.0)
}

/// The block of a height, whoever published it (for [`BLOCKS_DIRECT_GET`]).
pub fn block_of_any(height: Height) -> String {
    format!("blocks.*.{}", height.0)
}

/// Where a device's readings arrive.
pub fn readings(device: &str) -> String {
    format!("devices.{device}.readings")
}

/// Where a device is told which readings are safe.
pub fn acknowledgements(device: &str) -> String {
    format!("devices.{device}.acknowledgements")
}

/// The device of a readings subject.
pub fn device_of(subject: &str) -> Option<&str> {
    subject.strip_prefix("devices.")?.strip_suffix(".readings")
}

/// The submitting user of a subject of transactions.
pub fn user_of(subject: &str) -> Option<&str> {
    let user = match subject.split('.').collect::<Vec<_>>()[..] {
        ["transactions", user] | ["addressed", _, user] => user,
        _ => return None,
    };
    is_token(user).then_some(user)
}

/// The prefix of a user's private inbox (JetStream and other server replies).
pub fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_widen_a_subject_are_no_tokens() {
        for name in ["", "a.b", "*", ">", "A", "a b", &"x".repeat(65)] {
            assert!(!is_token(name), "{name}");
        }
        assert!(is_token("records-north_1"));
    }

    #[test]
    fn a_replica_has_one_bus_name() {
        assert_eq!(replica_of("replica-3"), Some(ReplicaId(3)));
        for name in [
            "replica-03",
            "replica-+3",
            "replica-",
            "replica-70000",
            "records-3",
        ] {
            assert_eq!(replica_of(name), None, "{name}");
        }
    }
}
