//! Why the governance contract says no.

use crate::rejection::rejections;

rejections! {
    /// Why the governance contract says no.
    1 NotNodeOperator "the submitter is not a node operator"
    2 ProposalExists "a proposal with that id exists"
    3 UnknownProposal "no proposal has that id"
    4 AlreadyVoted "the node operator voted on this proposal before"
    5 ProposalClosed "the proposal was adopted or rejected before"
    6 ParameterOutOfBounds "the parameter can't take that value"
    7 EmptyReplicaChange "the change neither retires nor adds a replica"
    8 UnknownReplica "the replica to retire is not in service"
    9 ReplicaNumberUsed "the number of the replica to add was used before"
    10 ReplicaOperatorNotFit "the operator of the replica to add is not an active node operator"
    11 WeakReplicaKey "the key of the replica to add is weak"
    12 ReplicaKeyUsed "the key of the replica to add was used before"
    13 TooManyReplicasOfOperator "the operator would run more replicas than the cluster tolerates faulty"
    14 TooFewReplicas "fewer than four replicas would be left"
    15 ReplicaChangesClosed "the parameter replica_change_max allows no replica changes"
    16 UnknownContract "no contract has that number"
    17 VersionNotNext "the version is not the contract's next one"
    18 HeightNotAhead "the activation's height is not ahead of the current one, and of the contract's last activation"
    19 OperatorStandsSo "there is no such node operator, or it stands so already"
    20 TooFewOperators "the node operators left could no longer reach a quorum"
    21 EpochPending "another change of the replica set was adopted and is not in force yet"
    22 EquivocationKnown "this replica was proven to have signed twice for this slot before"
    23 EquivocationNotProven "the two signatures are not the replica's, or do not contradict each other"
}
