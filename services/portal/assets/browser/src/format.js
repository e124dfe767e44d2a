// The ledger's types, as docs/ledger-format.md prints them. Made from e2e/verifier/format.schema; a test compares them.

import { parseSchema } from "./schema.js";

/** The schema's text. */
export const SCHEMA = `# The ledger's own types.

type Digest = bytes32
type LedgerId = bytes16
type PublicKey = bytes32
type Signature = bytes64
struct Commitment {
  algorithm: u8
  value: Digest
}
struct TransactionBody {
  chain: Digest
  submitter: LedgerId
  public_key: PublicKey
  nonce: u64
  valid_until: u64
  contract: u16
  command: bytes
}
struct SignedTransaction {
  body: TransactionBody
  signature: Signature
}
enum Outcome {
  0 Accepted
  1 Rejected { contract: u16, code: u16 }
}
struct RecordedEvent {
  contract: u16
  bytes: bytes
}
struct OutcomeLeaf {
  transaction: Digest
  outcome: Outcome
  events: [RecordedEvent]
  writes: Digest
}
type WriteSet = [(bytes, bytes?)]
struct ReplicaDescription {
  replica: u16
  operator: LedgerId
  public_key: PublicKey
}
struct EpochDescription {
  epoch: u64
  first_height: u64
  replicas: [ReplicaDescription]
}
enum LedgerEvent {
  0 EpochStarted (EpochDescription)
}
enum Phase {
  0 PrePrepare
  1 Prepare
  2 Commit
  3 ViewChange
  4 NewView
  5 Status
  6 BatchQuery
  7 BatchAnswer
  8 Recalled
}
struct VoteSlot {
  replica: u16
  epoch: u64
  view: u64
  sequence: u64
  phase: Phase
}
struct Equivocation {
  slot: VoteSlot
  first: (Digest, Signature)
  second: (Digest, Signature)
}
struct Header {
  chain: Digest
  height: u64
  previous: Digest
  time: u64
  epoch: u64
  transactions: u32
  transaction_root: Digest
  outcome_root: Digest
  state_root: Digest
  history_root: Digest
}
struct Block {
  header: Header
  transactions: [SignedTransaction]
  outcomes: [OutcomeLeaf]
}
struct Vote {
  chain: Digest
  replica: u16
  epoch: u64
  view: u64
  height: u64
  block: Digest
}
struct Certificate {
  epoch: u64
  view: u64
  votes: [(u16, Signature)]
}
struct CertifiedBlock {
  block: Block
  certificate: Certificate
}
struct EpochLink {
  leaf: OutcomeLeaf
  index: u32
  proof: [Digest]
  header: Header
  certificate: Certificate
}
struct Receipt {
  transaction: SignedTransaction
  leaf: OutcomeLeaf
  index: u32
  proof: [Digest]
  transaction_proof: [Digest]
  header: Header
  certificate: Certificate
  epochs: [EpochLink]
}
struct GenesisMember {
  ledger_id: LedgerId
  public_key: PublicKey
  kind: string
  name: string
  allowed: [(u16, u16)]
}
struct GenesisFile {
  name: string
  time: u64
  epoch: EpochDescription
  certificate_authority: Digest
  members: [GenesisMember]
  parameters: map(string, i64)
}

# What the contracts share.

type RecordNumber = bytes16
enum Purpose {
  0 Treatment
  1 EmergencyTreatment
  2 Payment
  3 Research
  4 PublicHealth
  5 PatientRequest
  6 Operations
}
type Sealed = bytes
type GrantId = bytes16
type EmergencyId = bytes16
type ApplicationId = bytes16
type Amount = i64
struct ItemId {
  application: ApplicationId
  index: u16
}
type PaymentReference = bytes16
type WarningId = bytes16
type ProposalId = bytes16

# Contract 1: membership

enum membership.Command {
  0 RegisterMember (RegisterMember)
  1 EndorseMember { member: LedgerId }
  2 AffiliateDoctor { doctor: LedgerId, from: u64, until: u64 }
  3 EndAffiliation { doctor: LedgerId }
  4 SuspendMember { member: LedgerId }
  5 ReinstateMember { member: LedgerId }
  6 RevokeMember { member: LedgerId }
  7 RotateKey { public_key: PublicKey, sealing_key: bytes32, possession: Signature }
}
struct membership.RegisterMember {
  member: LedgerId
  kind: MemberKind
  public_key: PublicKey
  sealing_key: bytes32
  possession: Signature
  attestation: Commitment
  name: string?
  allowed: [(u16, u16)]
}
enum membership.MemberKind {
  0 Patient
  1 Doctor
  2 Hospital
  3 ThirdParty
  4 Insurer
  5 Regulator
  6 Treasurer
  7 Device
  8 NodeOperator
  9 Service
}
enum membership.Event {
  0 MemberRegistered { member: LedgerId, kind: MemberKind, public_key: PublicKey, sealing_key: bytes32, attestation: Commitment, name: string?, allowed: [(u16, u16)] }
  1 MemberEndorsed { member: LedgerId, operator: LedgerId, endorsements: u16, needed: u16 }
  2 MemberActivated { member: LedgerId }
  3 DoctorAffiliated { doctor: LedgerId, hospital: LedgerId, from: u64, until: u64 }
  4 AffiliationEnded { doctor: LedgerId, hospital: LedgerId }
  5 MemberSuspended { member: LedgerId }
  6 MemberReinstated { member: LedgerId }
  7 MemberRevoked { member: LedgerId }
  8 KeyRotated { member: LedgerId, public_key: PublicKey, sealing_key: bytes32 }
  9 FounderNamed { member: LedgerId, kind: MemberKind, public_key: PublicKey, name: string?, allowed: [(u16, u16)], operator: bool }
}

# Contract 2: records

enum records.Command {
  0 RegisterRecord (RegisterRecord)
  1 AmendRecord { record: RecordNumber, version: u32, content: Commitment, index: Commitment }
  2 SetCode { record: RecordNumber, holder: CodeHolder, code: Code }
  3 WithdrawCode { record: RecordNumber, holder: CodeHolder }
  4 RedeemCode { record: RecordNumber, holder: CodeHolder, proof: Signature, hospital: LedgerId?, purpose: Purpose, viewer: Sealed }
  5 LogAccess { records: [RecordNumber], basis: Basis, purpose: Purpose, viewer: Sealed }
  6 SetConsent { share_for_treatment: bool, research: bool }
  7 OpenEmergency { emergency: EmergencyId, patient: LedgerId, hospital: LedgerId, reason: Commitment, viewer: Sealed }
  8 ReviewEmergency { emergency: EmergencyId, justified: bool }
  9 ReportTampering { record: RecordNumber, version: u32, kind: TamperingKind }
  10 EraseRecord { record: RecordNumber }
  11 CertifyErasure { record: RecordNumber }
  12 ReportOfflineEmergency (ReportOfflineEmergency)
  13 NameGuardian { guardian: LedgerId, scope: DelegationScope, until: u64, patient_name: Sealed, guardian_name: Sealed }
  14 EndDelegation { patient: LedgerId, guardian: LedgerId }
}
struct records.RegisterRecord {
  record: RecordNumber
  patient: LedgerId
  content: Commitment
  index: Commitment
  patient_code: Code
  hospital_code: Code
}
struct records.ReportOfflineEmergency {
  emergency: EmergencyId
  doctor: LedgerId
  hospital: LedgerId
  records: [(RecordNumber, u32)]
  viewed_at: u64
  reason: Commitment
  viewer: Sealed
}
struct records.Code {
  key: PublicKey
  uses: u32
  until: u64
}
enum records.CodeHolder {
  0 Patient
  1 Hospital
}
enum records.Basis {
  0 Owner
  1 OwnHospital { hospital: LedgerId }
  2 Grant { grant: GrantId }
  3 Emergency { emergency: EmergencyId }
  4 OfflineEmergency { emergency: EmergencyId, viewed_at: u64 }
  5 Delegation
}
enum records.DelegationScope {
  0 Read
  1 Decide
  2 ReadAndDecide
}
enum records.TamperingKind {
  0 Edited
  1 Deleted
  2 Swapped
  3 RolledBack
}
enum records.Event {
  0 RecordRegistered { record: RecordNumber, patient: LedgerId, hospital: LedgerId, content: Commitment, index: Commitment, patient_code: Code, hospital_code: Code }
  1 RecordAmended { record: RecordNumber, patient: LedgerId, hospital: LedgerId, version: u32, content: Commitment, index: Commitment }
  2 CodeSet { record: RecordNumber, holder: CodeHolder, code: Code }
  3 CodeWithdrawn { record: RecordNumber, holder: CodeHolder }
  4 CodeRedeemed { record: RecordNumber, version: u32, patient: LedgerId, hospital: LedgerId, viewer: LedgerId, holder: CodeHolder, uses_left: u32, purpose: Purpose, viewer_name: Sealed }
  5 AccessLogged { records: [(RecordNumber, u32)], patient: LedgerId, viewer: LedgerId, basis: Basis, purpose: Purpose, viewer_name: Sealed }
  6 ConsentSet { patient: LedgerId, share_for_treatment: bool, research: bool }
  7 EmergencyOpened { emergency: EmergencyId, patient: LedgerId, doctor: LedgerId, hospital: LedgerId, until: u64, reason: Commitment, viewer_name: Sealed }
  8 EmergencyReviewed { emergency: EmergencyId, regulator: LedgerId, justified: bool }
  9 TamperingReported { record: RecordNumber, patient: LedgerId, hospital: LedgerId, version: u32, kind: TamperingKind }
  10 RecordErased { record: RecordNumber, patient: LedgerId, hospital: LedgerId }
  11 ErasureCertified { record: RecordNumber, hospital: LedgerId }
  12 GuardianNamed { patient: LedgerId, guardian: LedgerId, scope: DelegationScope, until: u64, patient_name: Sealed, guardian_name: Sealed }
  13 DelegationEnded { patient: LedgerId, guardian: LedgerId, by: LedgerId }
}

# Contract 3: authorization

enum authorization.Command {
  0 ApplyForRecords { application: ApplicationId, purpose: Purpose, until: u64, statement: Commitment, items: [ItemOffer] }
  1 ApproveAsHospital { item: ItemId, ciphertext: Digest, ciphertext_bytes: u64, release: Commitment, version: u32 }
  2 RefuseAsHospital { item: ItemId, reason: RefusalReason }
  3 ApproveAsPatient { item: ItemId }
  4 RefuseAsPatient { item: ItemId, reason: RefusalReason }
  5 ReleaseKey { item: ItemId, sealed_key: Sealed }
  6 WithdrawItem { item: ItemId }
  7 WithdrawGrant { grant: GrantId }
  8 DisputeRelease { item: ItemId, disclosure: Sealed }
  9 SettleDispute { item: ItemId, reverse: bool }
}
struct authorization.ItemOffer {
  record: RecordNumber
  price: Amount
  item_key: bytes32
}
enum authorization.RefusalReason {
  0 Unstated
  1 Purpose
  2 Price
  3 Sensitive
  4 Unfit
}
enum authorization.Event {
  0 ApplicationMade { application: ApplicationId, applicant: LedgerId, purpose: Purpose, until: u64, statement: Commitment, items: u16 }
  1 ItemOpened { item: ItemId, record: RecordNumber, hospital: LedgerId, patient: LedgerId, applicant: LedgerId, price: Amount, item_key: bytes32, deadline: u64 }
  2 HospitalApproved { item: ItemId, ciphertext: Digest, ciphertext_bytes: u64, release: Commitment, version: u32 }
  3 PatientApproved { item: ItemId }
  4 ItemRefused { item: ItemId, refuser: Refuser, reason: RefusalReason }
  5 ItemReleased { item: ItemId, record: RecordNumber, grant: GrantId, applicant: LedgerId, patient: LedgerId, price: Amount, until: u64, sealed_key: Sealed }
  6 ItemWithdrawn { item: ItemId }
  7 ItemExpired { item: ItemId }
  8 ApplicationClosed { application: ApplicationId }
  9 GrantWithdrawn { grant: GrantId, item: ItemId }
  10 ReleaseDisputed { item: ItemId, disclosure: Sealed }
  11 DisputeSettled { item: ItemId, reversed: bool }
  12 DecidedByGuardian { item: ItemId, patient: LedgerId, guardian: LedgerId }
}
enum authorization.Refuser {
  0 Hospital
  1 Patient
}

# Contract 4: settlement

enum settlement.Command {
  0 Deposit { reference: PaymentReference, account: LedgerId, amount: Amount }
  1 Withdraw { reference: PaymentReference, amount: Amount }
  2 PublishRules { plan: PlanId, version: u32, rules: [ReimbursementRule] }
  3 RegisterCoverage { insured: LedgerId, plan: PlanId, from_year: u16, until_year: u16 }
  4 SubmitClaim { claim: ClaimReference, insured: LedgerId, plan: PlanId, category: BenefitCategory, charged: Amount, service_year: u16 }
  5 ResolveClaim { claim: ClaimReference, benefit: Amount }
  6 PayShare { claim: ClaimReference }
}
type settlement.PlanId = u16
struct settlement.ReimbursementRule {
  category: BenefitCategory
  proportion_basis_points: u16
  copay: Amount
  benefit_max: Amount
}
enum settlement.BenefitCategory {
  0 Inpatient
  1 Outpatient
  2 Emergency
  3 Preventive
  4 Pharmacy
  5 Other
}
type settlement.ClaimReference = Digest
enum settlement.Event {
  0 Posted { reason: PostingReason, lines: [Line] }
  1 RulesPublished { plan: PlanId, insurer: LedgerId, version: u32, rules: [ReimbursementRule] }
  2 CoverageRegistered { insured: LedgerId, plan: PlanId, from_year: u16, until_year: u16 }
  3 ClaimAdjudicated { claim: ClaimReference, hospital: LedgerId, insured: LedgerId, plan: PlanId, rules_version: u32, category: BenefitCategory, charged: Amount, benefit: Amount, share: Amount }
  4 ClaimPended { claim: ClaimReference, hospital: LedgerId, insured: LedgerId, plan: PlanId, category: BenefitCategory, charged: Amount, reason: PendReason }
  5 SharePaid { claim: ClaimReference, insured: LedgerId, share: Amount }
}
enum settlement.PostingReason {
  0 Deposit (PaymentReference)
  1 Withdrawal (PaymentReference)
  2 EscrowHeld (ItemId)
  3 ItemPaid (ItemId)
  4 EscrowReturned (ItemId)
  5 ItemReversed (ItemId)
  6 Benefit (ClaimReference)
  7 Share (ClaimReference)
}
struct settlement.Line {
  account: Account
  amount: Amount
}
enum settlement.Account {
  0 External
  1 Member (LedgerId)
  2 Escrow (ItemId)
}
enum settlement.PendReason {
  0 NotCovered
  1 NoRules
  2 InsurerFunds
}

# Contract 5: telemetry

enum telemetry.Command {
  0 RegisterDevice { device: LedgerId }
  1 UnregisterDevice { device: LedgerId }
  2 ShareWarnings { hospital: LedgerId, until: u64 }
  3 EndShare { hospital: LedgerId }
  4 AnchorReadings { root: Digest, readings: u32, batch: u64 }
  5 RaiseWarning { warning: WarningId, device: LedgerId, level: WarningLevel, cause: WarningCause, detail: Commitment }
  6 AcknowledgeWarning { warning: WarningId }
}
enum telemetry.WarningLevel {
  0 Low
  1 LowMedium
  2 Medium
  3 High
}
enum telemetry.WarningCause {
  0 Score
  1 Parameter
  2 Limit
  3 Trend
  4 Silence
}
enum telemetry.Event {
  0 DeviceRegistered { device: LedgerId, patient: LedgerId }
  1 DeviceUnregistered { device: LedgerId, patient: LedgerId }
  2 WarningsShared { patient: LedgerId, hospital: LedgerId, until: u64 }
  3 ShareEnded { patient: LedgerId, hospital: LedgerId }
  4 ReadingsAnchored { root: Digest, readings: u32, batch: u64 }
  5 WarningRaised { warning: WarningId, device: LedgerId, patient: LedgerId, level: WarningLevel, cause: WarningCause, detail: Commitment }
  6 WarningAcknowledged { warning: WarningId, by: LedgerId }
}

# Contract 6: governance

enum governance.Command {
  0 ProposeChange { proposal: ProposalId, change: Change }
  1 VoteOnChange { proposal: ProposalId, approve: bool }
  2 ReportEquivocation (Equivocation)
}
enum governance.Change {
  0 SetParameter { parameter: Parameter, value: i64 }
  1 ReplaceReplica { retire: u16?, add: ReplicaDescription? }
  2 ActivateContract { contract: u16, version: u32, height: u64 }
  3 SetOperatorStanding { operator: LedgerId, standing: OperatorStanding }
  4 RotateReplicaKey { replica: u16, public_key: PublicKey }
}
enum governance.OperatorStanding {
  0 Active
  1 Suspended
  2 Revoked
}
enum governance.Parameter {
  0 SmallCellThreshold
  1 ItemPriceMin
  2 ItemDeadlineUs
  3 PersonEndorsements
  4 EmergencyDurationUs
  5 ReplicaChangeMax
}
enum governance.Event {
  0 ChangeProposed { proposal: ProposalId, operator: LedgerId, change: Change }
  1 VoteCast { proposal: ProposalId, operator: LedgerId, approve: bool, votes_for: u16, needed: u16 }
  2 ChangeAdopted { proposal: ProposalId, change: Change }
  3 ChangeRejected { proposal: ProposalId }
  4 ParameterFounded { parameter: Parameter, value: i64 }
  5 ReplicaFounded { replica: ReplicaDescription }
  6 EpochAnnounced { epoch: EpochDescription }
  7 EquivocationProven { evidence: Equivocation, operator: LedgerId, reporter: LedgerId }
}
`;

const type = parseSchema(SCHEMA);

export const GenesisFile = type("GenesisFile");
export const Header = type("Header");
export const OutcomeLeaf = type("OutcomeLeaf");
export const LedgerEvent = type("LedgerEvent");
export const Receipt = type("Receipt");
export const SignedTransaction = type("SignedTransaction");
export const TransactionBody = type("TransactionBody");
export const Vote = type("Vote");
export const CertifiedBlock = type("CertifiedBlock");

/** The contracts by number, and the types of their commands and events. */
export const CONTRACTS = new Map(
  ["membership", "records", "authorization", "settlement", "telemetry", "governance"].map((name, index) => [
    index + 1,
    { name, command: type(`${name}.Command`), event: type(`${name}.Event`) },
  ]),
);
