//! Keys: what KMS tells of them, to whom, and what becomes of copies when they change.

use rds_simulator::{Action, Calls, Delivery, Fault, Request};
use serde_json::json;

use crate::harness::{DESTINATION, Harness, KEY, SOURCE, SOURCE_KEY};

fn lab() -> Harness {
    Harness::new(json!({ "regions": {
        SOURCE: {
            "kmsKeys": [{ "id": "1111" }],
            "instances": [{ "id": "orders", "kmsKey": "1111", "snapshots": [{ "ageHours": 3 }] }]
        },
        DESTINATION: { "kmsKeys": [
            { "id": "2222", "aliases": ["alias/copies", "alias/second-name"] },
            { "id": "mrk-3333" },
            { "id": "off", "enabled": false },
            { "id": "going", "state": "PendingDeletion" },
            { "id": "signing", "keyUsage": "SIGN_VERIFY" }
        ] }
    } }))
}

fn copy(lab: &mut Harness, target: &str, key: &str) -> String {
    let source = lab.newest("orders");
    let parameters = [
        ("SourceDBSnapshotIdentifier", source.as_str()),
        ("TargetDBSnapshotIdentifier", target),
        ("KmsKeyId", key),
    ];
    let (response, _) = lab.response(DESTINATION, "CopyDBSnapshot", &parameters);
    if response.status == 200 {
        "ok".to_owned()
    } else {
        crate::harness::value(&response.body, "Code")
    }
}

#[test]
fn a_key_is_found_by_its_id_its_arn_its_aliases_and_their_arns() {
    let mut lab = lab();
    for id in [
        "2222",
        KEY,
        "alias/copies",
        "alias/second-name",
        "arn:aws:kms:eu-central-1:123456789012:alias/copies",
    ] {
        let (status, reply) = lab.describe_key(DESTINATION, id);
        assert_eq!(status, 200, "{id}");
        assert_eq!(reply["KeyMetadata"]["Arn"], KEY, "{id}");
    }
    let (_, reply) = lab.describe_key(DESTINATION, "2222");
    assert_eq!(
        reply["KeyMetadata"],
        json!({
            "AWSAccountId": "123456789012", "KeyId": "2222", "Arn": KEY, "Enabled": true, "Description": "",
            "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": false,
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"]
        })
    );
}

#[test]
fn kms_tells_the_keys_that_cannot_encrypt_a_snapshot_apart() {
    let mut lab = lab();
    for (id, member, is) in [
        ("off", "KeyState", json!("Disabled")),
        ("off", "Enabled", json!(false)),
        ("going", "KeyState", json!("PendingDeletion")),
        ("going", "Enabled", json!(false)),
        ("signing", "KeyUsage", json!("SIGN_VERIFY")),
        ("signing", "KeySpec", json!("ECC_NIST_P256")),
        ("signing", "Enabled", json!(true)),
        ("mrk-3333", "MultiRegion", json!(true)),
        ("alias/aws/rds", "KeyManager", json!("AWS")),
    ] {
        let (_, reply) = lab.describe_key(DESTINATION, id);
        assert_eq!(reply["KeyMetadata"][member], is, "{id}");
    }
}

#[test]
fn a_key_that_is_not_there_is_not_found_and_says_why() {
    let mut lab = lab();
    for (id, code, says) in [
        (
            "4444",
            "NotFoundException",
            "Key 'arn:aws:kms:eu-central-1:123456789012:key/4444' does not exist",
        ),
        (
            "alias/none",
            "NotFoundException",
            "Alias arn:aws:kms:eu-central-1:123456789012:alias/none is not found.",
        ),
        (SOURCE_KEY, "NotFoundException", "Invalid arn eu-west-1"),
        (
            "arn:aws:s3:::bucket",
            "InvalidArnException",
            "Invalid arn arn:aws:s3:::bucket",
        ),
        (
            "arn:aws:kms:eu-central-1:123456789012:x",
            "InvalidArnException",
            "Invalid arn",
        ),
        (
            "arn:aws:kms:eu-central-1:999999999999:key/1",
            "AccessDeniedException",
            "does not exist in this Region",
        ),
        ("", "ValidationException", "'keyId'"),
    ] {
        let (status, reply) = lab.describe_key(DESTINATION, id);
        assert_eq!((status, &reply["__type"]), (400, &json!(code)), "{id}");
        assert!(reply["message"].as_str().unwrap().contains(says), "{reply}");
    }
}

