//! A consortium around one records service: a real broker, the real contracts behind replicas that agree by
//! construction, and small doubles of identity, index and authorization that answer over the bus.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::testing::{TestBroker, TestOrdering, test_genesis};
use bus::{Bus, Call, Router, Target};
use chassis::Shutdown;
use contracts::{Command, ItemId};
use interfaces::authorization::PutDelivery;
use interfaces::identity::*;
use interfaces::index::{CodeLocator, IndexRow, PutCodeLocators, PutIndexRows};
use interfaces::{Base64, Problem, UseCase};
use keys::{MemberKey, Role, SealingKey, Secret, Session, TokenKey};
use ledger::{Digest, GenesisMember, Height, LedgerId, Receipt, Timestamp, TransactionBody};
use records::Config;
use store::testing::{TestDatabase, start_contracts};

const USERS: &[&str] = &[
    "records-north",
    "identity",
    "index",
    "authorization",
    "gateway",
    "replica-0",
    "replica-1",
    "replica-2",
    "replica-3",
];

/// What the doubles know and were told.
pub struct Outside {
    /// Keys of everybody, by ledger id.
    pub people: BTreeMap<LedgerId, MemberKey>,
    /// The member behind an identity ID, once enrolled.
    pub enrolled: Mutex<BTreeMap<String, PatientMatch>>,
    /// The patient's ledger id at this hospital, by account.
    pub accounts: BTreeMap<String, LedgerId>,
    /// Who can be named as the patient's guardian: the account, the ledger id made for it, and the patient's.
    pub guardian: (String, LedgerId, LedgerId),
    /// Index rows put.
    pub rows: Mutex<Vec<IndexRow>>,
    /// Locators put.
    pub locators: Mutex<Vec<CodeLocator>>,
    /// Ciphertexts put.
    pub deliveries: Mutex<BTreeMap<ItemId, Vec<u8>>>,
    token: TokenKey,
    regulator: SealingKey,
    hospital: LedgerId,
}

/// One member of the story.
pub struct Person {
    pub key: MemberKey,
    pub account: String,
    pub roles: Vec<Role>,
}

pub struct Consortium {
    pub broker: TestBroker,
    pub ordering: TestOrdering,
    pub outside: Arc<Outside>,
    pub gateway: Bus,
    pub north: Person,
    pub south: Person,
    pub patient: Person,
    pub stranger: Person,
    pub guardian: Person,
    pub doctor: Person,
    pub visitor: Person,
    pub institute: Person,
    pub treasurer: Person,
    database: TestDatabase,
    mapping: String,
    /// When the service takes the ledger for unreachable.
    pub ledger_silent_seconds: u64,
    /// A clerk of the north, and one of the south.
    pub clerk: Person,
    pub other_clerk: Person,
    /// How often the service sweeps by itself; 0 for never.
    pub sweep_seconds: u64,
    /// The newest height of which a receipt came back, as the Rust client keeps it.
    seen: AtomicU64,
    folder: tempfile::TempDir,
    service: Option<(tokio::runtime::Runtime, Shutdown)>,
}

fn person(account: &str, roles: &[Role]) -> Person {
    Person {
        key: MemberKey::random(),
        account: account.to_owned(),
        roles: roles.to_vec(),
    }
}

