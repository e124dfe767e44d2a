//! The address that a request came from, as the edge that took it saw it (gateway, portal).
//!
//! The edge says so inside the sealed request to the service it asks, and no further: a service that asks another has no
//! origin. It bounds guessing and proves nothing about who somebody is.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};

tokio::task_local! {
    static ORIGIN: IpAddr;
}

/// Does `work` for somebody at this address.
pub async fn asked_from<F: Future>(address: IpAddr, work: F) -> F::Output {
    ORIGIN.scope(address, work).await
}

/// The address that the present work is done for.
pub(crate) fn present() -> Option<IpAddr> {
    ORIGIN.try_with(|address| *address).ok()
}

/// Whoever has one IPv6 address usually has its whole /64: all of it counts as one.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(first, second, third, fourth, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_knows_the_address_it_is_done_for() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(
            asked_from(address, async { present() }).await,
            Some(address)
        );
        assert_eq!(present(), None);
    }

    #[test]
    fn one_network_is_one_origin() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
