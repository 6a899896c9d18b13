//! What a function of the stack in the destination region works with.

use std::cell::RefCell;

use aws_config::SdkConfig;
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::newest_copies::{Databases, Gathered};
use domain::ownership::Owner;
use domain::watch_settings::WatchSettings;
use jiff::{SignedDuration, Timestamp};
use rds::Rds;

use crate::connection;
use crate::metrics::Meter;
use crate::release;
use crate::serve::Setting;

/// What a function of the stack in the destination region works with: nothing of the source region.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The stack's configuration.
    pub settings: WatchSettings,
    /// Whose copies are ours.
    pub owner: Owner,
    /// RDS in the region of the copies.
    pub rds: Rds,
    /// What is measured goes here.
    pub meter: Meter,
    /// The release that runs.
    pub release: String,
}

impl Watch {
    /// A watch that reaches RDS through this, and measures nothing.
    #[must_use]
    pub fn new(settings: WatchSettings, rds: Rds) -> Self {
        let owner = Owner::new(&settings.source_region, &settings.owner_id);
        Self {
            settings,
            owner,
            rds,
            meter: Meter::silent(),
            release: release::running(|_| None),
        }
    }

    /// The databases that have copies of ours, each with its newest verified one.
    pub async fn databases(&self, now: Timestamp) -> Result<Databases, Error> {
        let gathered = RefCell::new(Gathered::default());
        let keep = |snapshot| -> Option<()> {
            gathered.borrow_mut().add(&self.owner, snapshot);
            None
        };
        for kind in DatabaseKind::ALL {
            self.rds.scan_manual_snapshots(kind, keep).await?;
        }
        let objective = SignedDuration::from_hours(i64::from(self.settings.objective_hours));
        Ok(gathered.into_inner().into_databases(now, objective))
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

impl Setting for Watch {
    fn from_env() -> Result<(Self, SdkConfig), Error> {
        let settings = WatchSettings::read(|name| std::env::var(name).ok())?;
        let config = connection::config(&settings.region);
        let rds = Rds::new(aws_sdk_rds::Client::new(&config), &settings.region);
        let release = release::running(|name| std::env::var(name).ok());
        let meter = Meter::new(&settings.stack, settings.database_metrics, |line| println!("{line}"))
            .with_release(release.clone());
        let watch = Self::new(settings, rds).measuring(meter);
        Ok((watch.with_release(release), config))
    }
}
