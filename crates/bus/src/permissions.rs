//! What each user of the broker may publish and subscribe: nothing but what its work needs.
//!
//! Nobody has `allow_responses` (a reply subject would bypass the publish list), nobody but the
//! administrator reaches the JetStream API, and every inbox is private. `medshare` renders this for the
//! server's configuration.

use ledger::ReplicaId;

use crate::subjects;

/// What a user of the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A service that asks and answers others, submits transactions and follows the ledger
    /// (identity, index, authorization, settlement, gateway, portal, records-<slug>).
    Service {
        /// Its bus name.
        name: String,
    },
    /// The iot service: a service that also hears and acknowledges devices.
    DeviceService {
        /// Its bus name.
        name: String,
    },
    /// A replica.
    Replica(ReplicaId),
    /// The process around a broker: follows the ledger, to know whose connections end.
    Broker {
        /// Its bus name.
        name: String,
    },
    /// A measuring device, over MQTT.
    Device {
        /// Its device name, a token.
        name: String,
    },
    /// Sets up streams; used by `medshare up` and the like, never by a service.
    Administrator {
        /// Its bus name.
        name: String,
    },
}

impl Role {
    /// The role of a process's bus name: `replica-<n>`, `nats-<n>`, `iot`, `administrator`, or else a service.
    pub fn of_bus_name(name: &str) -> Role {
        match (subjects::replica_of(name), name) {
            (Some(replica), _) => Role::Replica(replica),
            (None, "iot") => Role::DeviceService { name: name.into() },
            (None, _) if subjects::is_broker(name) => Role::Broker { name: name.into() },
            (None, "administrator") => Role::Administrator { name: name.into() },
            (None, _) => Role::Service { name: name.into() },
        }
    }
}

/// Subjects, with wildcards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What may be published.
    pub publish: Vec<String>,
    /// What may be subscribed to, also as a queue group.
    pub subscribe: Vec<String>,
    /// What of it is not delivered all the same.
    pub not_delivered: Vec<String>,
}

impl Permissions {
    /// The permissions of a role.
    pub fn of(role: &Role) -> Permissions {
        match role {
            Role::Service { name } => of_service(name),
            Role::DeviceService { name } => {
                let mut permissions = of_service(name);
                permissions.subscribe.push(subjects::ALL_READINGS.into());
                permissions.publish.push(subjects::acknowledgements("*"));
                permissions
            }
            Role::Replica(replica) => of_replica(*replica),
            Role::Broker { name } => Permissions {
                publish: vec![
                    subjects::reply(name, "*", "*"),
                    "ordering.*.*".into(),
                    subjects::BLOCKS_DIRECT_GET.into(),
                    subjects::service("identity", "renew_certificate"),
                ],
                subscribe: vec![
                    subjects::all_replies(name),
                    subjects::BLOCKS_SUBJECTS.into(),
                    format!("{}.>", subjects::inbox_prefix(name)),
                ],
                ..Permissions::default()
            },
            Role::Device { name } => Permissions {
                publish: vec![subjects::readings(name)],
                // The second is the server's own delivery subject of an MQTT session with QoS 1.
                subscribe: vec![subjects::acknowledgements(name), "$MQTT.sub.>".into()],
                ..Permissions::default()
            },
            Role::Administrator { name } => Permissions {
                publish: [
                    "$JS.API.INFO",
                    "$JS.API.STREAM.CREATE.BLOCKS",
                    "$JS.API.STREAM.UPDATE.BLOCKS",
                    "$JS.API.STREAM.INFO.BLOCKS",
                    &subjects::reply(name, "*", "*"),
                ]
                .map(str::to_owned)
                .into(),
                subscribe: vec![
                    subjects::all_replies(name),
                    format!("{}.>", subjects::inbox_prefix(name)),
                ],
                ..Permissions::default()
            },
        }
    }
}

fn of_service(name: &str) -> Permissions {
    let mut permissions = Permissions {
        publish: vec![
            subjects::service("*", "*"),
            subjects::parts("*", "*", name),
            subjects::reply(name, "*", "*"),
            subjects::transactions(name),
            format!("addressed.*.{name}"),
            "ordering.*.*".into(),
            subjects::BLOCKS_DIRECT_GET.into(),
        ],
        subscribe: vec![
            subjects::all_of_service(name),
            subjects::all_parts(name, "*"),
            subjects::all_replies(name),
            subjects::BLOCKS_SUBJECTS.into(),
            subjects::SESSIONS_ENDED.into(),
            format!("{}.>", subjects::inbox_prefix(name)),
        ],
        ..Permissions::default()
    };
    if name == "identity" {
        permissions.publish.push(subjects::SESSIONS_ENDED.into());
    }
    permissions
}

fn of_replica(replica: ReplicaId) -> Permissions {
    let name = subjects::replica_name(replica);
    let own_broadcasts = format!("pbft.*.{}.all", replica.0);
    Permissions {
        publish: vec![
            own_broadcasts.clone(),
            format!("pbft.*.{}.to.*", replica.0),
            format!("blocks.{}.*", replica.0),
            subjects::reply(&name, "*", "*"),
            "ordering.*.*".into(),
            // Evidence of equivocation goes to the ledger as a transaction.
            subjects::transactions(&name),
            subjects::service("identity", "renew_certificate"),
        ],
        subscribe: vec![
            subjects::PBFT_TO_ALL.into(),
            subjects::pbft_to_me(replica),
            subjects::ALL_TRANSACTIONS.into(),
            // Those to others it must not hear: see `Addressing`.
            subjects::transactions_to_me(replica),
            subjects::all_of_ordering(replica),
            subjects::all_replies(&name),
            format!("{}.>", subjects::inbox_prefix(&name)),
        ],
        // It knows what it said: a quarter of all deliveries between four replicas.
        not_delivered: vec![own_broadcasts],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_publishes_under_its_own_number_only_and_has_no_jetstream() {
        let permissions = Permissions::of(&Role::Replica(ReplicaId(2)));
        for subject in permissions
            .publish
            .iter()
            .filter(|subject| subject.starts_with("pbft."))
        {
            assert_eq!(subject.split('.').nth(2), Some("2"));
        }
        assert!(
            !permissions
                .publish
                .iter()
                .any(|subject| subject.starts_with("$JS"))
        );
    }

    #[test]
    fn identity_alone_says_which_sessions_have_ended() {
        for name in ["identity", "gateway", "records-lakeside", "iot", "portal"] {
            let permissions = Permissions::of(&Role::of_bus_name(name));
            let may =
                |subjects: &[String]| subjects.iter().any(|one| one == subjects::SESSIONS_ENDED);
            assert_eq!(may(&permissions.publish), name == "identity", "{name}");
            assert!(may(&permissions.subscribe), "{name}");
        }
    }

    #[test]
    fn no_service_hears_another_ones_requests_replies_or_transactions() {
        let permissions = Permissions::of(&Role::of_bus_name("index"));
        for subject in &permissions.subscribe {
            let own = subject
                .split('.')
                .any(|token| token == "index" || token == "_INBOX_index");
            let of_all = [subjects::BLOCKS_SUBJECTS, subjects::SESSIONS_ENDED];
            assert!(own || of_all.contains(&subject.as_str()), "{subject}");
        }
    }
}
