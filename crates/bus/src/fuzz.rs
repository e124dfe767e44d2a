//! What a broker, or whoever reaches it, can hand to a process, under mutated bytes (see the crate `fuzzing`): sealed
//! requests and replies, and the answers of replicas.

use keys::SealingKey;
use keys::Secret;
use keys::seal::{RequestOpener, RequestSealer};
use ledger::{Digest, Epoch, Height, ReplicaId, Timestamp, canonical};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ordering_wire::{
    Answer, BlockInclusionRequest, BlockReceipts, BlocksReply, BlocksRequest, CheckpointReply,
    CheckpointRequest, EpochsReply, HistoryProofReply, Notice, Noticed, PartBytes, PhaseTimes,
    PhasesReply, PhasesRequest, ReceiptReply, ReceiptRequest, Standing, StatusReply, Submission,
    SubmitAnswer, SubmitReply, Submitted,
};
use crate::sealed_wire::{
    PART_BYTES, PartMessage, ReplyBody, ReplyMessage, ReplyParts, RequestBody, RequestMessage,
    is_acceptable_total, join, open_request_part, request_info, seal_reply, seal_request,
};

/// Decodes; what is accepted has no other bytes.
fn decoded<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value = canonical::decode(bytes).ok()?;
    assert_eq!(canonical::encode(&value), bytes);
    Some(value)
}

fn key(byte: u8) -> SealingKey {
    SealingKey::from_secret(&Secret::from_bytes([byte; 32]))
}

fn info() -> Vec<u8> {
    request_info("records.register_record", "gateway", "1")
}

/// A sealed request of two parts, and the key of its reply.
fn sealed_request() -> (RequestSealer, Vec<Vec<u8>>) {
    let mut sealer = RequestSealer::new(&key(1), &key(2).public_key(), &info()).expect("a sealer");
    let body = canonical::encode(&request_body(PART_BYTES + 10));
    let parts = seal_request(&mut sealer, &body).expect("it can be sealed");
    (sealer, parts)
}

fn request_body(bytes: usize) -> RequestBody {
    RequestBody {
        sent: 1_700_000_000_000_000,
        seen: 7,
        authorization: Some("token".to_owned()),
        origin: None,
        request: vec![b'x'; bytes],
    }
}

#[test]
fn fuzz_sealed_request() {
    let (sealer, _) = sealed_request();
    let encapsulated_key = sealer.encapsulated_key;
    let mut sealer = RequestSealer::new(&key(1), &key(2).public_key(), &info()).expect("a sealer");
    let small = canonical::encode(&request_body(30));
    let sealed = seal_request(&mut sealer, &small).expect("it can be sealed");
    let first = |encapsulated_key, total, sealed| RequestMessage {
        encapsulated_key,
        total,
        sealed,
    };
    fuzzing::target("bus-request")
        .values([
            first(sealer.encapsulated_key, 1, sealed[0].clone()),
            first(encapsulated_key, 2, vec![9; 60]),
        ])
        .run(|bytes| {
            let Some(message) = decoded::<RequestMessage>(bytes) else {
                return false;
            };
            if !is_acceptable_total(message.total) {
                return true;
            }
            let opener = RequestOpener::new(
                &key(2),
                &key(1).public_key(),
                &message.encapsulated_key,
                &info(),
            );
            if let Ok(mut opener) = opener
                && let Ok(part) = open_request_part(&mut opener, 0, message.total, &message.sealed)
                && message.total == 1
            {
                assert_eq!(join(vec![part]).ok(), Some(small.clone()), "forged");
            }
            true
        });
}

#[test]
fn fuzz_sealed_reply() {
    let (sealer, _) = sealed_request();
    let reply_key = sealer.reply_key();
    let body = canonical::encode(&ReplyBody::Ok(vec![b'y'; 50]));
    let parts = seal_reply(&reply_key, &body).expect("it can be sealed");
    let instance = "records-1".to_owned();
    let further = PartMessage {
        id: "1".to_owned(),
        index: 1,
        sealed: vec![3; 40],
    };
    fuzzing::target("bus-reply")
        .values(parts)
        .values([ReplyMessage::Continue { instance }, ReplyMessage::Working])
        .values([further])
        .run(|bytes| {
            let part = decoded::<PartMessage>(bytes).is_some();
            match decoded(bytes) {
                Some(ReplyMessage::Part {
                    index,
                    total,
                    sealed,
                }) => {
                    let mut parts = ReplyParts::default();
                    if let Some(taken) = parts.take(&reply_key, index, total, &sealed) {
                        assert_eq!(taken, body, "forged");
                    }
                    true
                }
                Some(_) => true,
                None => part,
            }
        });
}

