//! The answer on its way from the upstream to the client: bytes as they come, read in passing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use provost_web::{Ended, RunningGuard};
use tokio::time::{Instant, Sleep};

use crate::headers::Dialect;
use crate::refusal;
use crate::sse::{self, Scanner};
use crate::turn::{End, Turn};

/// The most that is read of an answer that is one JSON body. It is relayed whole all the same.
const MAX_READ_BYTES: usize = 8 << 20;

/// The body of an answer. Dropped before its end, it drops the upstream's, which closes that
/// connection or resets that stream: who asked is gone, so the model stops.
pub(crate) struct Relay {
    upstream: reqwest::Body,
    reader: Reader,
    turn: Turn,
    silence: Silence,
    running: RunningGuard,
    dialect: Dialect,
    is_cut: bool,
}

/// Notices when nothing has come for too long. The timer is not set anew for each chunk, which would
/// cost more than relaying it: it runs out, looks when the last one came, and sleeps on.
struct Silence {
    most: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(most: Duration) -> Self {
        Self { most, last: Instant::now(), timer: Box::pin(tokio::time::sleep(most)) }
    }

    /// Ready when it has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let end = self.last + self.most;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}

/// What reads in passing.
pub(crate) enum Reader {
    /// An event stream.
    Events(Box<Scanner>),
    /// A response in one body.
    Whole(Vec<u8>),
}

impl Relay {
    /// Relays what the upstream sends, for as long as it is not silent for longer than this, and as
    /// its caller may have it.
    pub(crate) fn new(
        upstream: reqwest::Body,
        reader: Reader,
        turn: Turn,
        silence: Duration,
        running: RunningGuard,
        dialect: Dialect,
    ) -> Self {
        Self { upstream, reader, turn, silence: Silence::new(silence), running, dialect, is_cut: false }
    }

    /// Lets go of the upstream, which closes its connection, and says why in an event of the stream.
    fn cut(&mut self, reason: Ended) -> io::Result<Frame<Bytes>> {
        self.is_cut = true;
        self.upstream = reqwest::Body::default();
        self.turn.output_deltas = if let Reader::Events(scanner) = &self.reader { scanner.output_deltas } else { 0 };
        self.turn.end(End::Failed(reason.as_str()));
        match self.reader {
            Reader::Events(_) => Ok(Frame::data(refusal::last_event(reason, self.dialect).into())),
            Reader::Whole(_) => Err(io::Error::other(reason.as_str())),
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.turn.relayed(bytes.len());
        match &mut self.reader {
            Reader::Events(scanner) => scanner.feed(bytes),
            Reader::Whole(body) => {
                // One byte more than fits, so that a cut body is not taken for a whole one.
                let room = (MAX_READ_BYTES + 1).saturating_sub(body.len());
                body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
    }

    /// Ends the turn by what has been read; if that says nothing, `otherwise`.
    fn end(&mut self, otherwise: End) {
        let closing = match &mut self.reader {
            Reader::Events(scanner) => {
                self.turn.output_deltas = scanner.output_deltas;
                scanner.closing.take()
            }
            Reader::Whole(body) if body.len() > MAX_READ_BYTES => None,
            Reader::Whole(body) => sse::read_response(body),
        };
        self.turn.end(closing.map_or(otherwise, End::Closed));
    }

    /// How a stream ended that just ended.
    fn without_closing(&self) -> End {
        match &self.reader {
            Reader::Events(scanner) if scanner.overflowed => End::Failed("closing_event_too_long"),
            Reader::Events(_) => End::Failed("upstream_ended_early"),
            Reader::Whole(_) => End::Failed("upstream_response_unreadable"),
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.is_cut {
            return Poll::Ready(None);
        }
        if let Poll::Ready(reason) = this.running.poll_ended(cx) {
            return Poll::Ready(Some(this.cut(reason)));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.upstream).poll_frame(cx) else {
            ready!(this.silence.poll(cx));
            this.end(End::Failed("upstream_went_silent"));
            return Poll::Ready(Some(Err(io::Error::other("upstream_went_silent"))));
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                this.silence.last = Instant::now();
                if let Some(bytes) = frame.data_ref() {
                    this.read(bytes);
                }
                Some(Ok(frame))
            }
            Some(Err(_)) => {
                this.end(End::Failed("upstream_broke_off"));
                // The client sees its own connection break off, and tries again as it would without us.
                Some(Err(io::Error::other("upstream_broke_off")))
            }
            None => {
                let end = this.without_closing();
                this.end(end);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.reader {
            // It may end with an event that the upstream did not count.
            Reader::Events(_) => SizeHint::default(),
            Reader::Whole(_) => self.upstream.size_hint(),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A server that knows by the length or the flags that this was the end does not ask again.
        let otherwise = if self.upstream.is_end_stream() { self.without_closing() } else { End::Cancelled };
        self.end(otherwise);
    }
}
