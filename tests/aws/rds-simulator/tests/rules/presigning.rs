//! Copies that need a pre-signed URL, and URLs that RDS cannot use.

use serde_json::{Value, json};

use crate::harness::{DESTINATION, Harness, SOURCE};

const GOV: [&str; 2] = ["us-gov-west-1", "us-gov-east-1"];
const GOV_SNAPSHOT: &str = "arn:aws-us-gov:rds:us-gov-west-1:123456789012:snapshot:secret";
const GOV_KEY: &str = "arn:aws-us-gov:kms:us-gov-east-1:123456789012:key/2222";
const DOCUMENTS: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:documents";

fn lab(settings: &Value) -> Harness {
    Harness::new(json!({ "settings": settings, "regions": {
        GOV[0]: {
            "kmsKeys": [{ "id": "1111" }],
            "instances": [
                { "id": "secret", "kmsKey": "1111", "snapshots": [{ "id": "secret", "type": "manual" }] },
                { "id": "plain", "snapshots": [{ "id": "plain", "type": "manual" }] }
            ]
        },
        GOV[1]: { "kmsKeys": [{ "id": "2222" }, { "id": "3333" }] },
        SOURCE: { "clusters": [
            { "id": "documents", "engine": "docdb", "snapshots": [{ "id": "documents", "type": "manual" }] },
            { "id": "graph", "engine": "neptune", "snapshots": [{ "id": "graph", "type": "manual" }] }
        ] }
    } }))
}

/// The URL of a copy to `us-gov-east-1`, as an SDK signs it, with changes (`None`: left out).
fn url(changes: &[(&str, Option<&str>)]) -> String {
    let mut parameters = vec![
        ("Action", "CopyDBSnapshot"),
        ("Version", "2014-10-31"),
        ("SourceDBSnapshotIdentifier", GOV_SNAPSHOT),
        ("TargetDBSnapshotIdentifier", "c"),
        ("KmsKeyId", GOV_KEY),
        ("DestinationRegion", GOV[1]),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "tester/20261122/us-gov-west-1/rds/aws4_request"),
        ("X-Amz-Date", "20261122T115500Z"),
        ("X-Amz-Expires", "3600"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "00"),
    ];
    for (name, value) in changes {
        parameters.retain(|(other, _)| other != name);
        parameters.extend(value.map(|value| (*name, value)));
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("https://rds.us-gov-west-1.amazonaws.com/?{query}")
}

fn copy(lab: &mut Harness, url: Option<&str>) -> (String, String) {
    let mut parameters = vec![
        ("SourceDBSnapshotIdentifier", GOV_SNAPSHOT),
        ("TargetDBSnapshotIdentifier", "c"),
        ("KmsKeyId", GOV_KEY),
    ];
    parameters.extend(url.map(|url| ("PreSignedUrl", url)));
    let (response, _) = lab.response(GOV[1], "CopyDBSnapshot", &parameters);
    if response.status == 200 {
        return ("ok".to_owned(), String::new());
    }
    let part = |name| crate::harness::value(&response.body, name);
    (part("Code"), part("Message"))
}

#[test]
fn an_encrypted_copy_between_govcloud_regions_needs_a_url_and_a_plain_one_does_not() {
    let mut lab = lab(&json!({}));
    assert_eq!(
        copy(&mut lab, None),
        (
            "InvalidParameterValue".to_owned(),
            "A pre-signed url must be specified for copying encrypted snapshot across region".to_owned()
        )
    );
    assert_eq!(copy(&mut lab, Some(&url(&[]))).0, "ok");
    let plain = [
        (
            "SourceDBSnapshotIdentifier",
            "arn:aws-us-gov:rds:us-gov-west-1:123456789012:snapshot:plain",
        ),
        ("TargetDBSnapshotIdentifier", "plain"),
    ];
    lab.ok(GOV[1], "CopyDBSnapshot", &plain);
}

#[test]
fn a_url_for_another_request_region_key_or_time_is_not_taken() {
    let mut lab = lab(&json!({}));
    for change in [
        ("Action", Some("CopyDBClusterSnapshot")),
        ("SourceDBSnapshotIdentifier", Some("secret")),
        ("TargetDBSnapshotIdentifier", Some("d")),
        ("KmsKeyId", Some("2222")),
        ("KmsKeyId", None),
        ("DestinationRegion", None),
        ("DestinationRegion", Some(GOV[0])),
        (
            "X-Amz-Credential",
            Some("tester/20261122/us-gov-east-1/rds/aws4_request"),
        ),
        ("X-Amz-Signature", None),
        ("X-Amz-Date", Some("20261122T105500Z")),
        ("X-Amz-Date", Some("today")),
        ("X-Amz-Expires", None),
    ] {
        assert_eq!(
            copy(&mut lab, Some(&url(&[change]))),
            (
                "InvalidParameterValue".to_owned(),
                "PreSignedUrl could not be authenticated".to_owned()
            ),
            "{change:?}"
        );
    }
    assert_eq!(
        copy(&mut lab, Some("nonsense")).1,
        "PreSignedUrl could not be authenticated"
    );
}

