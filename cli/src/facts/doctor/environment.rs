//! Credentials, the clock and the regions.

use domain::error::Error;
use domain::region::why_unknown;
use jiff::{SignedDuration, Timestamp};

use crate::aws::account::Account;
use crate::aws::caller::Caller;
use crate::aws::query::{Failed, Service};
use crate::error::CliError;
use crate::facts::doctor::finding::Finding;
use crate::format::format_duration;

/// AWS accepts signatures that are up to five minutes old (IAM user guide, Signature Version 4).
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Soon to be too much.
const SUSPICIOUS_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Who the credentials are of, by STS of a region; and the clock, by the same answer, a refusal as well.
pub(crate) async fn caller(account: &Account, region: &str) -> (Option<Caller>, Vec<Finding>) {
    let asked = Caller::ask(&account.query(Service::Sts, region)).await;
    let now = account.now();
    match asked {
        Ok(caller) => {
            let found = format!("They are of the account {}: {}.", caller.account, caller.arn);
            let findings = vec![
                Finding::good("credentials", region, found),
                clock(region, caller.date, now),
            ];
            (Some(caller), findings)
        }
        Err(Failed { error, date }) => {
            let credentials = if error.is_denied() {
                Finding::wrong("credentials", region, error.what(), error.remedy())
            } else {
                Finding::failed("credentials", region, &error)
            };
            let clock = if error.is_clock_off() && date.is_none() {
                Finding::wrong("clock", region, error.what(), error.remedy())
            } else {
                clock(region, date, now)
            };
            (None, vec![credentials, clock])
        }
    }
}

/// How far this computer's clock is from that of AWS.
fn clock(region: &str, date: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(date) = date else {
        return Finding::unknown(
            "clock",
            region,
            "AWS gave no time to compare with.",
            "Check it yourself: timedatectl status.",
        );
    };
    let skew = now.duration_since(date).abs();
    let found = format!("It differs from that of AWS by {}.", format_duration(skew));
    let remedy = "Set it: timedatectl set-ntp true. AWS accepts no signature that is off by more than five minutes.";
    match skew {
        skew if skew > MAX_SKEW => Finding::wrong("clock", region, found, remedy),
        skew if skew > SUSPICIOUS_SKEW => Finding::warning("clock", region, found, remedy),
        _ => Finding::good("clock", region, found),
    }
}

/// Whether a region can be called with these credentials. RDS is asked, which is what a region is needed for.
pub(crate) async fn region(account: &Account, region: &str, purpose: &str) -> Finding {
    if let Some(why) = why_unknown(region) {
        return Finding::wrong("region", region, format!("{why}."), "Use a release that knows it.");
    }
    let answered = account.rds(region).account_quotas().await;
    let reached = format!("The region of the {purpose} answers.");
    match answered {
        Err(Error::AccessDenied { refusal }) if is_disabled(&refusal.code) => Finding::wrong(
            "region",
            region,
            format!("RDS does not know the account there: {refusal}."),
            "Enable the region in the account (Account settings, AWS Regions), or sign in again if the other region is \
             refused too.",
        ),
        // It was reached. What is not allowed there is a line of its own.
        Ok(_) | Err(Error::AccessDenied { .. }) => Finding::good("region", region, reached),
        Err(error) => {
            let error = CliError::from_rds(region, "rds:DescribeAccountAttributes", &error);
            Finding::wrong("region", region, error.what(), error.remedy())
        }
    }
}

/// What a region that is not enabled answers with, where credentials are good in another.
fn is_disabled(code: &str) -> bool {
    matches!(
        code,
        "OptInRequired" | "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::doctor::finding::Health;

    #[test]
    fn a_clock_that_is_off_by_more_than_five_minutes_is_wrong_in_either_direction() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().expect("a time");
        let health = |seconds: i64| clock("x", Some(now + SignedDuration::from_secs(seconds)), now).health;
        for (seconds, expected) in [
            (0, Health::Good),
            (-60, Health::Good),
            (61, Health::Warning),
            (-300, Health::Warning),
            (301, Health::Wrong),
            (-301, Health::Wrong),
        ] {
            assert_eq!(health(seconds), expected, "{seconds}");
        }
        assert_eq!(clock("x", None, now).health, Health::Unknown);
    }
}
