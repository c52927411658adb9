use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// At most so many tries in each minute for each key (an account, an address), by the leaky bucket
/// that GCRA describes: a burst of that many, then one at a time as they leak out. Whoever keeps
/// trying is slowed, never locked out.
pub struct RateLimit {
    per_minute: u32,
    /// When the bucket of a key will be empty.
    empty_at: Mutex<HashMap<String, Timestamp>>,
}

/// Past so many keys, those whose bucket is empty are forgotten.
const SWEEP_AT: usize = 10_000;

impl RateLimit {
    /// So many a minute.
    pub fn per_minute(tries: u32) -> Self {
        Self { per_minute: tries.max(1), empty_at: Mutex::default() }
    }

    /// Counts a try; if there were too many, after how many seconds to come back.
    pub fn try_once(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let each = SignedDuration::from_secs(60) / i32::try_from(self.per_minute).unwrap_or(i32::MAX);
        let mut buckets = self.empty_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= SWEEP_AT {
            buckets.retain(|_, empty_at| *empty_at > now);
        }
        let empty_at = buckets.get(key).copied().filter(|at| *at > now).unwrap_or(now) + each;
        let over = empty_at.duration_since(now) - SignedDuration::from_secs(60);
        if over > SignedDuration::ZERO {
            return Err(u64::try_from(over.as_secs()).unwrap_or(0) + 1);
        }
        buckets.insert(key.to_owned(), empty_at);
        Ok(())
    }

    /// Forgives a key: it got it right.
    pub fn forgive(&self, key: &str) {
        self.empty_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let limit = RateLimit::per_minute(3);
        let start = Timestamp::from_second(1_000_000).expect("in range");
        for _ in 0..3 {
            assert_eq!(limit.try_once("a", start), Ok(()));
        }
        assert_eq!(limit.try_once("a", start), Err(21));
        assert_eq!(limit.try_once("b", start), Ok(()));
        assert_eq!(limit.try_once("a", start + SignedDuration::from_secs(21)), Ok(()));
        assert!(limit.try_once("a", start + SignedDuration::from_secs(21)).is_err());
        limit.forgive("a");
        assert_eq!(limit.try_once("a", start + SignedDuration::from_secs(21)), Ok(()));
    }
}
