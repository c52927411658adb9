//! The inside of the process that evaluates one `.rules` file.

use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use starlark::environment::{GlobalsBuilder, Module};
use starlark::eval::Evaluator;
use starlark::syntax::{AstModule, Dialect};

use super::dialect::{self, Call, Calls, functions};
use super::{MAX_RULES_BYTES, RulesFile, examples, problem};

/// The argument that makes a process of this program evaluate rules, and nothing else.
pub const EVALUATE: &str = "evaluate-rules";

/// How much memory the process may map, in bytes: itself, and what the file makes.
const MEMORY_BYTES: u64 = 768 << 20;

/// How long the process may compute, in seconds: some times what the longest file of plain rules takes a slow machine.
const CPU_SECONDS: u64 = 5;

/// The stack: room for what a sane author nests, and for a machine's nesting to end in.
const STACK_BYTES: usize = 64 << 20;

/// The process: reads a `.rules` file from standard input, writes a [`RulesFile`] as JSON to standard output.
///
/// It gives away, for good, what it could do harm with. A file that wants more than that ends the process, and its
/// parent says so.
pub fn evaluate_standard_input() -> ExitCode {
    let limits = [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 3),
    ];
    for (resource, most) in limits {
        if setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let mut text = String::new();
    let room = u64::try_from(MAX_RULES_BYTES).unwrap_or(u64::MAX);
    if std::io::stdin().take(room).read_to_string(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let evaluated = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || evaluate(text));
    let Some(file) = evaluated.ok().and_then(|thread| thread.join().ok()) else { return ExitCode::FAILURE };
    let answer = serde_json::to_vec(&file).unwrap_or_default();
    match std::io::stdout().write_all(&answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Evaluates a file. What may go wrong with the memory and the stack goes wrong: only a process of its own calls this.
fn evaluate(text: String) -> RulesFile {
    let calls = Calls::default();
    let failed = run(text, &calls).err();
    let mut file = RulesFile::default();
    for call in calls.into_inner() {
        match serde_json::from_str(&call) {
            Ok(Call::Prefix(rule)) => file.rules.push(rule),
            Ok(Call::Network(rule)) => file.network.push(rule),
            Ok(Call::Executable(executable)) => file.executables.push(executable),
            Err(error) => file.problems.push(problem(1, 1, "not_evaluated", error.to_string())),
        }
    }
    match failed {
        Some(error) => {
            let begin = error.span().map(|span| span.resolve_span().begin);
            let (line, column) =
                begin.map_or((1, 1), |begin| (dialect::number(begin.line), dialect::number(begin.column)));
            let message = error.without_diagnostic().to_string();
            let is_deep = message.to_lowercase().contains("call stack overflow");
            let code = if is_deep { "too_expensive" } else { "invalid_rules" };
            file.problems.push(problem(line, column, code, message));
        }
        None => file.problems.extend(examples::run(&file)),
    }
    file
}

fn run(text: String, calls: &Calls) -> starlark::Result<()> {
    // As clients have it. `load` parses, and finds nothing to load.
    let dialect = Dialect { enable_f_strings: true, ..Dialect::Extended };
    let module = AstModule::parse("rules", text, &dialect)?;
    let globals = GlobalsBuilder::standard().with(functions).build();
    let heap = Module::new();
    let mut evaluator = Evaluator::new(&heap);
    evaluator.extra = Some(calls);
    evaluator.eval_module(module, &globals).map(|_| ())
}
