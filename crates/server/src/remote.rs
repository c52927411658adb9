//! The admin API of a running server, for the verbs that talk to one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::{Certificate, Client, Method, Url};
use serde_json::Value;

/// How long one call may take: a plan of many policies is checked whole before it is answered.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
pub struct RemoteArgs {
    /// The address of the server.
    #[arg(long, env = "PROVOST_URL", value_name = "URL")]
    url: Url,
    /// An API key with the scope that the verb needs. Give it in the environment: an argument shows in the list of
    /// processes.
    #[arg(long, env = "PROVOST_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: String,
    /// The certificate of the authority that signed the server's, if it is not a public one (PEM).
    #[arg(long = "ca", env = "PROVOST_CA_CERTIFICATE", value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// A server that runs.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
    url: Url,
    api_key: String,
}

impl Remote {
    /// Prepares the calls; nothing is sent yet.
    ///
    /// # Errors
    /// If the certificate cannot be read, or the address is none of HTTP.
    pub fn new(args: RemoteArgs) -> Result<Self> {
        if !matches!(args.url.scheme(), "https" | "http") {
            bail!("--url: the address begins with https://");
        }
        let mut client = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &args.ca {
            let pem = std::fs::read(path).with_context(|| path.display().to_string())?;
            let certificate = Certificate::from_pem(&pem).with_context(|| path.display().to_string())?;
            client = client.tls_certs_merge([certificate]);
        }
        Ok(Self { client: client.build()?, url: args.url, api_key: args.api_key })
    }

    /// Calls, and reads the answer: `path` begins with a slash and may have a query. An answer without a body is null.
    ///
    /// # Errors
    /// If the server cannot be reached, or says no: then in its own words, as `field: message`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = self.url.join(path).with_context(|| format!("no address: {path}"))?;
        let mut request = self.client.request(method, url).bearer_auth(&self.api_key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{} does not answer", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        let body: Value = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        if status.is_success() {
            return Ok(body);
        }
        let error = &body["error"];
        match (error["field"].as_str(), error["message"].as_str()) {
            (Some(field), Some(message)) => bail!("{field}: {message}"),
            (None, Some(message)) => bail!("{message}"),
            _ => bail!("{} answers {status}; is it a Provost server?", self.url),
        }
    }

    /// `POST` with a body.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }
}
