//! Four replicas for tests: real keys, certificates and wire formats, but one shared mind instead of consensus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Message;
use futures::StreamExt;
use ledger::merkle::Tree;
use ledger::tlog::Checkpoint;
use ledger::{
    Block, BlockProofs, BlockVote, Certificate, CertifiedBlock, Digest, GenesisFile, Header,
    Height, HistoryLog, Outcome, OutcomeLeaf, RecordedEvent, ReplicaId, SignedTransaction,
    SigningKey, Timestamp, WriteSet, canonical,
};

use super::TestBroker;
use crate::ordering_wire::{
    Answer, BlockByHashRequest, BlockInclusionRequest, BlockReceipts, BlocksReply, BlocksRequest,
    CheckpointReply, CheckpointRequest, ConsistencyRequest, EpochsReply, EpochsRequest,
    HistoryProofReply, PartBytes, PhasesReply, PhasesRequest, Question, ReceiptReply,
    ReceiptRequest, StatusReply, StatusRequest, Submission, SubmitAnswer, SubmitReply,
};
use crate::{Bus, subjects};

/// What becomes of a transaction.
pub type Decision = Box<dyn Fn(&SignedTransaction) -> (Outcome, Vec<RecordedEvent>) + Send + Sync>;

/// The replicas of a [`TestBroker`] whose users include `replica-0` and on: every one that is named answers.
#[derive(Clone)]
pub struct TestOrdering {
    mind: Arc<Mutex<Mind>>,
    replicas: Vec<(ReplicaId, Bus)>,
}

struct Mind {
    genesis: GenesisFile,
    keys: Vec<(ReplicaId, SigningKey)>,
    blocks: Vec<CertifiedBlock>,
    history: HistoryLog,
    executed: HashMap<Digest, (u64, u32)>,
    decide: Decision,
    silent: bool,
    busy: bool,
    deaf: bool,
    publishes: bool,
}

impl TestOrdering {
    /// Starts the replicas that are users of the broker. The genesis block holds `events`; block 1, empty, follows.
    pub async fn start(
        broker: &TestBroker,
        events: Vec<RecordedEvent>,
        decide: Decision,
    ) -> TestOrdering {
        let mut mind = Mind {
            genesis: broker.genesis().clone(),
            keys: broker
                .replica_keys()
                .iter()
                .map(|(replica, key)| (*replica, key.clone()))
                .collect(),
            blocks: Vec::new(),
            history: HistoryLog::new(),
            executed: HashMap::new(),
            decide,
            silent: false,
            busy: false,
            deaf: false,
            publishes: true,
        };
        mind.append(Vec::new(), events);
        mind.append(Vec::new(), Vec::new());
        let mut replicas = Vec::new();
        for replica in broker.replica_keys().keys() {
            if broker
                .config(&subjects::replica_name(*replica))
                .nkey_seed_file
                .exists()
            {
                replicas.push((
                    *replica,
                    broker.connect(&subjects::replica_name(*replica)).await,
                ));
            }
        }
        let ordering = TestOrdering {
            mind: Arc::new(Mutex::new(mind)),
            replicas,
        };
        for (replica, bus) in ordering.replicas.clone() {
            ordering.serve(replica, bus).await;
        }
        ordering
    }

    /// Stops or resumes answering transactions (they are executed none the less): lost receipts.
    pub fn set_silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    /// Answers "busy" to every transaction, executing none.
    pub fn set_busy(&self, busy: bool) {
        self.lock().busy = busy;
    }

    /// Loses or hears transactions from now on.
    pub fn set_deaf(&self, deaf: bool) {
        self.lock().deaf = deaf;
    }

    /// Stops or resumes publishing blocks: followers must ask.
    pub fn set_publishing(&self, publishes: bool) {
        self.lock().publishes = publishes;
    }

    /// Appends a block with events of the system and publishes it.
    pub async fn append(&self, events: Vec<RecordedEvent>) -> CertifiedBlock {
        let block = self.lock().append(Vec::new(), events);
        self.publish(&block).await;
        block
    }