#[test]
fn fuzz_opened_bodies() {
    // An authenticated caller may still send what it likes.
    fuzzing::target("bus-bodies")
        .values([request_body(30)])
        .values([ReplyBody::Ok(vec![1]), ReplyBody::Problem(vec![2; 20])])
        .run(|bytes| {
            decoded::<RequestBody>(bytes).is_some() | decoded::<ReplyBody>(bytes).is_some()
        });
}

#[test]
fn fuzz_answers_of_replicas() {
    let digest = Digest([4; 32]);
    let status = StatusReply {
        replica: ReplicaId(1),
        height: Height(9),
        time: Timestamp(10),
        block: digest,
        epoch: Epoch(0),
        view: 3,
        primary: ReplicaId(3),
        changing_view: false,
        standing: Standing::Votes,
        stable_checkpoint: 8,
        waiting_transactions: 2,
        committed_transactions: 5,
        notices: vec![Notice {
            replica: ReplicaId(2),
            noticed: Noticed::OldWords,
        }],
    };
    let times = PhaseTimes {
        received: Some(Timestamp(1)),
        proposed: None,
        prepared: Some(Timestamp(2)),
        executed: Timestamp(3),
        certified: Timestamp(4),
        trace: Some([5; 16]),
    };
    fuzzing::target("bus-answers")
        .values([Answer::Ok(status), Answer::Busy])
        .values([Answer::Ok(BlocksReply {
            blocks: vec![vec![1; 30], vec![2; 9]],
            newest: Height(9),
        })])
        .values([Answer::Ok(ReceiptReply::NotFound {
            newest: Height(9),
            time: Timestamp(10),
        })])
        .values([Answer::Ok(CheckpointReply::Signed {
            size: 4,
            root: digest,
            line: "- line\n".to_owned(),
        })])
        .values([Answer::Ok(HistoryProofReply {
            proof: Some(vec![digest]),
        })])
        .values([Answer::Ok(PhasesReply { times: Some(times) })])
        .values(
            [
                SubmitAnswer::Refused {
                    code: 3,
                    reason: "bad signature".to_owned(),
                },
                SubmitAnswer::Receipts(BlockReceipts {
                    basis: vec![1; 20],
                    parts: vec![PartBytes(vec![2; 30]), PartBytes(vec![3; 9])],
                }),
            ]
            .map(|answer| SubmitReply {
                transactions: vec![digest; 2],
                answer,
            }),
        )
        .run(|bytes| {
            decoded::<Answer<StatusReply>>(bytes).is_some()
                | decoded::<Answer<BlocksReply>>(bytes).is_some()
                | decoded::<Answer<ReceiptReply>>(bytes).is_some()
                | decoded::<Answer<CheckpointReply>>(bytes).is_some()
                | decoded::<Answer<EpochsReply>>(bytes).is_some()
                | decoded::<Answer<HistoryProofReply>>(bytes).is_some()
                | decoded::<Answer<PhasesReply>>(bytes).is_some()
                | decoded::<SubmitReply>(bytes).is_some_and(|reply| {
                    if let SubmitAnswer::Receipts(receipts) = &reply.answer {
                        let _ = receipts.receipt(0);
                    }
                    true
                })
        });
}

#[test]
fn fuzz_questions_to_replicas() {
    let digest = Digest([4; 32]);
    let (from, to) = (Height(3), Height(9));
    fuzzing::target("bus-questions")
        .values([BlocksRequest { from, to }])
        .values([BlockInclusionRequest {
            height: from,
            size: 9,
        }])
        .values([ReceiptRequest {
            transaction: digest,
        }])
        .values([CheckpointRequest { size: Some(7) }])
        .values([Submission {
            addressed: Some(ReplicaId(1)),
            transactions: vec![
                Submitted {
                    bytes: vec![5; 40],
                    traceparent: Some("00-1-2-01".to_owned()),
                };
                2
            ],
        }])
        .run(|bytes| {
            decoded::<BlocksRequest>(bytes).is_some()
                | decoded::<BlockInclusionRequest>(bytes).is_some()
                | decoded::<ReceiptRequest>(bytes).is_some()
                | decoded::<CheckpointRequest>(bytes).is_some()
                | decoded::<PhasesRequest>(bytes).is_some()
                | decoded::<Submission>(bytes).is_some()
        });
}
