//! `rds-simulator`: Amazon RDS, simulated, behind HTTP on loopback.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use rds_simulator::server::Server;
use rds_simulator::{Scenario, Simulator};
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
Amazon RDS, simulated: snapshots and their copies across regions.

Usage: rds-simulator [--listen ADDRESS] [--scenario FILE] [--time-scale N] [--parent-pid PID]

  --listen ADDRESS   a loopback address and a port; 0 is any free port (127.0.0.1:0)
  --scenario FILE    the JSON to seed it with; see the documentation of rds_simulator::scenario
  --time-scale N     simulated seconds of copying in a second (1)
  --parent-pid PID   end when this process is gone
  --check            read the scenario, say what is in it, and end
  --help             this text

When it is ready it prints one line, {\"listening\":\"http://127.0.0.1:PORT\"}. SIGINT and SIGTERM end it.

Examples:
  rds-simulator --listen 127.0.0.1:4510 --scenario fleet.json --time-scale 200
  export AWS_ENDPOINT_URL_RDS=http://127.0.0.1:4510 AWS_ENDPOINT_URL_KMS=http://127.0.0.1:4510
  export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=any
  aws rds describe-db-snapshots --region eu-west-1
  aws kms describe-key --region eu-central-1 --key-id alias/copies
  curl http://127.0.0.1:4510/_control/counters
  curl -X POST http://127.0.0.1:4510/_control/seed -d @fleet.json
  curl -X POST http://127.0.0.1:4510/_control/key-state -d '{\"region\": \"eu-central-1\", \"key\": \"alias/copies\", \"state\": \"Disabled\"}'
  curl -X POST http://127.0.0.1:4510/_control/faults -d '{\"operation\": \"CopyDBSnapshot\", \"times\": 2, \"action\": \"throttle\"}'
  curl -X POST http://127.0.0.1:4510/_control/holds -d '{\"operation\": \"AddTagsToResource\"}'
";

#[derive(Debug)]
struct Options {
    listen: SocketAddr,
    scenario: Option<String>,
    time_scale: f64,
    parent: Option<Process>,
    check: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprintln!("rds-simulator: {reason} (--help says more)");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("rds-simulator: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    let now = Timestamp::now();
    let mut simulator = Simulator::new(now);
    simulator.set_time_scale(now, options.time_scale)?;
    if let Some(file) = &options.scenario {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        Scenario::from_json(&text)
            .and_then(|scenario| simulator.seed(now, &scenario))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    if options.check {
        for (name, region) in simulator.state(now).regions {
            println!(
                "{name}: {} databases, {} snapshots",
                region.databases.len(),
                region.snapshots.len()
            );
        }
        return Ok(());
    }
    // Before the line is printed: who reads it may send a signal at once.
    let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let server = Server::bind(options.listen, simulator)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let address = server.address().map_err(|error| error.to_string())?;
    println!("{{\"listening\":\"http://{address}\"}}");
    tokio::select! {
        never = server.serve() => match never {},
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        () = gone(options.parent) => {}
    }
    Ok(())
}

/// Waits until a process is gone, for ever if there is none to watch.
async fn gone(process: Option<Process>) {
    let Some(process) = process else {
        return std::future::pending().await;
    };
    while process.lives() {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// A process, told apart from a later one of the same number by when it was started.
#[derive(Debug)]
struct Process {
    pid: u32,
    started: String,
}

impl Process {
    fn find(pid: u32) -> Option<Self> {
        let (state, started) = Self::status(pid)?;
        (state != "Z").then_some(Self { pid, started })
    }

    fn lives(&self) -> bool {
        Self::status(self.pid).is_some_and(|(state, started)| state != "Z" && started == self.started)
    }

    /// State and start time from `/proc/PID/stat`; both stand behind the name, which may hold anything.
    fn status(pid: u32) -> Option<(String, String)> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(((*fields.first()?).to_owned(), (*fields.get(19)?).to_owned()))
    }
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        scenario: None,
        time_scale: 1.0,
        parent: None,
        check: false,
    };
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            attached
                .clone()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name {
            "--help" | "-h" => return Ok(None),
            "--check" => options.check = true,
            "--listen" => {
                let text = value()?;
                options.listen = text
                    .parse()
                    .map_err(|_| format!("--listen {text}: not an address such as 127.0.0.1:4510"))?;
            }
            "--scenario" => options.scenario = Some(value()?),
            "--time-scale" => {
                let text = value()?;
                options.time_scale = text.parse().map_err(|_| format!("--time-scale {text}: not a number"))?;
            }
            "--parent-pid" => {
                let text = value()?;
                let process = text.parse().ok().and_then(Process::find);
                options.parent = Some(process.ok_or_else(|| format!("--parent-pid {text}: no such process"))?);
            }
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(Some(options))
}
