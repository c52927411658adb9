//! Reads the body that a client sends: JSON, plain or zstd, never past the limit.

use std::time::Duration;

use crate::{Error, media_type};
use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// Seconds in which a client must send at least something of its body.
const IDLE: Duration = Duration::from_secs(30);

/// The largest window of a zstd body, as a power of two: 8 MiB, the most that HTTP allows (RFC 9659).
const WINDOW_LOG: u32 = 23;

/// The whole body, decoded. What is counted against `limit` is what was decoded and also what came
/// over the wire, so that neither a bomb nor endless empty frames get past it.
pub async fn read_body(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Vec<u8>, Error> {
    check_content_type(headers)?;
    let mut decoder = Coding::of(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut decoded = Vec::new();
    let mut received = 0;
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame()).await.map_err(|_| {
            Error::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body stopped coming: send it again")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| unreadable("the body could not be read to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        received += data.len();
        if received > limit {
            return Err(too_large(limit));
        }
        decoder.push(&data, &mut decoded, limit)?;
    }
    decoder.finish()?;
    Ok(decoded)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    if media_type(headers) == "application/json" {
        return Ok(());
    }
    let message = "send JSON, with `content-type: application/json`";
    Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message))
}

enum Coding {
    Plain,
    Zstd { decoder: Box<Decoder<'static>>, is_whole: bool },
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let coding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim());
        match coding {
            None | Some("" | "identity") => Ok(Self::Plain),
            Some("zstd") => {
                let started = Decoder::new().and_then(|mut decoder| {
                    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
                    Ok(Self::Zstd { decoder: Box::new(decoder), is_whole: false })
                });
                started.map_err(|_| unreadable("the body could not be decoded"))
            }
            Some(_) => {
                let message = "this `content-encoding` is not understood: send the body plain, or as `zstd`";
                Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_content_encoding", message))
            }
        }
    }

    /// Adds to `decoded` what `data` holds.
    fn push(&mut self, mut data: &[u8], decoded: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
        let Self::Zstd { decoder, is_whole } = self else {
            decoded.extend_from_slice(data);
            return Ok(());
        };
        let mut chunk = [0; 16 * 1024];
        let mut more = !data.is_empty();
        while more {
            let done = decoder.run_on_buffers(data, &mut chunk);
            let done = done.map_err(|_| unreadable("the body is not zstd, or its window is larger than 8 MiB"))?;
            data = &data[done.bytes_read..];
            if decoded.len() + done.bytes_written > limit {
                return Err(too_large(limit));
            }
            decoded.extend_from_slice(&chunk[..done.bytes_written]);
            *is_whole = done.remaining == 0;
            // Asked again after the end of a frame, the decoder would wait for the next one.
            more = !data.is_empty() || (done.bytes_written == chunk.len() && !*is_whole);
        }
        Ok(())
    }

    /// Whether nothing is missing at the end.
    fn finish(self) -> Result<(), Error> {
        match self {
            Self::Zstd { is_whole: false, .. } => Err(unreadable("the zstd body is cut off: send it again")),
            _ => Ok(()),
        }
    }
}

fn unreadable(message: &str) -> Error {
    Error::bad_request("body_unreadable", message)
}

fn too_large(limit: usize) -> Error {
    let message = format!("the body is larger than {limit} bytes: start a new session, or ask for a higher limit");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;
    use proptest::prelude::*;

    use super::*;

    /// Reads `body`, sent in pieces of `piece` bytes.
    fn decode(coding: Option<&'static str>, body: &[u8], piece: usize, limit: usize) -> Result<Vec<u8>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let pieces: Vec<_> = body.chunks(piece).map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(|piece| piece.map_err(|_| "no error"))));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(read_body(&headers, body, limit)).map_err(|error| error.code().to_owned())
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        zstd::encode_all(plain, 3).expect("compresses")
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = zstd(&vec![b'a'; 50 << 20]);
        assert!(bomb.len() < 10_000, "{} bytes", bomb.len());
        assert_eq!(decode(Some("zstd"), &bomb, 4096, 1 << 20), Err("body_too_large".to_owned()));
        // Frames that hold nothing go on for ever too.
        let empty = zstd(b"").repeat(100_000);
        assert_eq!(decode(Some("zstd"), &empty, 4096, 100_000), Err("body_too_large".to_owned()));
    }

    #[test]
    fn a_window_beyond_what_http_allows_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder.window_log(27).expect("a window");
        std::io::Write::write_all(&mut encoder, &[0; 100]).expect("compresses");
        let body = encoder.finish().expect("compresses");
        assert_eq!(decode(Some("zstd"), &body, 4096, 1 << 20), Err("body_unreadable".to_owned()));
    }

    #[test]
    fn what_is_cut_off_or_foreign_says_so() {
        let whole = zstd(br#"{"model":"gpt-test"}"#);
        for end in 1..whole.len() {
            assert_eq!(decode(Some("zstd"), &whole[..end], 4096, 1 << 20), Err("body_unreadable".to_owned()), "{end}");
        }
        assert_eq!(decode(Some("zstd"), b"{}", 4096, 1 << 20), Err("body_unreadable".to_owned()));
        assert_eq!(decode(Some("gzip"), b"{}", 4096, 1 << 20), Err("unknown_content_encoding".to_owned()));
        assert_eq!(decode(Some("zstd, zstd"), b"{}", 4096, 1 << 20), Err("unknown_content_encoding".to_owned()));
        assert_eq!(decode(None, b"{}", 1, 1), Err("body_too_large".to_owned()));
    }

    proptest! {
        #[test]
        fn any_body_comes_out_as_it_went_in(plain: Vec<u8>, piece in 1usize..64) {
            prop_assert_eq!(decode(None, &plain, piece, 1 << 20), Ok(plain.clone()));
            prop_assert_eq!(decode(Some("zstd"), &zstd(&plain), piece, 1 << 20), Ok(plain));
        }
    }
}
