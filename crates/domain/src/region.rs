//! Regions and their partitions.

/// A region's code: lower-case words and a number, as in `eu-west-1` or `us-gov-east-1`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (Some(last), true) = (parts.last(), parts.len() >= 3) else {
        return false;
    };
    last.parse::<u8>().is_ok()
        && last.bytes().all(|byte| byte.is_ascii_digit())
        && parts[..parts.len() - 1]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// First words of the regions of the commercial partition (`partitions.json` of the AWS SDKs).
const COMMERCIAL: [&str; 9] = ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];

/// The partition of a region; nothing if it is one that we do not know: the European Sovereign Cloud (`eusc-`), the
/// isolated ones (`us-iso-`, `eu-isoe-`, ...), or a new one.
#[must_use]
pub fn partition(region: &str) -> Option<&'static str> {
    let mut words = region.split('-');
    match (words.next()?, words.next()?) {
        ("us", "gov") => Some("aws-us-gov"),
        ("cn", _) => Some("aws-cn"),
        (first, second) if COMMERCIAL.contains(&first) && !second.starts_with("iso") => Some("aws"),
        _ => None,
    }
}

/// Why nothing can be done in a region: we do not know its partition. The sentence names the region.
#[must_use]
pub fn why_unknown(region: &str) -> Option<String> {
    let is_unknown = partition(region).is_none();
    is_unknown.then(|| {
        format!(
            "{region} is in a partition that Snapferry does not know; it knows the commercial regions, GovCloud and China"
        )
    })
}

/// The host of the AWS console for a region.
#[must_use]
pub fn console_host(region: &str) -> &'static str {
    match partition(region) {
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        Some("aws-cn") => "console.amazonaws.cn",
        _ => "console.aws.amazon.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 20: an unknown partition is not taken for the commercial one.
    #[test]
    fn a_partition_that_is_not_known_is_refused_by_name() {
        for (region, expected) in [
            ("eu-west-1", Some("aws")),
            ("ap-southeast-7", Some("aws")),
            ("mx-central-1", Some("aws")),
            ("us-east-1", Some("aws")),
            ("us-gov-west-1", Some("aws-us-gov")),
            ("cn-north-1", Some("aws-cn")),
            ("eusc-de-east-1", None),
            ("us-iso-east-1", None),
            ("us-isob-east-1", None),
            ("eu-isoe-west-1", None),
            ("us-isof-south-1", None),
            ("moon-north-1", None),
            ("", None),
        ] {
            assert_eq!(partition(region), expected, "{region}");
            let why = why_unknown(region);
            assert_eq!(why.is_none(), expected.is_some(), "{region}");
            assert!(why.is_none_or(|why| why.starts_with(region)));
        }
    }
}
