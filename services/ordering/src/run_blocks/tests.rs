use execution::{Contracts, StateView};
use ledger::{ContractId, GenesisMember, LedgerId, SignedTransaction, SigningKey, TransactionBody};
use pbft::Limits;

use super::*;
use crate::state::BlockWrites;

const START: Timestamp = Timestamp(1_000_000_000);

/// A runner on a chain of its own, which knows nobody: every transaction is committed with its rejection.
struct Run {
    runner: BlockRunner<Contracts>,
    chain: Digest,
    told: Vec<(Height, Digest)>,
    folder: tempfile::TempDir,
}

impl Run {
    fn start() -> Run {
        Run::over(tempfile::tempdir().unwrap())
    }

    /// A runner over what is stored in this folder, or over the genesis block.
    fn over(folder: tempfile::TempDir) -> Run {
        let store = StateStore::open(folder.path()).unwrap();
        let (mut genesis, _) = bus::testing::test_genesis(4);
        genesis.time = START;
        let operators = genesis.epoch.replicas.iter();
        let operator = |(place, replica): (usize, &ledger::ReplicaDescription)| GenesisMember {
            ledger_id: replica.operator,
            public_key: SigningKey::from_seed([100 + place as u8; 32]).public_key(),
            kind: "NodeOperator".to_owned(),
            name: format!("Operator {place}"),
            allowed: Vec::new(),
        };
        genesis.members = operators.enumerate().map(operator).collect();
        let chain = genesis.chain_id();
        let executor = Executor::new(chain, Contracts);
        let block = executor.genesis_block(&genesis).unwrap();
        if store.head().unwrap().is_none() {
            let genesis = BlockWrites {
                head: block.head.clone(),
                writes: block.writes,
                transactions: Vec::new(),
            };
            Roots::begin(&store, Arc::new(genesis)).unwrap();
        }
        let epochs = Epochs::new(chain, Limits::default(), genesis.epoch, Vec::new());
        let roots = Roots::start(store.clone()).unwrap();
        let runner = BlockRunner::new(
            executor,
            Arc::new(epochs),
            block.head,
            store,
            roots,
            Arc::default(),
        );
        Run {
            runner,
            chain,
            told: Vec::new(),
            folder,
        }
    }

    /// The order to execute transactions with these nonces.
    fn task(&self, height: u64, run: u64, after: Option<u64>, nonces: &[u64]) -> Task {
        let order = Order {
            sequence: Sequence(height),
            run,
            after,
            batch: Digest([run as u8; 32]),
            time: Timestamp(START.0 + height),
        };
        let body = |nonce: &u64| {
            let signed = transaction(self.chain, *nonce);
            let bytes = signed.to_bytes();
            let id = ledger::transaction::id_of_signed_bytes(&bytes);
            let wire = ledger::transaction::wire_digest(&bytes);
            let checked = CheckedTransaction { signed, id, wire };
            Arc::new(Body::new(checked, bytes.into(), None))
        };
        Task::Execute {
            order,
            bodies: nonces.iter().map(body).collect(),
            ordered: Ordered::default(),
        }
    }

    /// Does tasks like the thread does; gives how many transactions are in the blocks that were executed.
    fn does(&mut self, tasks: Vec<Task>) -> Vec<usize> {
        let mut counts = Vec::new();
        let told = &mut self.told;
        let mut tell = |word| {
            if let Told::Executed(executed, _, bodies) = word {
                told.push((executed.sequence.height(), executed.block));
                counts.push(bodies.len());
            }
        };
        for task in tasks {
            let _ = self.runner.take(task, &mut tell).unwrap();
        }
        counts
    }

    fn newest(&self) -> (Height, Digest) {
        (self.runner.head().height, self.runner.head().hash)
    }
}

fn transaction(chain: Digest, nonce: u64) -> SignedTransaction {
    let key = SigningKey::from_seed([9; 32]);
    let body = TransactionBody {
        chain,
        submitter: LedgerId([2; 16]),
        public_key: key.public_key(),
        nonce,
        valid_until: Timestamp(START.0 + 1_000_000),
        contract: ContractId(2),
        command: vec![7; 40],
    };
    SignedTransaction::sign(body, &key)
}

#[test]
fn what_gives_way_leaves_nothing_behind() {
    let mut replaced = Run::start();
    let tasks = vec![
        replaced.task(1, 1, None, &[1]),
        replaced.task(2, 2, Some(1), &[2, 3]),
        replaced.task(3, 3, Some(2), &[4]),
        // Another view orders something else at the second place, and of the first what stood at the third.
        replaced.task(2, 4, Some(1), &[5]),
        replaced.task(3, 5, Some(4), &[2, 4]),
    ];
    assert_eq!(replaced.does(tasks), [1, 2, 1, 1, 2]);
    let mut straight = Run::start();
    let tasks = vec![
        straight.task(1, 1, None, &[1]),
        straight.task(2, 2, Some(1), &[5]),
        straight.task(3, 3, Some(2), &[2, 4]),
    ];
    assert_eq!(straight.does(tasks), [1, 1, 2]);
    assert_eq!(replaced.newest(), straight.newest());
    for run in [&mut replaced, &mut straight] {
        run.runner.keep_all();
    }
    let entries =
        |run: &Run| StateView::range(&run.runner.unapplied, &[0], &[0xff; 40], usize::MAX);
    assert_eq!(entries(&replaced), entries(&straight));
}

