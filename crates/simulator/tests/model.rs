//! The model of four replicas, one of them Byzantine, two views and two places, explored exhaustively by `stateright`.

use simulator::model::small::{Small, State, Step};
use stateright::{Checker, Model, Property};

#[derive(Clone)]
struct Explored(Small);

impl Model for Explored {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.0.initial()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(self.0.steps(state));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.0.after(state, step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |model: &Explored, state| model.0.agrees(state)),
            Property::sometimes(
                "everything is prepared in view 1",
                |model: &Explored, state| model.0.is_all_prepared_in_one(state),
            ),
        ]
    }
}

fn explore(small: Small) -> impl Checker<Explored> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Explored(small)
        .checker()
        .threads(threads)
        .spawn_dfs()
        .join()
}

fn assert_agreement(faulty: usize) {
    let checker = explore(Small::with_faulty(faulty));
    checker.assert_properties();
    eprintln!(
        "replica {faulty} faulty: {} states",
        checker.unique_state_count()
    );
}

#[test]
fn with_a_faulty_primary_of_the_first_view_all_agree() {
    assert_agreement(0);
}

#[test]
fn with_a_faulty_primary_of_the_second_view_all_agree() {
    assert_agreement(1);
}

#[test]
fn with_a_faulty_backup_all_agree() {
    // Replicas 2 and 3 differ in nothing.
    assert_agreement(3);
}

#[test]
fn without_the_prepared_certificates_in_view_changes_the_check_finds_a_fork() {
    let checker = explore(Small::forgetful(3));
    assert!(checker.discovery("agreement").is_some());
}

#[test]
fn with_two_faulty_of_four_the_check_finds_a_fork() {
    let checker = explore(Small::with_two_faulty(0, 3));
    assert!(checker.discovery("agreement").is_some());
}
