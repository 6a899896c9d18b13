//! The account as the operator's environment describes it: credentials, regions, endpoints, and the clock.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::{AsyncSleep, ProvideCredentials};
use jiff::Timestamp;
use rds::Rds;

use crate::aws::stack::Stack;
use crate::aws::step_functions::StepFunctions;
use crate::error::CliError;

/// The account, through one configuration from which the clients of every region are made.
#[derive(Debug, Clone)]
pub struct Account {
    config: SdkConfig,
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
            loader = loader.profile_name(profile);
        }
        Self::new(loader.load().await)
    }

    /// The account that this configuration reaches.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        Self { config }
    }

    /// Fails early where there are no credentials, because the SDK's own message is hard to read.
    pub(crate) async fn sign_in(&self) -> Result<(), CliError> {
        let remedy = "Sign in (aws configure, aws sso login), or choose another profile with --profile or AWS_PROFILE.";
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
        Err(CliError::new(format!("There are no AWS credentials: {cause}."), remedy))
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
        let client = aws_sdk_cloudformation::Client::new(&self.config);
        Stack::find(&client, region.as_ref(), name).await
    }

    fn config_in(&self, region: &str) -> SdkConfig {
        let builder = self.config.clone().into_builder();
        builder.region(Region::new(region.to_owned())).build()
    }
}
