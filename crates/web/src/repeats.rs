use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Equal things within so long are one event with a count.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts what repeats, so that a client in a loop, or who guesses passwords by the thousand, does
/// not bury the trail: the first is recorded at once, its like together when a minute is over.
/// Cheap to clone; every clone is the same one.
pub struct Repeats<K> {
    /// How often each was repeated.
    recent: Arc<Mutex<HashMap<K, u64>>>,
    most: usize,
}

impl<K> Clone for Repeats<K> {
    fn clone(&self) -> Self {
        Self { recent: self.recent.clone(), most: self.most }
    }
}

impl<K> Default for Repeats<K> {
    /// Counts however many kinds there are.
    fn default() -> Self {
        Self::with_room(usize::MAX)
    }
}

impl<K> Repeats<K> {
    /// Counts so many kinds apart; what comes beyond is counted as what it is coarsened to.
    pub fn with_room(most: usize) -> Self {
        Self { recent: Arc::default(), most }
    }
}

impl<K: Clone + Eq + Hash> Repeats<K> {
    /// Notes one. The first of its kind is handed back, to be recorded now and waited for; one like it
    /// is counted with it, and there is nothing to do.
    pub fn note(&self, key: K, coarsened: impl FnOnce(K) -> K) -> Option<First<K>> {
        let mut recent = self.lock();
        let is_crowded = recent.len() >= self.most && !recent.contains_key(&key);
        let key = if is_crowded { coarsened(key) } else { key };
        if let Some(repeats) = recent.get_mut(&key) {
            *repeats += 1;
            return None;
        }
        recent.insert(key.clone(), 0);
        drop(recent);
        Some(First { key, repeats: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, u64>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first of its kind in a minute.
pub struct First<K> {
    /// Of which kind, as it is counted.
    pub key: K,
    repeats: Repeats<K>,
}

impl<K: Clone + Eq + Hash> First<K> {
    /// How many like it came after it, once its minute is over. Must be awaited: until then its kind is
    /// counted.
    pub async fn repeats(&self) -> u64 {
        tokio::time::sleep(WINDOW).await;
        self.repeats.lock().remove(&self.key).unwrap_or(0)
    }
}