impl Consortium {
    /// Starts everything, the service last; `mapping` is that of the hospital's SQLite database.
    pub async fn start(mapping: &str, database: TestDatabase) -> Consortium {
        let (north, south) = (
            person("north", &[Role::Hospital]),
            person("south", &[Role::Hospital]),
        );
        let (patient, stranger) = (
            person("patient", &[Role::Patient]),
            person("stranger", &[Role::Patient]),
        );
        let guardian = person("guardian", &[Role::Patient]);
        let (doctor, visitor) = (
            person("doctor", &[Role::Doctor]),
            person("visitor", &[Role::Doctor]),
        );
        let (institute, treasurer) = (
            person("institute", &[Role::ThirdParty]),
            person("treasurer", &[Role::Treasurer]),
        );
        // A clerk has no key: the hospital's stands for which hospital it is.
        let clerk_of = |hospital: &Person, account: &str| Person {
            key: hospital.key.clone(),
            ..person(account, &[Role::Clerk])
        };
        let (clerk, other_clerk) = (clerk_of(&north, "clerk"), clerk_of(&south, "other clerk"));
        let (mut genesis, replica_keys) = test_genesis(4);
        for (person, kind) in [
            (&north, "Hospital"),
            (&south, "Hospital"),
            (&patient, "Patient"),
            (&stranger, "Patient"),
            (&guardian, "Patient"),
            (&doctor, "Doctor"),
            (&visitor, "Doctor"),
            (&institute, "ThirdParty"),
            (&treasurer, "Treasurer"),
        ] {
            let named = !["Patient", "Doctor"].contains(&kind);
            genesis.members.push(GenesisMember {
                ledger_id: person.key.ledger_id(),
                public_key: person.key.public_key(),
                kind: kind.to_owned(),
                name: if named {
                    person.account.clone()
                } else {
                    String::new()
                },
                allowed: Vec::new(),
            });
        }
        for replica in genesis.epoch.replicas.clone() {
            genesis.members.push(GenesisMember {
                ledger_id: replica.operator,
                public_key: MemberKey::random().public_key(),
                kind: "NodeOperator".into(),
                name: "operator".into(),
                allowed: Vec::new(),
            });
        }
        let broker = TestBroker::start_with(USERS, genesis, replica_keys).await;
        let ordering = start_contracts(&broker).await;
        let outside = Arc::new(Outside {
            people: [
                &north, &south, &patient, &stranger, &guardian, &doctor, &visitor, &institute,
                &treasurer,
            ]
            .map(|person| (person.key.ledger_id(), person.key.clone()))
            .into(),
            enrolled: Mutex::default(),
            accounts: [&patient, &stranger]
                .map(|person| (person.account.clone(), person.key.ledger_id()))
                .into(),
            guardian: (
                guardian.account.clone(),
                guardian.key.ledger_id(),
                patient.key.ledger_id(),
            ),
            rows: Mutex::default(),
            locators: Mutex::default(),
            deliveries: Mutex::default(),
            token: TokenKey::from_seed(&Secret::random()),
            regulator: SealingKey::random(),
            hospital: north.key.ledger_id(),
        });
        outside.serve(&broker).await;
        let folder = tempfile::tempdir().unwrap();
        north.key.save(&folder.path().join("member.json")).unwrap();
        let gateway = broker.connect("gateway").await;
        let mut consortium = Consortium {
            broker,
            ordering,
            outside,
            gateway,
            north,
            south,
            patient,
            stranger,
            guardian,
            doctor,
            visitor,
            institute,
            treasurer,
            clerk,
            other_clerk,
            database,
            mapping: mapping.to_owned(),
            ledger_silent_seconds: 3_600,
            sweep_seconds: 0,
            seen: AtomicU64::new(0),
            folder,
            service: None,
        };
        consortium.start_service().await;
        consortium
    }

    /// The hospital's database.
    pub fn hospital_url(&self) -> String {
        format!(
            "sqlite://{}?mode=rwc",
            self.folder.path().join("hospital.db").display()
        )
    }

    fn config(&self) -> Config {
        let broker = self.broker.config("records-north");
        let path = |path: &std::path::Path| path.display().to_string();
        let text = format!(
            "[bus]\nservers = [\"{}\"]\nuser = \"records-north\"\nnkey_seed_file = \"{}\"\ndirectory = \"{}\"\n\
             sealing_seed_file = \"{}\"\ngenesis = \"{}\"\n[database]\nurl = \"{}\"\n[member]\nkey_file = \"{}\"\n\
             [sessions]\npublic_key = \"{}\"\n[hospital]\nslug = \"north\"\nname = \"North\"\n\
             [emergencies]\nledger_silent_seconds = {}\n[integrity]\nsweep_seconds = {}\n\
             [hospital_database]\nkind = \"sqlite\"\nurl = \"{}\"\nmapping = \"{}\"\n",
            self.broker.url(),
            path(&broker.nkey_seed_file),
            path(&broker.directory),
            path(&broker.sealing_seed_file),
            path(&broker.genesis),
            self.database.url(),
            path(&self.folder.path().join("member.json")),
            self.outside.token.public_key(),
            self.ledger_silent_seconds,
            self.sweep_seconds,
            self.hospital_url(),
            self.mapping,
        );
        toml::from_str(&text).unwrap()
    }

    /// Starts the service in a runtime of its own, so that it can be killed.
    pub async fn start_service(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let shutdown = Shutdown::detached("records-north");
        let (config, handle) = (self.config(), shutdown.clone());
        runtime.spawn(async move {
            if let Err(error) = records::run(config, handle).await {
                panic!("the service failed: {error:#}");
            }
        });
        tokio::time::timeout(Duration::from_secs(60), shutdown.became_ready())
            .await
            .expect("the service becomes ready");
        self.service = Some((runtime, shutdown));
    }

    /// Ends the service at once, wherever it is.
    pub fn kill_service(&mut self) {
        if let Some((runtime, _)) = self.service.take() {
            runtime.shutdown_background();
        }
    }