    /// All blocks.
    pub fn blocks(&self) -> Vec<CertifiedBlock> {
        self.lock().blocks.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn publish(&self, block: &CertifiedBlock) {
        if !self.lock().publishes {
            return;
        }
        let height = block.block.header.height;
        for (replica, bus) in self.replicas.iter().take(2) {
            let subject = subjects::block(*replica, height);
            bus.client()
                .publish(subject, canonical::encode(block).into())
                .await
                .expect("a publication");
        }
    }

    async fn serve(&self, replica: ReplicaId, bus: Bus) {
        let transactions = bus
            .client()
            .subscribe(subjects::ALL_TRANSACTIONS)
            .await
            .expect("a subscription");
        let to_me = bus
            .client()
            .subscribe(subjects::transactions_to_me(replica))
            .await
            .expect("a subscription");
        let mut transactions = futures::stream::select(transactions, to_me);
        let mut questions = bus
            .client()
            .subscribe(subjects::all_of_ordering(replica))
            .await
            .expect("a subscription");
        bus.settle_subscriptions().await.expect("a connection");
        let ordering = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(message) = transactions.next() => ordering.submitted(replica, &bus, message).await,
                    Some(message) = questions.next() => ordering.asked(replica, &bus, message).await,
                    else => return,
                }
            }
        });
    }

    async fn submitted(&self, replica: ReplicaId, bus: &Bus, message: Message) {
        let Some(user) = subjects::user_of(message.subject.as_str()) else {
            return;
        };
        let Ok(submission) = canonical::decode::<Submission>(&message.payload) else {
            return;
        };
        for submitted in submission.transactions {
            if let Ok(transaction) = SignedTransaction::from_bytes(&submitted.bytes) {
                self.execute(replica, bus, user, transaction).await;
            }
        }
    }

    async fn execute(
        &self,
        replica: ReplicaId,
        bus: &Bus,
        user: &str,
        transaction: SignedTransaction,
    ) {
        let id = transaction.id();
        let (answer, fresh) = {
            let mut mind = self.lock();
            if mind.deaf {
                return;
            }
            if mind.busy {
                (Some(SubmitAnswer::Busy), None)
            } else {
                let fresh = (!mind.executed.contains_key(&id))
                    .then(|| mind.append(vec![transaction], Vec::new()));
                let receipts = (!mind.silent).then(|| mind.receipts(&id)).flatten();
                (receipts.map(SubmitAnswer::Receipts), fresh)
            }
        };
        if let Some(block) = fresh {
            self.publish(&block).await;
        }
        if let Some(answer) = answer {
            let subject = subjects::transaction_replies(replica, user);
            let reply = SubmitReply {
                transactions: vec![id],
                answer,
            };
            bus.client()
                .publish(subject, canonical::encode(&reply).into())
                .await
                .expect("a publication");
        }
    }

    async fn asked(&self, replica: ReplicaId, bus: &Bus, message: Message) {
        let Some(reply) = message.reply.clone() else {
            return;
        };
        let bytes = self
            .lock()
            .answer(replica, message.subject.as_str(), &message.payload);
        bus.client()
            .publish(reply, bytes.into())
            .await
            .expect("a publication");
    }
}

impl Mind {
    fn append(
        &mut self,
        transactions: Vec<SignedTransaction>,
        system: Vec<RecordedEvent>,
    ) -> CertifiedBlock {
        let height = Height(self.blocks.len() as u64);
        let last = self.blocks.last().map(|block| block.block.header.clone());
        let leaf = |transaction, outcome, events| OutcomeLeaf {
            transaction,
            outcome,
            events,
            writes: WriteSet::default().digest(),
        };
        let mut outcomes = vec![leaf(Digest::ZERO, Outcome::Accepted, system)];
        for (transaction, index) in transactions.iter().zip(0..) {
            let (outcome, events) = (self.decide)(transaction);
            self.executed.insert(transaction.id(), (height.0, index));
            outcomes.push(leaf(transaction.id(), outcome, events));
        }
        let time = last.as_ref().map_or(self.genesis.time, |last| {
            Timestamp(chassis::clock::now().max(last.time.0 + 1))
        });
        let header = Header {
            chain: self.genesis.chain_id(),
            height,
            previous: last.as_ref().map_or(Digest::ZERO, Header::hash),
            time,
            epoch: self.genesis.epoch.epoch,
            transactions: transactions.len() as u32,
            transaction_root: ledger::block::transaction_root(&transactions),
            outcome_root: ledger::block::outcome_root(&outcomes),
            state_root: Digest::ZERO,
            history_root: self.history.root(),
        };
        let hash = header.hash();
        let votes: Vec<BlockVote> = self
            .keys
            .iter()
            .take(self.genesis.epoch.quorum())
            .map(|(replica, key)| {
                BlockVote::sign(&header.chain, *replica, header.epoch, 0, height, hash, key)
            })
            .collect();
        let certificate = if height == Height(0) {
            Certificate::of_genesis()
        } else {
            Certificate::from_votes(header.epoch, 0, &votes)
        };
        self.history.append(&hash);
        let certified = CertifiedBlock {
            block: Block {
                header,
                transactions,
                outcomes,
            },
            certificate,
        };
        self.blocks.push(certified.clone());
        certified
    }

    fn receipt(&self, id: &Digest) -> Option<Vec<u8>> {
        let receipt = self.receipts(id)?.receipt(0)?;
        Some(receipt.to_bytes())
    }

