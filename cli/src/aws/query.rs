//! Calls of services that only `snapferry doctor` asks, a question or two each: STS, CloudWatch, SNS and IAM.
//!
//! Their SDKs would take longer to build than the rest of the program (IAM's has three times the code of Step Functions'),
//! so that these few calls are made with the parts that every SDK is made of: its orchestrator, with its retries, timeouts
//! and signatures. All four services take forms and answer in XML (AWS's Query protocol).

use std::fmt;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use domain::region::partition;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::{Document, Node};

use crate::aws::call_log::CallLog;
use crate::error::CliError;

/// A service that is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    CloudWatch,
    Iam,
    Sns,
    Sts,
}

impl Service {
    /// As the SDK calls it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::CloudWatch => "CloudWatch",
            Self::Iam => "IAM",
            Self::Sns => "SNS",
            Self::Sts => "STS",
        }
    }

    /// What its hosts and its signatures begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::CloudWatch => "monitoring",
            Self::Iam => "iam",
            Self::Sns => "sns",
            Self::Sts => "sts",
        }
    }

    /// The version of its interface, of which there is one.
    fn version(self) -> &'static str {
        match self {
            Self::CloudWatch => "2010-08-01",
            Self::Iam => "2010-05-08",
            Self::Sns => "2010-03-31",
            Self::Sts => "2011-06-15",
        }
    }

    /// Where it is called for a region, and which region the signature is for. IAM has one place per partition
    /// (`partitions.json` of the AWS SDKs, and the endpoint rules of these services).
    fn place(self, region: &str, is_fips: bool) -> (String, String) {
        let partition = partition(region).unwrap_or("aws");
        let suffix = match partition {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        let prefix = self.prefix();
        // The endpoints of GovCloud are such ones in any case.
        let fips = if is_fips && partition != "aws-us-gov" {
            "-fips"
        } else {
            ""
        };
        let (host, signed_for) = match (self, partition) {
            (Self::Iam, "aws-cn") => (format!("{prefix}.cn-north-1.{suffix}"), "cn-north-1"),
            (Self::Iam, "aws-us-gov") => (format!("{prefix}.us-gov.{suffix}"), "us-gov-west-1"),
            (Self::Iam, _) => (format!("{prefix}{fips}.{suffix}"), "us-east-1"),
            _ => (format!("{prefix}{fips}.{region}.{suffix}"), region),
        };
        (format!("https://{host}"), signed_for.to_owned())
    }
}

/// One of these services, for a region.
#[derive(Debug, Clone)]
pub(crate) struct QueryClient {
    config: SdkConfig,
    call_log: Option<CallLog>,
    service: Service,
    region: String,
    /// Where it is called instead of AWS's own place.
    endpoint: Option<String>,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    /// The time of the service, as the header `Date` has it.
    pub(crate) date: Option<Timestamp>,
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: CliError,
    /// The time of the service, if it answered.
    pub(crate) date: Option<Timestamp>,
}

/// What a service refused a call with.
#[derive(Debug)]
struct Refusal {
    metadata: ErrorMetadata,
    date: Option<Timestamp>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metadata.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

impl QueryClient {
    /// `config` is of the account; its region does not matter.
    pub(crate) fn new(config: SdkConfig, service: Service, region: &str) -> Self {
        Self {
            config,
            call_log: None,
            service,
            region: region.to_owned(),
            endpoint: None,
        }
    }

    /// The same, called at another place, if there is one.
    pub(crate) fn at(self, endpoint: Option<String>) -> Self {
        Self { endpoint, ..self }
    }

    /// The same, whose calls are shown.
    pub(crate) fn with_call_log(self, call_log: Option<CallLog>) -> Self {
        Self { call_log, ..self }
    }

    /// Calls the service. `needs` is what the caller must be allowed to do.
    pub(crate) async fn call(
        &self,
        action: &'static str,
        fields: &[(String, String)],
        needs: &str,
    ) -> Result<Answer, Failed> {
        let called = self.operation(action, fields).invoke(()).await;
        called.map_err(|error| Failed {
            date: match &error {
                SdkError::ServiceError(refused) => refused.err().date,
                _ => None,
            },
            error: CliError::from_call(self.service.id(), &self.region, needs, &error),
        })
    }

    fn operation(&self, action: &'static str, fields: &[(String, String)]) -> Operation<(), Answer, Refusal> {
        let config = &self.config;
        let (url, signed_for) = self.service.place(&self.region, config.use_fips().unwrap_or_default());
        let url = self.endpoint.clone().unwrap_or(url);
        let body = form(action, self.service.version(), fields);
        let mut signing = Layer::new("signing");
        signing.store_put(AuthSchemeOptionResolverParams::new(()));
        signing.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(signed_for))),
            name: Some(SigningName::from(self.service.prefix())),
            ..SigV4OperationSigningConfig::default()
        });
        let mut components = RuntimeComponentsBuilder::new("signing")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(config.identity_cache());
        if let Some(credentials) = config.credentials_provider() {
            components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        let signing = StaticRuntimePlugin::new()
            .with_config(signing.freeze())
            .with_runtime_components(components);
        let timeouts = config.timeout_config().cloned();
        let retries = config.retry_config().cloned();
        let mut operation = Operation::builder()
            .service_name(self.service.id())
            .operation_name(action)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&url)
            .timeout_config(timeouts.unwrap_or_else(TimeoutConfig::disabled))
            .standard_retry(&retries.unwrap_or_else(RetryConfig::standard))
            .retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
            .retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(signing);
        if let Some(http) = config.http_client() {
            operation = operation.http_client(http);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(clock) = config.time_source() {
            operation = operation.time_source(clock);
        }
        if let Some(protection) = config.stalled_stream_protection() {
            operation = operation.stalled_stream_protection(protection);
        }
        if let Some(call_log) = &self.call_log {
            operation = operation.interceptor(call_log.clone());
        }
        operation
            .serializer(move |()| {
                let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
                request.set_method("POST")?;
                let headers = request.headers_mut();
                headers.insert("content-type", "application/x-www-form-urlencoded");
                headers.insert("content-length", body.len().to_string());
                Ok(request)
            })
            .deserializer(read)
            .build()
    }
}

