//! The pre-signed URL that some copies need: the same request, signed for the source region, so that RDS may ask there
//! for the snapshot. Those are copies between `GovCloud` regions, and copies of `DocumentDB` clusters in any region;
//! elsewhere RDS ignores it (API references of RDS and `DocumentDB`, `PreSignedUrl`).
//!
//! The SDK for Rust does not make it. It must carry every parameter of the call that it goes with, and the
//! destination region.

use std::time::{Duration, SystemTime};

use aws_sdk_rds::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_rds::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::CopyRequest;
use domain::error::{Error, Refusal};
use domain::kind::DatabaseKind;

/// What a signed query encodes: everything but letters, digits and these four.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long the URL holds. RDS asks at once; an hour is what other SDKs give.
const HOLDS: Duration = Duration::from_hours(1);

/// The parameters that a signature adds. Without a session there is no token.
const SIGNATURE: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];

/// Signs copy requests for the source region.
#[derive(Debug, Clone)]
pub struct Presigner {
    credentials: SharedCredentialsProvider,
    source_region: String,
    is_fips: bool,
}

impl Presigner {
    /// A signer for copies from `source_region`, with the caller's credentials.
    #[must_use]
    pub fn new(credentials: SharedCredentialsProvider, source_region: impl Into<String>) -> Self {
        Self {
            credentials,
            source_region: source_region.into(),
            is_fips: false,
        }
    }

    /// The same, for the endpoint with FIPS 140 if `is_fips`: for those who may call no other.
    #[must_use]
    pub fn with_fips(self, is_fips: bool) -> Self {
        Self { is_fips, ..self }
    }

