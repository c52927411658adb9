//! Everything that a simulation finds, into a file or a pipe.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use reqwest::Response;
use serde_json::Value;

/// Where findings go, and how they are written.
#[derive(Debug, Clone)]
pub(super) struct Output {
    is_csv: bool,
    /// None is standard output.
    file: Option<PathBuf>,
}

/// Which findings a CSV holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum List {
    Members,
    Sessions,
    Commands,
}

impl FromStr for Output {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let file = (text != "csv" && text != "jsonl").then(|| PathBuf::from(text));
        let ending = file.as_deref().map_or(Some(text), |file| file.extension()?.to_str());
        match ending {
            Some("csv") => Ok(Self { is_csv: true, file }),
            Some("jsonl") => Ok(Self { is_csv: false, file }),
            _ => Err("say `csv`, `jsonl`, or a file whose name ends in .csv or .jsonl"),
        }
    }
}

impl Output {
    /// What the server is asked for.
    pub(super) fn query(&self, list: List) -> String {
        let list = match list {
            List::Members => "members",
            List::Sessions => "sessions",
            List::Commands => "commands",
        };
        if self.is_csv { format!("format=csv&list={list}") } else { "format=jsonl".to_owned() }
    }

    /// Writes an export as it comes. A file is there whole or not at all.
    pub(super) async fn write(&self, mut answer: Response) -> Result<ExitCode> {
        let Some(path) = &self.file else {
            self.copy(&mut answer, &mut std::io::stdout().lock()).await?;
            return Ok(ExitCode::SUCCESS);
        };
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let written = self.write_file(&mut answer, &partial, path).await;
        if written.is_err() {
            // The error that is told is the first one.
            let _ = fs::remove_file(&partial);
        }
        written?;
        super::super::print(&format!("Written to {}.\n", path.display()))
    }

    async fn write_file(&self, answer: &mut Response, partial: &Path, path: &Path) -> Result<()> {
        let place = || partial.display().to_string();
        // Left behind by a run that was killed.
        if let Err(error) = fs::remove_file(partial)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).with_context(place);
        }
        // The words of commands are for nobody else on this machine.
        let mut file: File =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial).with_context(place)?;
        self.copy(answer, &mut file).await?;
        file.sync_all().with_context(place)?;
        fs::rename(partial, path).with_context(|| path.display().to_string())
    }

    async fn copy(&self, answer: &mut Response, out: &mut impl Write) -> Result<()> {
        let mut last = LastLine::default();
        while let Some(chunk) = answer.chunk().await.context("the export broke off: what was written is not all")? {
            out.write_all(&chunk)?;
            last.take(&chunk);
        }
        out.flush()?;
        let summary = serde_json::from_slice::<Value>(&last.text).unwrap_or_default();
        if !self.is_csv && summary["kind"] != "summary" {
            bail!("the export has no summary at its end: what was written is not all");
        }
        Ok(())
    }
}

/// The last line of a text that comes in pieces, without its end.
#[derive(Default)]
struct LastLine {
    text: Vec<u8>,
    is_over: bool,
}

impl LastLine {
    fn take(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.is_over {
                self.text.clear();
            }
            self.text.extend_from_slice(piece);
            self.is_over = piece.ends_with(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LastLine, Output};

    #[test]
    fn the_last_line_is_found_however_the_text_is_cut() {
        let text = b"first\nsecond\n{\"kind\":\"summary\"}\n";
        for cut in 0..text.len() {
            let mut last = LastLine::default();
            last.take(&text[..cut]);
            last.take(&text[cut..]);
            assert_eq!(last.text, b"{\"kind\":\"summary\"}\n", "{cut}");
        }
    }

    #[test]
    fn an_output_is_named_by_its_form_or_its_file() {
        let read = |text: &str| text.parse::<Output>().map(|output| (output.is_csv, output.file.is_some()));
        assert_eq!(read("csv"), Ok((true, false)));
        assert_eq!(read("jsonl"), Ok((false, false)));
        assert_eq!(read("./csv.jsonl"), Ok((false, true)));
        assert_eq!(read("a/b.csv"), Ok((true, true)));
        for wrong in ["", "json", "a.txt", "./csv", ".csv"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
