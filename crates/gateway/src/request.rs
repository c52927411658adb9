//! The body of a model call, changed as little as possible: `model` becomes the upstream's name for
//! it, `store` becomes false, and every other field goes on byte for byte.

use std::fmt;

use provost_web::Error;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How many fields a body may have. The API has some thirty.
const MAX_FIELDS: usize = 1_000;

/// A model call as it was asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The model, by the name that clients use.
    pub(crate) model: String,
    /// Whether the answer is to be a stream of events.
    pub(crate) streams: bool,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Asked<'a> {
    /// Reads a body.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Error> {
        let Fields(fields) = serde_json::from_slice(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                // serde's sentence ends with a place in the text, which nobody needs here.
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                Error::bad_request("invalid_body", message)
            }
            _ => Error::bad_request("malformed_json", format!("the body is not JSON: {error}")),
        })?;
        let model = fields.iter().find(|(name, _)| name == "model");
        let model = model.ok_or_else(|| wrong("model", "`model` is missing: name the model to use"))?;
        let model: String =
            serde_json::from_str(model.1.get()).map_err(|_| wrong("model", "`model` must be a string"))?;
        let streams = match fields.iter().find(|(name, _)| name == "stream") {
            None => false,
            Some((_, value)) => {
                let streams: Option<bool> =
                    serde_json::from_str(value.get()).map_err(|_| wrong("stream", "`stream` must be true or false"))?;
                streams.unwrap_or(false)
            }
        };
        Ok(Self { model, streams, fields })
    }

    /// The body for the upstream.
    pub(crate) fn for_upstream(&self, model: &str) -> Vec<u8> {
        let length: usize = self.fields.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
        let mut body = Vec::with_capacity(length + model.len() + 32);
        // Nothing of a turn stays at a provider, whatever the client asks for.
        body.extend_from_slice(br#"{"store":false"#);
        for (name, value) in self.fields.iter().filter(|(name, _)| name != "store") {
            body.push(b',');
            write(&mut body, name);
            body.push(b':');
            match name.as_str() {
                "model" => write(&mut body, model),
                _ => body.extend_from_slice(value.get().as_bytes()),
            }
        }
        body.push(b'}');
        body
    }
}

fn write(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("writing text to memory does not fail");
}

fn wrong(field: &str, message: &str) -> Error {
    Error::bad_request("invalid_body", message).with_field(field)
}

/// The fields of an object, in their order, each value as it was written.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object).map(Fields)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `model` and `input`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            // Of two fields with one name we would read the one and an upstream perhaps the other.
            if matches!(name.as_str(), "model" | "store" | "stream") && fields.iter().any(|(seen, _)| *seen == name) {
                return Err(A::Error::custom(format_args!("the field `{name}` is there twice")));
            }
            if fields.len() == MAX_FIELDS {
                return Err(A::Error::custom(format_args!("an object of more than {MAX_FIELDS} fields")));
            }
            fields.push((name, value));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(body: &str) -> Result<String, String> {
        let asked = Asked::read(body.as_bytes()).map_err(|error| error.message().to_owned())?;
        Ok(String::from_utf8(asked.for_upstream("big \"1\"")).expect("JSON is UTF-8"))
    }

    #[test]
    fn only_model_and_store_change() {
        let body = r#" {"input" : [ {"a":1.50,"b":"\u00e9"} ], "model":"gpt-test","st\u006fre": true ,"x":1e400,"stream":true} "#;
        let expected =
            r#"{"store":false,"input":[ {"a":1.50,"b":"\u00e9"} ],"model":"big \"1\"","x":1e400,"stream":true}"#;
        assert_eq!(forward(body).as_deref(), Ok(expected));
        assert_eq!(forward(r#"{"model":"m"}"#).as_deref(), Ok(r#"{"store":false,"model":"big \"1\""}"#));
    }

    #[test]
    fn a_body_that_cannot_be_says_why() {
        for (body, message) in [
            ("", "the body is not JSON: EOF while parsing a value at line 1 column 0"),
            ("{\"model\":", "the body is not JSON: EOF while parsing a value at line 1 column 9"),
            ("{} {}", "the body is not JSON: trailing characters at line 1 column 4"),
            ("[]", "invalid type: sequence, expected an object with `model` and `input`"),
            ("{}", "`model` is missing: name the model to use"),
            (r#"{"model":7}"#, "`model` must be a string"),
            (r#"{"model":"m","stream":"yes"}"#, "`stream` must be true or false"),
            (r#"{"model":"m","mod\u0065l":"n"}"#, "the field `model` is there twice"),
        ] {
            assert_eq!(forward(body).expect_err(body), message, "{body}");
        }
        let many: String = (0..1_001).map(|n| format!("\"{n}\":0,")).collect();
        assert!(forward(&format!("{{{many}\"model\":\"m\"}}")).is_err());
        assert!(forward(&format!("{{\"model\":\"m\",\"input\":{}", "[".repeat(100_000))).is_err());
    }

    #[test]
    fn streaming_is_asked_for() {
        let streams = |body: &str| Asked::read(body.as_bytes()).expect("a body").streams;
        assert!(streams(r#"{"model":"m","stream":true}"#));
        assert!(!streams(r#"{"model":"m","stream":null}"#));
        assert!(!streams(r#"{"model":"m"}"#));
    }
}
