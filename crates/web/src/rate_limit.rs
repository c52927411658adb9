use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// At most so many tries in each minute for each key (an account, an address), by the leaky bucket
/// that GCRA describes: a burst of that many, then one at a time as they leak out. Whoever keeps
/// trying is slowed, never locked out.
pub struct RateLimit {
    per_minute: u32,
    buckets: Mutex<Buckets>,
}

/// When the bucket of a key will be empty. A bucket holds no more than a minute, so those that nobody
/// touched for one are empty: it is enough to remember this minute and the one before.
#[derive(Default)]
struct Buckets {
    since: Timestamp,
    current: HashMap<String, Timestamp>,
    before: HashMap<String, Timestamp>,
}

const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// At most so many keys are remembered twice over. Under a storm from more of them than that, some
/// are forgotten early.
const MOST_KEYS: usize = 50_000;

impl Buckets {
    fn get(&self, key: &str) -> Option<Timestamp> {
        self.current.get(key).or_else(|| self.before.get(key)).copied()
    }

    fn set(&mut self, key: &str, empty_at: Timestamp, now: Timestamp) {
        if now.duration_since(self.since) > MINUTE || self.current.len() >= MOST_KEYS {
            self.before = mem::take(&mut self.current);
            self.since = now;
        }
        self.current.insert(key.to_owned(), empty_at);
    }
}

impl RateLimit {
    /// So many a minute.
    pub fn per_minute(tries: u32) -> Self {
        Self { per_minute: tries.max(1), buckets: Mutex::default() }
    }

    /// Counts a try; if there were too many, after how many seconds to come back (at most 60).
    pub fn try_once(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let each = MINUTE / i32::try_from(self.per_minute).unwrap_or(i32::MAX);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let empty_at = buckets.get(key).filter(|at| *at > now).unwrap_or(now) + each;
        let over = empty_at.duration_since(now) - MINUTE;
        if over > SignedDuration::ZERO {
            return Err((u64::try_from(over.as_secs()).unwrap_or(0) + 1).min(60));
        }
        buckets.set(key, empty_at, now);
        Ok(())
    }

    /// Forgives a key: it got it right.
    pub fn forgive(&self, key: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.current.remove(key);
        buckets.before.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_second(1_000_000).expect("in range")
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let (limit, start) = (RateLimit::per_minute(3), start());
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

    #[test]
    fn one_a_minute_waits_for_no_more_than_a_minute() {
        let (limit, start) = (RateLimit::per_minute(1), start());
        assert_eq!(limit.try_once("a", start), Ok(()));
        assert_eq!(limit.try_once("a", start), Err(60));
        assert!(limit.try_once("a", start + SignedDuration::from_secs(59)).is_err());
        assert_eq!(limit.try_once("a", start + SignedDuration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_storm_of_keys_takes_bounded_memory_and_frees_nobody_who_keeps_trying() {
        let (limit, start) = (RateLimit::per_minute(1), start());
        for n in 0..3 * MOST_KEYS {
            assert_eq!(limit.try_once(&n.to_string(), start), Ok(()));
        }
        let buckets = limit.buckets.lock().expect("nobody panicked");
        assert!(buckets.current.len() + buckets.before.len() <= 2 * MOST_KEYS);
        drop(buckets);
        assert!(limit.try_once(&(3 * MOST_KEYS - 1).to_string(), start).is_err());
    }
}
