//! The account as the operator's environment describes it: credentials, regions, endpoints, and the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::{AsyncSleep, ProvideCredentials};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use domain::region::why_unknown;
use jiff::Timestamp;
use kms::Keys;
use rds::Rds;
use ssm::Proofs;

use crate::aws::call_log::CallLog;
use crate::aws::deployment::Deployment;
use crate::aws::query::{QueryClient, Service};
use crate::aws::rules::Rules;
use crate::aws::stack::Stack;
use crate::aws::step_functions::StepFunctions;
use crate::aws::watch_stack::WatchStack;
use crate::error::CliError;

/// The account, through one configuration from which the clients of every region are made.
#[derive(Debug, Clone)]
pub struct Account {
    config: SdkConfig,
    /// The profile that was chosen, if one was.
    profile: Option<String>,
    /// What is shown of the calls, if they are shown.
    call_log: Option<CallLog>,
}

impl Account {
    /// The account of the standard AWS environment: profile, region, credentials and endpoints.
    pub async fn from_environment(region: Option<&str>, profile: Option<&str>) -> Self {
        // Nobody should have to wait for a lost region.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(rds::CONNECT_TIMEOUT)
            .operation_attempt_timeout(rds::ATTEMPT_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(profile) = profile {
            loader = loader
                .profile_name(profile)
                .credentials_provider(of_profile(profile, region).await);
        }
        let from_environment = || std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
        Self {
            profile: profile.map(str::to_owned).or_else(from_environment),
            ..Self::new(loader.load().await)
        }
    }

    /// The account that this configuration reaches.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        Self {
            config,
            profile: None,
            call_log: None,
        }
    }

    /// The same, whose calls are shown.
    #[must_use]
    pub fn with_call_log(self, call_log: Option<CallLog>) -> Self {
        Self { call_log, ..self }
    }

    /// Fails early where an endpoint is not one, or there are no credentials: the SDK's own messages are hard to read.
    pub(crate) async fn sign_in(&self) -> Result<(), CliError> {
        let configured = |service: &str| configured_endpoint(&self.config, service);
        check_endpoints(configured, |name| std::env::var(name).ok())?;
        let profile = self.profile.as_deref();
        let Some(provider) = self.config.credentials_provider() else {
            return Err(no_credentials(profile, ""));
        };
        let Err(error) = provider.provide_credentials().await else {
            return Ok(());
        };
        // The last cause says most: which profile lacks what, or which session has ended.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let known = profiles().await;
        let missing = profile.filter(|profile| !known.iter().any(|name| name == profile));
        let failed = match missing {
            Some(profile) => no_profile(profile, &known),
            None => no_credentials(profile, &cause.to_string()),
        };
        Err(failed.caused_by(&error))
    }

    /// The time, in tests a virtual one.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.config.time_source().map(|clock| clock.now());
        now.and_then(|now| Timestamp::try_from(now).ok())
            .unwrap_or_else(Timestamp::now)
    }

    /// Sleeps, in tests in virtual time.
    pub(crate) async fn sleep(&self, time: Duration) {
        match self.config.sleep_impl() {
            Some(clock) => clock.sleep(time).await,
            None => tokio::time::sleep(time).await,
        }
    }

    /// RDS in a region.
    pub(crate) fn rds(&self, region: &str) -> Rds {
        let mut config = aws_sdk_rds::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        Rds::new(aws_sdk_rds::Client::from_conf(config.build()), region)
    }

    /// The keys of a region.
    pub(crate) fn keys(&self, region: &str) -> Keys {
        let mut config = aws_sdk_kms::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        Keys::new(aws_sdk_kms::Client::from_conf(config.build()))
    }

    /// The proofs of drills in a region.
    pub(crate) fn proofs(&self, region: &str) -> Proofs {
        let mut config = aws_sdk_ssm::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        Proofs::new(aws_sdk_ssm::Client::from_conf(config.build()))
    }

    /// The rules of EventBridge in a region.
    pub(crate) fn rules(&self, region: &str) -> Rules {
        let mut config = aws_sdk_eventbridge::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        Rules::new(aws_sdk_eventbridge::Client::from_conf(config.build()), region)
    }

    /// Step Functions in a region.
    pub(crate) fn step_functions(&self, region: &str) -> StepFunctions {
        let mut config = aws_sdk_sfn::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        StepFunctions::new(aws_sdk_sfn::Client::from_conf(config.build()), region)
    }

    /// A service that has no SDK here, for a region.
    pub(crate) fn query(&self, service: Service, region: &str) -> QueryClient {
        QueryClient::new(self.config.clone(), service, region)
            .at(endpoint(&self.config, service.id()))
            .with_call_log(self.call_log.clone())
    }

    /// The region that the environment or `--region` names: that of the stack and of the databases.
    pub(crate) fn region(&self) -> Result<&str, CliError> {
        let Some(region) = self.config.region() else {
            return Err(CliError::new(
                "No region is chosen.",
                "Give the region of the stack with --region, or set AWS_REGION.",
            ));
        };
        check_region(region.as_ref())?;
        Ok(region.as_ref())
    }

    /// The stack of this name in the region that the environment or `--region` names.
    pub(crate) async fn stack(&self, name: &str) -> Result<Stack, CliError> {
        let region = self.region()?;
        Stack::find(&self.cloudformation(region), region, name).await
    }

    /// The same, where there need be none.
    pub(crate) async fn stack_if_any(&self, name: &str) -> Result<Option<Stack>, CliError> {
        let region = self.region()?;
        Stack::find_any(&self.cloudformation(region), region, name).await
    }

    /// A stack in a region, in whatever state it is; nothing if there is none of this name.
    pub(crate) async fn deployment(&self, region: &str, name: &str) -> Result<Option<Deployment>, CliError> {
        Deployment::find(&self.cloudformation(region), region, name).await
    }

    /// The destination stack of this name in a region.
    pub(crate) async fn watch_stack(&self, region: &str, name: &str) -> Result<WatchStack, CliError> {
        WatchStack::find(&self.cloudformation(region), region, name).await
    }

    /// The destination stack of this name, if there is one and it is of the copies of `stack`.
    pub(crate) async fn watch_stack_of(&self, stack: &Stack, name: &str) -> Result<Option<WatchStack>, CliError> {
        let region = &stack.destination_region;
        let found = WatchStack::find_any(&self.cloudformation(region), region, name).await?;
        Ok(found.filter(|watch| watch.is_of(stack)))
    }

    fn cloudformation(&self, region: &str) -> aws_sdk_cloudformation::Client {
        let mut config = aws_sdk_cloudformation::config::Builder::from(&self.config_in(region));
        if let Some(call_log) = &self.call_log {
            config = config.interceptor(call_log.clone());
        }
        aws_sdk_cloudformation::Client::from_conf(config.build())
    }

    fn config_in(&self, region: &str) -> SdkConfig {
        let builder = self.config.clone().into_builder();
        builder.region(Region::new(region.to_owned())).build()
    }
}

