//! Group commit: what many requests want at once is done in one change and committed once.
//!
//! A durable commit waits for the disk, however little it carries. So requests hand over what they
//! want and await the answer; one task takes all that wait, does them together, and answers each.
//! While it commits, the next batch gathers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Result};

/// How long a batch waits at most for as many as the one before it had: a fraction of a commit.
const PAUSE: Duration = Duration::from_millis(1);

/// Does what many want in one change. Cheap to clone; every clone is the same one.
pub struct Gather<Op, Answer> {
    queue: mpsc::Sender<Waiting<Op, Answer>>,
}

struct Waiting<Op, Answer> {
    op: Arc<Op>,
    answer: oneshot::Sender<Result<Answer>>,
}

impl<Op, Answer> Clone for Gather<Op, Answer> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<Op, Answer> Gather<Op, Answer>
where
    Op: Send + Sync + 'static,
    Answer: Send + 'static,
{
    /// Starts the task that works, until the last clone is dropped. `work` is given at most `batch`
    /// operations, in the order in which they came, and answers each in that order; it does all of
    /// them or, answering an error, none. At most `room` wait beside those in work.
    ///
    /// When the database refuses a batch (or `work` panics), each of its operations is done again by
    /// itself, so that a bad one fails alone. When the database is away, all of them fail.
    pub fn start<W, F>(room: usize, batch: usize, work: W) -> Self
    where
        W: Fn(Vec<Arc<Op>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<Answer>>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(room);
        tokio::spawn(run(waiting, batch, work));
        Self { queue }
    }

    /// Hands over an operation and awaits its answer. Whoever goes away before it begins (the future
    /// is dropped, the client has disconnected) takes it along; once it has begun, it is done.
    ///
    /// [`Error::Busy`] where there is no room: nothing was done.
    pub async fn ask(&self, op: Op) -> Result<Answer> {
        let (answer, wait) = oneshot::channel();
        match self.queue.try_send(Waiting { op: Arc::new(op), answer }) {
            Ok(()) => wait.await.unwrap_or(Err(Error::Busy)),
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Err(Error::Busy),
        }
    }
}

async fn run<Op, Answer, W, F>(mut waiting: mpsc::Receiver<Waiting<Op, Answer>>, batch: usize, work: W)
where
    Answer: Send + 'static,
    W: Fn(Vec<Arc<Op>>) -> F,
    F: Future<Output = Result<Vec<Answer>>> + Send + 'static,
{
    let mut taken = Vec::with_capacity(batch);
    let mut before = 0;
    while waiting.recv_many(&mut taken, batch).await > 0 {
        // Who was answered a moment ago may ask again: without a pause the fastest would go alone, and
        // all others wait for its commit. Who is always alone never waits.
        let pause = tokio::time::sleep(PAUSE);
        tokio::pin!(pause);
        while taken.len() < before {
            let missing = before - taken.len();
            tokio::select! {
                more = waiting.recv_many(&mut taken, missing) => if more == 0 { break },
                () = &mut pause => break,
            }
        }
        before = taken.len();
        taken.retain(|waiting| !waiting.answer.is_closed());
        let ops = || taken.iter().map(|waiting| waiting.op.clone()).collect::<Vec<_>>();
        match attempt(&work, ops()).await {
            Ok(answers) => {
                for (waiting, answer) in taken.drain(..).zip(answers) {
                    // Who does not wait any more needs no answer.
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            Err(error @ Error::Unavailable(_)) => {
                for waiting in taken.drain(..) {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
            Err(error) if taken.len() == 1 => {
                for waiting in taken.drain(..) {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, operations = taken.len(), "a batch was refused; doing each by itself");
                for waiting in taken.drain(..) {
                    let answer = attempt(&work, vec![waiting.op.clone()]).await;
                    let _ = waiting.answer.send(answer.map(|mut answers| answers.remove(0)));
                }
            }
        }
    }
}

/// Does a batch in a task of its own: a panic is the failure of this batch, not the end of all.
async fn attempt<Op, Answer, W, F>(work: &W, ops: Vec<Arc<Op>>) -> Result<Vec<Answer>>
where
    Answer: Send + 'static,
    W: Fn(Vec<Arc<Op>>) -> F,
    F: Future<Output = Result<Vec<Answer>>> + Send + 'static,
{
    let wanted = ops.len();
    if wanted == 0 {
        return Ok(Vec::new());
    }
    match tokio::spawn(work(ops)).await {
        Ok(Ok(answers)) if answers.len() != wanted => {
            Err(Error::Database(format!("{wanted} operations and {} answers", answers.len())))
        }
        Ok(done) => done,
        Err(error) => Err(Error::Database(error.to_string())),
    }
}
