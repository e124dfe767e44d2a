//! Syncs the block files from time to time, on a thread of its own: the journal lets go of blocks that are safe there, and
//! votes need not wait for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Height;

use crate::blocks::{BlockFileError, BlockFiles};

/// What is known to be safe.
#[derive(Debug)]
pub struct SafeBlocks {
    ask: Sender<()>,
    answers: Receiver<Result<Height, BlockFileError>>,
    /// Blocks below are safe.
    below: Height,
    is_asked: bool,
}

impl SafeBlocks {
    /// Starts the thread; it ends with this value.
    pub fn start(files: Arc<Mutex<BlockFiles>>) -> SafeBlocks {
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        std::thread::Builder::new()
            .name("block-sync".to_owned())
            .spawn(
                move || {
                    while asked.recv().is_ok() && answer.send(sync(&files)).is_ok() {}
                },
            )
            .expect("a thread can be started");
        SafeBlocks {
            ask,
            answers,
            below: Height(0),
            is_asked: false,
        }
    }

    /// The height below which all blocks are safe, as far as it is known; asks for the next sync.
    ///
    /// # Errors
    /// [`BlockFileError`] when a sync failed: the process must stop.
    pub fn newest(&mut self) -> Result<Height, BlockFileError> {
        if let Ok(answer) = self.answers.try_recv() {
            self.below = answer?;
            self.is_asked = false;
        }
        if !self.is_asked {
            // A thread that panicked answers no more: then nothing is let go of.
            self.is_asked = self.ask.send(()).is_ok();
        }
        Ok(self.below)
    }
}

/// Syncs what is there now; blocks are appended meanwhile.
fn sync(files: &Mutex<BlockFiles>) -> Result<Height, BlockFileError> {
    let unsynced = files
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .unsynced()?;
    unsynced.sync()
}
