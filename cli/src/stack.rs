//! The deployed stack, found by its name.
//!
//! It is one call of CloudFormation, whose SDK would be as large as that of RDS; so the call is signed here and sent
//! with what the SDKs share: their retries, timeouts, endpoints and HTTP client.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sfn::config::{Credentials, ProvideCredentials};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;
use domain::region::partition;
use domain::snapshot::Database;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::{Document, Node};

use crate::Failure;
use crate::failure::transport;

const NEEDS: &str = "cloudformation:DescribeStacks on the stack";

/// The stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its region: the databases'.
    pub region: String,
    /// Region of the copies.
    pub destination_region: String,
    /// What its copies' names begin with.
    pub owner_id: String,
    /// Whether only databases with the tag are copied (`Selection`).
    pub opt_in: bool,
    /// How old the newest verified copy of a database may be (`ObjectiveHours`).
    pub objective: Option<SignedDuration>,
    /// Engines whose clusters are not copied.
    pub without: Vec<&'static str>,
    /// The machine that a run is an execution of.
    pub copy_fleet_arn: String,
    /// The machine that the copy of one database is an execution of.
    pub copy_snapshot_arn: String,
}

impl Stack {
    /// Asks CloudFormation in `region`.
    pub(crate) async fn find(config: &SdkConfig, region: &str, name: &str, now: Timestamp) -> Result<Self, Failure> {
        let (status, body) = describe(config, region, name, now).await?;
        let unreadable = || {
            Failure::new(
                format!("CloudFormation in {region} gave an answer that cannot be read (HTTP status {status})."),
                "Look whether AWS_ENDPOINT_URL or a proxy sends the call elsewhere.",
            )
        };
        let document = Document::parse(&body).map_err(|_| unreadable())?;
        let text = |tag: &str| {
            let node = document.descendants().find(|node| node.has_tag_name_of(tag))?;
            node.text().map(str::to_owned)
        };
        if !(200..300).contains(&status) {
            let code = text("Code").ok_or_else(unreadable)?;
            let message = text("Message").unwrap_or_default();
            if code == "ValidationError" && message.contains("does not exist") {
                return Err(Failure::new(
                    format!("There is no stack {name} in {region}."),
                    "Name it with --stack, and the region of your databases with --region. Without the stack: \
                     --destination REGION --owner ID.",
                ));
            }
            let said = format!("{code}: {}", message.trim_end_matches('.'));
            return Err(Failure::of_answer("CloudFormation", region, NEEDS, &code, &said));
        }
        Self::read(&document, region, name)
    }

    /// Whether a run copies this database, as far as its tags and engine say. A member of a global database is left to
    /// the runs, which know whether it is the primary.
    #[must_use]
    pub fn selects(&self, database: &Database) -> bool {
        database.copy_tag().unwrap_or(!self.opt_in)
            && database.member_of.is_none()
            && database.global_cluster.is_none()
            && !self.without.contains(&database.engine.as_str())
    }

    fn read(document: &Document<'_>, region: &str, name: &str) -> Result<Self, Failure> {
        let parameters = pairs(document, "Parameters", "ParameterKey", "ParameterValue");
        let outputs = pairs(document, "Outputs", "OutputKey", "OutputValue");
        let take = |from: &BTreeMap<String, String>, key: &str, what: &str| {
            from.get(key).filter(|value| !value.is_empty()).cloned().ok_or_else(|| {
                Failure::new(
                    format!("The stack {name} in {region} has no {what} {key}."),
                    "It is another stack, or its deployment never ended: look at it in the CloudFormation console, and \
                     name the right one with --stack.",
                )
            })
        };
        Ok(Self {
            name: name.to_owned(),
            region: region.to_owned(),
            destination_region: take(&parameters, "DestinationRegion", "parameter")?,
            owner_id: take(&parameters, "OwnerId", "parameter")?,
            opt_in: parameters
                .get("Selection")
                .is_some_and(|selection| selection == "opt-in"),
            objective: parameters.get("ObjectiveHours").and_then(|hours| hours_of(hours)),
            without: [("neptune", "IncludeNeptune"), ("docdb", "IncludeDocumentDb")]
                .into_iter()
                .filter(|(_, parameter)| parameters.get(*parameter).is_none_or(|included| included != "true"))
                .map(|(engine, _)| engine)
                .collect(),
            copy_fleet_arn: take(&outputs, "CopyFleetStateMachineArn", "output")?,
            copy_snapshot_arn: take(&outputs, "CopySnapshotStateMachineArn", "output")?,
        })
    }
}