#[test]
fn kms_has_one_operation_here_and_takes_no_parameter_that_it_does_not_have() {
    let mut lab = lab();
    let mut code = |request: Request| {
        let response = lab.simulator.handle(lab.now, &request).response;
        assert_eq!(response.content_type, "application/x-amz-json-1.1");
        let reply: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        reply["__type"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        code(Request::kms(DESTINATION, "tester", "Encrypt")),
        "UnknownOperationException"
    );
    assert_eq!(
        code(Request::kms(DESTINATION, "tester", "DescribeDBInstances")),
        "UnknownOperationException"
    );
    let wrong = Request::kms(DESTINATION, "tester", "DescribeKey").with("KeyID", "2222");
    assert_eq!(code(wrong), "UnknownParameter");
    assert_eq!(
        lab.code(DESTINATION, "DescribeKey", &[("KeyId", "2222")]),
        "InvalidAction"
    );
}

#[test]
fn a_caller_sees_the_keys_that_its_policies_let_it_see() {
    let mut lab = lab();
    let key = |condition: &serde_json::Value, resource: &str| json!([{ "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": resource, "Condition": condition }]);
    let all = "arn:aws:kms:eu-central-1:123456789012:key/*";
    for (statements, id, status) in [
        (key(&json!({}), KEY), "alias/copies", 200),
        (key(&json!({}), KEY), "mrk-3333", 400),
        (key(&json!({}), &SOURCE_KEY.replace("1111", "*")), "2222", 400),
        (
            key(
                &json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/copies" } }),
                all,
            ),
            "2222",
            200,
        ),
        (
            key(
                &json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/copies" } }),
                all,
            ),
            "mrk-3333",
            400,
        ),
        (
            key(&json!({ "StringEquals": { "kms:RequestAlias": "alias/copies" } }), all),
            "alias/copies",
            200,
        ),
        (
            key(&json!({ "StringEquals": { "kms:RequestAlias": "alias/copies" } }), all),
            "2222",
            400,
        ),
        (
            key(
                &json!({ "StringEquals": { "kms:ViaService": "rds.eu-central-1.amazonaws.com" } }),
                all,
            ),
            "2222",
            400,
        ),
    ] {
        lab.allow("list-targets", &statements);
        let (found, reply) = lab.describe_key(DESTINATION, id);
        assert_eq!(found, status, "{statements} {id}: {reply}");
        if status == 400 {
            assert_eq!(reply["__type"], "AccessDeniedException");
            assert!(
                reply["message"].as_str().unwrap().starts_with(
                    "User: arn:aws:iam::123456789012:role/list-targets is not authorized to perform: kms:DescribeKey"
                ),
                "{reply}"
            );
        }
    }
    assert_eq!(lab.simulator.counters(lab.now).refusals.denied, 5);
}

#[test]
fn a_copier_may_be_given_the_key_behind_an_alias() {
    let mut lab = lab();
    lab.allow(
        "start-copy",
        &json!([
            { "Effect": "Allow", "Action": "rds:CopyDBSnapshot", "Resource": "*" },
            { "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:CreateGrant"], "Resource": SOURCE_KEY },
            { "Effect": "Allow", "Action": ["kms:DescribeKey", "kms:CreateGrant"],
              "Resource": "arn:aws:kms:eu-central-1:123456789012:key/*",
              "Condition": { "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/copies" } } }
        ]),
    );
    assert_eq!(copy(&mut lab, "by-arn", KEY), "ok");
    assert_eq!(copy(&mut lab, "by-alias", "alias/copies"), "ok");
    assert_eq!(copy(&mut lab, "another", "mrk-3333"), "KMSKeyNotAccessibleFault");
}

