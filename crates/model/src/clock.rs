use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from. The system's clock in production; a test moves it by hand, so that
/// expiry, rotation and grace periods are tested without waiting.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Microseconds that a test has added to the system's clock.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The time now, UTC, in whole microseconds (what both databases keep).
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
        let now = Timestamp::now().as_microsecond() + self.ahead.load(Ordering::Relaxed);
        Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX)
    }

    /// Moves this clock, and every clone of it, forward. For tests.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX / 2);
        self.ahead.fetch_add(micros, Ordering::Relaxed);
    }
}
