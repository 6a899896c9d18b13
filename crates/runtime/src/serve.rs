//! Serves Lambda: start-up, logging, and errors under their stable names.

use aws_config::SdkConfig;
use domain::error::Error;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::{Instrument, Span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::input::parse;
use crate::release;

/// What a function of one of the stacks works with, made once.
pub trait Setting: Sized {
    /// The one that the environment describes, and the configuration of clients of the region of the copies.
    fn from_env() -> Result<(Self, SdkConfig), Error>;
}

/// Serves Lambda with `handle`, which gets what the function works with, the input and the time.
///
/// Settings are read once. Bad ones do not stop the function from starting, because a crash has no stable name in
/// the state machine: they are the answer to every event.
pub async fn serve<S, I, O>(
    handle: impl AsyncFn(&S, I, Timestamp) -> Result<O, Error>,
) -> Result<(), lambda_runtime::Error>
where
    S: Setting,
    I: DeserializeOwned,
    O: Serialize,
{
    serve_with(
        |_| (),
        async |setting, (): &(), input, now| handle(setting, input, now).await,
    )
    .await
}

/// The same for a function that needs one more thing, which `make` makes once, of the configuration of clients of the
/// region of the copies.
pub async fn serve_with<S, T, I, O>(
    make: impl FnOnce(&SdkConfig) -> T,
    handle: impl AsyncFn(&S, &T, I, Timestamp) -> Result<O, Error>,
) -> Result<(), lambda_runtime::Error>
where
    S: Setting,
    I: DeserializeOwned,
    O: Serialize,
{
    log_as_lambda_asks(|name| std::env::var(name).ok());
    let release = release::running(|name| std::env::var(name).ok());
    let started = S::from_env().map(|(setting, config)| (setting, make(&config)));
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let span = span(&event, &release);
        let work = async {
            let (setting, more) = started.as_ref().map_err(Error::clone)?;
            release::note(&event.payload, &release);
            let answer = handle(setting, more, parse(event.payload)?, Timestamp::now()).await?;
            release::stamped(&answer, &release)
        };
        // Boxed: the nested calls of the SDK are a type too deep for the compiler's recursion limit.
        let ended: Result<Value, Error> = Box::pin(work.instrument(span.clone())).await;
        if let Err(error) = &ended {
            // A warning only: the state machine may try again, or wait.
            span.in_scope(|| tracing::warn!(error = error.name(), "{error}"));
        }
        // The error's name is what the state machine matches on.
        ended.map_err(|error| Diagnostic {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        })
    }))
    .await
}

/// What every line of an invocation's log carries, so that one copy can be followed through all functions: which
/// execution asked, of which run, for which database, and which release answered.
fn span(event: &LambdaEvent<Value>, release: &str) -> Span {
    let text = |path: &str| event.payload.pointer(path).and_then(Value::as_str);
    // The first function of a chain gets the target itself, the others get it inside the payload.
    let of_target = |field: &str| text(&format!("/target/{field}")).or_else(|| text(&format!("/{field}")));
    tracing::info_span!(
        "invocation",
        request = event.context.request_id,
        release,
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
    tracing::subscriber::set_global_default(lines(level, std::io::stdout)).ok();
}

/// CloudWatch has its own time, but Lambda believes the level of a line only if the line has an RFC 3339 `timestamp`;
/// without one it takes every line for INFO (Lambda developer guide, log-level filtering).
fn lines<W>(level: LevelFilter, to: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(to)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use lambda_runtime::Context;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LevelFilter, write: impl FnOnce()) -> Value {
        let log = Log::default();
        let writer = log.clone();
        tracing::subscriber::with_default(lines(level, move || writer.clone()), write);
        let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("a text");
        let [line] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("one line: {text}")
        };
        serde_json::from_str(line).expect("JSON")
    }

    #[test]
    fn every_line_says_which_release_answered() {
        let event = LambdaEvent::new(
            serde_json::json!({"kind": "instance", "id": "orders"}),
            Context::default(),
        );
        let line = logged(LevelFilter::INFO, || {
            span(&event, "1.2.3").in_scope(|| tracing::info!("hello"));
        });
        assert_eq!(
            (&line["span"]["release"], &line["span"]["database"]),
            (&"1.2.3".into(), &"orders".into())
        );
    }

    #[test]
    fn a_payload_of_another_release_is_noted_and_one_of_this_release_is_not() {
        let line = logged(LevelFilter::INFO, || {
            for made_by in ["1.2.3", "1.2.4"] {
                release::note(&serde_json::json!({"target": {"release": made_by}}), "1.2.3");
            }
            release::note(&serde_json::json!({"only": ["orders"]}), "1.2.3");
        });
        assert_eq!((&line["level"], &line["made_by"]), (&"INFO".into(), &"1.2.4".into()));
    }

    /// m6.
    #[test]
    fn every_line_has_the_time_without_which_lambda_takes_no_notice_of_its_level() {
        let line = logged(LevelFilter::WARN, || {
            tracing::info_span!("invocation", database = "orders").in_scope(|| {
                tracing::info!("below the level");
                tracing::warn!(error = "CopyFailed", "it failed");
            });
        });
        assert_eq!((&line["level"], &line["error"]), (&"WARN".into(), &"CopyFailed".into()));
        let time = line["timestamp"].as_str().expect("a time");
        assert!(time.parse::<Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
    }
}
