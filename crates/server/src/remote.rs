//! Verbs that talk to a running Provost, over its admin API: whatever they do is authorised, checked and
//! recorded there as anybody's request is.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which Provost, and as whom.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// Where Provost is: its public URL.
    #[arg(long, env = "PROVOST_URL", value_name = "URL")]
    url: Option<String>,
    /// The certificate (PEM) of the CA that signs for it, if it is a private one.
    #[arg(long, env = "PROVOST_CA_CERTIFICATE", value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// A running Provost, and the credential that it is asked with.
pub struct Remote {
    http: reqwest::Client,
    url: String,
    secret: String,
}

/// What Provost answered that was no success.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default())]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error's stable name.
    pub code: String,
    /// The field at fault.
    pub field: Option<String>,
    /// What is wrong, and the way out.
    pub message: String,
    /// More, by code.
    pub details: Value,
}

impl Remote {
    /// With the API key in `PROVOST_API_KEY`, which never stands on a command line: others could read it.
    pub fn with_api_key(args: &RemoteArgs) -> Result<Self> {
        let key = std::env::var("PROVOST_API_KEY").ok().filter(|key| !key.is_empty());
        let key = key.context("set PROVOST_API_KEY to an API key of the workspace (`pk-…`)")?;
        Self::new(args, key, None)
    }

    /// With the API key, else as the member whom Codex on this machine is signed in as: what
    /// `$CODEX_HOME/auth.json` holds (client-contract.md §1.8).
    pub fn with_api_key_or_codex(args: &RemoteArgs) -> Result<Self> {
        if std::env::var("PROVOST_API_KEY").is_ok_and(|key| !key.is_empty()) {
            return Self::with_api_key(args);
        }
        if let Some(token) = std::env::var("CODEX_ACCESS_TOKEN").ok().filter(|token| !token.is_empty()) {
            return Self::new(args, token, None);
        }
        let home = match std::env::var_os("CODEX_HOME") {
            Some(home) => PathBuf::from(home),
            None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".codex"),
        };
        let path = home.join("auth.json");
        let way_out = "sign in with `codex login`, or set PROVOST_API_KEY";
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}: {way_out}", path.display()))?;
        let auth: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let token = auth["tokens"]["access_token"].as_str().or_else(|| auth["personal_access_token"].as_str());
        let token = token.with_context(|| format!("{} holds no sign-in: {way_out}", path.display()))?;
        let issuer = auth["tokens"]["oauth_provenance"]["issuer"].as_str().map(str::to_owned);
        Self::new(args, token.to_owned(), issuer)
    }

    fn new(args: &RemoteArgs, secret: String, issuer: Option<String>) -> Result<Self> {
        let url = args.url.clone().or(issuer).context("say where Provost is: --url, or PROVOST_URL")?;
        let url = url.trim_end_matches('/').to_owned();
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let is_here = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|own| host.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
        if !(url.starts_with("https://") || url.starts_with("http://") && is_here) {
            bail!("{url}: the URL begins with https:// (plain http:// only to this machine)");
        }
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &args.ca {
            let pem = std::fs::read(ca).with_context(|| ca.display().to_string())?;
            let certificates =
                Certificate::from_pem_bundle(&pem).with_context(|| format!("{}: not a PEM file", ca.display()))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(Self { http: builder.build()?, url, secret })
    }

    /// Asks; an answer without a body is null. An answer that is no success is a [`Refused`].
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        self.send(self.request(method, path, body)).await.map(|(_, body)| body)
    }

    /// A request to be added to.
    pub fn request(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.secret);
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// Sends it: the status of the answer, and its body.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, Value)> {
        let answer = self.open(request).await?;
        let status = answer.status();
        Ok((status, serde_json::from_str(&answer.text().await?).unwrap_or_default()))
    }

    /// Sends it: an answer whose body is read as it comes. One that is no success is a [`Refused`].
    pub async fn open(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let answer = request.send().await.map_err(|error| {
            let is_tls = error.is_connect() && format!("{error:?}").contains("certificate");
            let hint = if is_tls { " (a private CA is named with --ca)" } else { "" };
            anyhow::Error::new(error).context(format!("{} cannot be reached{hint}", self.url))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
        let error = &body["error"];
        let text = |key: &str| error[key].as_str().map(str::to_owned);
        Err(Refused {
            status,
            code: text("code").unwrap_or_default(),
            field: text("field"),
            message: text("message").unwrap_or_else(|| format!("{} answered {status}", self.url)),
            details: error["details"].clone(),
        }
        .into())
    }

    /// Every row of a list.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                Some(cursor) => format!("{path}{separator}limit=1000&cursor={cursor}"),
                None => format!("{path}{separator}limit=1000"),
            };
            let mut body = self.call(Method::GET, &page, None).await?;
            if let Value::Array(data) = body["data"].take() {
                rows.extend(data);
            }
            match body["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(rows),
            }
        }
    }
}