#[test]
fn a_key_that_is_disabled_or_deleted_meanwhile_is_refused_from_then_on() {
    let mut lab = lab();
    assert_eq!(copy(&mut lab, "before", KEY), "ok");
    for state in ["Disabled", "PendingDeletion", "Unavailable"] {
        lab.simulator
            .set_key_state(lab.now, DESTINATION, "alias/copies", state)
            .unwrap();
        assert_eq!(copy(&mut lab, "meanwhile", KEY), "KMSKeyNotAccessibleFault");
        assert_eq!(lab.describe_key(DESTINATION, KEY).1["KeyMetadata"]["KeyState"], state);
    }
    lab.simulator
        .set_key_state(lab.now, DESTINATION, KEY, "Enabled")
        .unwrap();
    assert_eq!(copy(&mut lab, "after", KEY), "ok");
    lab.simulator.delete_key(lab.now, DESTINATION, "2222").unwrap();
    assert_eq!(copy(&mut lab, "too-late", KEY), "KMSKeyNotAccessibleFault");
    assert_eq!(
        lab.describe_key(DESTINATION, "alias/copies").1["__type"],
        "NotFoundException"
    );
    lab.simulator.delete_key(lab.now, SOURCE, "1111").unwrap();
    assert_eq!(copy(&mut lab, "no-source-key", "mrk-3333"), "KMSKeyNotAccessibleFault");
    // What was accepted before goes on.
    lab.advance(10_000);
    assert_eq!(lab.status("before"), "available");
}

#[test]
fn a_key_or_a_state_that_there_is_not_cannot_be_set() {
    let mut lab = lab();
    let says = |result: Result<(), String>| result.unwrap_err();
    assert!(
        says(lab.simulator.set_key_state(lab.now, DESTINATION, "2222", "Lost")).contains("one of Creating, Enabled")
    );
    assert!(
        says(lab.simulator.set_key_state(lab.now, SOURCE, "2222", "Disabled")).contains("no key 2222 in eu-west-1")
    );
    assert!(says(lab.simulator.delete_key(lab.now, SOURCE, "2222")).contains("no key 2222 in eu-west-1"));
}

#[test]
fn calls_to_kms_are_counted_refused_delayed_dropped_and_held_like_others() {
    let mut lab = lab();
    let faults = [
        Action::Throttle,
        Action::Status(500),
        Action::DropReply,
        Action::DelaySeconds(2.0),
    ];
    for action in faults {
        lab.simulator
            .add_fault(Fault::new(Calls::to("DescribeKey").with("KeyId", "*copies"), action).times(1));
    }
    lab.simulator.add_fault(
        Fault::error(
            Calls::to("DescribeKey").in_region(SOURCE),
            "KMSInternalException",
            "later",
        )
        .times(1),
    );
    let ask = |lab: &mut Harness, region: &str| {
        let request = Request::kms(region, "tester", "DescribeKey").with("KeyId", "alias/copies");
        let answer = lab.simulator.handle(lab.now, &request);
        (answer.response.status, answer.response.body, answer.delivery)
    };
    let (status, body, _) = ask(&mut lab, DESTINATION);
    assert_eq!(status, 400);
    assert!(body.contains(r#""__type":"ThrottlingException""#), "{body}");
    assert_eq!(ask(&mut lab, DESTINATION).0, 500);
    assert_eq!(ask(&mut lab, DESTINATION).2, Delivery::Dropped);
    let (_, body, _) = ask(&mut lab, SOURCE);
    assert!(body.contains("KMSInternalException"), "{body}");
    let hold = lab.simulator.hold(Calls::to("DescribeKey"));
    assert_eq!(ask(&mut lab, DESTINATION).2, Delivery::Held(hold));
    lab.simulator.release(hold);
    assert_eq!(ask(&mut lab, DESTINATION).2, Delivery::Now);
    let counters = lab.simulator.counters(lab.now);
    assert_eq!(counters.calls["DescribeKey"][DESTINATION], 5);
    assert_eq!(counters.callers["tester"]["DescribeKey"], 6);
    assert_eq!(counters.refusals.throttled, 1);
    assert_eq!(counters.errors["ThrottlingException"], 1);
    assert!(lab.simulator.writes().is_empty());
}

#[test]
fn the_request_limit_of_rds_is_not_that_of_kms() {
    let mut lab = Harness::new(json!({ "regions": { SOURCE: { "requestsPerSecond": 1 } } }));
    for _ in 0..5 {
        assert_eq!(lab.describe_key(SOURCE, "alias/aws/rds").0, 200);
    }
    lab.ok(SOURCE, "DescribeDBInstances", &[]);
    assert_eq!(lab.code(SOURCE, "DescribeDBInstances", &[]), "Throttling");
}
