//! The parameters of a query, which may repeat; unknown ones are passed over, as by the hosted product.

use http::{StatusCode, Uri};
use jiff::Timestamp;
use provost_model::compliance::LogType;

use super::refusal::{Refusal, Result};

/// More are not asked for at once.
const MOST_PARAMETERS: usize = 100;

/// The parameters of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(uri: &Uri) -> Result<Self> {
        let query = uri.query().unwrap_or_default();
        let unreadable = |_| Refusal::new(StatusCode::BAD_REQUEST, "The query cannot be read");
        let all: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(unreadable)?;
        if all.len() > MOST_PARAMETERS {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "The query has too many parameters"));
        }
        Ok(Self(all))
    }

    /// The last value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The types that are asked for: at least one.
    pub(super) fn event_types(&self) -> Result<Vec<LogType>> {
        let named = self.0.iter().filter(|(key, _)| key == "event_type").flat_map(|(_, value)| value.split(','));
        let kind = |text: &str| {
            let shown: String = text.chars().take(100).collect();
            text.parse().map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, format!("Invalid event_type: {shown}")))
        };
        let mut kinds: Vec<LogType> = named.map(kind).collect::<Result<_>>()?;
        if kinds.is_empty() {
            return Err(missing("event_type"));
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }

    /// A time with its zone.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let invalid = |_| {
            let msg = "Input should be a valid datetime with timezone info";
            Refusal::parameter(name, "timezone_aware", msg, Some(text))
        };
        // In a query, a `+` that is not escaped reads as a blank.
        text.replace(' ', "+").parse().map(Some).map_err(invalid)
    }

    /// A time that must be there.
    pub(super) fn required_time(&self, name: &str) -> Result<Timestamp> {
        self.time(name)?.ok_or_else(|| missing(name))
    }

    /// How many at most: from one to so many, and so many if it is not said.
    pub(super) fn limit(&self, most: u32) -> Result<u32> {
        let Some(text) = self.get("limit") else { return Ok(most) };
        let number = text
            .parse::<u32>()
            .map_err(|_| Refusal::parameter("limit", "int_parsing", "Input should be a valid integer", Some(text)))?;
        match number {
            0 => Err(Refusal::parameter(
                "limit",
                "greater_than_equal",
                "Input should be greater than or equal to 1",
                Some(text),
            )),
            _ if number > most => {
                let msg = format!("Input should be less than or equal to {most}");
                Err(Refusal::parameter("limit", "less_than_equal", &msg, Some(text)))
            }
            _ => Ok(number),
        }
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::parameter(name, "missing", "Field required", None)
}
