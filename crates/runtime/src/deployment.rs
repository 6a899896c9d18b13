//! What a function works with: settings, RDS in both regions, and where it measures.

use aws_config::{Region, SdkConfig};
use domain::error::Error;
use domain::ownership::Owner;
use domain::settings::Settings;
use rds::Rds;
use rds::presign::Presigner;

use crate::connection;
use crate::metrics::Meter;
use crate::release;
use crate::serve::Setting;

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
    /// The release that runs.
    pub release: String,
}

impl Deployment {
    /// A deployment that reaches RDS through these two, and measures nothing.
    #[must_use]
    pub fn new(settings: Settings, source: Rds, destination: Rds) -> Self {
        let owner = Owner::from_settings(&settings);
        Self {
            settings,
            owner,
            source,
            destination,
            meter: Meter::silent(),
            release: release::running(|_| None),
        }
    }

    /// The same, measuring with `meter`.
    #[must_use]
    pub fn measuring(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// The same, of this release.
    #[must_use]
    pub fn with_release(self, release: String) -> Self {
        Self { release, ..self }
    }
}

impl Setting for Deployment {
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
            let presigner = Presigner::new(credentials, &settings.source_region);
            destination = destination.presigning(presigner.with_fips(elsewhere.use_fips().unwrap_or_default()));
        }
        let release = release::running(|name| std::env::var(name).ok());
        let meter = Meter::new(&settings.stack, settings.database_metrics, |line| println!("{line}"))
            .with_release(release.clone());
        let deployment = Self::new(settings, source, destination).measuring(meter);
        Ok((deployment.with_release(release), elsewhere))
    }
}
