//! Reads a stream of server-sent events as it passes by, for the one event that says what the turn
//! used. What it looks at stays as it is, and what it keeps is bounded.

use std::borrow::Cow;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::tokens::Tokens;

/// The most that is kept of one line, and of one event's data. The closing event repeats the whole
/// response, so it can be long; past this the turn's usage is not known.
const MAX_EVENT_BYTES: usize = 8 << 20;

/// How a response ended, by its closing event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Which one.
    pub(crate) kind: ClosingKind,
    /// What the turn used, if it says so.
    pub(crate) tokens: Option<Tokens>,
}

/// The events that close a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClosingKind {
    /// `response.completed`.
    Completed,
    /// `response.incomplete`: a limit or a filter cut the answer.
    Incomplete,
    /// `response.failed` or `error`, with its code.
    Failed(Option<String>),
}

impl ClosingKind {
    fn of(kind: &str, code: impl FnOnce() -> Option<String>) -> Option<Self> {
        match kind {
            "response.completed" => Some(Self::Completed),
            "response.incomplete" => Some(Self::Incomplete),
            "response.failed" | "error" => Some(Self::Failed(code())),
            _ => None,
        }
    }
}

/// What is known of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The closing event, once it has come.
    pub(crate) closing: Option<Closing>,
    /// How many pieces of text came: all that is known of a turn whose end was not waited for.
    pub(crate) output_deltas: u64,
    /// Whether an event was too long to be read.
    pub(crate) overflowed: bool,
    /// A line whose end has not come.
    line: Vec<u8>,
    /// The rest of this line is not kept.
    skips_line: bool,
    /// The line before ended with CR, so that an LF now belongs to it.
    after_cr: bool,
    name: Name,
    /// The `data` lines of the event so far, unless its name says that they do not matter.
    data: Vec<u8>,
}

/// What the `event` line of an event says. Some servers send none: then its data must be looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Name {
    #[default]
    Unknown,
    Closing,
    TextDelta,
    Other,
}

impl Name {
    fn of(name: &[u8]) -> Self {
        match name {
            b"response.completed" | b"response.incomplete" | b"response.failed" | b"error" => Self::Closing,
            b"response.output_text.delta" => Self::TextDelta,
            _ => Self::Other,
        }
    }

    fn needs_data(self) -> bool {
        matches!(self, Self::Unknown | Self::Closing)
    }
}

impl Scanner {
    /// Looks at the next bytes of the stream.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            self.end_line(&bytes[..end]);
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.keep(bytes);
    }

    /// Keeps the beginning of a line, if it can matter.
    fn keep(&mut self, piece: &[u8]) {
        let is_unread_data = !self.name.needs_data() && self.line.is_empty() && piece.starts_with(b"data:");
        if self.skips_line || is_unread_data {
            self.skips_line |= !piece.is_empty();
        } else if self.line.len() + piece.len() > MAX_EVENT_BYTES {
            self.skips_line = true;
            self.overflowed |= self.name.needs_data();
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self, end: &[u8]) {
        if self.line.is_empty() && !self.skips_line && end.len() <= MAX_EVENT_BYTES {
            // The usual case: the line came whole, and is read where it is.
            return self.read_line(end);
        }
        self.keep(end);
        if !std::mem::take(&mut self.skips_line) {
            let mut line = std::mem::take(&mut self.line);
            self.read_line(&line);
            line.clear();
            self.line = line;
        }
    }

    /// Reads a line (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).
    fn read_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            return self.end_event();
        }
        if let Some(name) = field(line, b"event:") {
            self.name = Name::of(name);
        } else if self.name.needs_data()
            && let Some(data) = field(line, b"data:")
        {
            if self.data.len() + data.len() > MAX_EVENT_BYTES {
                self.overflowed = true;
                return;
            }
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data);
        }
    }

    fn end_event(&mut self) {
        match std::mem::take(&mut self.name) {
            Name::TextDelta => self.output_deltas += 1,
            Name::Unknown | Name::Closing => self.read_event(),
            Name::Other => {}
        }
        self.data.clear();
        // One long event is no reason to keep as much memory for the rest of the stream.
        self.data.shrink_to(4096);
        self.line.shrink_to(4096);
    }

    fn read_event(&mut self) {
        let Ok(event) = serde_json::from_slice::<Event>(&self.data) else { return };
        if event.kind == "response.output_text.delta" {
            self.output_deltas += 1;
        }
        let (tokens, code) = match event.response {
            Some(response) => {
                let code = response.error.and_then(|error| error.code);
                (response.usage.and_then(Tokens::read), code)
            }
            None => (None, None),
        };
        let code = || code.or(event.code).map(|code| code.chars().take(100).collect());
        if self.closing.is_none()
            && let Some(kind) = ClosingKind::of(&event.kind, code)
        {
            self.closing = Some(Closing { kind, tokens });
        }
    }
}

/// The value of a line that begins with this field; one space after the colon is not part of it.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
    /// Of an `error` event.
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorPart<'a>>,
}

#[derive(Deserialize)]
struct ErrorPart<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

