//! The binary: how it begins and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn simulator(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rds-simulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it, and waits until it says where it listens.
fn started(arguments: &[&str]) -> (Child, String) {
    let mut child = simulator(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = ready["listening"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    (child, address)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Waits for its end, not for ever.
fn ended(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

fn refused(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = simulator(arguments).output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[test]
fn it_says_where_it_listens_and_a_signal_ends_it() {
    for name in ["TERM", "INT"] {
        let (mut child, address) = started(&[]);
        assert!(get(&address, "/_control/state").contains("\"account\":\"123456789012\""));
        signal(&child, name);
        assert!(ended(&mut child), "SIG{name}");
        assert!(TcpStream::connect(&address).is_err());
    }
}

#[test]
fn a_connection_that_is_open_does_not_keep_it_from_ending() {
    let (mut child, address) = started(&[]);
    let _open = TcpStream::connect(&address).unwrap();
    signal(&child, "TERM");
    assert!(ended(&mut child));
}

#[test]
fn it_ends_when_its_parent_is_gone() {
    let mut parent = Command::new("sleep").arg("60").spawn().unwrap();
    let (mut child, _) = started(&["--parent-pid", &parent.id().to_string()]);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(ended(&mut child));
}

#[test]
fn it_listens_on_loopback_only() {
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("not a loopback address"));
}

#[test]
fn a_wrong_command_line_or_scenario_is_named() {
    assert!(refused(&["--listen", "here"]).contains("--listen here: not an address"));
    assert!(refused(&["--time-scale", "fast"]).contains("not a number"));
    assert!(refused(&["--time-scale"]).contains("--time-scale needs a value"));
    assert!(refused(&["--parent-pid", "0"]).contains("no such process"));
    assert!(refused(&["--nothing"]).contains("unknown argument --nothing"));
    assert!(refused(&["--scenario", "/nowhere.json"]).contains("/nowhere.json"));
}

#[test]
fn help_has_examples() {
    let Output { status, stdout, .. } = simulator(&["--help"]).output().unwrap();
    assert!(status.success());
    assert!(String::from_utf8(stdout).unwrap().contains("Examples:"));
}
