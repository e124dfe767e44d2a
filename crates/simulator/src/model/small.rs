//! The smallest configuration in which everything happens: four replicas, one of them Byzantine, two views, two
//! places. `tests/model.rs` has it explored exhaustively.
//!
//! A correct primary proposes [`Value::First`] in view 0 and [`Value::Second`] in view 1 (values differ in nothing else);
//! a faulty one proposes both. View 1 is the last: whatever may be prepared there counts as decided, which is more than
//! the protocol demands and saves the COMMITs of view 1. Whoever enters view 1 has asked for it before: a view change
//! more only adds to what a primary can choose from. Replicas 2 and 3 differ in nothing when both are correct, so of two
//! states that differ in their exchange only one is looked at.

use ledger::ReplicaId;
use pbft::{Sequence, View};

use super::{Claim, Members, Said, implied};

/// What can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// The null request that fills a gap.
    Null,
    /// A batch.
    First,
    /// Another batch.
    Second,
}

const BATCHES: [Value; 2] = [Value::First, Value::Second];
const ALL: [Value; 3] = [Value::Null, Value::First, Value::Second];
/// Places 1 and 2.
const PLACES: usize = 2;

type Slots = [Option<Value>; PLACES];

/// Where a correct replica stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Works in view 0.
    #[default]
    InZero,
    /// Asked for view 1 and votes no more in view 0.
    Leaving,
    /// Works in view 1, which was opened with these proposals.
    InOne(Slots),
}

/// What one correct replica has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correct {
    /// Where it stands.
    pub stage: Stage,
    /// For each view and place what it PREPAREd (or, as primary, proposed).
    pub prepared: [Slots; 2],
    /// For each place what it COMMITted to in view 0.
    pub committed: Slots,
}

/// Everything that has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// By replica; those of faulty ones stay empty.
    pub replicas: [Correct; 4],
    /// The proposals with which a correct primary opened view 1.
    pub opened: Option<Slots>,
}

/// A step of a correct replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The primary proposes a batch at a place.
    Propose(usize, View, Sequence, Value),
    /// A backup PREPAREs.
    Prepare(usize, View, Sequence, Value),
    /// COMMIT.
    Commit(usize, Sequence, Value),
    /// VIEW-CHANGE for view 1, at any time (timers are not modelled).
    LeaveZero(usize),
    /// The correct primary of view 1 opens it with these proposals.
    OpenOne(Slots),
    /// A replica enters view 1 by a NEW-VIEW with these proposals.
    EnterOne(usize, Slots),
}

/// The rules; or, by [`Small::forgetful`] and [`Small::with_two_faulty`], broken ones, to show that the check can fail.
#[derive(Debug, Clone)]
pub struct Small {
    members: Members,
    remembers_prepared: bool,
}

fn place(index: usize) -> Sequence {
    Sequence(index as u64 + 1)
}

fn index(place: Sequence) -> usize {
    place.0 as usize - 1
}

struct View0or1<'a> {
    model: &'a Small,
    state: &'a State,
}

impl Said for View0or1<'_> {
    type Value = Value;

    fn members(&self) -> &Members {
        &self.model.members
    }

    fn is_proposed(&self, view: View, place: Sequence, value: Value) -> bool {
        let primary = usize::from(self.model.members.primary(view).0);
        let by_opening = match self.state.opened {
            Some(proposals) if view == View(1) => proposals[index(place)],
            _ => None,
        };
        let alone = self.state.replicas[primary].prepared[view.0 as usize][index(place)];
        by_opening == Some(value) || alone == Some(value)
    }

    fn prepares(&self, view: View, place: Sequence, value: Value) -> usize {
        let primary = usize::from(self.model.members.primary(view).0);
        self.count(primary, |said| {
            said.prepared[view.0 as usize][index(place)] == Some(value)
        })
    }

    fn commits(&self, view: View, place: Sequence, value: Value) -> usize {
        self.count(usize::MAX, |said| {
            view == View(0) && said.committed[index(place)] == Some(value)
        })
    }
}

impl View0or1<'_> {
    fn count(&self, except: usize, said: impl Fn(&Correct) -> bool) -> usize {
        let correct = self.model.correct().filter(|id| *id != except);
        correct.filter(|id| said(&self.state.replicas[*id])).count()
    }
}

