//! What AWS asks for transfer and storage, from one file with its date. No price there was read from AWS itself, so they are
//! ranges; `--prices FILE` takes a file of the same shape with the operator's own.

use std::ops::{Add, Mul};
use std::path::Path;

use domain::kind::DatabaseKind;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// The prices that the program brings along.
const BUILT_IN: &str = include_str!("prices.json");

/// The version of the file.
const VERSION: u32 = 1;

/// An amount of which no more is known than two ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    /// An amount that is known.
    pub(crate) fn exactly(amount: f64) -> Self {
        Self {
            low: amount,
            high: amount,
        }
    }

    /// The same in whole hundredths: nobody needs more of what is an estimate.
    pub(crate) fn rounded(self) -> Self {
        let rounded = |amount: f64| (amount * 100.0).round() / 100.0;
        Self {
            low: rounded(self.low),
            high: rounded(self.high),
        }
    }
}

impl Add for Range {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            high: self.high + other.high,
        }
    }
}

impl Mul for Range {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            low: self.low * other.low,
            high: self.high * other.high,
        }
    }
}

/// A price in the regions whose codes begin like this.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Price {
    region: String,
    low: f64,
    high: f64,
    confirmed: bool,
    source: String,
}

/// The prices of a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Prices {
    version: u32,
    /// The day that they are of.
    pub(crate) date: String,
    pub(crate) currency: String,
    /// By the region that the data leaves.
    transfer_per_gib: Vec<Price>,
    /// By the region of the copies.
    instance_storage_per_gib_month: Vec<Price>,
    cluster_storage_per_gib_month: Vec<Price>,
}

/// The prices between two regions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tariff {
    pub(crate) date: String,
    pub(crate) currency: String,
    /// Whether somebody has read all of them from AWS.
    pub(crate) confirmed: bool,
    pub(crate) transfer_per_gib: Range,
    pub(crate) instance_storage_per_gib_month: Range,
    pub(crate) cluster_storage_per_gib_month: Range,
    /// Where they are from, each once.
    pub(crate) sources: Vec<String>,
}

impl Tariff {
    /// The price of the storage of copies of a kind.
    pub(crate) fn storage(&self, kind: DatabaseKind) -> Range {
        match kind {
            DatabaseKind::Instance => self.instance_storage_per_gib_month,
            DatabaseKind::Cluster => self.cluster_storage_per_gib_month,
        }
    }
}

impl Prices {
    /// Those of a file, or those that the program brings along.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, CliError> {
        let Some(file) = file else {
            return Self::parse(BUILT_IN, "the prices of this program");
        };
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::new(format!("{name} cannot be read: {error}."), "Check --prices."))?;
        Self::parse(&text, &name)
    }

    fn parse(text: &str, name: &str) -> Result<Self, CliError> {
        let refused = |why: &str| {
            CliError::new(
                format!("{name} is not a file of prices: {why}."),
                "Begin with a copy of cli/src/facts/prices.json of this release.",
            )
        };
        let prices: Self = serde_json::from_str(text).map_err(|error| refused(&error.to_string()))?;
        if prices.version != VERSION {
            return Err(refused(&format!(
                "its version is {}, this program reads {VERSION}",
                prices.version
            )));
        }
        let lists = [
            &prices.transfer_per_gib,
            &prices.instance_storage_per_gib_month,
            &prices.cluster_storage_per_gib_month,
        ];
        let all = || lists.into_iter().flatten();
        if let Some(price) = all().find(|price| !(0.0..=price.high).contains(&price.low) || !price.high.is_finite()) {
            let at = if price.region.is_empty() {
                "the other regions"
            } else {
                &price.region
            };
            return Err(refused(&format!("the price of {at} is not a range from low to high")));
        }
        Ok(prices)
    }

    /// The prices of copies from one region to another.
    pub(crate) fn between(&self, source: &str, destination: &str) -> Result<Tariff, CliError> {
        let found = [
            (&self.transfer_per_gib, source),
            (&self.instance_storage_per_gib_month, destination),
            (&self.cluster_storage_per_gib_month, destination),
        ]
        .map(|(prices, region)| {
            nearest(prices, region).ok_or_else(|| {
                CliError::new(
                    format!("The file of prices has none for {region}."),
                    "Add it; a region of \"\" stands for all that are not named.",
                )
            })
        });
        let [transfer, instances, clusters] = found;
        let [transfer, instances, clusters] = [transfer?, instances?, clusters?];
        let mut sources: Vec<String> = Vec::new();
        for price in [transfer, instances, clusters] {
            if !sources.contains(&price.source) {
                sources.push(price.source.clone());
            }
        }
        let range = |price: &Price| Range {
            low: price.low,
            high: price.high,
        };
        Ok(Tariff {
            date: self.date.clone(),
            currency: self.currency.clone(),
            confirmed: [transfer, instances, clusters].iter().all(|price| price.confirmed),
            transfer_per_gib: range(transfer),
            instance_storage_per_gib_month: range(instances),
            cluster_storage_per_gib_month: range(clusters),
            sources,
        })
    }
}

/// The price whose beginning of a region is the longest.
fn nearest<'a>(prices: &'a [Price], region: &str) -> Option<&'a Price> {
    let of_region = prices.iter().filter(|price| region.starts_with(&price.region));
    of_region.max_by_key(|price| price.region.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_price_and_none_is_called_confirmed_that_is_not() {
        let prices = Prices::read(None).expect("prices");
        let tariff = prices.between("us-east-1", "eu-west-1").expect("a tariff");
        assert_eq!(tariff.transfer_per_gib, Range { low: 0.01, high: 0.02 });
        assert_eq!(
            tariff.storage(DatabaseKind::Cluster),
            Range {
                low: 0.021,
                high: 0.023
            }
        );
        assert!(!tariff.confirmed);
        let elsewhere = prices.between("sa-east-1", "af-south-1").expect("a tariff");
        assert!(elsewhere.transfer_per_gib.high > tariff.transfer_per_gib.high);
        assert_eq!(elsewhere.currency, "USD");
        assert!(prices.date.parse::<jiff::civil::Date>().is_ok(), "{}", prices.date);
    }

    #[test]
    fn a_file_that_is_not_one_of_prices_is_refused_in_a_sentence() {
        let good = |change: &dyn Fn(&str) -> String| Prices::parse(&change(BUILT_IN), "mine.json").map(|_| ());
        assert_eq!(good(&str::to_owned), Ok(()));
        for (from, to, why) in [
            ("\"version\": 1", "\"version\": 2", "its version is 2"),
            ("\"low\": 0.01,", "\"low\": 0.03,", "the price of us- is not a range"),
            ("\"low\": 0.01,", "\"low\": -1,", "the price of us- is not a range"),
            ("\"currency\"", "\"money\"", "unknown field `money`"),
        ] {
            let refused = good(&|text| text.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(
                refused.starts_with(&format!("mine.json is not a file of prices: {why}")),
                "{refused}"
            );
        }
        let missing = Prices::read(Some(Path::new("/nowhere/prices.json"))).expect_err("missing");
        assert!(
            missing.to_string().starts_with("/nowhere/prices.json cannot be read"),
            "{missing}"
        );
    }
}