    /// Asks the service as somebody.
    pub async fn ask<Q: UseCase>(&self, who: &Person, request: Q) -> Result<Q::Reply, Problem> {
        let token = self.outside.token_of(who);
        let seen = Height(self.seen.load(Ordering::Relaxed));
        let target = Target::records("records-north");
        let asked = self.gateway.request(&target, Some(&token), &request);
        bus::seen::having_seen(seen, asked).await
    }

    /// Submits a member's own command.
    pub async fn submit(&self, who: &Person, command: impl Into<Command>) -> Receipt {
        let command = command.into();
        let body = TransactionBody {
            chain: self.gateway.chain(),
            submitter: who.key.ledger_id(),
            public_key: who.key.public_key(),
            nonce: u64::from_be_bytes(keys::secret::random()),
            valid_until: Timestamp(chassis::clock::now() + 30_000_000),
            contract: command.contract().id(),
            command: command.to_bytes(),
        };
        let receipt = self.gateway.submit(&who.key.sign(body)).await.unwrap();
        assert_eq!(
            receipt.leaf.outcome,
            ledger::Outcome::Accepted,
            "{:?}",
            contracts::Rejection::from_outcome(receipt.leaf.outcome)
        );
        self.seen
            .fetch_max(receipt.header.height.0, Ordering::Relaxed);
        receipt
    }

    /// Enrols the patient, as identity would know it.
    pub fn enrol(&self, identity_id: &str, person: &Person) {
        let matched = PatientMatch {
            patient: person.key.ledger_id(),
            sealing_key: Base64(person.key.sealing_public_key().0.to_vec()),
            insured: person.key.ledger_id(),
            person: Digest([9; 32]),
        };
        self.outside
            .enrolled
            .lock()
            .unwrap()
            .insert(identity_id.to_owned(), matched);
    }

    /// All events on the ledger, in order.
    pub fn events(&self) -> Vec<contracts::Event> {
        let blocks = self.ordering.blocks();
        let leaves = blocks.iter().flat_map(|block| &block.block.outcomes);
        leaves
            .flat_map(|leaf| &leaf.events)
            .map(|event| contracts::Event::from_bytes(event.contract, &event.bytes).unwrap())
            .collect()
    }