#[test]
fn blocks_below_a_tree_that_a_crash_left_ahead_are_executed_again_with_the_roots_that_they_name() {
    let mut first = Run::start();
    let last = 4 * CHECKPOINT_INTERVAL;
    let mut blocks = Vec::new();
    for height in 1..=last {
        let transaction = CheckedTransaction::new(transaction(first.chain, height));
        let (time, transactions) = (Timestamp(START.0 + height), vec![Arc::new(transaction)]);
        let executed = first.runner.execute_next(None, time, transactions, None);
        blocks.push(executed.unwrap().block);
        first.runner.keep_all();
    }
    first.runner.roots.stop();
    let stored = first.folder;
    drop(first.runner);
    // Of the run that both were stored in, only the tree's part remains.
    let begun = Run::start();
    let crashed = begun.folder;
    drop(begun.runner);
    std::fs::remove_dir_all(crashed.path().join("tree")).unwrap();
    std::fs::rename(stored.path().join("tree"), crashed.path().join("tree")).unwrap();
    let mut again = Run::over(crashed);
    assert_eq!(again.runner.roots.at(Height(0)).unwrap(), None);
    for block in &blocks {
        let hash = again.runner.replay(block, &BlockDigests::of(block));
        assert_eq!(hash.unwrap(), block.hash(), "{}", block.header.height);
        again.runner.keep_all();
    }
}

#[test]
fn an_order_on_top_of_what_gave_way_is_passed_over_and_so_is_one_for_a_certified_height() {
    let mut run = Run::start();
    let tasks = vec![
        run.task(1, 1, None, &[1]),
        run.task(2, 2, Some(1), &[2]),
        run.task(2, 3, Some(1), &[3]),
        run.task(3, 4, Some(2), &[4]),
        run.task(4, 5, Some(4), &[5]),
    ];
    assert_eq!(run.does(tasks), [1, 1, 1]);
    let second = run.newest();
    assert_eq!(second.0, Height(2));
    let tasks = vec![
        Task::Certified(Height(2)),
        run.task(2, 6, Some(1), &[6]),
        run.task(3, 7, Some(3), &[7]),
    ];
    assert_eq!(run.does(tasks), [1]);
    assert_eq!(run.told.last().map(|(height, _)| *height), Some(Height(3)));
    assert_eq!(run.runner.certified, Height(2));
    assert_eq!(run.runner.unapplied.len(), 1);
    assert_eq!(run.told[2], second);
}

#[test]
fn the_first_order_of_an_epoch_names_none_below_it_and_goes_on_top_of_what_is_certified() {
    let mut run = Run::start();
    let first = run.task(1, 7, None, &[1]);
    assert_eq!(run.does(vec![first]), [1]);
    // Of a block that may give way the core of no epoch is ignorant.
    let early = run.task(2, 1, None, &[2]);
    assert_eq!(run.does(vec![early]), [0; 0]);
    let second = run.task(2, 1, None, &[2]);
    assert_eq!(run.does(vec![Task::Certified(Height(1)), second]), [1]);
}

#[test]
fn a_full_queue_of_blocks_that_give_way_does_not_stand_in_the_way_of_what_replaces_them() {
    let mut run = Run::start();
    let mut tasks: Vec<Task> = (1..=UNAPPLIED_MAX as u64 + 9)
        .map(|height| run.task(height, height, (height > 1).then(|| height - 1), &[height]))
        .collect();
    tasks.push(run.task(1, 1_000, None, &[2_000]));
    let counts = run.does(tasks);
    assert_eq!(counts.len(), UNAPPLIED_MAX + 1);
    assert_eq!(run.newest().0, Height(1));
}

#[test]
fn a_transaction_that_a_batch_holds_under_two_signatures_is_in_the_block_under_the_first() {
    let mut run = Run::start();
    let Task::Execute {
        order,
        mut bodies,
        ordered,
    } = run.task(1, 1, None, &[1])
    else {
        unreachable!()
    };
    let first = bodies[0].wire();
    // Whoever holds the key can make any number of signatures for one body (the runner gets checked ones).
    let mut signed = bodies[0].transaction.signed.clone();
    signed.signature.0[0] ^= 1;
    let bytes = signed.to_bytes();
    let id = ledger::transaction::id_of_signed_bytes(&bytes);
    let wire = ledger::transaction::wire_digest(&bytes);
    assert_eq!(id, bodies[0].transaction.id);
    assert_ne!(wire, first);
    let checked = CheckedTransaction { signed, id, wire };
    bodies.push(Arc::new(Body::new(checked, bytes.into(), None)));
    let task = Task::Execute {
        order,
        bodies,
        ordered,
    };
    let mut wires = Vec::new();
    let mut tell = |word| {
        if let Told::Executed(_, block, bodies) = word {
            assert_eq!(bodies.len(), 1);
            wires.extend(block.wires.clone());
        }
    };
    let _ = run.runner.take(task, &mut tell).unwrap();
    assert_eq!(wires, [first]);
}
