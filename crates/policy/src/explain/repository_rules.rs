//! The rules of a repository, for a question about a command.

use provost_model::command::PrefixRule;

use super::{ExplainedNotRead, RulesText};
use crate::team_config::Budget;
use crate::team_config::rules::{Evaluator, HostExecutable};

/// What the `.rules` files of a repository say.
#[derive(Default)]
pub(super) struct RepositoryRules {
    pub(super) rules: Vec<PrefixRule>,
    pub(super) executables: Vec<HostExecutable>,
    /// Files with a mistake: no rule of theirs counts.
    pub(super) not_read: Vec<ExplainedNotRead>,
}

/// Evaluates files, each in a process of its own; blocks so long. `first` is the layer of the first file.
pub(super) fn read(files: &[RulesText], first: usize) -> RepositoryRules {
    let mut budget = Budget::of_a_check();
    let evaluator = Evaluator::of_this_program();
    let mut read = RepositoryRules::default();
    for (layer, file) in (first..).zip(files) {
        let evaluated = budget.evaluate(&file.contents, &evaluator);
        match evaluated.problems.first() {
            Some(problem) => {
                let why = format!("It has a mistake on line {}: {}", problem.line, problem.message);
                read.not_read.push(ExplainedNotRead { path: file.path.clone(), why });
            }
            None => {
                read.rules.extend(evaluated.prefix_rules(layer));
                read.executables.extend(evaluated.executables);
            }
        }
    }
    read
}
