//! `[rules]`: commands that need approval or are forbidden.

use super::{Field, Shape, TEXTS, Table, Words};

pub(super) static RULES: Table = Table::new(&[Field::new(
    "prefix_rules",
    Shape::List(&Shape::Table(&PREFIX_RULE)),
    "Commands that need approval or are forbidden, by their first words. The strictest matching rule wins.",
)
.required()]);

static PREFIX_RULE: Table = Table::new(&[
    Field::new(
        "pattern",
        Shape::List(&Shape::AnyOf(
            "a table: `{ token = \"rm\" }` or `{ any_of = [\"push\", \"commit\"] }`",
            &[Shape::Table(&TOKEN)],
        )),
        "The first words of the command, one element per word.",
    )
    .required(),
    Field::new(
        "canonical_matching",
        Shape::Bool,
        "Whether to compare the resolved program instead of the word as written.",
    )
    .defaulted(),
    Field::new(
        "decision",
        // "allow" is a word of the client's rules but not of its policies; the rules check says so.
        Shape::Word(&Words::new(&["prompt", "prompt-user", "forbidden"]).refusing(&[(
            "allow",
            "A policy cannot allow commands, only restrict them. Use \"prompt\", \"prompt-user\" or \"forbidden\".",
        )])),
        "What happens: `prompt` asks, `prompt-user` asks the person even under automatic review, `forbidden` refuses.",
    ),
    Field::new("justification", Shape::Text, "Why: shown to the developer when the rule applies."),
]);

static TOKEN: Table = Table::new(&[
    Field::new("token", Shape::Text, "The word at this position."),
    Field::new("any_of", TEXTS, "Alternatives for the word at this position."),
]);
