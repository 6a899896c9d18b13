//! The account as the operator's environment describes it: credentials, regions, endpoints, and the clock.

use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::{AsyncSleep, ProvideCredentials};
use domain::region::why_unknown;
use jiff::Timestamp;
use rds::Rds;

use crate::aws::stack::Stack;
use crate::aws::step_functions::StepFunctions;
use crate::error::CliError;

/// The account, through one configuration from which the clients of every region are made.
#[derive(Debug, Clone)]
pub struct Account {
    config: SdkConfig,
    /// The profile that was chosen, if one was.
    profile: Option<String>,
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
        Self { config, profile: None }
    }

    /// Fails early where there are no credentials, because the SDK's own message is hard to read.
    pub(crate) async fn sign_in(&self) -> Result<(), CliError> {
        let remedy = "Sign in (aws login, aws sso login, aws configure), or choose another profile with --profile or \
                      AWS_PROFILE.";
        let Some(provider) = self.config.credentials_provider() else {
            return Err(CliError::new("There are no AWS credentials.", remedy));
        };
        let Err(error) = provider.provide_credentials().await else {
            return Ok(());
        };
        // The last cause says most: which profile lacks what, or which session has ended.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Err(no_credentials(self.profile.as_deref(), &cause.to_string()))
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
        Rds::new(aws_sdk_rds::Client::new(&self.config_in(region)), region)
    }

    /// Step Functions in a region.
    pub(crate) fn step_functions(&self, region: &str) -> StepFunctions {
        StepFunctions::new(aws_sdk_sfn::Client::new(&self.config_in(region)), region)
    }

    /// The stack of this name in the region that the environment or `--region` names.
    pub(crate) async fn stack(&self, name: &str) -> Result<Stack, CliError> {
        let Some(region) = self.config.region() else {
            return Err(CliError::new(
                "No region is chosen.",
                "Give the region of the stack with --region, or set AWS_REGION.",
            ));
        };
        check_region(region.as_ref())?;
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        Stack::find(&client, region.as_ref(), name).await
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
    let cause = cause.trim_end_matches('.');
    CliError::new(
        format!("There are no AWS credentials{of_profile}: {cause}."),
        format!(
            "Sign in (aws login{option}, aws sso login{option}, aws configure{option}), or choose another profile with \
             --profile or AWS_PROFILE."
        ),
    )
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
}
