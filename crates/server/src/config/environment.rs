//! The environment as a layer. Variables that are not ours are left alone, however they are called:
//! Kubernetes puts `PROVOST_PORT`, `PROVOST_SERVICE_HOST` and their like beside a service `provost`.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use provost_web::limits::Limits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::settings::way_out;
use super::{Keys, Network, Settings};

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `PROVOST_CONFIG`: the file, when no flag names one.
pub(super) fn config_file(variable: Variable<'_>) -> Option<PathBuf> {
    said(variable, "PROVOST_CONFIG").map(PathBuf::from)
}

/// What the environment says about the settings that are flags.
pub(super) fn settings(variable: Variable<'_>) -> Result<Settings> {
    Ok(Settings {
        data: read(variable, "data")?,
        listen: read(variable, "listen")?,
        http_listen: read(variable, "http_listen")?,
        public_url: read(variable, "public_url")?,
        database_url: read(variable, "database_url")?,
        tls: read(variable, "tls")?,
        tls_cert: read(variable, "tls_cert")?,
        tls_key: read(variable, "tls_key")?,
        behind_proxy: read(variable, "behind_proxy")?,
        log_format: read(variable, "log_format")?,
        limits: None,
        network: None,
        keys: None,
    })
}

/// `PROVOST_LIMITS_…` over the file's `[limits]`.
pub(super) fn limits(file: Limits, variable: Variable<'_>) -> Result<Limits> {
    overlay(file, "limits", variable)
}

/// `PROVOST_NETWORK_…` over the file's `[network]`.
pub(super) fn network(file: Network, variable: Variable<'_>) -> Result<Network> {
    overlay(file, "network", variable)
}

/// `PROVOST_KEYS_…` over the file's `[keys]`.
pub(super) fn keys(file: Keys, variable: Variable<'_>) -> Result<Keys> {
    overlay(file, "keys", variable)
}

/// A variable that is set to nothing counts as not set, as Docker Compose leaves them.
fn said(variable: Variable<'_>, name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

fn read<T>(variable: Variable<'_>, key: &str) -> Result<Option<T>>
where
    T: FromStr<Err: Display>,
{
    let name = format!("PROVOST_{}", key.to_ascii_uppercase());
    said(variable, &name).map(|value| value.parse().map_err(|error| refusal(&name, key, &error))).transpose()
}

/// Sets every field of a section for which there is a variable, by the section's own field names,
/// so that a new field has its variable without another line.
fn overlay<T>(section: T, prefix: &str, variable: Variable<'_>) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let mut value = serde_json::to_value(section)?;
    let keys: Vec<String> = value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    for key in keys {
        let name = format!("PROVOST_{prefix}_{key}").to_ascii_uppercase();
        let Some(text) = said(variable, &name) else {
            continue;
        };
        let field = &mut value[key.as_str()];
        *field = match field {
            Value::Array(_) => text.split(',').map(|item| Value::from(item.trim())).collect(),
            _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        // At every variable, so that the error is about this one.
        serde_json::from_value::<T>(value.clone()).map_err(|error| refusal(&name, &key, &error))?;
    }
    Ok(serde_json::from_value(value)?)
}

fn refusal(name: &str, key: &str, error: &dyn Display) -> anyhow::Error {
    anyhow!("{name}: {error}\n  {}", way_out(key))
}
