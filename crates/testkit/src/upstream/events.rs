//! The events of a Responses API stream, in the shapes of OpenAI's public streaming reference
//! (<https://platform.openai.com/docs/api-reference/responses-streaming>).

use serde_json::{Value, json};

/// A moment for `created_at`, in Unix seconds; fixed, so that two runs send the same bytes.
const CREATED_AT: u64 = 1_700_000_000;

/// The token counts of a turn, as the closing event reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Those of `input` that came from the provider's cache.
    pub cached: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Those of `output` spent on reasoning.
    pub reasoning: u64,
}

impl Default for Usage {
    /// Four different numbers, so that a mix-up shows.
    fn default() -> Self {
        Self { input: 11, cached: 3, output: 7, reasoning: 2 }
    }
}

impl Usage {
    fn json(self) -> Value {
        json!({
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        })
    }
}

/// The turn an answer belongs to.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    /// The model that was asked for.
    pub(super) model: &'a str,
    /// Makes the ids of this answer its own: Codex pairs a tool's output with its call by id.
    pub(super) number: usize,
}

/// A message that grows by one delta per piece.
pub(super) fn text(turn: Turn<'_>, pieces: &[String], usage: Usage) -> Vec<Value> {
    let id = format!("msg_{}", turn.number);
    let text = pieces.concat();
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = |status: &str, content: Value| json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content});
    let mut events = vec![
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
        json!({"type": "response.content_part.added", "item_id": id, "output_index": 0, "content_index": 0, "part": part("")}),
    ];
    events.extend(pieces.iter().map(|piece| {
        json!({"type": "response.output_text.delta", "item_id": id, "output_index": 0, "content_index": 0, "delta": piece, "logprobs": []})
    }));
    let done = item("completed", json!([part(&text)]));
    events.extend([
        json!({"type": "response.output_text.done", "item_id": id, "output_index": 0, "content_index": 0, "text": text, "logprobs": []}),
        json!({"type": "response.content_part.done", "item_id": id, "output_index": 0, "content_index": 0, "part": part(&text)}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
    ]);
    framed(turn, events, closing(turn, "completed", json!([done]), usage.json(), Value::Null))
}

/// A request of the model for one function call.
pub(super) fn tool_call(turn: Turn<'_>, name: &str, arguments: &str, usage: Usage) -> Vec<Value> {
    let (id, call_id) = (format!("fc_{}", turn.number), format!("call_{}", turn.number));
    let item = |status: &str, arguments: &str| json!({"type": "function_call", "id": id, "call_id": call_id, "status": status, "name": name, "arguments": arguments});
    let done = item("completed", arguments);
    let events = vec![
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", "")}),
        json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": 0, "delta": arguments}),
        json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": 0, "name": name, "arguments": arguments}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
    ];
    framed(turn, events, closing(turn, "completed", json!([done]), usage.json(), Value::Null))
}

/// A turn that the provider gave up.
pub(super) fn failed(turn: Turn<'_>, code: &str, message: &str) -> Vec<Value> {
    let error = json!({"code": code, "message": message});
    framed(turn, Vec::new(), closing(turn, "failed", json!([]), Value::Null, error))
}

/// The body of `GET /v1/models`.
pub(super) fn model_list(models: &[String]) -> Value {
    let data: Vec<Value> = models
        .iter()
        .map(|model| json!({"id": model, "object": "model", "created": CREATED_AT, "owned_by": "scripted"}))
        .collect();
    json!({"object": "list", "data": data})
}

/// Puts the opening events before and the closing one after, and numbers them all.
fn framed(turn: Turn<'_>, middle: Vec<Value>, closing: Value) -> Vec<Value> {
    let opening = || response(turn, "in_progress", json!([]), Value::Null, Value::Null);
    let mut events = vec![
        json!({"type": "response.created", "response": opening()}),
        json!({"type": "response.in_progress", "response": opening()}),
    ];
    events.extend(middle);
    events.push(closing);
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    events
}

fn closing(turn: Turn<'_>, status: &str, output: Value, usage: Value, error: Value) -> Value {
    json!({"type": format!("response.{status}"), "response": response(turn, status, output, usage, error)})
}

fn response(turn: Turn<'_>, status: &str, output: Value, usage: Value, error: Value) -> Value {
    json!({
        "id": format!("resp_{}", turn.number), "object": "response", "created_at": CREATED_AT, "status": status, "model": turn.model,
        "error": error, "incomplete_details": null, "output": output, "parallel_tool_calls": false, "store": false,
        "usage": usage,
    })
}
