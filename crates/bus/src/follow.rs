//! Following the ledger: every block, in order, without gaps, verified by its certificate.
//!
//! New blocks come as they are published (`blocks.<replica>.<height>`). What is missing is read from the
//! stream that keeps them, and what that does not have is asked from the replicas, many at a time. Nothing is
//! believed for where it comes from: a block counts once its certificate verifies. The genesis block, which has
//! none, counts once block 1 names its hash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use futures::{Stream, StreamExt};
use ledger::{BlockProofs, CertifiedBlock, Digest, GenesisFile, Height, canonical};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

use crate::error::BusError;
use crate::ordering_wire::BlocksRequest;
use crate::{Bus, subjects};

/// Verified blocks that wait for a slow consumer.
const READY_BLOCKS: usize = 64;
/// Bytes of unverified live blocks that are kept; what comes on top is asked for again.
const LIVE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Without a new block for this long, replicas are asked (idle blocks come every 10 s).
const QUIET_AFTER: Duration = Duration::from_secs(3);
/// A block later than the one that is due is here: that one gets this long to come by itself.
const GAP_PATIENCE: Duration = Duration::from_millis(20);
/// Blocks asked for at a time.
const RANGE: u64 = 256;
/// A gap of at most this many blocks is read from the stream first.
const SMALL_GAP: u64 = 4;
const FETCH_PAUSE: Duration = Duration::from_millis(200);

/// Where a follower is: the height that is due, and the hash of the block before it (unknown when
/// starting in the middle). Kept by projections in the transaction that holds their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The height that is due.
    pub next: Height,
    /// The hash of the block before.
    pub previous: Option<Digest>,
}

impl Position {
    /// Before the genesis block.
    pub const START: Position = Position {
        next: Height(0),
        previous: None,
    };

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Position> {
        canonical::decode(bytes).ok()
    }

    /// After this block.
    pub fn after(block: &CertifiedBlock) -> Position {
        Position {
            next: block.block.header.height.next(),
            previous: Some(block.block.hash()),
        }
    }
}

/// One verified block.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The block.
    pub block: CertifiedBlock,
    /// Headers it came with, if it came live: they carry the trace context of one of its transactions.
    pub headers: Option<HeaderMap>,
}

/// Verified blocks in order; ends only with the connection. Dropping it stops following.
#[derive(Debug)]
pub struct Follow {
    blocks: mpsc::Receiver<Followed>,
}

impl Follow {
    /// The next block, as soon as it is there. Cancel-safe. `None` when the connection was closed.
    pub async fn next(&mut self) -> Option<Followed> {
        self.blocks.recv().await
    }

    /// The next block if it is already there.
    pub fn next_ready(&mut self) -> Option<Followed> {
        self.blocks.try_recv().ok()
    }

    /// As a stream.
    pub fn into_stream(self) -> impl Stream<Item = CertifiedBlock> + Send {
        futures::stream::unfold(self, |mut follow| async move {
            Some((follow.next().await?.block, follow))
        })
    }
}

impl Bus {
    /// Follows the ledger from a height on.
    ///
    /// # Errors
    /// [`BusError`] if the bus refuses the subscription.
    pub async fn follow(&self, from: Height) -> Result<Follow, BusError> {
        self.follow_from(Position {
            next: from,
            previous: None,
        })
        .await
    }

    /// Follows the ledger from where an earlier follower was.
    ///
    /// # Errors
    /// [`BusError`] if the bus refuses the subscription.
    pub async fn follow_from(&self, position: Position) -> Result<Follow, BusError> {
        let failed = |reason: String| BusError::Client(reason);
        let subscription = self
            .client()
            .subscribe(subjects::BLOCKS_SUBJECTS)
            .await
            .map_err(|error| failed(error.to_string()))?;
        self.settle_subscriptions().await?;
        let live = Arc::new(Live::default());
        live.forget_before(position.next);
        let drain = tokio::spawn(drain(subscription, live.clone()));
        let (sender, blocks) = mpsc::channel(READY_BLOCKS);
        let follower = Follower {
            bus: self.clone(),
            position,
            live,
            sender,
        };
        tokio::spawn(async move {
            follower.run().await;
            drain.abort();
        });
        Ok(Follow { blocks })
    }
}

struct LiveBlock {
    bytes: async_nats::Message,
}