/// The credentials of a profile that was named. As with the AWS CLI those in the environment do not count then, which the
/// SDK would take first: they may be another account's.
async fn of_profile(profile: &str, region: Option<&str>) -> ProfileFileCredentialsProvider {
    let region = if let Some(region) = region {
        Some(Region::new(region.to_owned()))
    } else {
        let chain = DefaultRegionChain::builder().profile_name(profile).build();
        chain.region().await
    };
    let config = ProviderConfig::default()
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_region(region);
    ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(profile)
        .build()
}

/// Refuses a region whose partition is not known: its ARNs, endpoints and limits may be others (case 20).
pub(crate) fn check_region(region: &str) -> Result<(), CliError> {
    match why_unknown(region) {
        None => Ok(()),
        Some(why) => Err(CliError::new(
            format!("{why}."),
            "Check --region, --destination and AWS_REGION, or use a release that knows it. Nothing was called.",
        )),
    }
}

/// The profiles of the AWS configuration, in order; none if its files cannot be read.
#[expect(
    clippy::default_trait_access,
    reason = "the type has no name that is not deprecated in a crate that this one depends on"
)]
pub(crate) async fn profiles() -> Vec<String> {
    let files = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await;
    let names: BTreeSet<String> = files.iter().flat_map(ProfileSet::profiles).map(str::to_owned).collect();
    names.into_iter().collect()
}

