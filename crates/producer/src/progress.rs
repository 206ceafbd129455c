//! What a run is at: phases come in; on a terminal a spinner goes out that leaves a line for each, elsewhere plain lines.
//! All of it on standard error, which belongs to people.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plan::Phase;
use std::io::{IsTerminal as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How fast the spinner turns.
const TURN: Duration = Duration::from_millis(80);

/// The steps of one task's run.
pub struct Steps {
    form: Form,
}

enum Form {
    Plain,
    /// The step under way.
    Spinner(Mutex<Option<ProgressBar>>),
}

/// How the steps ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Bad,
}

/// Whether standard error is a terminal that can move its cursor.
pub fn is_terminal() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Whether standard error may be coloured: <https://no-color.org>.
pub fn is_coloured() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Steps {
    /// None has begun.
    pub fn new() -> Self {
        let form = if is_terminal() { Form::Spinner(Mutex::new(None)) } else { Form::Plain };
        Self { form }
    }

    /// The next step begins, so the one before is done.
    pub fn begin(&self, phase: Phase, doing: &str) {
        match &self.form {
            Form::Plain => eprintln!("{phase}: {doing}"),
            Form::Spinner(current) => {
                let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(before) = current.take() {
                    leave(&before, Outcome::Good);
                }
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(style());
                bar.set_message(format!("{phase}: {doing}"));
                bar.enable_steady_tick(TURN);
                *current = Some(bar);
            }
        }
    }

    /// No step follows.
    pub fn end(self, outcome: Outcome) {
        if let Form::Spinner(current) = self.form
            && let Some(last) = current.into_inner().unwrap_or_else(PoisonError::into_inner)
        {
            leave(&last, outcome);
        }
    }
}

/// The line that stays where the spinner was.
fn leave(bar: &ProgressBar, outcome: Outcome) {
    let (mark, colour) = match outcome {
        Outcome::Good => ("✓", 32),
        Outcome::Bad => ("✗", 31),
    };
    bar.finish_and_clear();
    match is_coloured() {
        true => eprintln!("\u{1b}[{colour}m{mark}\u{1b}[0m {}", bar.message()),
        false => eprintln!("{mark} {}", bar.message()),
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {msg}")
        .unwrap_or_else(|error| unreachable!("a template of this file: {error}"))
}