/// Unverified live blocks, by height and publishing replica.
#[derive(Default)]
struct Live {
    table: Mutex<LiveTable>,
    arrived: Notify,
}

#[derive(Default)]
struct LiveTable {
    blocks: BTreeMap<(Height, u16), LiveBlock>,
    bytes: usize,
    due: Height,
    newest_claimed: Height,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, LiveTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, height: Height, replica: u16, message: async_nats::Message) {
        let mut table = self.lock();
        table.newest_claimed = table.newest_claimed.max(height);
        if height < table.due || table.bytes + message.payload.len() > LIVE_BYTES_MAX {
            return;
        }
        let bytes = message.payload.len();
        if table
            .blocks
            .insert((height, replica), LiveBlock { bytes: message })
            .is_none()
        {
            table.bytes += bytes;
        }
        drop(table);
        self.arrived.notify_one();
    }

    fn forget_before(&self, due: Height) {
        let mut table = self.lock();
        table.due = due;
        let kept = table.blocks.split_off(&(due, 0));
        table.blocks = kept;
        table.bytes = table
            .blocks
            .values()
            .map(|block| block.bytes.payload.len())
            .sum();
    }

    fn candidates(&self, height: Height) -> Vec<async_nats::Message> {
        let table = self.lock();
        table
            .blocks
            .range((height, 0)..=(height, u16::MAX))
            .map(|(_, block)| block.bytes.clone())
            .collect()
    }

    fn newest_claimed(&self) -> Height {
        self.lock().newest_claimed
    }
}

async fn drain(mut subscription: async_nats::Subscriber, live: Arc<Live>) {
    while let Some(message) = subscription.next().await {
        let mut tokens = message.subject.as_str().split('.').skip(1);
        let replica = tokens.next().and_then(|token| token.parse().ok());
        let height = tokens.next().and_then(|token| token.parse().ok());
        if let (Some(replica), Some(height)) = (replica, height) {
            live.add(Height(height), replica, message);
        }
    }
}

struct Follower {
    bus: Bus,
    position: Position,
    live: Arc<Live>,
    sender: mpsc::Sender<Followed>,
}

impl Follower {
    async fn run(mut self) {
        if self.position.next > Height(0) {
            // Which epochs there are can't be seen from the middle of the chain.
            let _ = self.bus.refresh_epochs().await;
        }
        let mut behind = true;
        while !self.sender.is_closed() {
            if self.take_live().await {
                continue;
            }
            if behind {
                behind = self.fetch().await;
                continue;
            }
            let arrived = self.live.arrived.notified();
            let gap = self.live.newest_claimed() > self.position.next;
            let patience = if gap { GAP_PATIENCE } else { QUIET_AFTER };
            let closed = self.sender.closed();
            tokio::select! {
                () = arrived => {}
                () = closed => return,
                () = tokio::time::sleep(patience) => behind = true,
            }
        }
    }

    /// Takes the due block from what came live. The genesis block never is: it needs the next one.
    async fn take_live(&mut self) -> bool {
        if self.position.next == Height(0) {
            return false;
        }
        for message in self.live.candidates(self.position.next) {
            let Ok(block) = canonical::decode::<CertifiedBlock>(&message.payload) else {
                continue;
            };
            if self.take(block, message.headers).await {
                return true;
            }
        }
        false
    }

    /// Fetches what is missing; says whether there is certainly more.
    async fn fetch(&mut self) -> bool {
        let due = self.position.next;
        let gap = self.live.newest_claimed().0.saturating_sub(due.0);
        if due > Height(0) && (1..=SMALL_GAP).contains(&gap) && self.take_stored().await {
            return self.live.newest_claimed() >= self.position.next;
        }
        let request = BlocksRequest {
            from: due,
            to: Height(due.0.saturating_add(RANGE - 1)),
        };
        let mut newest = Height(0);
        for replica in self.bus.replicas_in_turn() {
            let Ok(reply) = self.bus.ask(replica, &request).await else {
                continue;
            };
            newest = newest.max(reply.newest);
            let blocks: Vec<CertifiedBlock> = reply
                .blocks
                .iter()
                .map_while(|bytes| canonical::decode(bytes).ok())
                .collect();
            if self.take_range(blocks).await {
                return newest >= self.position.next;
            }
            if reply.newest < due {
                // This one has no more; the live blocks say if another has.
                break;
            }
        }
        if due == Height(0) || newest >= due || self.live.newest_claimed() >= due {
            tokio::time::sleep(FETCH_PAUSE).await;
            return true;
        }
        false
    }

