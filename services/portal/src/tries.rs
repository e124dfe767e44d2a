//! How often one address may try a password or a code.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::origin::network_of;
use interfaces::Problem;

use crate::answer::Refusal;

const WINDOW: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 100_000;

/// Tries of the last minute, by address.
pub(crate) struct Tries {
    per_minute: u32,
    tries: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Tries {
    pub(crate) fn new(per_minute: u32) -> Tries {
        Tries {
            per_minute,
            tries: Mutex::default(),
        }
    }

    /// Counts one try.
    ///
    /// # Errors
    /// 429 when the address has had its share of this minute.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= ADDRESSES_MAX {
            tries.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        let entry = tries
            .entry(network_of(address))
            .or_insert((Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
        if entry.1 <= self.per_minute {
            return Ok(());
        }
        Err(Problem::new(
            429,
            "too-many-requests",
            "Too many tries",
            "this address tried too often; wait a minute",
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_others_have_theirs() {
        let tries = Tries::new(2);
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(tries.count(one).is_ok());
        assert!(tries.count(neighbour).is_ok());
        assert_eq!(tries.count(one).unwrap_err().0.status, 429);
        assert!(tries.count(other).is_ok());
    }
}
