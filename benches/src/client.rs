//! A client as light as can be: what it takes is missing to the server beside it.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection for one request after the other, kept open where the server keeps it.
pub struct Connection {
    address: String,
    headers: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

impl Connection {
    /// A connection that is not made yet, with a bearer token and the media type of what it sends.
    pub fn new(address: &str, token: &str, media_type: &str) -> Self {
        let headers = format!("host: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: {media_type}\r\n");
        Self { address: address.to_owned(), headers, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Sends a request and reads the answer, which must say its length.
    pub async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let headers = &self.headers;
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}");
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        let stream = self.stream.as_mut().context("it was just made")?;
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            ensure!(stream.read_buf(&mut self.buffer).await? > 0, "the answer broke off");
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let status = text.split(' ').nth(1).context("no status")?.parse()?;
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = match header("content-length:") {
            Some(length) => length.parse()?,
            None => {
                ensure!(status == 204, "an answer of unknown length: {text}");
                0
            }
        };
        while self.buffer.len() < head + length {
            ensure!(stream.read_buf(&mut self.buffer).await? > 0, "the answer broke off");
        }
        let body = std::str::from_utf8(&self.buffer[head..head + length])?.to_owned();
        if text.starts_with("http/1.0") || header("connection:") == Some("close") {
            self.stream = None;
        }
        Ok(Answer { status, body })
    }
}