/// A profile was named, and there is none of that name.
fn no_profile(profile: &str, known: &[String]) -> CliError {
    let remedy = if known.is_empty() {
        "It has none: aws configure, or aws configure sso, writes one.".to_owned()
    } else {
        format!(
            "There are: {}. Name one with --profile or AWS_PROFILE.",
            known.join(", ")
        )
    };
    CliError::new(
        format!(
            "There is no profile {profile} in the AWS configuration (~/.aws/config, or the file of AWS_CONFIG_FILE)."
        ),
        remedy,
    )
}

/// What is called here, each as the SDK calls it, with the variable that names its endpoint.
const ENDPOINTS: [(&str, &str); 10] = [
    ("CloudFormation", "AWS_ENDPOINT_URL_CLOUDFORMATION"),
    ("CloudWatch", "AWS_ENDPOINT_URL_CLOUDWATCH"),
    ("EventBridge", "AWS_ENDPOINT_URL_EVENTBRIDGE"),
    ("IAM", "AWS_ENDPOINT_URL_IAM"),
    ("KMS", "AWS_ENDPOINT_URL_KMS"),
    ("RDS", "AWS_ENDPOINT_URL_RDS"),
    ("SFN", "AWS_ENDPOINT_URL_SFN"),
    ("SNS", "AWS_ENDPOINT_URL_SNS"),
    ("SSM", "AWS_ENDPOINT_URL_SSM"),
    ("STS", "AWS_ENDPOINT_URL_STS"),
];

/// The variable that names the endpoint of every service.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The endpoint that a service is called at, if it is configured: by a variable or in the profile.
fn configured_endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env(ENDPOINT)
        .profile("endpoint_url")
        .build();
    config.service_config()?.load_config(key.ok()?)
}

/// The endpoint that a service is called at instead of AWS's own, if there is one.
fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    configured_endpoint(config, service).or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Refuses an endpoint that is not a URL, which the SDK would report with the whole request.
fn check_endpoints(
    configured: impl Fn(&str) -> Option<String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), CliError> {
    for (service, own) in ENDPOINTS {
        let Some(url) = configured(service).filter(|url| !is_url(url)) else {
            continue;
        };
        let mut places = [own, ENDPOINT].into_iter();
        let place = places.find(|name| variable(name).as_ref() == Some(&url));
        let place = place.unwrap_or("endpoint_url of the profile");
        return Err(CliError::new(
            format!("{place} is {url:?}, which is not the URL of an endpoint."),
            "Write it as http://localhost:4566, or unset it to call AWS itself. Nothing was called.",
        ));
    }
    Ok(())
}