/// A form, as the Query protocol has it.
fn form(action: &str, version: &str, fields: &[(String, String)]) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    fields
        .iter()
        .fold(format!("Action={action}&Version={version}"), |form, (name, value)| {
            format!("{form}&{name}={}", escaped(value))
        })
}

/// Numbered fields, as the Query protocol has lists: `Names.member.1`, `Names.member.2`.
pub(crate) fn list<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Vec<(String, String)> {
    let numbered = values.into_iter().enumerate();
    numbered
        .map(|(place, value)| (format!("{name}.member.{}", place + 1), value.to_owned()))
        .collect()
}

fn read(response: &HttpResponse) -> Result<Answer, OrchestratorError<Refusal>> {
    let date = response.headers().get("date").and_then(http_date);
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    if response.status().is_success() {
        return Ok(Answer { text, date });
    }
    let mut metadata = ErrorMetadata::builder();
    if let Ok(document) = Document::parse(&text) {
        if let Some(code) = text_of(document.root(), "Code") {
            metadata = metadata.code(code);
        }
        if let Some(message) = text_of(document.root(), "Message") {
            metadata = metadata.message(message);
        }
    }
    Err(OrchestratorError::operation(Refusal {
        metadata: metadata.build(),
        date,
    }))
}

/// `Mon, 30 Nov 2026 08:54:28 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(text, Format::HttpDate).ok()?;
    Timestamp::from_second(time.secs()).ok()
}

impl Answer {
    /// What `take` reads of each item of a list; nothing if the answer is not XML or has no such list.
    pub(crate) fn items<T>(&self, list: &str, take: impl Fn(Node<'_, '_>) -> T) -> Option<Vec<T>> {
        let document = Document::parse(&self.text).ok()?;
        let list = element(document.root(), list)?;
        Some(list.children().filter(Node::is_element).map(take).collect())
    }

    /// The text of the first element of this name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let document = Document::parse(&self.text).ok()?;
        text_of(document.root(), name)
    }
}

/// The first element of this name within a node.
pub(crate) fn element<'a, 'input>(within: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    within.descendants().find(|node| node.tag_name().name() == name)
}

/// The text of the first element of this name within a node; nothing if it is empty.
pub(crate) fn text_of(within: Node<'_, '_>, name: &str) -> Option<String> {
    let text = element(within, name)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the endpoint rules of the SDKs of these services resolve them.
    #[test]
    fn every_partition_has_its_own_endpoints() {
        for (service, region, is_fips, url, signed_for) in [
            (
                Service::Sts,
                "eu-west-1",
                false,
                "https://sts.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (
                Service::Sns,
                "cn-north-1",
                false,
                "https://sns.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                Service::CloudWatch,
                "us-east-2",
                true,
                "https://monitoring-fips.us-east-2.amazonaws.com",
                "us-east-2",
            ),
            (
                Service::CloudWatch,
                "us-gov-east-1",
                true,
                "https://monitoring.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
            ),
            (
                Service::Iam,
                "eu-west-1",
                false,
                "https://iam.amazonaws.com",
                "us-east-1",
            ),
            (
                Service::Iam,
                "eu-west-1",
                true,
                "https://iam-fips.amazonaws.com",
                "us-east-1",
            ),
            (
                Service::Iam,
                "cn-northwest-1",
                false,
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                Service::Iam,
                "us-gov-east-1",
                false,
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            assert_eq!(
                service.place(region, is_fips),
                (url.to_owned(), signed_for.to_owned()),
                "{region}"
            );
        }
    }

    #[test]
    fn a_form_has_its_values_escaped() {
        let fields = list("Names", ["a b", "ü&="]);
        assert_eq!(
            form("Do", "1", &fields),
            "Action=Do&Version=1&Names.member.1=a%20b&Names.member.2=%C3%BC%26%3D"
        );
    }

    #[test]
    fn a_list_is_read_item_by_item() {
        let text =
            "<R xmlns=\"urn:x\"><L><member><A>1</A><B><member>x</member></B></member><member><A/></member></L></R>";
        let answer = Answer {
            text: text.to_owned(),
            date: None,
        };
        let read = answer.items("L", |node| text_of(node, "A"));
        assert_eq!(read, Some(vec![Some("1".to_owned()), None]));
        assert_eq!(answer.items("M", |_| ()), None);
        assert_eq!(answer.text("A").as_deref(), Some("1"));
        let time = http_date("Mon, 30 Nov 2026 08:54:28 GMT").expect("a time");
        assert_eq!(time.to_string(), "2026-11-30T08:54:28Z");
        assert_eq!(http_date("today"), None);
    }
}
