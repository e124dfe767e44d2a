//! How much one address may ask: a bucket of requests that fills again with time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::origin::network_of;

/// Buckets kept; full ones are forgotten first, and when none is full new addresses share one bucket.
const BUCKETS_MAX: usize = 65_536;

/// A limit per address. Addresses of one IPv6 network (/64) count as one.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimiter {
    /// `per_second` requests in the long run, `burst` at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> RateLimiter {
        RateLimiter {
            per_second: f64::from(per_second),
            burst: f64::from(burst),
            buckets: Mutex::default(),
        }
    }

    /// Takes `cost` from the address's bucket.
    ///
    /// # Errors
    /// How long to wait, when the bucket holds less.
    pub(crate) fn take(&self, address: IpAddr, cost: u32) -> Result<(), Duration> {
        self.take_at(address, cost, Instant::now())
    }

    fn take_at(&self, address: IpAddr, cost: u32, now: Instant) -> Result<(), Duration> {
        let cost = f64::from(cost);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = network_of(address);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.burst);
            if buckets.len() >= BUCKETS_MAX {
                key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            left: self.burst,
            at: now,
        });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        if bucket.left >= cost {
            bucket.left -= cost;
            return Ok(());
        }
        Err(
            Duration::from_secs_f64((cost - bucket.left) / self.per_second.max(f64::MIN_POSITIVE))
                .max(Duration::from_secs(1)),
        )
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let waited = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + waited * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_is_empty_after_the_burst_and_fills_again() {
        let limiter = RateLimiter::new(2, 3);
        let start = Instant::now();
        for _ in 0..3 {
            limiter.take_at(address("10.0.0.1"), 1, start).unwrap();
        }
        assert!(limiter.take_at(address("10.0.0.1"), 1, start).is_err());
        limiter.take_at(address("10.0.0.2"), 1, start).unwrap();
        limiter
            .take_at(address("10.0.0.1"), 1, start + Duration::from_secs(1))
            .unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let limiter = RateLimiter::new(1, 1);
        let start = Instant::now();
        limiter.take_at(address("2001:db8::1"), 1, start).unwrap();
        assert!(limiter.take_at(address("2001:db8::2"), 1, start).is_err());
        limiter
            .take_at(address("2001:db8:0:1::1"), 1, start)
            .unwrap();
    }
}
