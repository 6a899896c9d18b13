//! The states of a machine, one after the other and side by side.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    Clock, Expressions, Failure, Observer, Payload, StateMachine, Task, Tasks, View, Work, before, entries,
    side_by_side,
};

/// Events at which an execution ends.
pub const MAX_EVENTS: u64 = 25_000;

/// Bytes that a state's input or output may have.
const MAX_BYTES: usize = 262_144;

/// Iterations of an inline Map that run at once.
const MAX_CONCURRENCY: u64 = 40;

/// Seconds that a Wait or a Task may take.
const MAX_SECONDS: u64 = 99_999_999;

type Variables = Map<String, Value>;

/// The next state, if there is one, and what it gets.
type Step<'m> = Result<(Option<&'m str>, Value), Failure>;

/// Executes state machines.
#[derive(Clone, Copy)]
pub struct Runner<'r> {
    /// Parses and evaluates; to be shared, because it remembers what it parsed.
    pub expressions: &'r Expressions,
    /// How time passes.
    pub clock: &'r dyn Clock,
    /// What the Tasks call.
    pub tasks: &'r dyn Tasks,
    /// Receives what happens.
    pub observer: &'r dyn Observer,
}

impl Runner<'_> {
    /// Runs an execution with this `$states.context` to its end. One that takes longer than its machine lets it ends as
    /// [`Failure::timeout`], which no Catch of its own sees.
    pub async fn run(&self, machine: &StateMachine, context: &Value, input: Value) -> Result<Value, Failure> {
        let run = Run {
            runner: *self,
            context,
            events: Cell::new(0),
        };
        // The execution begins, and it ends.
        run.count_events(2)?;
        let mut variables = Variables::new();
        let states = run.scope(machine.definition(), input, &mut variables);
        let Some(seconds) = machine.timeout_seconds() else {
            return states.await;
        };
        let end = self.clock.sleep(Duration::from_secs(seconds));
        before(states, end).await.unwrap_or_else(|| Err(Failure::timeout()))
    }
}

/// One execution.
struct Run<'r> {
    runner: Runner<'r>,
    context: &'r Value,
    events: Cell<u64>,
}

