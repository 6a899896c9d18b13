//! The commands, as they are put together.

use std::fmt::Write;

use domain::restore_settings::{RestoreSettings, Setting};
use serde::Serialize;

use crate::quoting::{json, shell};

/// What the operator replaces.
pub(crate) const SUBNETS: &str = "SUBNET_GROUP";
pub(crate) const SECURITY: &str = "SECURITY_GROUP_IDS";
pub(crate) const KEY: &str = "KMS_KEY_ID";
pub(crate) const CAPACITY: &str = "MAX_CAPACITY";
pub(crate) const CLASS: &str = "INSTANCE_CLASS";
pub(crate) const PROFILE: &str = "INSTANCE_PROFILE";

/// One command, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// What it does, in a sentence.
    pub(crate) purpose: String,
    /// The command and its arguments.
    pub(crate) command: Vec<String>,
    /// The same, as it is typed.
    #[serde(skip)]
    pub(crate) text: String,
    /// The placeholders in it.
    #[serde(skip)]
    pub(crate) fill_in: Vec<&'static str>,
}

/// A command of the AWS CLI that is being put together.
#[derive(Debug, Clone)]
pub(crate) struct AwsCommand {
    words: Vec<String>,
    fill_in: Vec<&'static str>,
}

impl AwsCommand {
    /// The beginning of a command.
    pub(crate) fn new(service: &str, operation: &str, region: &str, profile: Option<&str>) -> Self {
        let mut command = Self {
            words: ["aws", service, operation].map(str::to_owned).to_vec(),
            fill_in: Vec::new(),
        };
        command.option("--region", region);
        if let Some(profile) = profile {
            command.option("--profile", profile);
        }
        command
    }

    pub(crate) fn flag(&mut self, flag: &str) {
        self.words.push(flag.to_owned());
    }

    /// An option with its value. One that begins like an option is joined to its name, or it would be read as one.
    pub(crate) fn option(&mut self, name: &str, value: &str) {
        if value.starts_with('-') {
            self.words.push(format!("{name}={value}"));
        } else {
            self.words.extend([name.to_owned(), value.to_owned()]);
        }
    }

    /// An option whose value is a list or a map. The AWS CLI takes JSON for it, in which nothing is read otherwise.
    pub(crate) fn json_option(&mut self, name: &str, value: &impl Serialize) {
        self.option(name, &json(value));
    }

    /// An option whose value the operator fills in, or a part of it.
    pub(crate) fn placeholder(&mut self, name: &str, value: &str, placeholder: &'static str) {
        self.option(name, value);
        self.fill_in.push(placeholder);
    }

    /// An option for a setting, if the setting is known.
    pub(crate) fn setting(&mut self, name: &str, left: &mut RestoreSettings, setting: Setting) {
        if let Some(value) = left.take(setting) {
            self.option(name, &value);
        }
    }

    /// A flag for a setting that has this value. A setting that is neither true nor false is left.
    pub(crate) fn flag_if(&mut self, flag: &str, left: &mut RestoreSettings, setting: Setting, value: &str) {
        let is_flag = matches!(left.get(setting), Some("true" | "false"));
        if is_flag && left.take(setting).as_deref() == Some(value) {
            self.flag(flag);
        }
    }

    pub(crate) fn network(&mut self) {
        self.placeholder("--db-subnet-group-name", SUBNETS, SUBNETS);
        self.placeholder("--vpc-security-group-ids", SECURITY, SECURITY);
    }

    /// Number of words, by which it is seen whether options were added.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    pub(crate) fn to(self, purpose: &str) -> Step {
        Step {
            purpose: purpose.to_owned(),
            text: shell(&self.words),
            command: self.words,
            fill_in: self.fill_in,
        }
    }
}

/// Statuses of instances and clusters from which none becomes available (user guides, "Viewing DB instance status" and
/// "Viewing DB cluster status"). All others, known or not, may still change.
const DEAD: &str = "failed | incompatible-* | insufficient-capacity | inaccessible-encryption-credentials* | \
                    restore-error | storage-full | upgrade-failed | migration-failed | delete* | deleting";

