//! `snapferry key-policy`.

use crate::account::{Account, destination_stack_xml, stack_xml};
use serde_json::Value;
use snapferry::error::ExitStatus;

const ASK: &str = "key-policy --restorer arn:aws:iam::123456789012:role/dba";

fn account() -> Account {
    Account::new(|source| source, |destination| destination)
}

/// The roles that a statement is for, without their account.
fn principals<'a>(policy: &'a Value, sid: &str) -> Vec<&'a str> {
    let statements = policy["Statement"].as_array().expect("statements");
    let statement = statements.iter().find(|statement| statement["Sid"] == sid).expect(sid);
    let arns = statement["Principal"]["AWS"].as_array().expect("ARNs").iter();
    arns.filter_map(|arn| arn.as_str()?.rsplit(['/', ':']).next()).collect()
}

/// The documents show what the program writes.
#[tokio::test]
async fn the_policy_names_the_roles_of_both_stacks_and_whoever_restores() {
    let account = account();
    account.destination_stack("snapferry-watch", &destination_stack_xml("snap", None));
    let said = account.say(ASK).await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    let policy = said.json();
    assert_eq!(principals(&policy, "Administer"), ["root"]);
    assert_eq!(
        principals(&policy, "DescribeKey"),
        ["ROLE_OF_LIST_TARGETS", "ROLE_OF_MEASURE_COPIES"]
    );
    assert_eq!(principals(&policy, "EncryptCopies"), ["ROLE_OF_START_COPY"]);
    assert_eq!(principals(&policy, "RestoreCopies"), ["ROLE_OF_START_RESTORE", "dba"]);
    let grantees = ["ROLE_OF_START_COPY", "ROLE_OF_START_RESTORE", "dba"];
    assert_eq!(principals(&policy, "LetRdsUseTheKey"), grantees);
    assert!(
        said.aside
            .contains("aws kms put-key-policy --region eu-west-1 --key-id KEY"),
        "{}",
        said.aside
    );

    let documents = include_str!("../../../docs/parameters.md");
    let section = documents.split("## Key policy").nth(1).expect("the section");
    let shown = section
        .split("```json")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let shown: Value = serde_json::from_str(shown.expect("a policy")).expect("JSON");
    let written = said.out.replace("123456789012", "111122223333");
    assert_eq!(shown, serde_json::from_str::<Value>(&written).expect("JSON"));
}

/// Without drills nobody restores but those who are named; and a person who administers need not use it.
#[tokio::test]
async fn without_a_destination_stack_it_says_that_the_policy_has_to_be_set_again() {
    let said = account()
        .say(&format!(
            "{ASK} --administrator arn:aws:iam::123456789012:role/security"
        ))
        .await;
    assert_eq!(said.ending, Ok(ExitStatus::Success), "{}", said.aside);
    assert!(
        said.aside.contains("There is no destination stack snapferry-watch"),
        "{}",
        said.aside
    );
    assert_eq!(principals(&said.json(), "Administer"), ["security"]);
    assert_eq!(principals(&said.json(), "RestoreCopies"), ["dba"]);
}

#[tokio::test]
async fn the_stack_of_an_early_release_is_no_half_policy() {
    let account = account();
    account.stack("snapferry", &stack_xml().replace("StartCopyRoleArn", "Early"));
    let said = account.say(ASK).await;
    assert!(
        said.failure().contains("does not say which roles its functions have"),
        "{}",
        said.failure()
    );
    assert_eq!(said.out, "");
}
