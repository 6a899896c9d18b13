//! The script that restores many databases: in waves, each database in a shell of its own with its own log.

use std::fmt::Write;

use crate::commands::restore_command::aws_command::{CAPACITY, CLASS, KEY, PROFILE, SECURITY, SUBNETS, Step};
use crate::quoting::{quoted, visible};

/// What the first lines of such a script say, by which one is recognised.
pub(crate) const MARK: &str = "# Written by snapferry restore-plan";

/// What the variables are for, in the words of the message that a shell writes where one is not set.
const VARIABLES: [(&str, &str); 6] = [
    (SUBNETS, "set it to the DB subnet group of the restored databases"),
    (SECURITY, "set it to their VPC security groups, separated by spaces"),
    (
        CLASS,
        "set it to the class of the instances whose class the copies do not record",
    ),
    (
        KEY,
        "set it to the key for the databases whose copies are not encrypted",
    ),
    (CAPACITY, "set it to the most capacity units of serverless instances"),
    (PROFILE, "set it to the instance profile of RDS Custom"),
];

/// A database, and the commands that restore it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restored {
    /// `instance orders`: what it is called in messages.
    pub(crate) title: String,
    /// What should be known of it, in sentences.
    pub(crate) remarks: Vec<String>,
    /// The wave that it is restored in, from 1. They come in this order.
    pub(crate) wave: usize,
    /// The commands.
    pub(crate) steps: Vec<Step>,
}

/// What is said of the whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// Region of the copies.
    pub(crate) region: &'a str,
    /// When the plan was made.
    pub(crate) now: &'a str,
    /// The subnet group, if the operator named it.
    pub(crate) subnet_group: Option<&'a str>,
    /// How many databases are restored at the same time.
    pub(crate) wave: usize,
}

/// The script: for `sh`, whatever the values of tags are.
pub(crate) fn script(about: About<'_>, databases: &[Restored]) -> String {
    let mut text = head(about, databases);
    for (number, database) in (1..).zip(databases) {
        restore(&mut text, number, database);
    }
    let waves = databases.last().map_or(0, |last| last.wave);
    let mut number = 0;
    for databases in databases.chunk_by(|a, b| a.wave == b.wave) {
        let wave = databases.first().map_or(0, |first| first.wave);
        let _ = write!(text, "\necho \"Wave {wave} of {waves}\"\n");
        for database in databases {
            number += 1;
            let _ = writeln!(text, "begin {number} {}", quoted(&database.title));
        }
        text.push_str("finish\n");
    }
    text.push_str(END);
    text
}

fn head(about: About<'_>, databases: &[Restored]) -> String {
    let About {
        region,
        now,
        subnet_group,
        wave,
    } = about;
    let number = databases.len();
    let mut text = format!(
        "#!/bin/sh\n{MARK} at {now} UTC.\n\
         # It restores databases in {}: {number}, in waves of at most {wave}. A database whose name is taken is left alone,\n\
         # so that the script can be run again.\n\
         set -u\n\n\
         # What belongs to the region; a shell stops here where one is not set.\n",
        visible(region)
    );
    let steps = || databases.iter().flat_map(|database| &database.steps);
    for (variable, purpose) in VARIABLES {
        if !steps().any(|step| step.fill_in.contains(&variable)) {
            continue;
        }
        let given = subnet_group.filter(|_| variable == SUBNETS);
        let _ = match given {
            Some(name) => writeln!(text, "{variable}=${{{variable}:-{}}}", quoted(name)),
            None => writeln!(text, ": \"${{{variable}:?{purpose}}}\""),
        };
    }
    text.push_str(BEGINNING);
    text
}

/// Puts the commands of a database into a function: a subshell, so that its end is not that of the script.
fn restore(text: &mut String, number: usize, database: &Restored) {
    let _ = write!(text, "\n# {number}: {}\n", visible(&database.title));
    for remark in &database.remarks {
        let _ = writeln!(text, "# {}", visible(remark));
    }
    let _ = writeln!(text, "restore_{number}() (");
    for (at, step) in database.steps.iter().enumerate() {
        let _ = writeln!(text, "# {}", visible(&step.purpose));
        // The first command makes the database; where its name is taken, nothing else is done either.
        let begin = if at == 0 { "create " } else { "" };
        let _ = writeln!(text, "{begin}{} || exit 1", command(step));
    }
    text.push_str(")\n");
}