/// Waits until an instance or a cluster is available, for as long as it takes: `aws rds wait` gives up after half an
/// hour, and does not know most of the statuses from which nothing becomes available (botocore, waiters of RDS).
///
/// `describe` must print the status.
pub(crate) fn wait(describe: &AwsCommand, purpose: &str) -> Step {
    let call = shell(&describe.words).replace("\n  ", "\n      ");
    let mut script = String::new();
    // In a shell of its own: `exit` must not close the operator's. Its variable is not called `status`, which zsh has.
    let _ = write!(
        script,
        r#"(
  failures=0
  while :; do
    if state=$({call}); then
      failures=0
    else
      failures=$((failures + 1))
    fi
    echo "$(date) $state"
    case $state in
    available | storage-optimization | storage-initialization) exit 0 ;;
    {DEAD})
      echo "Stop here: it will not become available." >&2
      exit 1
      ;;
    esac
    if [ "$failures" -ge 10 ]; then
      echo "Stop here: ten calls have failed." >&2
      exit 1
    fi
    sleep 30
  done
)"#
    );
    Step {
        purpose: purpose.to_owned(),
        command: vec!["sh".to_owned(), "-c".to_owned(), script.clone()],
        text: script,
        fill_in: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs the loop with an `aws` that answers one state after the other.
    fn wait_through(states: &[&str]) -> (bool, Vec<String>, String) {
        let mut describe = AwsCommand::new("rds", "describe-db-instances", "eu-west-1", None);
        describe.option("--db-instance-identifier", "it's");
        let step = wait(&describe, "Wait.");
        let mut answers = String::new();
        let mut before = String::new();
        for (at, state) in states.iter().enumerate() {
            let _ = write!(answers, "'{before}') echo {at}:{state} ;; ");
            before = format!("{at}:{state}");
        }
        // The loop sees what follows the number.
        let script = step.text.replace("case $state in", "case ${state#*:} in");
        let stub = format!(
            "date() {{ echo now; }}; sleep() {{ :; }}; aws() {{ case $state in {answers}*) return 1 ;; esac; }}; state="
        );
        let output = Command::new("sh")
            .args(["-c", &format!("{stub}\n{script}")])
            .output()
            .expect("a shell");
        let lines = String::from_utf8(output.stdout).expect("text");
        let lines = lines.lines().map(|line| line.trim_start_matches("now ").to_owned());
        let errors = String::from_utf8(output.stderr).expect("text");
        (output.status.success(), lines.collect(), errors)
    }

    /// A13: `aws rds wait` gives up after half an hour.
    #[test]
    fn the_loop_goes_on_for_as_long_as_the_database_may_become_available() {
        let mut states = vec!["creating"; 100];
        states.extend(["backing-up", "a-word-of-2030", "available"]);
        let (ok, seen, errors) = wait_through(&states);
        assert!(ok, "{errors}");
        assert_eq!(seen.len(), 103);
        assert_eq!(seen.last().map(String::as_str), Some("102:available"));
        for ready in ["storage-optimization", "storage-initialization"] {
            assert!(wait_through(&["creating", ready]).0, "{ready}");
        }
    }

    #[test]
    fn the_loop_ends_with_a_status_from_which_nothing_becomes_available() {
        for dead in [
            "failed",
            "incompatible-restore",
            "incompatible-parameters",
            "incompatible-network",
            "insufficient-capacity",
            "inaccessible-encryption-credentials-recoverable",
            "restore-error",
            "storage-full",
            "upgrade-failed",
            "migration-failed",
            "deleting",
            "delete-precheck",
        ] {
            let (ok, _, errors) = wait_through(&["creating", dead]);
            assert!(!ok, "{dead}");
            assert_eq!(errors, "Stop here: it will not become available.\n", "{dead}");
        }
    }

    #[test]
    fn the_loop_ends_when_the_calls_fail_again_and_again() {
        let (ok, seen, errors) = wait_through(&[]);
        assert!(!ok);
        assert_eq!(
            (seen.len(), errors.as_str()),
            (10, "Stop here: ten calls have failed.\n")
        );
    }

    #[test]
    fn a_value_that_begins_like_an_option_is_joined_to_its_name() {
        let mut command = AwsCommand::new("rds", "x", "eu-west-1", Some("--debug"));
        command.option("--db-instance-class", "--endpoint-url=http://evil");
        let step = command.to("");
        assert_eq!(
            step.command,
            [
                "aws",
                "rds",
                "x",
                "--region",
                "eu-west-1",
                "--profile=--debug",
                "--db-instance-class=--endpoint-url=http://evil"
            ]
        );
    }
}
