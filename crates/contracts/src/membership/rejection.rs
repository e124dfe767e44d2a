//! Why the membership contract says no.

use crate::rejection::rejections;

rejections! {
    /// Why the membership contract says no.
    1 NotRegistrar "only the identity service or a node operator may register members"
    2 MemberExists "a member with that ledger id exists"
    3 WeakKey "the signing key is weak or not a point of the curve"
    4 PossessionNotProven "the new key's signature over the possession message does not verify"
    5 NameNotAllowed "persons and devices have no name on the ledger"
    6 NameNotFit "the name is empty, longer than 120 bytes, or has control characters"
    7 AllowedNotFit "the allowed commands are not a service's, not ascending, or not for services"
    8 UnknownMember "no member has that ledger id"
    9 NotNodeOperator "the submitter is not a node operator"
    10 AlreadyEndorsed "the node operator endorsed this member before"
    11 NotPending "the member does not wait for endorsement"
    12 NotHospital "the submitter is not a hospital"
    13 NotDoctor "the member is not an active doctor"
    14 EmptyPeriod "the period is empty or over"
    15 NotAffiliated "the doctor is not affiliated with the hospital"
    16 NotRegulator "the submitter is not a regulator"
    17 NotActive "the member is not active"
    18 NotSuspended "the member is not suspended"
    19 AlreadyRevoked "the membership was revoked before"
    20 SameKey "the new key is the current one"
    22 OwnMembership "a regulator does not decide about its own membership"
    23 OperatorByVote "node operators are suspended, reinstated and revoked by their vote, through the governance contract"
}