impl Run<'_> {
    /// Runs the states of a machine, a branch or an iteration.
    fn scope<'s>(
        &'s self,
        scope: &'s Value,
        input: Value,
        variables: &'s mut Variables,
    ) -> Work<'s, Result<Value, Failure>> {
        Box::pin(async move {
            let mut next = scope["StartAt"].as_str();
            let mut data = input;
            let mut bytes = length(&data);
            while let Some(name) = next {
                self.check_bytes(name, Payload::Input, bytes)?;
                let state = &scope["States"][name];
                let kind = state["Type"].as_str().unwrap_or_default();
                self.runner.observer.entered(name, kind);
                (next, data) = self.step(name, kind, state, data, variables).await?;
                bytes = length(&data);
                self.check_bytes(name, Payload::Output, bytes)?;
            }
            Ok(data)
        })
    }

    async fn step<'m>(
        &self,
        name: &str,
        kind: &str,
        state: &'m Value,
        input: Value,
        variables: &mut Variables,
    ) -> Step<'m> {
        self.count_events(if kind == "Fail" { 1 } else { 2 })?;
        match kind {
            "Fail" => return Err(self.fail(state, &self.view(&input, variables))),
            "Task" | "Map" | "Parallel" => return self.work(name, kind, state, &input, variables).await,
            "Wait" => self.wait(state, &self.view(&input, variables)).await?,
            _ => {}
        }
        let taken = if kind == "Choice" {
            self.choose(state, &self.view(&input, variables))?
        } else {
            state
        };
        let (output, assigned) = self.leave(taken, &self.view(&input, variables))?;
        variables.extend(assigned);
        Ok((next(taken), output))
    }

    fn view<'v>(&'v self, input: &'v Value, variables: &'v Variables) -> View<'v> {
        View::new(input, self.context, variables)
    }

    fn fill(&self, template: &Value, view: &View<'_>) -> Result<Value, Failure> {
        self.runner.expressions.fill(template, view)
    }

    /// The output of a state, or of one of its choices or catchers, and the variables that it assigns. Neither sees the
    /// other.
    fn leave(&self, part: &Value, view: &View<'_>) -> Result<(Value, Variables), Failure> {
        let output = match part.get("Output") {
            Some(output) => self.fill(output, view)?,
            None => view.default_output().clone(),
        };
        let assigned = match self.fill(&part["Assign"], view)? {
            Value::Object(assigned) => assigned,
            _ => Variables::new(),
        };
        Ok((output, assigned))
    }

    fn fail(&self, state: &Value, view: &View<'_>) -> Failure {
        let text = |field: &str| match self.fill(&state[field], view)? {
            Value::String(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            other => Err(Failure::from_expression(format!("{field}: {other} is not a text"))),
        };
        let failure = || {
            Ok(Failure {
                error: text("Error")?.unwrap_or_default(),
                cause: text("Cause")?,
            })
        };
        failure().unwrap_or_else(|failure: Failure| failure)
    }

    /// The first choice whose condition holds, or the state itself, which has the default.
    fn choose<'m>(&self, state: &'m Value, view: &View<'_>) -> Result<&'m Value, Failure> {
        for choice in entries(&state["Choices"]) {
            match self.fill(&choice["Condition"], view)? {
                Value::Bool(true) => return Ok(choice),
                Value::Bool(false) => {}
                other => return Err(Failure::from_expression(format!("Condition: {other} is not a boolean"))),
            }
        }
        if state.get("Default").is_none() {
            return Err(Failure::new("States.NoChoiceMatched", "No choice matched"));
        }
        Ok(state)
    }

    async fn wait(&self, state: &Value, view: &View<'_>) -> Result<(), Failure> {
        let seconds = self.fill(&state["Seconds"], view)?;
        let seconds = seconds
            .as_u64()
            .filter(|seconds| *seconds <= MAX_SECONDS)
            .ok_or_else(|| Failure::from_expression(format!("Seconds: {seconds} is not a number of seconds")))?;
        self.runner.observer.waits(seconds);
        self.runner.clock.sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    /// A state that can fail, with its Retry and Catch.
    async fn work<'m>(
        &self,
        name: &str,
        kind: &str,
        state: &'m Value,
        input: &Value,
        variables: &mut Variables,
    ) -> Step<'m> {
        let mut made = BTreeMap::new();
        let failure = loop {
            match self.attempt(name, kind, state, input, variables).await {
                Ok((output, assigned)) => {
                    variables.extend(assigned);
                    return Ok((next(state), output));
                }
                Err(failure) => {
                    let Some(delay) = self.delay(state, &failure, &mut made) else {
                        break failure;
                    };
                    self.runner.observer.retries(name, &failure);
                    self.runner.clock.sleep(delay).await;
                }
            }
        };
        self.runner.observer.gave_up(name, kind, &failure, made.values().sum());
        let catchers = entries(&state["Catch"]);
        let Some(catcher) = catchers.iter().find(|catcher| failure.is_met_by(catcher)) else {
            return Err(failure);
        };
        let error_output = failure.to_error_output();
        let view = View {
            error_output: Some(&error_output),
            ..self.view(input, variables)
        };
        let (output, assigned) = self.leave(catcher, &view)?;
        variables.extend(assigned);
        Ok((next(catcher), output))
    }

    /// How long to wait before the next attempt, if there is to be one. Each retrier counts for itself what it has `made`
    /// in this visit of the state.
    fn delay(&self, state: &Value, failure: &Failure, made: &mut BTreeMap<usize, u32>) -> Option<Duration> {
        let (at, retrier) = entries(&state["Retry"])
            .iter()
            .enumerate()
            .find(|(_, retrier)| failure.is_met_by(retrier))?;
        let made = made.entry(at).or_default();
        if u64::from(*made) >= retrier["MaxAttempts"].as_u64().unwrap_or(3) {
            return None;
        }
        let number = |field: &str, default: f64| retrier[field].as_f64().unwrap_or(default);
        let growth = number("BackoffRate", 2.0).powi(i32::try_from(*made).unwrap_or(i32::MAX));
        let longest = (number("IntervalSeconds", 1.0) * growth).min(number("MaxDelaySeconds", 31_622_400.0));
        let longest = Duration::from_secs_f64(longest);
        *made += 1;
        Some(if retrier["JitterStrategy"] == "FULL" {
            self.runner.clock.jitter(longest)
        } else {
            longest
        })
    }

    /// Does the work once. Gives the output and the variables that are assigned.
    async fn attempt(
        &self,
        name: &str,
        kind: &str,
        state: &Value,
        input: &Value,
        variables: &Variables,
    ) -> Result<(Value, Variables), Failure> {
        let view = self.view(input, variables);
        let result = match kind {
            "Task" => self.task(name, state, &view).await?,
            "Map" => self.map(state, &view).await?,
            _ => self.branches(state, &view).await?,
        };
        self.check_bytes(name, Payload::Result, length(&result))?;
        let view = View {
            result: Some(&result),
            ..view
        };
        self.leave(state, &view)
    }

    async fn task(&self, name: &str, state: &Value, view: &View<'_>) -> Result<Value, Failure> {
        self.count_events(3)?;
        let arguments = self.fill(&state["Arguments"], view)?;
        self.check_bytes(name, Payload::Arguments, length(&arguments))?;
        let seconds = state["TimeoutSeconds"].as_u64().unwrap_or(MAX_SECONDS);
        let end = self.runner.clock.sleep(Duration::from_secs(seconds));
        let task = Task {
            state: name,
            resource: state["Resource"].as_str().unwrap_or_default(),
            arguments: &arguments,
        };
        before(self.runner.tasks.perform(task), end).await.unwrap_or_else(|| {
            self.runner.observer.timed_out(name);
            Err(Failure::timeout())
        })
    }

    async fn map(&self, state: &Value, view: &View<'_>) -> Result<Value, Failure> {
        self.count_events(2)?;
        let Value::Array(items) = self.fill(&state["Items"], view)? else {
            return Err(Failure::from_expression("Items: not an array"));
        };
        let concurrency = match self.fill(&state["MaxConcurrency"], view)? {
            Value::Null => 0,
            number => number
                .as_u64()
                .ok_or_else(|| Failure::from_expression(format!("MaxConcurrency: {number} is not a whole number")))?,
        };
        let concurrency = if concurrency == 0 {
            MAX_CONCURRENCY
        } else {
            concurrency.min(MAX_CONCURRENCY)
        };
        let iterations = items.into_iter().map(|item| -> Work<'_, _> {
            Box::pin(async move {
                self.count_events(2)?;
                self.scope(&state["ItemProcessor"], item, &mut view.variables.clone())
                    .await
            })
        });
        let width = usize::try_from(concurrency).unwrap_or(usize::MAX);
        Ok(Value::Array(side_by_side(iterations, width).await?))
    }

    async fn branches(&self, state: &Value, view: &View<'_>) -> Result<Value, Failure> {
        self.count_events(2)?;
        let branches = entries(&state["Branches"]).iter().map(|branch| -> Work<'_, _> {
            Box::pin(async move {
                self.scope(branch, view.input.clone(), &mut view.variables.clone())
                    .await
            })
        });
        Ok(Value::Array(side_by_side(branches, usize::MAX).await?))
    }

    fn count_events(&self, more: u64) -> Result<(), Failure> {
        let events = self.events.get() + more;
        self.events.set(events);
        self.runner.observer.events(events);
        if events >= MAX_EVENTS {
            let problem = format!("The execution reached the maximum number of history events ({MAX_EVENTS}).");
            return Err(Failure::new("States.Runtime", problem));
        }
        Ok(())
    }

    fn check_bytes(&self, state: &str, payload: Payload, bytes: usize) -> Result<(), Failure> {
        self.runner.observer.carries(state, payload, bytes);
        if bytes > MAX_BYTES {
            let problem = format!("The {payload:?} of the state {state} has {bytes} bytes");
            return Err(Failure::new("States.DataLimitExceeded", problem));
        }
        Ok(())
    }
}

/// The state after this one, or after this choice or catcher.
fn next(part: &Value) -> Option<&str> {
    part["Next"].as_str().or_else(|| part["Default"].as_str())
}

/// How many bytes a value has as JSON.
fn length(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A counter takes everything.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}
