//! `snapferry doctor`: checks everything that copies depend on, and says what to do.

use jiff::Timestamp;
use serde::Serialize;

use crate::args::{Doctor, Global};
use crate::aws::account::Account;
use crate::error::{CliError, ExitStatus};
use crate::facts::doctor::finding::{Finding, Health};
use crate::facts::doctor::{Patient, examine};
use crate::output::table::{Cell, Column, Table};
use crate::output::terminal::{Style, Terminal};

/// What the command writes, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    now: Timestamp,
    region: &'a str,
    stack: &'a str,
    /// That of the worst finding.
    health: Health,
    findings: &'a [Finding],
}

/// Examines both stacks and what is around them. Nothing is changed.
pub(crate) async fn run(
    account: &Account,
    global: &Global,
    options: &Doctor,
    terminal: &mut Terminal<'_>,
) -> Result<ExitStatus, CliError> {
    let region = account.region()?;
    let patient = Patient {
        region,
        stack: global.stack(),
        watch_stack: &options.watch_stack,
        release: env!("SNAPFERRY_VERSION"),
    };
    let findings = examine(account, patient).await;
    let health = findings.iter().map(|finding| finding.health).max();
    let health = health.unwrap_or(Health::Unknown);
    if options.json {
        terminal.print_json(&Report {
            version: 1,
            now: account.now(),
            region,
            stack: patient.stack,
            health,
            findings: &findings,
        });
    } else {
        show(&findings, terminal);
    }
    Ok(if health == Health::Wrong {
        ExitStatus::Problem
    } else {
        ExitStatus::Success
    })
}

fn show(findings: &[Finding], terminal: &mut Terminal<'_>) {
    let mut table = Table::new([
        Column::new("HEALTH", 0),
        Column::new("CHECK", 0).cut_last_to(24),
        Column::new("FOUND, AND WHAT TO DO", 0).wrapped(),
    ]);
    for finding in findings {
        let remedy = finding.remedy.as_deref();
        let remedy = remedy.map_or_else(String::new, |remedy| format!(" {}", remedy.replace('\n', " ")));
        table.row([
            Cell::new(style(finding.health), finding.health.to_string()),
            format!("{} {}", finding.check, short(&finding.subject)).into(),
            format!("{}{remedy}", finding.found).into(),
        ]);
    }
    let rendered = table.render(terminal);
    terminal.print(&rendered);
    let counts = [Health::Good, Health::Warning, Health::Wrong, Health::Unknown].map(|health| {
        let number = findings.iter().filter(|finding| finding.health == health).count();
        format!("{number} {health}")
    });
    terminal.println("");
    terminal.println_wrapped(Style::Strong, &format!("{}.", counts.join(", ")));
}

/// The name at the end of an ARN, which is what tells it from others here.
fn short(subject: &str) -> &str {
    if !subject.starts_with("arn:") {
        return subject;
    }
    let resource = subject.splitn(6, ':').last().unwrap_or(subject);
    resource.rsplit('/').next().unwrap_or(resource)
}

fn style(health: Health) -> Style {
    match health {
        Health::Good => Style::Good,
        Health::Unknown | Health::Warning => Style::Warning,
        Health::Wrong => Style::Bad,
    }
}
