//! Hears what replicas tell each other, from outside: for I5, which must hold for everything that ever left a replica,
//! whatever became of its disk afterwards.
//!
//! The brokers' own configuration lets nobody listen; the stand-in for `nats-server` (`e2e/capture/nats-server`) adds a
//! listening user.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use ledger::canonical;
use pbft::SignedMessage;

use crate::capture;
use crate::invariants::Said;
use crate::system::Setup;
use crate::wire::Wire;

/// Listens from when the system starts.
pub struct Overheard {
    password: String,
    said: Arc<Mutex<Said>>,
}

impl Overheard {
    /// A setup whose brokers can be listened to, and who will listen.
    pub fn prepare(setup: Setup) -> (Setup, Overheard) {
        let random: [u8; 16] = keys::secret::random::<16>();
        let password = data_encoding::HEXLOWER.encode(&random);
        let setup = capture::stand_in(&password)
            .into_iter()
            .fold(setup, |setup, (name, value)| {
                setup.environment(&name, &value)
            });
        let said = Arc::default();
        (setup, Overheard { password, said })
    }

    /// Begins to listen to the broker of that name of the running system in this folder, again after each break, until the
    /// test ends.
    pub fn listen(&self, system: &Path, broker: &'static str) {
        let (system, password) = (system.to_owned(), self.password.clone());
        let said = self.said.clone();
        tokio::spawn(async move {
            // The client reconnects by itself when a broker comes back.
            let client = capture::connect(&system, broker, "medshare", &password).await;
            let Ok(mut heard) = client.subscribe("pbft.>").await else {
                return;
            };
            while let Some(message) = heard.next().await {
                let Ok(Wire::Consensus(messages, _)) = canonical::decode(&message.payload) else {
                    continue;
                };
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                for bytes in messages {
                    let signed = SignedMessage::from_bytes(&bytes);
                    said.take(&signed.expect("replicas send each other canonical messages"));
                }
            }
        });
    }

    /// How many slots somebody was heard to speak for.
    ///
    /// # Panics
    /// If a replica was heard to speak twice for one slot.
    pub fn slots(&self) -> usize {
        let said = self.said.lock();
        said.expect("I5: a replica said two things for one slot, see above")
            .count()
    }
}
