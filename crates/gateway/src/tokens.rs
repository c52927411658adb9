use provost_model::Model;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a turn used, as the upstream counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Of the prompt, cached ones included.
    pub(crate) input: u64,
    /// Those of `input` that the upstream had in its cache.
    pub(crate) cached_input: u64,
    /// Of the answer, reasoning included.
    pub(crate) output: u64,
    /// Those of `output` spent on reasoning.
    pub(crate) reasoning: u64,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Tokens {
    /// From the `usage` of a response; none if it is not in the form that the API documents.
    pub(crate) fn read(usage: &RawValue) -> Option<Self> {
        let usage: Usage = serde_json::from_str(usage.get()).ok()?;
        Some(Self {
            input: usage.input_tokens,
            cached_input: usage.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            output: usage.output_tokens,
            reasoning: usage.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
        })
    }

    /// What that costs in credits; none if the model has no price. Cached input without a price of
    /// its own costs what other input does.
    #[expect(clippy::cast_precision_loss, reason = "no turn has 2^53 tokens")]
    pub(crate) fn credits(&self, model: &Model) -> Option<f64> {
        if model.input_price.is_none() && model.output_price.is_none() && model.cached_input_price.is_none() {
            return None;
        }
        let input_price = model.input_price.unwrap_or(0.0);
        let cached = self.cached_input.min(self.input);
        let cost = (self.input - cached) as f64 * input_price
            + cached as f64 * model.cached_input_price.unwrap_or(input_price)
            + self.output as f64 * model.output_price.unwrap_or(0.0);
        Some(cost / 1_000_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(usage: &str) -> Option<Tokens> {
        Tokens::read(&RawValue::from_string(usage.to_owned()).expect("JSON"))
    }

    #[test]
    fn counts_are_read_where_they_are_and_never_guessed() {
        let whole = r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":20,
            "output_tokens_details":{"reasoning_tokens":5},"total_tokens":120}"#;
        assert_eq!(read(whole), Some(Tokens { input: 100, cached_input: 40, output: 20, reasoning: 5 }));
        let bare = r#"{"input_tokens":1,"output_tokens":2,"input_tokens_details":null}"#;
        assert_eq!(read(bare), Some(Tokens { input: 1, cached_input: 0, output: 2, reasoning: 0 }));
        for odd in ["null", "{}", r#"{"input_tokens":-1,"output_tokens":2}"#, r#"{"input_tokens":"1"}"#, "[]"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn credits_follow_the_prices_per_million() {
        let tokens = Tokens { input: 1_000_000, cached_input: 400_000, output: 500_000, reasoning: 0 };
        let prices = |input_price, cached_input_price, output_price| Model {
            slug: "m".to_owned(),
            display_name: None,
            upstream_model: None,
            input_price,
            cached_input_price,
            output_price,
        };
        assert_eq!(tokens.credits(&prices(Some(2.0), Some(0.5), Some(8.0))), Some(1.2 + 0.2 + 4.0));
        assert_eq!(tokens.credits(&prices(Some(2.0), None, None)), Some(2.0));
        assert_eq!(tokens.credits(&prices(None, None, None)), None);
        // An upstream that says it cached more than it read does not earn credits.
        let odd = Tokens { cached_input: 9_000_000, ..tokens };
        assert_eq!(odd.credits(&prices(Some(2.0), Some(0.0), None)), Some(0.0));
    }
}