impl Small {
    /// The configuration in which this replica is faulty.
    pub fn with_faulty(faulty: usize) -> Small {
        Small {
            members: Members {
                replicas: (0..4).map(ReplicaId).collect(),
                faulty: vec![ReplicaId(faulty as u16)],
            },
            remembers_prepared: true,
        }
    }

    /// A defect: view changes carry nothing that was prepared.
    pub fn forgetful(faulty: usize) -> Small {
        Small {
            remembers_prepared: false,
            ..Small::with_faulty(faulty)
        }
    }

    /// More faults than the protocol bears.
    pub fn with_two_faulty(first: usize, second: usize) -> Small {
        let mut small = Small::with_faulty(first);
        small.members.faulty.push(ReplicaId(second as u16));
        small
    }

    fn correct(&self) -> impl Iterator<Item = usize> + '_ {
        (0..4).filter(|id| !self.is_faulty(*id))
    }

    fn is_faulty(&self, id: usize) -> bool {
        self.members.is_faulty(ReplicaId(id as u16))
    }

    /// Nothing has been said.
    pub fn initial(&self) -> State {
        State {
            replicas: [Correct::default(); 4],
            opened: None,
        }
    }

    /// All steps that correct replicas may take.
    pub fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        for id in self.correct() {
            let own = &state.replicas[id];
            match own.stage {
                Stage::InZero => {
                    self.votes(state, id, View(0), &mut steps);
                    steps.push(Step::LeaveZero(id));
                }
                Stage::Leaving => self.entries(state, id, &mut steps),
                Stage::InOne(_) => self.votes(state, id, View(1), &mut steps),
            }
        }
        steps
    }

    fn votes(&self, state: &State, id: usize, view: View, steps: &mut Vec<Step>) {
        let said = View0or1 { model: self, state };
        let own = &state.replicas[id];
        let is_primary = usize::from(self.members.primary(view).0) == id;
        let opening = match own.stage {
            Stage::InOne(proposals) => proposals,
            _ => [None; PLACES],
        };
        for (at, opened) in opening.into_iter().enumerate() {
            let place = place(at);
            let prepared = own.prepared[view.0 as usize][at];
            if is_primary && prepared.is_none() && opened.is_none() {
                let value = BATCHES[view.0 as usize];
                steps.push(Step::Propose(id, view, place, value));
            }
            for value in ALL {
                let fits = match opened {
                    Some(proposed) => proposed == value,
                    None => value != Value::Null,
                };
                if !fits || !said.may_be_proposed(view, place, value) {
                    continue;
                }
                if !is_primary && prepared.is_none() {
                    steps.push(Step::Prepare(id, view, place, value));
                }
                let is_new = view == View(0) && own.committed[at].is_none();
                if is_new && said.may_be_prepared(view, place, value) {
                    steps.push(Step::Commit(id, place, value));
                }
            }
        }
    }

    /// The ways into view 1.
    fn entries(&self, state: &State, id: usize, steps: &mut Vec<Step>) {
        let primary = usize::from(self.members.primary(View(1)).0);
        if self.is_faulty(primary) {
            let openings = self.openings(state).into_iter();
            steps.extend(openings.map(|proposals| Step::EnterOne(id, proposals)));
        } else if let Some(proposals) = state.opened {
            steps.push(Step::EnterOne(id, proposals));
        } else if primary == id {
            steps.extend(self.openings(state).into_iter().map(Step::OpenOne));
        }
    }

    /// The proposals that some quorum of view changes implies: those of correct replicas, and any valid one of the
    /// faulty replica.
    fn openings(&self, state: &State) -> Vec<Slots> {
        let asked: Vec<usize> = self
            .correct()
            .filter(|id| state.replicas[*id].stage != Stage::InZero)
            .collect();
        let quorum = self.members.quorum();
        let mut openings = Vec::new();
        for chosen in 0..1u32 << asked.len() {
            let members: Vec<usize> = asked
                .iter()
                .enumerate()
                .filter(|(bit, _)| chosen >> bit & 1 == 1)
                .map(|(_, id)| *id)
                .collect();
            let claims = || members.iter().map(|id| self.claim(&state.replicas[*id]));
            if members.len() >= quorum {
                openings.push(self.proposals(&claims().collect::<Vec<_>>()));
            }
            if members.len() + self.members.faulty.len() >= quorum {
                for claim in self.claims_of_faulty(state) {
                    let all: Vec<_> = claims().chain([claim]).collect();
                    openings.push(self.proposals(&all));
                }
            }
        }
        openings.sort_unstable();
        openings.dedup();
        openings
    }

    fn claim(&self, said: &Correct) -> Claim<Value> {
        let prepared = said.committed.iter().enumerate();
        Claim {
            stable: Sequence(0),
            prepared: prepared
                .filter(|_| self.remembers_prepared)
                .filter_map(|(at, value)| Some((place(at), View(0), (*value)?)))
                .collect(),
        }
    }

    /// Every claim for which certificates can be made.
    fn claims_of_faulty(&self, state: &State) -> Vec<Claim<Value>> {
        let said = View0or1 { model: self, state };
        let choices: Vec<Vec<Option<Value>>> = (0..PLACES)
            .map(|at| {
                let provable = BATCHES
                    .into_iter()
                    .filter(|value| said.may_be_prepared(View(0), place(at), *value));
                provable.map(Some).chain([None]).collect()
            })
            .collect();
        let mut claims = Vec::new();
        for first in &choices[0] {
            for second in &choices[1] {
                let prepared = [first, second].into_iter().enumerate();
                claims.push(Claim {
                    stable: Sequence(0),
                    prepared: prepared
                        .filter_map(|(at, value)| Some((place(at), View(0), (*value)?)))
                        .collect(),
                });
            }
        }
        claims
    }

    fn proposals(&self, claims: &[Claim<Value>]) -> Slots {
        let mut slots = [None; PLACES];
        for (place, value) in implied(claims) {
            slots[index(place)] = Some(value.unwrap_or(Value::Null));
        }
        slots
    }

    /// The state after a step.
    pub fn after(&self, state: &State, step: Step) -> State {
        let mut next = *state;
        match step {
            Step::Propose(id, view, place, value) | Step::Prepare(id, view, place, value) => {
                next.replicas[id].prepared[view.0 as usize][index(place)] = Some(value);
            }
            Step::Commit(id, place, value) => {
                next.replicas[id].committed[index(place)] = Some(value);
            }
            Step::LeaveZero(id) => {
                next.replicas[id].stage = Stage::Leaving;
            }
            Step::OpenOne(proposals) => {
                let primary = usize::from(self.members.primary(View(1)).0);
                next.opened = Some(proposals);
                next.replicas[primary].stage = Stage::InOne(proposals);
            }
            Step::EnterOne(id, proposals) => {
                next.replicas[id].stage = Stage::InOne(proposals);
            }
        }
        if !self.is_faulty(2) && !self.is_faulty(3) {
            next.replicas[2..].sort_unstable();
        }
        next
    }

    /// Agreement: at each place at most one value is decided in view 0 or may be prepared in view 1, and at most one
    /// may be prepared in view 0.
    pub fn agrees(&self, state: &State) -> bool {
        let said = View0or1 { model: self, state };
        let count = |is: &dyn Fn(Value) -> bool| ALL.into_iter().filter(|value| is(*value)).count();
        (0..PLACES).all(|at| {
            let decided = |value| {
                said.may_be_decided(View(0), place(at), value)
                    || self.is_prepared_in_one(&said, place(at), value)
            };
            let prepared = |value| said.commits(View(0), place(at), value) > 0;
            count(&decided) <= 1 && count(&prepared) <= 1
        })
    }

    /// Whether something may be prepared in view 1 at every place (to show that the model gets anywhere).
    pub fn is_all_prepared_in_one(&self, state: &State) -> bool {
        let said = View0or1 { model: self, state };
        (0..PLACES).all(|at| {
            ALL.into_iter()
                .any(|value| self.is_prepared_in_one(&said, place(at), value))
        })
    }

    /// A quorum of PREPAREs in view 1, at least one of them by a correct replica.
    fn is_prepared_in_one(&self, said: &View0or1<'_>, place: Sequence, value: Value) -> bool {
        said.prepares(View(1), place, value) > 0 && said.may_be_prepared(View(1), place, value)
    }
}
