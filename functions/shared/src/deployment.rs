//! Start-up: settings, one client a region, and the loop that serves Lambda.

use aws_config::{Region, SdkConfig};
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::{Instrument, Span};
use tracing_subscriber::filter::LevelFilter;

use crate::{Error, Meter, Owner, Presigner, Rds, Settings, connection};

/// What a function works with: its settings, RDS in both regions, and where it measures.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The stack's configuration.
    pub settings: Settings,
    /// Whose copies are ours.
    pub owner: Owner,
    /// RDS in the source region.
    pub source: Rds,
    /// RDS in the destination region.
    pub destination: Rds,
    /// What is measured goes here.
    pub meter: Meter,
}

impl Deployment {
    /// A deployment that reaches RDS through these two, and measures nothing.
    #[must_use]
    pub fn new(settings: Settings, source: Rds, destination: Rds) -> Self {
        let owner = Owner::of(&settings);
        Self {
            settings,
            owner,
            source,
            destination,
            meter: Meter::silent(),
        }
    }

    /// The same, measuring with `meter`.
    #[must_use]
    pub fn measuring(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// The deployment that the environment describes, and the configuration of clients of the destination region.
    fn from_env() -> Result<(Self, SdkConfig), Error> {
        let settings = Settings::read(|name| std::env::var(name).ok())?;
        let config = connection::config(&settings.source_region);
        let source = Rds::new(aws_sdk_rds::Client::new(&config), &settings.source_region);
        let elsewhere = config
            .into_builder()
            .region(Region::new(settings.destination_region.clone()))
            .build();
        let mut destination = Rds::new(aws_sdk_rds::Client::new(&elsewhere), &settings.destination_region);
        if let Some(credentials) = elsewhere.credentials_provider() {
            destination = destination.presigning(Presigner::new(credentials, &settings.source_region));
        }
        let meter = Meter::new(&settings.stack, settings.database_metrics, |line| println!("{line}"));
        Ok((Self::new(settings, source, destination).measuring(meter), elsewhere))
    }
}

/// Serves Lambda with `handle`, which gets the deployment, the input and the time.
///
/// Settings are read once. Bad ones do not stop the function from starting, because a crash has no stable name in
/// the state machine: they are the answer to every event.
pub async fn serve<I, O>(
    handle: impl AsyncFn(&Deployment, I, Timestamp) -> Result<O, Error>,
) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    serve_with(
        |_| (),
        async |deployment, (): &(), input, now| handle(deployment, input, now).await,
    )
    .await
}

/// The same for a function that needs one more thing, which `make` makes once, of the configuration of clients of the
/// destination region.
pub async fn serve_with<T, I, O>(
    make: impl FnOnce(&SdkConfig) -> T,
    handle: impl AsyncFn(&Deployment, &T, I, Timestamp) -> Result<O, Error>,
) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    log_as_lambda_asks(|name| std::env::var(name).ok());
    let started = Deployment::from_env().map(|(deployment, config)| (deployment, make(&config)));
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let span = span(&event);
        let work = async {
            let (deployment, more) = started.as_ref().map_err(Error::clone)?;
            handle(deployment, more, parse(event.payload)?, Timestamp::now()).await
        };
        // Boxed: the nested calls of the SDK are a type too deep for the compiler's recursion limit.
        let ended: Result<O, Error> = Box::pin(work.instrument(span.clone())).await;
        if let Err(error) = &ended {
            // A warning only: the state machine may try again, or wait.
            span.in_scope(|| tracing::warn!(error = error.name(), "{error}"));
        }
        ended
    }))
    .await
}

/// What every line of an invocation's log carries, so that one copy can be followed through all functions: which
/// execution asked, of which run, for which database.
fn span(event: &LambdaEvent<Value>) -> Span {
    let text = |path: &str| event.payload.pointer(path).and_then(Value::as_str);
    // The first function of a chain gets the target itself, the others get it inside the baton.
    let of_target = |field: &str| text(&format!("/target/{field}")).or_else(|| text(&format!("/{field}")));
    tracing::info_span!(
        "invocation",
        request = event.context.request_id,
        run = text("/log/run"),
        execution = text("/log/execution"),
        kind = of_target("kind"),
        database = of_target("id"),
    )
}

/// One JSON line an event; the level is Lambda's own control (`LoggingConfig` in the template).
fn log_as_lambda_asks(variable: impl Fn(&str) -> Option<String>) {
    let level = variable("AWS_LAMBDA_LOG_LEVEL")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // CloudWatch has its own time.
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_max_level(level)
        .init();
}

/// Reads an input. What it does not know is refused by name, but for `log`, which only the log is told of, and for what
/// the console and Step Functions add to hand-made inputs: `Comment` and `AWS_STEP_FUNCTIONS_...`.
pub fn parse<I: DeserializeOwned>(mut input: Value) -> Result<I, Error> {
    if let Value::Object(fields) = &mut input {
        fields
            .retain(|name, _| !matches!(name.as_str(), "Comment" | "log") && !name.starts_with("AWS_STEP_FUNCTIONS_"));
    }
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "input" } else { &path };
        Error::bad_input(
            field,
            &error.inner().to_string(),
            "Correct the field and start the execution again.",
        )
    })
}