/// Whether a text is a URL that can be called: a scheme, a host, and a port if it has one.
fn is_url(text: &str) -> bool {
    let Some(("http" | "https", rest)) = text.split_once("://") else {
        return false;
    };
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let (host, port) = match place.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    is_plain && !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Why there are no credentials, by the last cause that the SDK gives, and what to do about it.
fn no_credentials(profile: Option<&str>, cause: &str) -> CliError {
    let of_profile = profile.map_or_else(String::new, |profile| format!(" for the profile {profile}"));
    let option = profile.map_or_else(String::new, |profile| format!(" --profile {profile}"));
    // The SDK speaks of how it was built, which helps nobody here (case 16).
    if cause.contains("cargo feature") {
        return CliError::new(
            format!("There are no AWS credentials{of_profile}: it is of a kind that this program cannot use."),
            format!(
                "The AWS CLI can hand them over:\n  eval \"$(aws configure export-credentials{option} --format env)\"\n\
                 Then leave out --profile and unset AWS_PROFILE."
            ),
        );
    }
    let sign_in = format!(
        "Sign in (aws login{option}, aws sso login{option}, aws configure{option}), or choose another profile with \
         --profile or AWS_PROFILE."
    );
    // Every place was asked in vain. What the last of them said, or each of them, is beside the point.
    if cause.is_empty() || cause.contains("credentials found in chain") || cause.contains("IMDS") {
        return CliError::new(
            format!("There are no AWS credentials{of_profile}."),
            format!("{sign_in} --verbose shows where they were looked for."),
        );
    }
    let cause = cause.trim_end_matches('.');
    CliError::new(format!("There are no AWS credentials{of_profile}: {cause}."), sign_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 16: whatever the SDK cannot do, the operator reads what can be done instead.
    #[test]
    fn a_kind_of_profile_that_is_not_built_in_has_a_way_around_it() {
        let cause = "This behavior requires following cargo feature(s) enabled: something. In order to use it";
        let said = no_credentials(Some("console"), cause).to_string();
        assert!(!said.contains("cargo"), "{said}");
        assert!(said.contains("for the profile console"), "{said}");
        assert!(
            said.contains("aws configure export-credentials --profile console --format env"),
            "{said}"
        );
    }

    #[test]
    fn a_cause_ends_with_one_full_stop() {
        let said = no_credentials(None, "the session has ended.").to_string();
        assert!(
            said.starts_with("There are no AWS credentials: the session has ended.\nSign in"),
            "{said}"
        );
    }

    /// Case 20.
    #[test]
    fn a_region_of_an_unknown_partition_is_refused_by_name() {
        assert_eq!(check_region("eu-west-1"), Ok(()));
        let said = check_region("eusc-de-east-1").expect_err("unknown").to_string();
        assert!(
            said.starts_with("eusc-de-east-1 is in a partition that Snapferry does not know"),
            "{said}"
        );
    }

    /// N13: which places the SDK asks is beside the point; `--verbose` has them.
    #[test]
    fn where_no_place_has_credentials_one_sentence_says_so() {
        for cause in [
            "no credentials found in chain. Attempted:\n  Environment: not enabled",
            "request forbidden: IMDS is disabled or the caller has insufficient permissions.",
            "",
        ] {
            let said = no_credentials(Some("work"), cause).to_string();
            assert!(
                said.starts_with(
                    "There are no AWS credentials for the profile work.\nSign in (aws login --profile work"
                ),
                "{said}"
            );
            assert_eq!(said.lines().count(), 2, "{said}");
        }
    }

    /// N41.
    #[test]
    fn an_endpoint_that_is_not_a_url_is_named() {
        // What the SDK found, and what the variable of this name holds.
        let checked = |url: &str, variable: &str| {
            let found = |name: &str| (name == variable).then(|| url.to_owned());
            check_endpoints(|_| Some(url.to_owned()), found).map_err(|error| error.to_string())
        };
        for good in [
            "http://localhost:4566",
            "https://rds.example.com/path",
            "http://[::1]:80",
            "http://[::1]",
        ] {
            assert_eq!(checked(good, ENDPOINT), Ok(()), "{good}");
        }
        for bad in [
            "notaurl",
            "localhost:4566",
            "ftp://x",
            "http://",
            "http://a b",
            "http://a:port",
            "http://:80",
            "",
        ] {
            for (variable, named) in [
                (ENDPOINT, ENDPOINT),
                ("AWS_ENDPOINT_URL_CLOUDFORMATION", "AWS_ENDPOINT_URL_CLOUDFORMATION"),
                ("none", "endpoint_url of the profile"),
            ] {
                let said = checked(bad, variable).expect_err(bad);
                assert!(
                    said.starts_with(&format!("{named} is {bad:?}, which is not the URL")),
                    "{said}"
                );
            }
        }
        assert_eq!(check_endpoints(|_| None, |_| None), Ok(()));
    }
}
