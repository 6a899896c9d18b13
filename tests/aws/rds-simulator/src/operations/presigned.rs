//! The pre-signed URL by which RDS asks the source region for a snapshot, where it needs one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil};

use crate::error::ApiError;
use crate::request::Request;

/// Checks the URL of a copy as far as one can who does not know the secret key: it is the same request, signed for the
/// source region, for the destination region, and still good.
pub(crate) fn check(request: &Request, source_region: &str, now: Timestamp) -> Result<(), ApiError> {
    let Some(url) = request.get("PreSignedUrl").filter(|url| !url.is_empty()) else {
        return Err(ApiError::invalid_value(
            "A pre-signed url must be specified for copying encrypted snapshot across region",
        ));
    };
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let signed: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let is = |name: &str, wanted: Option<&str>| signed.get(name).map(String::as_str) == wanted;
    let scope = format!("/{source_region}/rds/aws4_request");
    let same = request
        .parameters
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("Source") || name.starts_with("Target"))
        .chain(["Action", "KmsKeyId"])
        .all(|name| is(name, request.get(name)));
    let authentic = same
        && is("DestinationRegion", Some(&request.region))
        && signed
            .get("X-Amz-Credential")
            .is_some_and(|credential| credential.ends_with(&scope))
        && signed.contains_key("X-Amz-Signature")
        && !expired(&signed, now).unwrap_or(true);
    if authentic {
        Ok(())
    } else {
        Err(ApiError::invalid_value("PreSignedUrl could not be authenticated"))
    }
}

fn expired(signed: &BTreeMap<String, String>, now: Timestamp) -> Option<bool> {
    let date = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", signed.get("X-Amz-Date")?).ok()?;
    let from = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let seconds = signed.get("X-Amz-Expires")?.parse().ok()?;
    let until = from.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    Some(now > until)
}
