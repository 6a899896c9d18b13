//! Policies, and templates rendered with other parameters than `make render` gives.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use deployment::root;
use serde_json::{Value, json};
use step_functions::entries;

/// A string or a list of strings as a list.
pub(crate) fn list(value: &Value) -> Vec<&str> {
    value.as_str().map_or_else(
        || entries(value).iter().filter_map(Value::as_str).collect(),
        |one| vec![one],
    )
}

pub(crate) fn statements(policies: &Value) -> Vec<&Value> {
    entries(&policies["policies"])
        .iter()
        .flat_map(|policy| entries(&policy["Statement"]))
        .collect()
}

/// The statements of a role that allow `action` on `resource`, as its list of resources spells it.
pub(crate) fn allowing<'a>(policies: &'a Value, action: &str, resource: &str) -> Vec<&'a Value> {
    statements(policies)
        .into_iter()
        .filter(|statement| list(&statement["Action"]).contains(&action))
        .filter(|statement| list(&statement["Resource"]).iter().any(|arn| arn.starts_with(resource)))
        .collect()
}

/// `render.py --serve`: to start it and to read the templates takes seconds, to render one a few hundredths of one.
struct Renderer {
    program: Child,
    arguments: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Renderer {
    fn start() -> Self {
        let mut program = Command::new(root().join(".venv/bin/python"))
            .current_dir(root())
            .args(["tests/deployment/render.py", "--serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}. Run `make render` first."));
        Self {
            arguments: program.stdin.take().expect("a pipe"),
            answers: BufReader::new(program.stdout.take().expect("a pipe")),
            program,
        }
    }

    /// What is said against the arguments, or an empty text.
    fn render(&mut self, arguments: &[&str]) -> String {
        writeln!(self.arguments, "{}", json!(arguments)).expect("render.py reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("render.py answers");
        assert!(!answer.is_empty(), "render.py has ended: {:?}", self.program.wait());
        serde_json::from_str(&answer).expect("a text")
    }
}

/// The directory of what is rendered with other parameters than `make render` gives, or what is said against them.
pub(crate) fn render_with(arguments: &[&str]) -> Result<PathBuf, String> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static RENDERER: LazyLock<Mutex<Renderer>> = LazyLock::new(|| Mutex::new(Renderer::start()));
    // Some runners give each test a process of its own.
    let number = format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rendered-{number}"));
    let arguments = [arguments, &["--output", directory.to_str().expect("a path")]].concat();
    let said = RENDERER.lock().expect("no test panics in it").render(&arguments);
    if said.is_empty() { Ok(directory) } else { Err(said) }
}

/// Policies and template with other parameters.
pub(crate) fn rendered_with(arguments: &[&str]) -> Result<(Value, Value), String> {
    let directory = render_with(arguments)?;
    let read = |name: &str| {
        let text = std::fs::read_to_string(directory.join(name)).expect(name);
        serde_json::from_str(&text).expect(name)
    };
    let read = (read("policies.json"), read("template.json"));
    std::fs::remove_dir_all(&directory).expect("it was made just now");
    Ok(read)
}
