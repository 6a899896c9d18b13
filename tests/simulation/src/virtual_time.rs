//! Tasks in virtual time: one thread, no wall clock, the same order every time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep as SmithySleep};
use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// What a task is.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Locks whatever a panic elsewhere left: the test must not hide why it failed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The virtual time, and who waits for it. Clones are the same clock; the SDK sleeps by it too.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Mutex<Timers>>,
}

#[derive(Debug)]
struct Timers {
    now: Timestamp,
    last: u64,
    waiting: BTreeMap<(Timestamp, u64), Waker>,
}

impl Clock {
    fn at(now: Timestamp) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Timers {
                now,
                last: 0,
                waiting: BTreeMap::new(),
            })),
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        lock(&self.shared).now
    }

    /// Waits.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> Sleep {
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let mut timers = lock(&self.shared);
        timers.last += 1;
        let until = timers.now.checked_add(time).unwrap_or(Timestamp::MAX);
        Sleep {
            key: (until, timers.last),
            clock: self.clone(),
        }
    }

    /// Goes on to the next moment at which somebody waits, if it is not after `limit`, and wakes who waits for it.
    fn go_on(&self, limit: Timestamp) -> bool {
        let mut timers = lock(&self.shared);
        match timers.waiting.first_key_value() {
            Some((&(until, _), _)) if until <= limit => {
                timers.now = timers.now.max(until);
                if let Some((_, waker)) = timers.waiting.pop_first() {
                    waker.wake();
                }
                true
            }
            _ => false,
        }
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Self::now(self).into()
    }
}

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> SmithySleep {
        SmithySleep::new(Self::sleep(self, duration))
    }
}

/// Ends when its time has come.
#[derive(Debug)]
pub struct Sleep {
    key: (Timestamp, u64),
    clock: Clock,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = lock(&self.clock.shared);
        if timers.now >= self.key.0 {
            timers.waiting.remove(&self.key);
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.clock.shared).waiting.remove(&self.key);
    }
}

type Ready = Arc<Mutex<VecDeque<u64>>>;

struct TaskWaker {
    task: u64,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = lock(&self.ready);
        if !ready.contains(&self.task) {
            ready.push_back(self.task);
        }
    }
}

/// All tasks of a simulation.
pub struct Tasks {
    clock: Clock,
    ready: Ready,
    list: RefCell<BTreeMap<u64, (Waker, Option<Work>)>>,
    last: Cell<u64>,
}

impl Tasks {
    /// None yet, at this time.
    #[must_use]
    pub fn beginning_at(now: Timestamp) -> Rc<Self> {
        Rc::new(Self {
            clock: Clock::at(now),
            ready: Ready::default(),
            list: RefCell::default(),
            last: Cell::new(0),
        })
    }

    /// The clock that they share.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Begins a task; its number.
    pub fn begin(&self, work: impl Future<Output = ()> + 'static) -> u64 {
        self.last.set(self.last.get() + 1);
        let task = self.last.get();
        let waker = Waker::from(Arc::new(TaskWaker {
            task,
            ready: Arc::clone(&self.ready),
        }));
        self.list.borrow_mut().insert(task, (waker, Some(Box::pin(work))));
        lock(&self.ready).push_back(task);
        task
    }

    /// Ends a task where it stands. Must not be called by the task itself.
    pub fn stop(&self, task: u64) {
        // Dropped after the borrow has ended: a task may hold others' handles.
        let stopped = self.list.borrow_mut().remove(&task);
        drop(stopped);
    }

    /// Lets time pass until `limit`, or until `done` or nobody waits for anything any more.
    ///
    /// Returns whether it was `done`.
    pub fn run(&self, limit: Timestamp, done: impl Fn() -> bool) -> bool {
        loop {
            if done() {
                return true;
            }
            let next = lock(&self.ready).pop_front();
            if let Some(task) = next {
                self.poll(task);
            } else if !self.clock.go_on(limit) {
                return false;
            }
        }
    }

    fn poll(&self, task: u64) {
        let found = self
            .list
            .borrow_mut()
            .get_mut(&task)
            .map(|(waker, work)| (waker.clone(), work.take()));
        let Some((waker, Some(mut work))) = found else { return };
        let ended = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut tasks = self.list.borrow_mut();
        if ended {
            tasks.remove(&task);
        } else if let Some((_, place)) = tasks.get_mut(&task) {
            *place = Some(work);
        } else {
            // It was stopped while it ran.
            drop(tasks);
            drop(work);
        }
    }
}

/// A value that comes later, once.
#[derive(Debug)]
pub struct Promise<T> {
    shared: Rc<RefCell<(Option<T>, Vec<Waker>)>>,
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T> Default for Promise<T> {
    fn default() -> Self {
        Self {
            shared: Rc::new(RefCell::new((None, Vec::new()))),
        }
    }
}

impl<T: Clone> Promise<T> {
    /// Gives the value, unless it was given before.
    pub fn keep(&self, value: T) {
        let mut shared = self.shared.borrow_mut();
        if shared.0.is_none() {
            shared.0 = Some(value);
            for waker in shared.1.drain(..) {
                waker.wake();
            }
        }
    }

    /// Whether the value has come.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.shared.borrow().0.is_some()
    }

    /// The value, if it has come.
    #[must_use]
    pub fn kept(&self) -> Option<T> {
        self.shared.borrow().0.clone()
    }

    /// Waits for it.
    pub async fn value(&self) -> T {
        std::future::poll_fn(|context| {
            let mut shared = self.shared.borrow_mut();
            if let Some(value) = &shared.0 {
                return Poll::Ready(value.clone());
            }
            if !shared.1.iter().any(|waker| waker.will_wake(context.waker())) {
                shared.1.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