    /// Takes blocks in order as long as they verify; says whether at least one did.
    async fn take_range(&mut self, mut blocks: Vec<CertifiedBlock>) -> bool {
        if self.position.next == Height(0) {
            if !self.confirms_genesis(&blocks) {
                return false;
            }
            let genesis = blocks.remove(0);
            self.emit(genesis, None).await;
        }
        let mut taken = false;
        for block in blocks {
            if !self.take(block, None).await {
                break;
            }
            taken = true;
        }
        taken
    }

    /// Whether the first two blocks are a genesis block and a certified block 1 that names it.
    fn confirms_genesis(&self, blocks: &[CertifiedBlock]) -> bool {
        let [genesis, first, ..] = blocks else {
            return false;
        };
        is_genesis(genesis, self.bus.genesis())
            && first.block.header.previous == genesis.block.hash()
            && self.verifies(first, Height(1), Some(genesis.block.hash()))
    }

    async fn take_stored(&mut self) -> bool {
        match self.bus.stored_block(self.position.next).await {
            Some(block) => self.take(block, None).await,
            None => false,
        }
    }

    async fn take(&mut self, block: CertifiedBlock, headers: Option<HeaderMap>) -> bool {
        if self
            .bus
            .inner
            .epochs
            .get(block.block.header.epoch)
            .is_none()
        {
            let _ = self.bus.refresh_epochs().await;
        }
        if !self.verifies(&block, self.position.next, self.position.previous) {
            tracing::warn!(height = self.position.next.0, "a block does not verify");
            return false;
        }
        self.learn_epoch(&block);
        let view = block.certificate.view;
        self.bus.learn_primary(block.block.header.epoch, view);
        self.emit(block, headers).await;
        true
    }

    fn verifies(
        &self,
        certified: &CertifiedBlock,
        height: Height,
        previous: Option<Digest>,
    ) -> bool {
        let header = &certified.block.header;
        let epoch = self.bus.inner.epochs.at(height);
        header.height == height
            && header.chain == self.bus.chain()
            && previous.is_none_or(|previous| header.previous == previous)
            && header.epoch == epoch.epoch
            && certified.block.check_roots().is_ok()
            && certified
                .certificate
                .verify(&header.chain, height, &header.hash(), &epoch)
                .is_ok()
    }

    fn learn_epoch(&self, certified: &CertifiedBlock) {
        if certified
            .block
            .outcomes
            .iter()
            .all(|leaf| leaf.epoch_started().is_none())
        {
            return;
        }
        let Some(link) = BlockProofs::new(certified).epoch_link() else {
            return;
        };
        let epoch = self.bus.inner.epochs.at(certified.block.header.height);
        match link.verify(&self.bus.chain(), &epoch) {
            Ok(next) => self.bus.inner.epochs.add(next),
            Err(error) => {
                tracing::error!(%error, "a certified block announces an epoch that does not follow")
            }
        }
    }

    async fn emit(&mut self, block: CertifiedBlock, headers: Option<HeaderMap>) {
        self.position = Position::after(&block);
        self.live.forget_before(self.position.next);
        // A receiver that is gone ends the loop.
        let _ = self.sender.send(Followed { block, headers }).await;
    }
}

fn is_genesis(certified: &CertifiedBlock, genesis: &GenesisFile) -> bool {
    let block = &certified.block;
    block.header.height == Height(0)
        && block.header.chain == genesis.chain_id()
        && block.header.time == genesis.time
        && block.transactions.is_empty()
        && block.check_roots().is_ok()
}

impl Bus {
    /// A block from the stream that keeps them: a cache, so what it gives is to be verified.
    async fn stored_block(&self, height: Height) -> Option<CertifiedBlock> {
        let question =
            serde_json::json!({ "seq": 1, "next_by_subj": subjects::block_of_any(height) });
        let asked = self
            .client()
            .request(subjects::BLOCKS_DIRECT_GET, question.to_string().into());
        let message = tokio::time::timeout(Duration::from_secs(1), asked)
            .await
            .ok()?
            .ok()?;
        canonical::decode(&message.payload).ok()
    }
}