/// A command with variables in the place of what the operator fills in. A wait is a script of its own, and has none.
fn command(step: &Step) -> String {
    if step.fill_in.is_empty() {
        return step.text.clone();
    }
    let mut text = String::new();
    for word in &step.command {
        if word.starts_with("--") {
            text.push_str(" \\\n  ");
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&filled(word, &step.fill_in));
    }
    text
}

fn filled(word: &str, fill_in: &[&'static str]) -> String {
    for variable in fill_in {
        if word == *variable {
            // Several groups are several words.
            return match *variable {
                SECURITY => format!("${variable}"),
                _ => format!("\"${variable}\""),
            };
        }
        if *variable == CAPACITY
            && let Some((before, after)) = word.split_once(CAPACITY)
        {
            let quoted = |part: &str| if part.is_empty() { String::new() } else { quoted(part) };
            return format!("{}\"${variable}\"{}", quoted(before), quoted(after));
        }
    }
    quoted(word)
}

const BEGINNING: &str = r#"
# No output of the AWS CLI waits for a key.
AWS_PAGER=''
export AWS_PAGER
logs=${LOGS:-restore-logs}
mkdir -p "$logs" || exit 1
running=''
failed=''
taken=''

# Runs the command that makes a database. Where the name is taken, by a database that may be any, nothing is changed.
create() {
  if said=$("$@" 2>&1); then
    printf '%s\n' "$said"
    return 0
  fi
  printf '%s\n' "$said" >&2
  case $said in
  *AlreadyExists*) exit 3 ;;
  *) exit 1 ;;
  esac
}

# Begins the restore of a number and a title.
begin() {
  echo "$(date) $2: begins; its log is $logs/$1.log"
  "restore_$1" >"$logs/$1.log" 2>&1 &
  running="$running$!|$2
"
}

# Waits for all that was begun.
finish() {
  while [ -n "$running" ]; do
    first=${running%%
*}
    running=${running#*
}
    wait "${first%%|*}"
    ended=$?
    title=${first#*|}
    case $ended in
    0) echo "$(date) $title: restored" ;;
    3)
      echo "$(date) $title: left alone, its name is taken"
      taken="$taken, $title"
      ;;
    *)
      echo "$(date) $title: not restored"
      failed="$failed, $title"
      ;;
    esac
  done
}
"#;

const END: &str = r#"
[ -z "$taken" ] || echo "Left alone, because the name is taken: ${taken#, }."
if [ -n "$failed" ]; then
  echo "Not restored: ${failed#, }. Their logs are in $logs." >&2
  exit 1