/// A number of hours, which CloudFormation lets be a fraction.
fn hours_of(text: &str) -> Option<SignedDuration> {
    let hours: f64 = text.trim().parse().ok()?;
    let length = SignedDuration::try_from_secs_f64(hours * 3600.0).ok()?;
    (length > SignedDuration::ZERO).then_some(length)
}

/// The `member`s of the list `list`, by the text of one of their elements.
fn pairs(document: &Document<'_>, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let lists = document.descendants().filter(|node| node.has_tag_name_of(list));
    let members = lists.flat_map(|list| list.children());
    let text = |member: Node<'_, '_>, tag: &str| {
        let node = member.children().find(|node| node.has_tag_name_of(tag))?;
        Some(node.text().unwrap_or_default().to_owned())
    };
    members
        .filter_map(|member| Some((text(member, key)?, text(member, value)?)))
        .collect()
}

/// By local name: the namespace is that of the API's version.
trait LocalName {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// Sends `DescribeStacks`. Gives the status and the body, whatever they are.
async fn describe(config: &SdkConfig, region: &str, name: &str, now: Timestamp) -> Result<(u16, String), Failure> {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let body = format!("Action=DescribeStacks&Version=2010-05-15&StackName={name}");
    let endpoint = endpoint(config, region);
    let unsent = |said: &str| Failure::unreachable("CloudFormation", region, said);
    let Some(provider) = config.credentials_provider() else {
        return Err(unsent("there are no credentials"));
    };
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| unsent(&error.to_string()))?;
    let headers = signed_headers(&endpoint, region, &body, credentials, now).map_err(|said| unsent(&said))?;

    let mut operation = Operation::builder()
        .service_name("CloudFormation")
        .operation_name("DescribeStacks")
        .endpoint_url(&endpoint)
        .no_auth()
        .standard_retry(config.retry_config().unwrap_or(&RetryConfig::standard()))
        .retry_classifier(TransientErrorClassifier::<std::io::Error>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled));
    if let Some(client) = config.http_client() {
        operation = operation.http_client(client);
    }
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    if let Some(clock) = config.time_source() {
        operation = operation.time_source(clock);
    }
    let operation = operation
        .serializer(move |(): ()| -> Result<HttpRequest, BoxError> {
            let mut request = HttpRequest::new(SdkBody::from(body.clone()));
            request.set_method("POST")?;
            request.set_uri("/")?;
            for (name, value) in &headers {
                request.headers_mut().try_insert(name.clone(), value.clone())?;
            }
            Ok(request)
        })
        .deserializer(
            |response: &HttpResponse| -> Result<(u16, String), OrchestratorError<std::io::Error>> {
                let body = response.body().bytes().unwrap_or_default();
                Ok((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
            },
        )
        .build();
    let answer = operation.invoke(()).await;
    answer.map_err(|error| unsent(&transport(&error)))
}

/// Where CloudFormation is, by the same rules as the SDKs: an endpoint of its own, one for all services, or the
/// region's.
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let key = ServiceConfigKey::builder()
        .service_id("CloudFormation")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = config
        .service_config()
        .zip(key.ok())
        .and_then(|(service, key)| service.load_config(key));
    let suffix = if partition(region) == "aws-cn" { ".cn" } else { "" };
    own.or_else(|| config.endpoint_url().map(str::to_owned))
        .unwrap_or_else(|| format!("https://cloudformation.{region}.amazonaws.com{suffix}"))
}

fn signed_headers(
    endpoint: &str,
    region: &str,
    body: &str,
    credentials: Credentials,
    now: Timestamp,
) -> Result<Vec<(String, String)>, String> {
    let content_type = ("content-type", "application/x-www-form-urlencoded");
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("cloudformation")
        .time(now.into())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let url = format!("{}/", endpoint.trim_end_matches('/'));
    let request = SignableRequest::new(
        "POST",
        &url,
        std::iter::once(content_type),
        SignableBody::Bytes(body.as_bytes()),
    );
    let request = request.map_err(|error| error.to_string())?;
    let (instructions, _) = sign(request, &params).map_err(|error| error.to_string())?.into_parts();
    let signed = instructions
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(std::iter::once((content_type.0.to_owned(), content_type.1.to_owned()))
        .chain(signed)
        .collect())
}
