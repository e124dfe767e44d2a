//! The authority's operator at work: endorses persons and devices as they register, with the operator's own key.
//!
//! Persons need one endorsement. A patient's ledger ids for hospitals come into being on first care, so this goes on for as
//! long as the story lasts. Organisations are not its business: they need a quorum.

use std::collections::BTreeSet;
use std::time::Duration;

use client::Member;
use contracts::membership::command::MemberKind;
use futures::StreamExt as _;
use interfaces::Page;
use interfaces::identity::MemberSummary;
use tokio::task::JoinHandle;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const AT_ONCE: usize = 16;

/// Stops when dropped.
pub(crate) struct Endorser(JoinHandle<()>);

impl Drop for Endorser {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Endorser {
    /// Starts endorsing as `operator`.
    pub(crate) fn start(operator: Member) -> Endorser {
        Endorser(tokio::spawn(async move {
            let mut endorsed = BTreeSet::new();
            loop {
                // What fails is still pending at the next look.
                if let Ok(page) = operator
                    .get::<Page<MemberSummary>>("/v1/members/pending?limit=500")
                    .await
                {
                    let waiting: Vec<MemberSummary> = page
                        .entries
                        .into_iter()
                        .filter(|member| {
                            matches!(
                                member.kind,
                                MemberKind::Patient | MemberKind::Doctor | MemberKind::Device
                            )
                        })
                        .filter(|member| !endorsed.contains(&member.member))
                        .collect();
                    let done = futures::stream::iter(waiting)
                        .map(|member| endorse(&operator, member))
                        .buffer_unordered(AT_ONCE);
                    endorsed.extend(
                        done.filter_map(std::future::ready)
                            .collect::<Vec<_>>()
                            .await,
                    );
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }))
    }
}

async fn endorse(operator: &Member, member: MemberSummary) -> Option<ledger::LedgerId> {
    let path = format!("/v1/members/{}/endorsements", member.member);
    match operator.command(&path, &serde_json::json!({})).await {
        Ok(_) => Some(member.member),
        // A rejection stands on the ledger (endorsed already); anything else is tried again.
        Err(error) => error
            .problem()
            .is_some_and(|problem| problem.rejection.is_some())
            .then_some(member.member),
    }
}
