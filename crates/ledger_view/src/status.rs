//! The ordering cluster as people read it.

use bus::error::AskError;
use bus::ordering_wire::{Notice, Noticed, Standing, StatusReply};
use interfaces::time_text;
use ledger::{Digest, EpochDescription, LedgerId, ReplicaId};
use serde::Serialize;
use utoipa::ToSchema;

/// How the ordering cluster is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatusView {
    /// The chain id.
    #[schema(value_type = String)]
    pub chain: Digest,
    /// The consortium's name.
    pub name: String,
    /// The epoch.
    pub epoch: u64,
    /// How many replicas may be faulty.
    pub fault_tolerance: usize,
    /// How many equal votes decide.
    pub quorum: usize,
    /// Whether a quorum answers and none of it is far behind.
    pub healthy: bool,
    /// The height that at least one correct replica has reached.
    pub height: u64,
    /// Every replica, by its own word.
    pub replicas: Vec<ReplicaView>,
}

/// How one replica is, by its own word.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplicaView {
    /// Its number.
    pub replica: u16,
    /// The member that operates it.
    #[schema(value_type = String)]
    pub operator: LedgerId,
    /// Whether it answers.
    pub answers: bool,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ReplicaStatus>,
}

/// What a replica says of itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReplicaStatus {
    /// Newest certified height.
    pub height: u64,
    /// That block's time, RFC 3339.
    pub time: String,
    /// That block's hash.
    #[schema(value_type = String)]
    pub block: Digest,
    /// The view.
    pub view: u64,
    /// The view's primary.
    pub primary: u16,
    /// Whether a view change is under way.
    pub changing_view: bool,
    /// Whether it votes: `votes`, `recalls` (it started a moment ago), `observes` (not voted in), `retired`, or
    /// `quarantined` (its votes were lost, and it never votes again under its key).
    pub standing: String,
    /// Last stable checkpoint (sequence number).
    pub stable_checkpoint: u64,
    /// Transactions waiting to be ordered.
    pub waiting_transactions: u64,
    /// Transactions committed since genesis.
    pub committed_transactions: u64,
    /// What it notices of other replicas.
    pub notices: Vec<NoticeView>,
}

/// What one replica notices of another.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// The other's number.
    pub replica: u16,
    /// `silent` (nothing new is heard of it for five seconds), `does_not_vote` (it speaks, and votes for nothing that is new),
    /// or `old_words` (what it said long ago is said again).
    pub noticed: String,
}

/// A replica this many blocks behind is no help to a quorum right now.
const FAR_BEHIND_BLOCKS: u64 = 1_000;

impl StatusView {
    /// Of the answers of [`bus::Bus::status`].
    pub fn of(
        bus: &bus::Bus,
        epoch: &EpochDescription,
        answers: &[(ReplicaId, Result<StatusReply, AskError>)],
    ) -> StatusView {
        let mut heights: Vec<u64> = answers
            .iter()
            .filter_map(|(_, answer)| Some(answer.as_ref().ok()?.height.0))
            .collect();
        heights.sort_unstable_by(|one, other| other.cmp(one));
        let height = heights
            .get(epoch.fault_tolerance())
            .copied()
            .unwrap_or_default();
        let near = heights
            .iter()
            .filter(|reached| **reached + FAR_BEHIND_BLOCKS >= height)
            .count();
        let replicas = epoch.replicas.iter().map(|described| {
            let answer = answers
                .iter()
                .find(|(replica, _)| *replica == described.replica);
            let status = answer
                .and_then(|(_, answer)| answer.as_ref().ok())
                .map(ReplicaStatus::of);
            ReplicaView {
                replica: described.replica.0,
                operator: described.operator,
                answers: status.is_some(),
                status,
            }
        });
        StatusView {
            chain: bus.chain(),
            name: bus.genesis().name.clone(),
            epoch: epoch.epoch.0,
            fault_tolerance: epoch.fault_tolerance(),
            quorum: epoch.quorum(),
            healthy: near >= epoch.quorum(),
            height,
            replicas: replicas.collect(),
        }
    }
}

impl ReplicaStatus {
    fn of(reply: &StatusReply) -> ReplicaStatus {
        ReplicaStatus {
            height: reply.height.0,
            time: time_text(reply.time),
            block: reply.block,
            view: reply.view,
            primary: reply.primary.0,
            changing_view: reply.changing_view,
            standing: standing_name(reply.standing).to_owned(),
            stable_checkpoint: reply.stable_checkpoint,
            waiting_transactions: reply.waiting_transactions,
            committed_transactions: reply.committed_transactions,
            notices: reply.notices.iter().map(NoticeView::of).collect(),
        }
    }
}

impl NoticeView {
    fn of(notice: &Notice) -> NoticeView {
        let noticed = match notice.noticed {
            Noticed::Silent => "silent",
            Noticed::DoesNotVote => "does_not_vote",
            Noticed::OldWords => "old_words",
        };
        NoticeView {
            replica: notice.replica.0,
            noticed: noticed.to_owned(),
        }
    }
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Votes => "votes",
        Standing::Recalls => "recalls",
        Standing::Observes => "observes",
        Standing::Retired => "retired",
        Standing::Quarantined => "quarantined",
    }
}
