//! Executions that take no time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::Value;

use crate::{Clock, Expressions, Failure, Observer, Payload, Runner, StateMachine, Task, Tasks, Work};

/// When every such execution begins.
pub const STARTED: &str = "2026-11-30T05:00:00Z";

/// The largest value in bytes that each state had of each kind.
pub type Sizes = BTreeMap<(String, Payload), usize>;

/// One execution of which every wait ends at once, and every Task answers by a closure: the state's name and its
/// arguments in, its result out.
pub struct InstantExecution<'e, F> {
    machine: &'e StateMachine,
    name: String,
    redrives: u32,
    tasks: Closure<F>,
    /// States entered, in order; those of branches one branch after the other.
    pub path: Vec<String>,
    /// Seconds that were waited.
    pub waits: Vec<u64>,
    /// How large values were.
    pub sizes: Sizes,
    /// How many events the history has.
    pub events: u64,
}

impl<'e, F: Fn(&str, &Value) -> Result<Value, Failure>> InstantExecution<'e, F> {
    /// An execution that has not begun, of this name.
    #[must_use]
    pub fn new(machine: &'e StateMachine, name: &str, tasks: F) -> Self {
        Self {
            machine,
            name: name.to_owned(),
            redrives: 0,
            tasks: Closure(tasks),
            path: Vec::new(),
            waits: Vec::new(),
            sizes: Sizes::new(),
            events: 0,
        }
    }

    /// The same execution after an operator redrove it `times`.
    #[must_use]
    pub fn redriven(mut self, times: u32) -> Self {
        self.redrives = times;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When something waits that nothing wakes.
    pub fn run(&mut self, input: Value) -> Result<Value, Failure> {
        let journal = Journal::default();
        let runner = Runner {
            expressions: &Expressions::default(),
            clock: &NoTime,
            tasks: &self.tasks,
            observer: &journal,
        };
        let context = self.machine.context(&self.name, STARTED, self.redrives, &input);
        let run = pin!(runner.run(self.machine, &context, input));
        let Poll::Ready(ended) = run.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("an execution that takes no time waits");
        };
        self.path = journal.path.take();
        self.waits = journal.waits.take();
        self.sizes = journal.sizes.take();
        self.events = journal.events.get();
        ended
    }
}

struct Closure<F>(F);

impl<F: Fn(&str, &Value) -> Result<Value, Failure>> Tasks for Closure<F> {
    fn perform<'t>(&'t self, task: Task<'t>) -> Work<'t, Result<Value, Failure>> {
        Box::pin(async move { self.0(task.state, task.arguments) })
    }
}

struct NoTime;

impl Clock for NoTime {
    fn sleep(&self, _: Duration) -> Work<'_, ()> {
        Box::pin(async {})
    }
}

#[derive(Default)]
struct Journal {
    path: RefCell<Vec<String>>,
    waits: RefCell<Vec<u64>>,
    sizes: RefCell<Sizes>,
    events: Cell<u64>,
}

impl Observer for Journal {
    fn entered(&self, state: &str, _: &str) {
        self.path.borrow_mut().push(state.to_owned());
    }

    fn waits(&self, seconds: u64) {
        self.waits.borrow_mut().push(seconds);
    }

    fn carries(&self, state: &str, payload: Payload, bytes: usize) {
        let mut sizes = self.sizes.borrow_mut();
        let largest = sizes.entry((state.to_owned(), payload)).or_default();
        *largest = bytes.max(*largest);
    }

    fn events(&self, count: u64) {
        self.events.set(count);
    }
}