    /// The URL that goes with `request` to `destination_region`.
    pub(crate) async fn url(
        &self,
        request: &CopyRequest,
        destination_region: &str,
        now: SystemTime,
    ) -> Result<String, Error> {
        let credentials = self
            .credentials
            .provide_credentials()
            .await
            .map_err(|error| Error::AccessDenied {
                refusal: Refusal::without_code(format!("there are no credentials to sign the copy with: {error}")),
            })?;
        let signed = async {
            let endpoint = endpoint(&self.source_region, self.is_fips).await?;
            url(
                request,
                &endpoint,
                &self.source_region,
                destination_region,
                credentials,
                now,
            )
        };
        signed.await.map_err(|error| Error::RdsError {
            refusal: Refusal::without_code(format!("the copy could not be signed for the source region: {error}")),
        })
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// RDS's endpoint in a region, as the SDK knows it: each partition has a domain of its own. Not the one that the
/// environment may name: RDS itself asks there.
async fn endpoint(region: &str, is_fips: bool) -> Result<String, Failed> {
    let parameters = Params::builder().region(region).use_fips(is_fips).build()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&parameters).await?;
    Ok(endpoint.url().trim_end_matches('/').to_owned())
}

fn url(
    request: &CopyRequest,
    endpoint: &str,
    source_region: &str,
    destination_region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<String, Failed> {
    let unsigned = format!("{endpoint}/?{}", query(request, destination_region));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(HOLDS);
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(source_region)
        .name("rds")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let signable = SignableRequest::new("GET", &unsigned, std::iter::empty(), SignableBody::empty())?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    // RDS sorts before it verifies; in botocore's order the two can be compared byte for byte.
    let signed = SIGNATURE.iter().filter_map(|name| {
        let (_, value) = instructions.params().iter().find(|(param, _)| param == name)?;
        Some(format!("&{name}={}", encode(value)))
    });
    Ok(unsigned.clone() + &signed.collect::<String>())
}

/// The parameters as the call itself has them, and the destination region.
fn query(request: &CopyRequest, destination_region: &str) -> String {
    let kind = match request.kind {
        DatabaseKind::Instance => "DB",
        DatabaseKind::Cluster => "DBCluster",
    };
    let mut parameters = vec![
        ("Action".to_owned(), format!("Copy{kind}Snapshot")),
        ("Version".to_owned(), "2014-10-31".to_owned()),
        (format!("Source{kind}SnapshotIdentifier"), request.source_arn.clone()),
        (format!("Target{kind}SnapshotIdentifier"), request.id.clone()),
    ];
    let optional = [
        ("KmsKeyId", &request.kms_key_arn),
        ("OptionGroupName", &request.option_group),
    ];
    parameters.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))),
    );
    for (at, (key, value)) in request.tags.iter().enumerate() {
        parameters.push((format!("Tags.Tag.{}.Key", at + 1), key.clone()));
        parameters.push((format!("Tags.Tag.{}.Value", at + 1), value.clone()));
    }
    parameters.push(("CopyTags".to_owned(), "false".to_owned()));
    parameters.push(("DestinationRegion".to_owned(), destination_region.to_owned()));
    let encoded = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signed(kind: DatabaseKind, source: &str, id: &str, token: Option<&str>) -> String {
        let request = CopyRequest {
            kind,
            source_arn: format!("arn:aws-us-gov:rds:us-gov-west-1:123456789012:{source}"),
            id: id.to_owned(),
            kms_key_arn: Some("arn:aws-us-gov:kms:us-gov-east-1:123456789012:key/1".to_owned()),
            option_group: None,
            presigned: true,
            tags: [
                ("snapferry:owner", "us-gov-west-1/snap"),
                ("team", "data & more / ä+b~c"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        };
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
        let now: jiff::Timestamp = "2026-11-22T14:31:00Z".parse().expect("a time");
        let endpoint = "https://rds.us-gov-west-1.amazonaws.com";
        url(
            &request,
            endpoint,
            "us-gov-west-1",
            "us-gov-east-1",
            credentials,
            now.into(),
        )
        .expect("a URL")
    }

    /// m17. What botocore 1.43.127 resolves.
    #[tokio::test]
    async fn the_url_is_of_the_endpoint_of_its_partition_and_of_fips_if_asked() {
        for (region, is_fips, expected) in [
            ("eu-west-1", false, "https://rds.eu-west-1.amazonaws.com"),
            ("us-gov-west-1", false, "https://rds.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", true, "https://rds.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, "https://rds.cn-north-1.amazonaws.com.cn"),
            ("us-east-1", true, "https://rds-fips.us-east-1.amazonaws.com"),
        ] {
            assert_eq!(endpoint(region, is_fips).await.expect("an endpoint"), expected);
        }
    }

    // What botocore 1.43.106 makes of the same calls at the same time.

    #[test]
    fn an_instances_url_is_the_one_that_botocore_makes() {
        let url = signed(
            DatabaseKind::Instance,
            "snapshot:rds:orders-2026-11-22-03-10",
            "snap-orders-1",
            Some("a/token+with=signs"),
        );
        assert_eq!(url, INSTANCE);
    }

    #[test]
    fn a_clusters_url_is_the_one_that_botocore_makes() {
        let url = signed(
            DatabaseKind::Cluster,
            "cluster-snapshot:rds:billing-2026-11-22-03-10",
            "snap-billing-1",
            None,
        );
        assert_eq!(url, CLUSTER);
    }

    const INSTANCE: &str = "https://rds.us-gov-west-1.amazonaws.com/?Action=CopyDBSnapshot&Version=2014-10-31\
        &SourceDBSnapshotIdentifier=arn%3Aaws-us-gov%3Ards%3Aus-gov-west-1%3A123456789012%3Asnapshot%3Ards%3Aorders-2026-11-22-03-10\
        &TargetDBSnapshotIdentifier=snap-orders-1\
        &KmsKeyId=arn%3Aaws-us-gov%3Akms%3Aus-gov-east-1%3A123456789012%3Akey%2F1\
        &Tags.Tag.1.Key=snapferry%3Aowner&Tags.Tag.1.Value=us-gov-west-1%2Fsnap&Tags.Tag.2.Key=team\
        &Tags.Tag.2.Value=data%20%26%20more%20%2F%20%C3%A4%2Bb~c&CopyTags=false\
        &DestinationRegion=us-gov-east-1&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Fus-gov-west-1%2Frds%2Faws4_request\
        &X-Amz-Date=20261122T143100Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
        &X-Amz-Security-Token=a%2Ftoken%2Bwith%3Dsigns\
        &X-Amz-Signature=276692c4341bc010465cea4abc8ace744f25c583ac6ea4554299a2691fd23d3b";

    const CLUSTER: &str = "https://rds.us-gov-west-1.amazonaws.com/?Action=CopyDBClusterSnapshot&Version=2014-10-31\
        &SourceDBClusterSnapshotIdentifier=arn%3Aaws-us-gov%3Ards%3Aus-gov-west-1%3A123456789012%3Acluster-snapshot%3Ards%3Abilling-2026-11-22-03-10\
        &TargetDBClusterSnapshotIdentifier=snap-billing-1\
        &KmsKeyId=arn%3Aaws-us-gov%3Akms%3Aus-gov-east-1%3A123456789012%3Akey%2F1\
        &Tags.Tag.1.Key=snapferry%3Aowner&Tags.Tag.1.Value=us-gov-west-1%2Fsnap&Tags.Tag.2.Key=team\
        &Tags.Tag.2.Value=data%20%26%20more%20%2F%20%C3%A4%2Bb~c&CopyTags=false\
        &DestinationRegion=us-gov-east-1&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Fus-gov-west-1%2Frds%2Faws4_request\
        &X-Amz-Date=20261122T143100Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
        &X-Amz-Signature=3d93a5b14d67b90187ce06c099b5c243a9fde42c1daf8b8f815eee504676e062";
}