    fn receipts(&self, id: &Digest) -> Option<BlockReceipts> {
        let (height, index) = self.executed.get(id)?;
        let proofs = BlockProofs::new(self.blocks.get(*height as usize)?);
        Some(BlockReceipts {
            basis: canonical::encode(&proofs.basis(&[])),
            parts: vec![PartBytes(canonical::encode(&proofs.part(*index)?))],
        })
    }

    /// The tree over the first `size` blocks; `None` if there are fewer.
    fn log(&self, size: u64) -> Option<Tree> {
        let blocks = self.blocks.get(..usize::try_from(size).ok()?)?;
        let hashes: Vec<Digest> = blocks.iter().map(|it| it.block.hash()).collect();
        Some(Tree::new(&hashes))
    }

    fn checkpoint(&self, replica: ReplicaId, size: Option<u64>) -> CheckpointReply {
        let held = self.blocks.len() as u64;
        let size = size.unwrap_or(held);
        let key = self.keys.iter().find(|(known, _)| *known == replica);
        let (Some(log), Some((_, key))) = (self.log(size), key) else {
            return CheckpointReply::NotYet { size: held };
        };
        let checkpoint = Checkpoint {
            chain: self.genesis.chain_id(),
            size,
            root: log.root(),
        };
        CheckpointReply::Signed {
            size,
            root: checkpoint.root,
            line: checkpoint.sign(&checkpoint.origin(), key),
        }
    }

    fn newest(&self) -> &Header {
        &self
            .blocks
            .last()
            .expect("there is a genesis block")
            .block
            .header
    }

    fn answer(&self, replica: ReplicaId, subject: &str, question: &[u8]) -> Vec<u8> {
        match subject.rsplit('.').next().unwrap_or_default() {
            BlocksRequest::NAME => answer_with(question, |asked: BlocksRequest| {
                let mut bytes = 0;
                let fits = |block: &Vec<u8>| {
                    bytes += block.len();
                    bytes <= crate::ordering_wire::BLOCKS_REPLY_BYTES_MAX
                };
                let blocks = self.blocks.iter().skip(asked.from.0 as usize);
                let blocks = blocks.take_while(|block| block.block.header.height <= asked.to);
                let blocks = blocks.map(canonical::encode).take_while(fits).collect();
                BlocksReply {
                    blocks,
                    newest: self.newest().height,
                }
            }),
            BlockByHashRequest::NAME => answer_with(question, |asked: BlockByHashRequest| {
                let found = self
                    .blocks
                    .iter()
                    .filter(|block| block.block.hash() == asked.hash);
                BlocksReply {
                    blocks: found.map(canonical::encode).collect(),
                    newest: self.newest().height,
                }
            }),
            ReceiptRequest::NAME => answer_with(question, |asked: ReceiptRequest| {
                match self.receipt(&asked.transaction) {
                    Some(receipt) => ReceiptReply::Found(receipt),
                    None => ReceiptReply::NotFound {
                        newest: self.newest().height,
                        time: self.newest().time,
                    },
                }
            }),
            EpochsRequest::NAME => answer_with(question, |_: EpochsRequest| EpochsReply {
                links: Vec::new(),
            }),
            CheckpointRequest::NAME => answer_with(question, |asked: CheckpointRequest| {
                self.checkpoint(replica, asked.size)
            }),
            ConsistencyRequest::NAME => answer_with(question, |asked: ConsistencyRequest| {
                let proof = self
                    .log(asked.second)
                    .and_then(|log| log.consistency_proof(asked.first));
                HistoryProofReply { proof }
            }),
            BlockInclusionRequest::NAME => answer_with(question, |asked: BlockInclusionRequest| {
                let proof = self
                    .log(asked.size)
                    .and_then(|log| log.inclusion_proof(asked.height.0));
                HistoryProofReply { proof }
            }),
            PhasesRequest::NAME => {
                answer_with(question, |_: PhasesRequest| PhasesReply { times: None })
            }
            _ => answer_with(question, |_: StatusRequest| StatusReply {
                replica,
                height: self.newest().height,
                time: self.newest().time,
                block: self.newest().hash(),
                epoch: self.newest().epoch,
                view: 0,
                primary: ReplicaId(0),
                changing_view: false,
                standing: crate::ordering_wire::Standing::Votes,
                stable_checkpoint: 0,
                waiting_transactions: 0,
                committed_transactions: self.executed.len() as u64,
                notices: Vec::new(),
            }),
        }
    }
}

fn answer_with<Q: Question>(question: &[u8], answer: impl FnOnce(Q) -> Q::Reply) -> Vec<u8> {
    match canonical::decode::<Q>(question) {
        Ok(question) => canonical::encode(&Answer::Ok(answer(question))),
        Err(_) => canonical::encode(&Answer::<Q::Reply>::Malformed),
    }
}