/// Reads a response that came as one JSON body. None if it is none.
pub(crate) fn read_response(body: &[u8]) -> Option<Closing> {
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow)]
        status: Cow<'a, str>,
    }
    let response: Response = serde_json::from_slice(body).ok()?;
    let status: Status = serde_json::from_slice(body).ok()?;
    let code = || response.error.and_then(|error| error.code).map(|code| code.chars().take(100).collect());
    let kind = ClosingKind::of(&format!("response.{}", status.status), code)?;
    Some(Closing { kind, tokens: response.usage.and_then(Tokens::read) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USAGE: &str = r#"{"input_tokens":11,"input_tokens_details":{"cached_tokens":3},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2}}"#;
    const TOKENS: Tokens = Tokens { input: 11, cached_input: 3, output: 7, reasoning: 2 };

    fn closing(kind: &str) -> String {
        format!(
            r#"{{"type":"response.{kind}","response":{{"id":"resp_1","output":[{{"text":"\n\ndata: {{}}"}}],"usage":{USAGE}}}}}"#
        )
    }

    fn scan(stream: &[u8], piece: usize) -> (Option<Closing>, u64, bool) {
        let mut scanner = Scanner::default();
        stream.chunks(piece.max(1)).for_each(|piece| scanner.feed(piece));
        (scanner.closing, scanner.output_deltas, scanner.overflowed)
    }

    fn found(stream: &str) -> Option<Closing> {
        scan(stream.as_bytes(), usize::MAX).0
    }

    #[test]
    fn the_closing_event_is_found_however_it_is_written() {
        let event = closing("completed");
        // Type last, as some servers order it.
        let (head, tail) = event.split_once(',').expect("two fields");
        let last = format!("{{{},{}}}", &tail[..tail.len() - 1], &head[1..]);
        let spread = event.replace(",\"usage\"", "\ndata: ,\"usage\"");
        for stream in [
            format!("event: response.completed\ndata: {event}\n\n"),
            format!("data: {event}\n\n"),
            format!("data:{event}\r\n\r\n"),
            format!("data: {event}\r\r"),
            format!("data: {last}\n\n"),
            format!("event: response.completed\ndata: {last}\nid: 7\n\ndata: [DONE]\n\n"),
            format!("data: {spread}\n\n"),
            format!(": comment\n\ndata: 42\n\ndata: {{}}\n\nretry: 3\ndata: {event}\n\n"),
        ] {
            let expected = Some(Closing { kind: ClosingKind::Completed, tokens: Some(TOKENS) });
            assert_eq!(found(&stream), expected, "{stream}");
        }
        assert_eq!(found(&format!("data: {event}\n")), None, "the event has not ended");
        assert_eq!(found(&format!("event: response.created\ndata: {event}\n\n")), None);
    }

    #[test]
    fn each_end_is_told_apart() {
        let failed =
            r#"{"type":"response.failed","response":{"usage":null,"error":{"code":"invalid_prompt","message":"m"}}}"#;
        let kind = |stream: String| found(&stream).map(|closing| (closing.kind, closing.tokens.is_some()));
        let incomplete = closing("incomplete");
        assert_eq!(kind(format!("data: {incomplete}\n\n")), Some((ClosingKind::Incomplete, true)));
        let code = |code: &str| Some((ClosingKind::Failed(Some(code.to_owned())), false));
        assert_eq!(kind(format!("data: {failed}\n\n")), code("invalid_prompt"));
        let error = r#"{"type":"error","code":"server_error","message":"m"}"#;
        assert_eq!(kind(format!("event: error\ndata: {error}\n\n")), code("server_error"));
        let odd = r#"{"type":"response.completed","response":{"usage":{"input_tokens":"many"}}}"#;
        assert_eq!(kind(format!("data: {odd}\n\n")), Some((ClosingKind::Completed, false)));
    }

    #[test]
    fn an_event_without_an_end_is_not_kept_for_ever() {
        let mut scanner = Scanner::default();
        scanner.feed(b"data: ");
        for _ in 0..40 {
            scanner.feed(&[b'x'; 1 << 20]);
        }
        assert!(scanner.overflowed && scanner.line.capacity() == 0);
        let lines = "data: x\n".repeat(2 << 20);
        scanner.feed(b"\n\n");
        scanner.feed(lines.as_bytes());
        assert!(scanner.data.len() <= MAX_EVENT_BYTES);
        scanner.feed(format!("\n\ndata: {}\n\n", closing("completed")).as_bytes());
        assert!(scanner.closing.is_some(), "the stream is read on after it");
    }

    #[test]
    fn a_whole_body_is_read_too() {
        let body = format!(r#"{{"id":"resp_1","status":"completed","error":null,"usage":{USAGE}}}"#);
        let expected = Closing { kind: ClosingKind::Completed, tokens: Some(TOKENS) };
        assert_eq!(read_response(body.as_bytes()), Some(expected));
        assert_eq!(read_response(b"{}"), None);
        assert_eq!(read_response(b"<html>"), None);
    }

    fn piece() -> impl Strategy<Value = String> {
        let fixed = |text: &'static str| Just(text.to_owned());
        prop_oneof![
            fixed(
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n"
            ),
            fixed("data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\r\n\r\n"),
            Just(format!("event: response.completed\r\ndata: {}\r\n\r\n", closing("completed"))),
            Just(format!("data: {}\n\n", closing("failed"))),
            fixed("event: response.completed\n"),
            fixed("\r"),
            fixed("\n"),
            fixed("data: [DONE]\n\n"),
            "[\\x00-\\x7f]{0,20}",
        ]
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_into_pieces_changes_nothing(
            pieces in proptest::collection::vec(piece(), 0..12),
            cuts in proptest::collection::vec(0usize..4000, 0..30),
        ) {
            let stream = pieces.concat().into_bytes();
            let whole = scan(&stream, usize::MAX);
            prop_assert_eq!(&scan(&stream, 1), &whole);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < stream.len()).collect();
            cuts.sort_unstable();
            let mut scanner = Scanner::default();
            let mut from = 0;
            for cut in cuts {
                scanner.feed(&stream[from..cut]);
                from = cut;
            }
            scanner.feed(&stream[from..]);
            prop_assert_eq!((scanner.closing, scanner.output_deltas, scanner.overflowed), whole);
        }
    }
}