#[test]
fn documentdb_needs_a_url_if_the_scenario_says_so_and_elsewhere_a_url_is_ignored() {
    let cluster = |source, target| {
        vec![
            ("SourceDBClusterSnapshotIdentifier", source),
            ("TargetDBClusterSnapshotIdentifier", target),
        ]
    };
    let mut easy = lab(&json!({}));
    easy.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(DOCUMENTS, "c"));
    let mut ignored = cluster(DOCUMENTS, "d");
    ignored.push(("PreSignedUrl", "nonsense"));
    easy.ok(DESTINATION, "CopyDBClusterSnapshot", &ignored);

    let mut strict = lab(&json!({ "docdbNeedsPresignedUrl": true }));
    let (_, code, message) = strict.refused(DESTINATION, "CopyDBClusterSnapshot", &cluster(DOCUMENTS, "c"));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.starts_with("A pre-signed url must be specified"), "{message}");
    let url = url(&[
        ("Action", Some("CopyDBClusterSnapshot")),
        ("SourceDBSnapshotIdentifier", None),
        ("TargetDBSnapshotIdentifier", None),
        ("SourceDBClusterSnapshotIdentifier", Some(DOCUMENTS)),
        ("TargetDBClusterSnapshotIdentifier", Some("c")),
        ("KmsKeyId", None),
        ("DestinationRegion", Some(DESTINATION)),
        ("X-Amz-Credential", Some("tester/20261122/eu-west-1/rds/aws4_request")),
    ]);
    let mut signed = cluster(DOCUMENTS, "c");
    signed.push(("PreSignedUrl", &url));
    strict.ok(DESTINATION, "CopyDBClusterSnapshot", &signed);
    let graph = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:graph";
    strict.ok(DESTINATION, "CopyDBClusterSnapshot", &cluster(graph, "graph"));
    strict.ok(SOURCE, "CopyDBClusterSnapshot", &cluster("documents", "here"));
}

/// D9: the URL is a call of the caller's own, replayed by RDS, and not one that RDS makes for it.
#[test]
fn a_presigned_call_is_judged_as_the_callers_own_and_any_other_as_made_by_rds() {
    let source = |condition: &Value| {
        let mut in_source_region = json!({ "Effect": "Allow", "Action": "rds:CopyDBClusterSnapshot",
            "Resource": "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": SOURCE } } });
        for (operator, keys) in condition.as_object().unwrap() {
            in_source_region["Condition"][operator] = keys.clone();
        }
        json!([
            { "Effect": "Allow", "Action": "rds:CopyDBClusterSnapshot",
              "Resource": ["arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:*",
                           "arn:aws:rds:eu-central-1:123456789012:cluster-snapshot:*"],
              "Condition": { "StringEquals": { "aws:RequestedRegion": DESTINATION } } },
            in_source_region
        ])
    };
    let by_rds = json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": ["rds.amazonaws.com"] } });
    let without_rds = json!({ "Null": { "aws:CalledVia": "true" } });
    let signed = url(&[
        ("Action", Some("CopyDBClusterSnapshot")),
        ("SourceDBSnapshotIdentifier", None),
        ("TargetDBSnapshotIdentifier", None),
        ("SourceDBClusterSnapshotIdentifier", Some(DOCUMENTS)),
        ("TargetDBClusterSnapshotIdentifier", Some("c")),
        ("KmsKeyId", None),
        ("DestinationRegion", Some(DESTINATION)),
        ("X-Amz-Credential", Some("tester/20261122/eu-west-1/rds/aws4_request")),
    ]);
    for (condition, needs_url, answer) in [
        (&by_rds, true, "AccessDenied"),
        (&by_rds, false, "ok"),
        (&without_rds, true, "ok"),
        (&without_rds, false, "AccessDenied"),
        (&json!({}), true, "ok"),
        (&json!({}), false, "ok"),
    ] {
        let mut lab = lab(&json!({ "docdbNeedsPresignedUrl": needs_url }));
        lab.allow("start-copy", &source(condition));
        let parameters = [
            ("SourceDBClusterSnapshotIdentifier", DOCUMENTS),
            ("TargetDBClusterSnapshotIdentifier", "c"),
            ("PreSignedUrl", signed.as_str()),
        ];
        let (response, _) = lab.response(DESTINATION, "CopyDBClusterSnapshot", &parameters);
        let code = match response.status {
            200 => "ok".to_owned(),
            _ => crate::harness::value(&response.body, "Code"),
        };
        assert_eq!(code, answer, "{condition} {needs_url}");
    }
}
