//! Errors and cluster status in the words of gRPC.

use bus::SubmitError;
use bus::error::AskError;
use tonic::Status;

use super::proto::{GetStatusResponse, Replica};
use ledger_view::{ReplicaView, StatusView};

/// Why a transaction has no receipt.
pub(super) fn of_submission(error: &SubmitError) -> Status {
    let text = error.to_string();
    match error {
        SubmitError::Busy => Status::unavailable(text),
        SubmitError::Expired => Status::aborted(text),
        SubmitError::Refused { .. } | SubmitError::Invalid(_) => Status::invalid_argument(text),
        SubmitError::Unanswered => Status::deadline_exceeded(text),
        SubmitError::Denied => Status::internal(text),
    }
}

/// Why no replica answers.
pub(super) fn of_question(error: &AskError) -> Status {
    Status::unavailable(error.to_string())
}

/// The cluster.
pub(super) fn of_cluster(view: &StatusView) -> GetStatusResponse {
    GetStatusResponse {
        chain: view.chain.0.to_vec(),
        epoch: view.epoch,
        height: view.height,
        fault_tolerance: view.fault_tolerance as u32,
        quorum: view.quorum as u32,
        healthy: view.healthy,
        replicas: view.replicas.iter().map(of_replica).collect(),
    }
}

fn of_replica(view: &ReplicaView) -> Replica {
    let silent = Replica {
        replica: view.replica.into(),
        operator: view.operator.0.to_vec(),
        ..Replica::default()
    };
    let Some(status) = &view.status else {
        return silent;
    };
    Replica {
        answers: true,
        height: status.height,
        view: status.view,
        primary: status.primary.into(),
        changing_view: status.changing_view,
        waiting_transactions: status.waiting_transactions,
        committed_transactions: status.committed_transactions,
        ..silent
    }
}
