//! How the clients reach AWS: with what Lambda puts into the environment, over one connector for all of them.
//!
//! `aws_config::defaults` looks further, in profiles, at the metadata of machines and through other roles. A function has
//! none of these, and pays for them: see docs/performance.md.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_rds::config::SharedCredentialsProvider;
use aws_smithy_http_client::{Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rds::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};

/// The configuration of clients of `region`. Those of another region share the connector if they are configured from a
/// copy of it.
pub(crate) fn config(region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let is_on = |name| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .http_client(one_connector(
            HttpConnectorSettings::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .build(),
        ))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard())
        .service_config(Endpoints(variable))
        .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"))
        .build()
}

/// One connector for all clients, made at start-up, where Lambda lends a function a whole processor. The SDK's own client
/// makes one for each client then, only to see that it can, and another for each with its first call; and each reads some
/// 140 root certificates.
fn one_connector(settings: HttpConnectorSettings) -> SharedHttpClient {
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// The endpoints that the environment names: `AWS_ENDPOINT_URL_RDS` and the like, or `AWS_ENDPOINT_URL` for all.
#[derive(Debug)]
struct Endpoints(fn(&str) -> Option<String>);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace(' ', "_");
        self.0(&format!("{}_{service}", key.env())).or_else(|| self.0(key.env()))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(of_service: &str, variable: fn(&str) -> Option<String>) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(of_service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .expect("a key");
        Endpoints(variable).load_config(key)
    }

    #[test]
    fn a_services_own_endpoint_comes_before_that_of_all() {
        let both = |name: &str| Some(format!("https://{name}")).filter(|_| name.starts_with("AWS_ENDPOINT_URL"));
        let all = |name: &str| Some("https://all".to_owned()).filter(|_| name == "AWS_ENDPOINT_URL");
        assert_eq!(endpoint("RDS", both).as_deref(), Some("https://AWS_ENDPOINT_URL_RDS"));
        assert_eq!(
            endpoint("Resource Groups", both).as_deref(),
            Some("https://AWS_ENDPOINT_URL_RESOURCE_GROUPS")
        );
        assert_eq!(endpoint("KMS", all).as_deref(), Some("https://all"));
        assert_eq!(endpoint("KMS", |_| None), None);
    }

    #[test]
    fn regions_share_the_connector_and_differ_in_nothing_else() {
        let here = config("eu-west-1");
        let there = here.to_builder().region(Region::new("eu-central-1")).build();
        assert_eq!(there.region().map(Region::as_ref), Some("eu-central-1"));
        assert!(here.http_client().is_some() && there.http_client().is_some());
        // Three attempts, each of which ends in time, leave the function time to say so.
        let attempt = there
            .timeout_config()
            .and_then(TimeoutConfig::operation_attempt_timeout);
        let attempts = there.retry_config().map(RetryConfig::max_attempts);
        assert_eq!((attempt, attempts), (Some(ATTEMPT_TIMEOUT), Some(3)));
    }
}