    /// Waits until as many events are on the ledger as asked for; from then on whoever asks has seen them.
    pub async fn wait_for_events(&self, count: usize, wanted: impl Fn(&contracts::Event) -> bool) {
        for _ in 0..600 {
            let newest = self
                .ordering
                .blocks()
                .last()
                .map(|it| it.block.header.height.0);
            if self.events().iter().filter(|event| wanted(event)).count() >= count {
                self.seen
                    .fetch_max(newest.unwrap_or_default(), Ordering::Relaxed);
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the ledger never had {count} of the events waited for");
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        self.kill_service();
    }
}

impl Outside {
    fn token_of(&self, who: &Person) -> String {
        let now = Timestamp(chassis::clock::now());
        let has = |roles: &[Role]| who.roles.iter().any(|role| roles.contains(role));
        let custodial = has(&[Role::Patient, Role::Doctor, Role::Clerk]);
        let mut ledger_ids = BTreeMap::new();
        if !has(&[Role::Patient, Role::Clerk]) {
            ledger_ids.insert("self".to_owned(), who.key.ledger_id());
        }
        self.token.issue(&Session {
            subject: who.account.clone(),
            session: "session".into(),
            roles: who.roles.clone(),
            ledger_ids,
            organisation: (!custodial || has(&[Role::Clerk])).then(|| who.key.ledger_id()),
            organisation_bus_name: None,
            sealed_secret: custodial.then(String::new),
            issued: now,
            expires: now.plus(600_000_000),
        })
    }

    fn subject(&self, call: &Call) -> Result<String, Problem> {
        let token = call
            .authorization
            .as_deref()
            .ok_or_else(|| Problem::unauthenticated("no token"))?;
        let session = keys::token::verify(
            &self.token.public_key(),
            token,
            Timestamp(chassis::clock::now()),
        );
        session
            .map(|session| session.subject)
            .map_err(|_| Problem::unauthenticated("no session"))
    }

    async fn serve(self: &Arc<Outside>, broker: &TestBroker) {
        let identity = broker.connect("identity").await;
        let router = on(
            Router::new(&identity),
            self,
            |it, _, asked: MatchPatients| {
                let enrolled = it.enrolled.lock().unwrap();
                Ok(MatchedPatients {
                    matches: asked
                        .patients
                        .iter()
                        .map(|one| enrolled.get(&one.identity_id).cloned())
                        .collect(),
                })
            },
        );
        let router = on(router, self, |it, call, _: GetOwnAccount| {
            let account = it.subject(&call)?;
            let own = it
                .accounts
                .get(&account)
                .map(|id| (format!("hospital:{}", it.hospital), *id));
            let (guardian, id, patient) = &it.guardian;
            let acting = (account == *guardian)
                .then(|| (format!("guardian:{}:{patient}", it.hospital), *id));
            Ok(OwnAccount {
                account,
                kind: contracts::membership::MemberKind::Patient,
                patient_id: None,
                ledger_ids: own.into_iter().chain(acting).collect(),
            })
        });
        let router = on(router, self, |it, call, asked: MakeGuardianId| {
            let (_, guardian, patient) = &it.guardian;
            assert_eq!(
                (it.subject(&call)?.as_str(), asked.hospital),
                ("patient", it.hospital)
            );
            if asked.patient != *patient || asked.patient_id != "GUARDIAN" {
                return Err(Problem::bad_input("/patient_id", "nobody"));
            }
            Ok(GuardianId {
                guardian: *guardian,
                sealing_key: Base64(it.people[guardian].sealing_public_key().0.to_vec()),
                name: "the guardian".into(),
            })
        });
        let router = on(router, self, |it, call, asked: SignTransaction| {
            it.subject(&call)?;
            let mut body: TransactionBody = ledger::canonical::decode(&asked.unsigned.0)
                .map_err(|_| Problem::bad_input("unsigned", ""))?;
            let key = it
                .people
                .get(&body.submitter)
                .ok_or_else(|| Problem::forbidden(""))?;
            body.public_key = key.public_key();
            let signed = key.sign(body);
            Ok(TransactionSignature {
                public_key: key.public_key(),
                signature: Base64(signed.signature.0.to_vec()),
            })
        });
        let router = on(router, self, |it, call, _: GetViewerName| {
            Ok(ViewerName {
                name: format!("name of {}", it.subject(&call)?),
                regulator_sealing_key: Base64(it.regulator.public_key().0.to_vec()),
            })
        });
        let router = on(router, self, |it, _, asked: GetMember| {
            let key = it
                .people
                .get(&asked.member)
                .ok_or_else(|| Problem::not_found(""))?;
            Ok(MemberSummary {
                member: asked.member,
                kind: contracts::membership::MemberKind::ThirdParty,
                status: "active".into(),
                name: None,
                public_key: key.public_key(),
                sealing_key: Base64(key.sealing_public_key().0.to_vec()),
                endorsements: 0,
                endorsed_by_me: false,
            })
        });
        let router = on(router, self, |_, _, asked: CheckPatientId| {
            Ok(PatientIdCheck {
                belongs: asked.patient_id == format!("PID-{}", asked.patient),
            })
        });
        let router = on(router, self, |it, call, asked: OpenSealed| {
            it.subject(&call)?;
            let key = it
                .people
                .get(&asked.member)
                .ok_or_else(|| Problem::forbidden(""))?;
            let opened = asked
                .sealed
                .iter()
                .map(|sealed| keys::viewer_name::open(key.sealing(), &sealed.0).ok());
            Ok(OpenedSealed {
                opened: opened
                    .map(|name| name.map(|name| Base64(name.into_bytes())))
                    .collect(),
            })
        });
        let router = on(router, self, |it, _, _: UndoMatch| {
            it.enrolled.lock().unwrap().clear();
            Ok(Done {})
        });
        tokio::spawn(router.serve(Shutdown::detached("identity")));
        let index = broker.connect("index").await;
        let router = on(Router::new(&index), self, |it, _, put: PutIndexRows| {
            it.rows.lock().unwrap().extend(put.rows);
            Ok(Done {})
        });
        let router = on(router, self, |it, _, put: PutCodeLocators| {
            it.locators.lock().unwrap().extend(put.locators);
            Ok(Done {})
        });
        tokio::spawn(router.serve(Shutdown::detached("index")));
        let authorization = broker.connect("authorization").await;
        let router = on(
            Router::new(&authorization),
            self,
            |it, _, put: PutDelivery| {
                it.deliveries
                    .lock()
                    .unwrap()
                    .insert(put.item, put.ciphertext.0);
                Ok(Done {})
            },
        );
        tokio::spawn(router.serve(Shutdown::detached("authorization")));
    }
}

fn on<Q, F>(router: Router, outside: &Arc<Outside>, answer: F) -> Router
where
    Q: UseCase,
    F: Fn(&Outside, Call, Q) -> Result<Q::Reply, Problem> + Send + Sync + Copy + 'static,
{
    let outside = outside.clone();
    router.on::<Q, _, _>(move |call, request| {
        let answered = answer(&outside, call, request);
        async move { answered }
    })
}
