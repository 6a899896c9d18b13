//! What `--verbose` shows of the calls of AWS: service, operation, host, answer, time and request id of every attempt.
//! Nothing of what is sent or answered, which may be confidential.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::error::chain;

/// Takes the lines.
type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// Hands on a line for each attempt of each call.
#[derive(Clone)]
pub struct CallLog(Sink);

impl CallLog {
    /// A log whose lines go there.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }
}

impl fmt::Debug for CallLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallLog")
    }
}

/// A request that was sent: when, and where to.
#[derive(Debug, Clone)]
struct Sent {
    at: Instant,
    host: String,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent {
            at: Instant::now(),
            host: host(context.request().uri()).to_owned(),
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = config
            .load::<Metadata>()
            .map_or(("AWS", "a call"), |call| (call.service(), call.name()));
        let sent = config.load::<Sent>();
        let time = sent.map_or(0, |sent| sent.at.elapsed().as_millis());
        let host = sent.map_or("an unknown host", |sent| sent.host.as_str());
        let answer = match (context.response(), context.output_or_error()) {
            (Some(response), _) => {
                let id = response.headers().get("x-amzn-requestid");
                let id = id.map_or_else(String::new, |id| format!(", request {id}"));
                format!("HTTP {}, {time} ms{id}", response.status().as_u16())
            }
            (None, Some(Err(error))) => format!("no answer, {time} ms: {}", chain(error)),
            (None, _) => format!("no answer, {time} ms"),
        };
        (self.0)(&format!("call: {service} {operation} at {host}: {answer}"));
        Ok(())
    }
}

/// The host of a URI, with its port.
fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_host_and_nothing_of_what_is_sent() {
        assert_eq!(
            host("https://rds.eu-west-1.amazonaws.com/?Action=x"),
            "rds.eu-west-1.amazonaws.com"
        );
        assert_eq!(host("http://127.0.0.1:4566"), "127.0.0.1:4566");
    }
}
