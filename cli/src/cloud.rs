//! AWS as the operator's environment describes it: credentials, regions, endpoints, and the clock.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::{AsyncSleep, ProvideCredentials};
use jiff::Timestamp;
use rds::Rds;

use crate::Failure;
use crate::machines::Machines;
use crate::stack::Stack;

/// The account, through one configuration from which the clients of every region are made.
#[derive(Debug, Clone)]
pub struct Cloud {
    config: SdkConfig,
}

impl Cloud {
    /// The account of the standard AWS environment: profile, region, credentials and endpoints.
    pub async fn of_environment(region: Option<&str>, profile: Option<&str>) -> Self {
        // A lost region must not keep anybody waiting.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(15))
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

    /// Fails early where there are no credentials: what the SDK says of that is hard to read.
    pub(crate) async fn sign_in(&self) -> Result<(), Failure> {
        let remedy = "Sign in (aws configure, aws sso login), or choose another profile with --profile or AWS_PROFILE.";
        let Some(provider) = self.config.credentials_provider() else {
            return Err(Failure::new("There are no AWS credentials.", remedy));
        };
        match provider.provide_credentials().await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The last cause says most: which profile lacks what, or which session has ended.
                let mut cause: &dyn std::error::Error = &error;
                while let Some(deeper) = cause.source() {
                    cause = deeper;
                }
                Err(Failure::new(format!("There are no AWS credentials: {cause}."), remedy))
            }
        }
    }

    /// The time, in tests a virtual one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.config.time_source().map(|clock| clock.now());
        now.and_then(|now| Timestamp::try_from(now).ok())
            .unwrap_or_else(Timestamp::now)
    }

    /// Lets time pass.
    pub async fn sleep(&self, time: Duration) {
        match self.config.sleep_impl() {
            Some(clock) => clock.sleep(time).await,
            None => tokio::time::sleep(time).await,
        }
    }

    /// The region that the environment or `--region` names.
    pub fn region(&self) -> Result<&str, Failure> {
        self.config.region().map(AsRef::as_ref).ok_or_else(|| {
            Failure::new(
                "No region is chosen.",
                "Give the region of the stack with --region, or set AWS_REGION.",
            )
        })
    }

    /// RDS in a region.
    #[must_use]
    pub fn rds(&self, region: &str) -> Rds {
        Rds::new(aws_sdk_rds::Client::new(&self.config_of(region)), region)
    }

    /// Step Functions in a region.
    #[must_use]
    pub fn machines(&self, region: &str) -> Machines {
        Machines::new(aws_sdk_sfn::Client::new(&self.config_of(region)), region)
    }

    /// The stack of this name in the chosen region.
    pub async fn stack(&self, name: &str) -> Result<Stack, Failure> {
        Stack::find(&self.config, self.region()?, name, self.now()).await
    }

    fn config_of(&self, region: &str) -> SdkConfig {
        let builder = self.config.clone().into_builder();
        builder.region(Region::new(region.to_owned())).build()
    }
}