fi
echo "Done. Do not delete the copies until the restored databases have backups of their own."
"#;

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;
    use crate::commands::restore_command::aws_command::{AwsCommand, wait};

    fn steps(name: &str, class: Option<&str>) -> Vec<Step> {
        let mut create = AwsCommand::new("rds", "restore-db-instance-from-db-snapshot", "eu-west-1", None);
        create.option("--db-instance-identifier", name);
        match class {
            Some(class) => create.option("--db-instance-class", class),
            None => create.placeholder("--db-instance-class", CLASS, CLASS),
        }
        create.network();
        create.option("--tags", "it's $(HOME)");
        let mut describe = AwsCommand::new("rds", "describe-db-instances", "eu-west-1", None);
        describe.option("--db-instance-identifier", name);
        let mut modify = AwsCommand::new("rds", "modify-db-instance", "eu-west-1", None);
        modify.option("--db-instance-identifier", name);
        vec![
            create.to("Restore it."),
            wait(&describe, "Wait."),
            modify.to("Set the rest."),
        ]
    }

    fn restored(name: &str) -> Restored {
        Restored {
            title: format!("instance {name}"),
            remarks: vec!["a\nremark".to_owned()],
            wave: 1,
            steps: steps(name, Some("db.r6g.large")),
        }
    }

    const ABOUT: About<'_> = About {
        region: "eu-west-1",
        now: "2026-11-22 12:00",
        subnet_group: None,
        wave: 2,
    };

    /// Runs a script with an `aws` that writes down its words, and answers by the name of the database.
    fn run(text: &str, variables: &str) -> (Output, String) {
        let folder = std::env::temp_dir().join(format!("snapferry-script-{}-{:p}", std::process::id(), text));
        std::fs::create_dir_all(&folder).expect("a folder");
        let stub = format!(
            r#"cd '{}'; {variables}
            date() {{ echo now; }}; sleep() {{ :; }}
            aws() {{
              for word; do printf '%s;' "$word"; done >>calls; echo >>calls
              case "$*" in
              *restore*identifier\ taken*) echo 'An error occurred (DBInstanceAlreadyExists)' >&2; return 254 ;;
              *restore*identifier\ refused*) echo 'An error occurred (InsufficientDBInstanceCapacity)' >&2; return 254 ;;
              *describe*dead*) echo incompatible-parameters ;;
              *describe*) echo available ;;
              esac
            }}
            {text}"#,
            folder.display()
        );
        let output = Command::new("sh").args(["-c", &stub]).output().expect("a shell");
        let calls = std::fs::read_to_string(folder.join("calls")).unwrap_or_default();
        std::fs::remove_dir_all(&folder).expect("removed");
        (output, calls)
    }

    const SET: &str = "SUBNET_GROUP=private SECURITY_GROUP_IDS='sg-1 sg-2'";

    #[test]
    fn one_that_fails_and_one_whose_name_is_taken_stop_no_other() {
        let names = ["orders", "taken", "refused", "dead", "stock"];
        let (output, calls) = run(&script(ABOUT, &names.map(restored)), SET);
        let (out, aside) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(1), "{out}{aside}");
        assert!(
            aside.contains("Not restored: instance refused, instance dead. Their logs"),
            "{aside}"
        );
        assert!(
            out.contains("Left alone, because the name is taken: instance taken.\n"),
            "{out}"
        );
        for name in ["orders", "stock"] {
            assert!(out.contains(&format!("now instance {name}: restored\n")), "{out}");
        }
        let modified: Vec<&str> = calls.lines().filter(|call| call.contains("modify")).collect();
        assert_eq!(
            modified.len(),
            2,
            "what is not ours or not available is not changed: {calls}"
        );
    }

    #[test]
    fn a_wave_begins_when_all_of_the_one_before_have_ended() {
        let mut databases = ["a", "b", "c"].map(restored);
        databases[2].wave = 2;
        let (output, _) = run(&script(ABOUT, &databases), SET);
        assert!(output.status.success());
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let order = [
            "Wave 1 of 2",
            "instance a: begins",
            "instance b: begins",
            "instance b: restored",
            "Wave 2 of 2",
            "instance c: begins",
        ];
        let places: Vec<_> = order.iter().map(|text| out.find(text)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{out}");
    }

    #[test]
    fn what_the_operator_fills_in_is_a_variable_and_nothing_begins_without_it() {
        let mut orders = restored("orders");
        orders.steps = steps("orders", None);
        let text = script(ABOUT, &[orders]);
        let (output, calls) = run(&text, SET);
        assert!(!output.status.success() && calls.is_empty(), "{calls}");
        let aside = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            aside.contains("INSTANCE_CLASS") && aside.contains("set it to the class"),
            "{aside}"
        );

        let (output, calls) = run(&text, &format!("{SET} INSTANCE_CLASS=db.t4g.micro"));
        assert!(output.status.success());
        let expected = "--db-instance-class;db.t4g.micro;--db-subnet-group-name;private;--vpc-security-group-ids;sg-1;sg-2;\
                        --tags;it's $(HOME);";
        assert!(calls.contains(expected), "{calls}");
    }

    #[test]
    fn a_subnet_group_that_was_named_is_the_default() {
        let about = About {
            subnet_group: Some("my-group"),
            ..ABOUT
        };
        let text = script(about, &[restored("orders")]);
        let (_, calls) = run(&text, "SECURITY_GROUP_IDS=sg-1");
        assert!(calls.contains("--db-subnet-group-name;my-group;"), "{calls}");
        let (_, calls) = run(&text, SET);
        assert!(calls.contains("--db-subnet-group-name;private;"), "{calls}");
    }

    #[test]
    fn a_part_of_a_value_can_be_filled_in() {
        let word = "MinCapacity=0.5,MaxCapacity=MAX_CAPACITY,SecondsUntilAutoPause=300";
        assert_eq!(
            filled(word, &[SUBNETS, CAPACITY]),
            "MinCapacity=0.5,MaxCapacity=\"$MAX_CAPACITY\",SecondsUntilAutoPause=300"
        );
        assert_eq!(filled("it's", &[CAPACITY]), r"'it'\''s'");
    }
}
