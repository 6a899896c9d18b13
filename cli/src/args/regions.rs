//! The regions that a shell offers after `--region` and `--destination`. Any other one can be typed.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// The regions of the commercial partition, of `GovCloud` and of China.
pub(super) const REGIONS: [&str; 38] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// A parser that offers values to the shell and takes others as well.
#[derive(Debug, Clone)]
pub(super) struct Offering<P> {
    parser: P,
    offered: &'static [&'static str],
}

impl<P> Offering<P> {
    pub(super) const fn new(parser: P, offered: &'static [&'static str]) -> Self {
        Self { parser, offered }
    }
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<P::Value, clap::Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.offered.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use domain::region::{is_region, why_unknown};

    use super::*;

    #[test]
    fn the_regions_on_offer_are_regions_that_are_known_in_order() {
        assert!(REGIONS.is_sorted());
        for region in REGIONS {
            assert!(is_region(region) && why_unknown(region).is_none(), "{region}");
        }
    }
}
