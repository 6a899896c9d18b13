//! The RDS simulator in process: clients of the AWS SDK whose calls a simulated account answers, in virtual time.
//!
//! [`World::client`] is an `aws_sdk_rds::Client`, [`World::kms_client`] an `aws_sdk_kms::Client`.
//!
//! ```
//! use std::time::Duration;
//! use rds_simulator_sdk::scenario::{Database, Scenario};
//! use rds_simulator_sdk::World;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let world = World::new(
//!     &Scenario::new()
//!         .region("eu-west-1", |region| region.instance(Database::new("orders").snapshots_aged([3.0])))
//!         .region("eu-central-1", |region| region.key("2222", "alias/copies")),
//! );
//! let source = world.client("eu-west-1", "find-latest-snapshot");
//! let snapshots = source.describe_db_snapshots().send().await.unwrap();
//! let arn = snapshots.db_snapshots()[0].db_snapshot_arn().unwrap();
//!
//! let destination = world.client("eu-central-1", "start-copy");
//! destination
//!     .copy_db_snapshot()
//!     .source_db_snapshot_identifier(arn)
//!     .target_db_snapshot_identifier("acme-orders-1")
//!     .send()
//!     .await
//!     .unwrap();
//! world.advance(Duration::from_secs(3600));
//! assert_eq!(world.snapshot("eu-central-1", "acme-orders-1").unwrap().status, "available");
//! assert_eq!(world.counters().copies["eu-central-1"].instances.peak_in_flight, 1);
//! # });
//! ```
//!
//! Time is virtual and shared by the world and all its clients: it passes in [`World::advance`], in the SDK's waits
//! between its attempts (they end at once and take the clock along), and while a reply is delayed by a fault. Nothing
//! ever sleeps. A reply that is held stays away until [`World::release`]; then the call must run in a task of its own.
//!
//! Databases are restored and deleted as well: [`World::database`], [`World::finish_databases`], [`World::bills`], and
//! [`World::restore_fate`] for restores that end badly.
//!
//! The clients retry as the deployed functions do: the SDK's standard mode with three attempts. Its token bucket is the
//! world's own, so that tests in one process do not use up one another's retries.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_rds::Client;
use aws_sdk_rds::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_rds::config::{
    AsyncSleep, BehaviorVersion, Builder, Credentials, Region, RuntimeComponents, SharedCredentialsProvider,
    SharedHttpClient, Sleep, StalledStreamProtectionConfig,
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use jiff::Timestamp;
use rds_simulator::scenario::RestoreFate;
use rds_simulator::{
    Answer, Bill, Caller, Calls, Counters, DatabaseChange, DatabaseState, Delivery, Fault, Hold, Kind, NewSnapshot,
    Restore, Scenario, Simulator, SnapshotState, State, Write,
};
use serde_json::Value;
use tokio::sync::watch;

pub use rds_simulator as simulator;
pub use rds_simulator::scenario;

/// When a world begins, unless it is told otherwise: Sunday, 22 November 2026, noon UTC.
pub const BEGINNING: Timestamp = Timestamp::constant(1_795_348_800, 0);

/// A simulated account in virtual time. Clones are the same world.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    simulator: Mutex<Simulator>,
    clock: Clock,
    /// Changes when a hold is released.
    released: watch::Sender<()>,
    number: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Simulator> {
        // A test that panicked elsewhere must not hide why.
        self.simulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl World {
    /// A world as the scenario describes it, at [`BEGINNING`].
    ///
    /// # Panics
    /// When the scenario is refused; the message names the place.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self::beginning_at(BEGINNING, scenario)
    }

    /// The same at another time.
    ///
    /// # Panics
    /// When the scenario is refused; the message names the place.
    #[must_use]
    pub fn beginning_at(now: Timestamp, scenario: &Scenario) -> Self {
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        let mut simulator = Simulator::new(now);
        if let Err(error) = simulator.seed(now, scenario) {
            panic!("{error}");
        }
        Self {
            shared: Arc::new(Shared {
                simulator: Mutex::new(simulator),
                clock: Clock::at(now),
                released: watch::Sender::new(()),
                number: WORLDS.fetch_add(1, Ordering::Relaxed),
            }),
        }
    }

    /// A client for a region, whose calls count as made by this caller (its access key).
    ///
    /// A caller of whom [`World::policies`] was never told may do everything.
    #[must_use]
    pub fn client(&self, region: &str, caller: &str) -> Client {
        self.client_with(region, caller, |config| config)
    }

    /// The same, with changes to its configuration.
    #[must_use]
    pub fn client_with(&self, region: &str, caller: &str, change: impl FnOnce(Builder) -> Builder) -> Client {
        let config = Builder::from(&self.sdk_config(region, caller))
            .retry_partition(self.retry_partition("rds", region, caller));
        Client::from_conf(change(config).build())
    }

    /// A client of KMS for a region, whose calls count as made by this caller. It can do `DescribeKey`.
    #[must_use]
    pub fn kms_client(&self, region: &str, caller: &str) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::config::Builder::from(&self.sdk_config(region, caller))
            .retry_partition(self.retry_partition("kms", region, caller));
        aws_sdk_kms::Client::from_conf(config.build())
    }

    /// What clients of any service are made from. Retries are counted together with all others in the process:
    /// [`World::client`] and [`World::kms_client`] keep them apart.
    #[must_use]
    pub fn sdk_config(&self, region: &str, caller: &str) -> SdkConfig {
        let credentials = Credentials::new(caller, "simulated", None, None, "simulator");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.http_client())
            .time_source(self.shared.clock.clone())
            .sleep_impl(self.shared.clock.clone())
            .retry_config(RetryConfig::standard())
            // It watches the wall clock, and there is no stream to stall.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    fn retry_partition(&self, service: &'static str, region: &str, caller: &str) -> RetryPartition {
        RetryPartition::new(format!("world-{}-{service}-{region}-{caller}", self.shared.number))
    }

    /// The HTTP client alone, for a client that is configured elsewhere.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Wire { world: self.clone() })
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.timestamp()
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// Lets time pass until no copy and no snapshot is being made any more.
    pub fn finish_copies(&self) {
        while let Some(left) = self.with(Simulator::until_next_end) {
            // Rounded up, or the last step could take for ever.
            self.advance(left + Duration::from_millis(1));
        }
    }

    /// Lets time pass until no database is being made, changed or deleted any more.
    pub fn finish_databases(&self) {
        while let Some(left) = self.with(Simulator::until_next_status) {
            // Rounded up, or the last step could take for ever.
            self.advance(left + Duration::from_millis(1));
        }
    }

    /// Does anything to the simulator; it is told the time.
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulator, Timestamp) -> T) -> T {
        act(&mut self.shared.lock(), self.now())
    }

    /// Everything that stands in the account.
    #[must_use]
    pub fn state(&self) -> State {
        self.with(Simulator::state)
    }

    /// What stands in one region of it.
    #[must_use]
    pub fn state_of(&self, region: &str) -> State {
        self.with(|simulator, now| simulator.state_of(now, region))
    }

    /// One snapshot of the state.
    #[must_use]
    pub fn snapshot(&self, region: &str, id: &str) -> Option<SnapshotState> {
        self.state().snapshot(region, id).cloned()
    }

    /// One database of the state.
    #[must_use]
    pub fn database(&self, region: &str, kind: Kind, id: &str) -> Option<DatabaseState> {
        self.state_of(region).database_of(region, kind, id).cloned()
    }

    /// What AWS would bill for the databases that calls have restored or created, oldest first.
    #[must_use]
    pub fn bills(&self) -> Vec<Bill> {
        self.counters().restored
    }

    /// What was counted since the beginning, or the last seed.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.with(Simulator::counters)
    }

    /// The calls that were meant to change something, oldest first.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.with(|simulator, _| simulator.writes())
    }

    /// How often an operation was called, in all regions, refused calls included.
    #[must_use]
    pub fn calls(&self, operation: &str) -> u64 {
        let counters = self.counters();
        counters
            .calls
            .get(operation)
            .map_or(0, |regions| regions.values().sum())
    }

    /// Orders a fault.
    pub fn fault(&self, fault: Fault) {
        self.with(|simulator, _| simulator.add_fault(fault));
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.with(|simulator, _| simulator.clear_faults());
    }

    /// Holds back the replies to matching calls, which have their effect all the same.
    #[must_use]
    pub fn hold(&self, calls: Calls) -> u64 {
        self.with(|simulator, _| simulator.hold(calls))
    }

    /// Lets the replies of a hold go.
    ///
    /// # Panics
    /// When there is no such hold.
    pub fn release(&self, hold: u64) {
        assert!(
            self.with(|simulator, _| simulator.release(hold)),
            "there is no hold {hold}"
        );
        self.shared.released.send_replace(());
    }

    /// The holds, each with how many callers wait.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.with(|simulator, _| simulator.holds().to_vec())
    }

    /// Says how restores to come end, before all that was said of them so far.
    pub fn restore_fate(&self, region: &str, fate: RestoreFate) {
        self.with(|simulator, _| simulator.add_restore_fate(region, fate));
    }

    /// Gives a caller these policies and no more; the other callers keep what they had, which is everything at first.
    ///
    /// # Panics
    /// When a policy cannot be evaluated as AWS would; the message says why.
    pub fn policies(&self, caller: &str, policies: impl IntoIterator<Item = Value>) {
        self.with(|simulator, now| {
            let account = simulator.state(now).account;
            let role = Caller {
                arn: format!("arn:aws:iam::{account}:role/{caller}"),
                policies: policies.into_iter().collect(),
            };
            if let Err(error) = simulator.set_caller(caller, Some(&role)) {
                panic!("{caller}: {error}");
            }
        });
    }

    /// Replaces everything but the callers by another scenario; held replies go.
    ///
    /// # Panics
    /// When the scenario is refused; the message names the place.
    pub fn seed(&self, scenario: &Scenario) {
        if let Err(error) = self.with(|simulator, now| simulator.seed(now, scenario)) {
            panic!("{error}");
        }
        self.shared.released.send_replace(());
    }

    /// Adds what a scenario holds to what is there: a new day's snapshots, another database, a key.
    ///
    /// # Panics
    /// When the scenario is refused; the message names the place.
    pub fn add(&self, scenario: &Scenario) {
        if let Err(error) = self.with(|simulator, now| simulator.add(now, scenario)) {
            panic!("{error}");
        }
    }

    /// Removes a snapshot as RDS does when its retention ends.
    ///
    /// # Panics
    /// When there is no such snapshot.
    pub fn expire(&self, arn: &str) {
        assert!(
            self.with(|simulator, now| simulator.expire(now, arn)),
            "there is no snapshot {arn}"
        );
    }

    /// Makes a key (ARN, id or alias) unusable.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn disable_key(&self, region: &str, key: &str) {
        self.set_key_state(region, key, "Disabled");
    }

    /// Makes a key usable again.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn enable_key(&self, region: &str, key: &str) {
        self.set_key_state(region, key, "Enabled");
    }

    /// Brings a key into any state that KMS has: `PendingDeletion` …
    ///
    /// # Panics
    /// When there is no such key or no such state.
    pub fn set_key_state(&self, region: &str, key: &str, state: &str) {
        if let Err(error) = self.with(|simulator, now| simulator.set_key_state(now, region, key, state)) {
            panic!("{error}");
        }
    }

    /// Removes a key and its aliases, as at the end of its waiting period.
    ///
    /// # Panics
    /// When there is no such key.
    pub fn delete_key(&self, region: &str, key: &str) {
        if let Err(error) = self.with(|simulator, now| simulator.delete_key(now, region, key)) {
            panic!("{error}");
        }
    }

    /// Removes an option group.
    ///
    /// # Panics
    /// When nobody made such an option group.
    pub fn delete_option_group(&self, region: &str, name: &str) {
        assert!(
            self.with(|simulator, now| simulator.delete_option_group(now, region, name)),
            "there is no option group {name} in {region}"
        );
    }

    /// Deletes a database without a final snapshot: its members and its automated snapshots go with it.
    ///
    /// # Panics
    /// When there is no such database.
    pub fn drop_database(&self, region: &str, id: &str) {
        assert!(
            self.with(|simulator, now| simulator.drop_database(now, region, id)),
            "there is no database {id} in {region}"
        );
    }

    /// Restores a database from a snapshot of its region.
    ///
    /// # Panics
    /// When it cannot be; the message says why.
    pub fn restore(&self, restore: &Restore) {
        if let Err(error) = self.with(|simulator, now| simulator.restore(now, restore)) {
            panic!("{error}");
        }
    }

    /// Takes a snapshot as RDS, AWS Backup or a person does, and gives its ARN.
    ///
    /// # Panics
    /// When it cannot be; the message says why.
    #[allow(clippy::must_use_candidate, reason = "it is called for its effect")]
    pub fn take_snapshot(&self, snapshot: &NewSnapshot) -> String {
        match self.with(|simulator, now| simulator.take_snapshot(now, snapshot)) {
            Ok(arn) => arn,
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives a database another identifier; its resource id and its snapshots stay as they are.
    ///
    /// # Panics
    /// When there is no such database, or the name is taken or not legal.
    pub fn rename_database(&self, region: &str, id: &str, to: &str) {
        if let Err(error) = self.with(|simulator, now| simulator.rename_database(now, region, id, to)) {
            panic!("{error}");
        }
    }

    /// Switches a blue/green deployment over: `blue` becomes `<blue>-old1`, `green` becomes `blue`.
    ///
    /// # Panics
    /// When one of them is not there, or the name is taken.
    pub fn switch_over(&self, region: &str, blue: &str, green: &str) {
        if let Err(error) = self.with(|simulator, now| simulator.switch_over(now, region, blue, green)) {
            panic!("{error}");
        }
    }

    /// Changes settings of a database: its status, its tags, its backups.
    ///
    /// # Panics
    /// When there is no such database.
    pub fn change_database(&self, change: &DatabaseChange) {
        if let Err(error) = self.with(|simulator, now| simulator.change_database(now, change)) {
            panic!("{error}");
        }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // Before the call, so that a release between the two is noticed.
        let mut released = self.shared.released.subscribe();
        let (headers, body) = (request.headers(), request.body().bytes().unwrap_or_default());
        let Answer { response, delivery } = self.with(|simulator, now| {
            simulator.handle_http(now, headers.get("authorization"), headers.get("x-amz-target"), body)
        });
        match delivery {
            Delivery::Now => {}
            Delivery::After(delay) => self.advance(delay),
            Delivery::Dropped => return Err(ConnectorError::io("the simulator drops this reply".into())),
            Delivery::Held(hold) => {
                let waiting = Waiting { world: &self, hold };
                while self.with(|simulator, _| simulator.is_held(waiting.hold)) && released.changed().await.is_ok() {}
            }
        }
        let status = StatusCode::try_from(response.status).map_err(|error| ConnectorError::user(error.into()))?;
        let mut reply = HttpResponse::new(status, SdkBody::from(response.body));
        reply.headers_mut().insert("x-amzn-requestid", response.request_id);
        reply.headers_mut().insert("content-type", response.content_type);
        Ok(reply)
    }
}

/// One caller that waits for a held reply, until it is dropped.
struct Waiting<'a> {
    world: &'a World,
    hold: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.world.with(|simulator, _| simulator.leave(self.hold));
    }
}

/// The world as the SDK sees it.
#[derive(Clone, Debug)]
struct Wire {
    world: World,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.world.clone().send(request))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The virtual time, in nanoseconds since 1970.
#[derive(Clone, Debug)]
struct Clock {
    nanoseconds: Arc<AtomicI64>,
}

impl Clock {
    fn at(now: Timestamp) -> Self {
        let nanoseconds = i64::try_from(now.as_nanosecond()).expect("a world begins between 1678 and 2262");
        Self {
            nanoseconds: Arc::new(AtomicI64::new(nanoseconds)),
        }
    }

    fn timestamp(&self) -> Timestamp {
        let nanoseconds = self.nanoseconds.load(Ordering::SeqCst);
        Timestamp::from_nanosecond(nanoseconds.into()).expect("no i64 is out of range")
    }

    fn advance(&self, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).expect("a world does not last for centuries");
        self.nanoseconds.fetch_add(nanoseconds, Ordering::SeqCst);
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.timestamp().into()
    }
}

impl AsyncSleep for Clock {
    /// Ends as soon as somebody waits for it, and takes the clock along.
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.clone();
        Sleep::new(async move { clock.advance(duration) })
    }
}
