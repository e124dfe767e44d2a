//! Work that has a thread of its own, and that whoever brings it may do instead, when nothing else waits for it: to wake a
//! thread and be woken by it takes longer than a small task.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

/// Up to how many transactions whatever is to be done with them is small.
const SMALL_MAX: usize = 16;

/// Whether what is to be done with so many transactions takes less time than waking a thread for it.
pub fn is_small(transactions: usize) -> bool {
    transactions <= SMALL_MAX
}

/// What the thread and those who bring tasks share.
#[derive(Debug)]
struct Shared<W> {
    work: Mutex<W>,
    /// Tasks that were given and are not done.
    undone: AtomicUsize,
}

/// The side of those who bring tasks; cheap to clone.
#[derive(Debug)]
pub struct Worker<W, T> {
    shared: Arc<Shared<W>>,
    tasks: Sender<T>,
}

impl<W, T> Clone for Worker<W, T> {
    fn clone(&self) -> Worker<W, T> {
        Worker {
            shared: self.shared.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

/// The thread's side.
#[derive(Debug)]
pub struct Tasks<W, T> {
    shared: Arc<Shared<W>>,
    tasks: Receiver<T>,
}

impl<W, T> Worker<W, T> {
    /// Both sides.
    pub fn new(work: W) -> (Worker<W, T>, Tasks<W, T>) {
        let (sender, receiver) = channel();
        let shared = Arc::new(Shared {
            work: Mutex::new(work),
            undone: AtomicUsize::new(0),
        });
        let tasks = Tasks {
            shared: shared.clone(),
            tasks: receiver,
        };
        let worker = Worker {
            shared,
            tasks: sender,
        };
        (worker, tasks)
    }

    /// Hands a task to the thread. Without it the process is stopping.
    pub fn give(&self, task: T) {
        self.shared.undone.fetch_add(1, Ordering::SeqCst);
        let _ = self.tasks.send(task);
    }

    /// The work, when everything given before is done and nobody is at it: what is done with it now, is done in order.
    ///
    /// # Panics
    /// If somebody panicked at it.
    pub fn idle(&self) -> Option<MutexGuard<'_, W>> {
        if self.shared.undone.load(Ordering::SeqCst) > 0 {
            return None;
        }
        match self.shared.work.try_lock() {
            Ok(work) => Some(work),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(_)) => panic!("somebody panicked at this work"),
        }
    }
}

impl<W, T> Tasks<W, T> {
    /// Does tasks, those at hand together, until `act` breaks off, fails, or nobody can bring any.
    ///
    /// # Errors
    /// Those of `act`.
    ///
    /// # Panics
    /// If somebody panicked at the work.
    pub fn run<E>(
        self,
        mut act: impl FnMut(&mut W, Vec<T>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        while let Ok(first) = self.tasks.recv() {
            let at_hand: Vec<T> = std::iter::once(first)
                .chain(self.tasks.try_iter())
                .collect();
            let count = at_hand.len();
            let flow = {
                let mut work = self
                    .shared
                    .work
                    .lock()
                    .expect("nobody panicked at this work");
                act(&mut work, at_hand)?
            };
            self.shared.undone.fetch_sub(count, Ordering::SeqCst);
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_brings_a_task_does_it_only_when_all_before_it_are_done() {
        let (worker, tasks) = Worker::<Vec<u32>, u32>::new(Vec::new());
        worker.idle().expect("nothing waits").push(1);
        worker.give(2);
        assert!(worker.idle().is_none(), "2 waits");
        let (entered, at_work) = channel();
        let (leave, left) = channel::<()>();
        let thread = std::thread::spawn(move || {
            tasks.run(|done, at_hand| {
                entered.send(()).unwrap();
                left.recv().unwrap();
                done.extend(at_hand);
                Ok::<_, ()>(ControlFlow::Continue(()))
            })
        });
        at_work.recv().unwrap();
        assert!(worker.idle().is_none(), "2 is being done");
        leave.send(()).unwrap();
        let done = loop {
            match worker.idle() {
                Some(done) => break done.clone(),
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(done, [1, 2]);
        drop(worker);
        assert_eq!(thread.join().unwrap(), Ok(()));
    }

    #[test]
    fn the_thread_ends_with_what_breaks_off_or_fails() {
        for (given, expected) in [(1, Ok(())), (2, Err("two"))] {
            let (worker, tasks) = Worker::<(), u32>::new(());
            worker.give(given);
            let result = tasks.run(|(), at_hand| match at_hand[..] {
                [1] => Ok(ControlFlow::Break(())),
                _ => Err("two"),
            });
            assert_eq!(result, expected);
        }
    }
}
