//! One word for one thing, and plain English, in code, help, state machines, template and documents.
//!
//! A word goes on the list when a reader stumbled over it. Each one stands with the word to use instead, a sentence in
//! which it must be found and, where that is not obvious, one in which it must not be.

use std::collections::BTreeMap;
use std::process::Command;

use deployment::root;
use regex::Regex;

/// A word or a turn of phrase that is not used here.
struct Word {
    /// What is looked for, whatever its case. A match with the group `good` is no fault.
    pattern: &'static str,
    /// What to write instead.
    instead: &'static str,
    /// A text with the fault.
    bad: &'static str,
    /// A text like it without the fault.
    good: &'static str,
    /// Which files are read for it.
    scope: Scope,
}

#[derive(PartialEq)]
enum Scope {
    Everything,
    Code,
    Documents,
}

const WORDS: &[Word] = &[
    // Grammar.
    Word {
        pattern: r#"["'`}] (is|are) no \w+|(?P<good>there |nor )?\b(is|are|was|were) no (valid )?(plan|resource id|json|kind|region|arn|number|object|array|(database )?identifier|length of time|setting of|name of|time of|key of|snapshot of|copy of|error of|fault|mismatch|pager|test|hit|secret|variable|policy|sign of)\b"#,
        instead: "is not a ...",
        bad: r#""x" is no database identifier, and the file is no plan"#,
        good: r#""x" is not a valid database identifier; there is no plan, and no test"#,
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(one|two|three|five|each|only|single|an?|\d+) (small |own |more )?(execution|bar|file|folder|page|client|message|mail|line|role|record|row|entry|call|invocation|metric|crate|binary|poll|lambda|zip|name|key|list|struct) (?P<good>a \w+ (may|can|must|is|has) )?an? (database|copy|command|run|region|function|page|file|folder|line|row|entry|state|event|month|kind|engine|snapshot|test|machine|crate|stack|second|minute|hour|day)\b",
        instead: "one ... per ...",
        bad: "one execution a database",
        good: "one execution per database",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(executions|bars|files|pages|clients|messages|mails|lines|roles|invocations|polls|looks|attempts|slots|databases|calls) an? (database|copy|command|run|region|function|page|month)\b(?P<good> that)?",
        instead: "... per ...",
        bad: "two calls a database",
        good: "two calls for each database",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(come|comes|coming|came) to\b",
        instead: "return, result in, agree with",
        bad: "what does the state come to?",
        good: "what does the state return?",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bso many\b(?P<good> (\w+ )?that)?",
        instead: "N, this many",
        bad: "the newest so many",
        good: "so many requests that it throttles",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bnobody knows which\b|\bnor are there any\b|\bsomebody is to be\b",
        instead: "say what cannot be known, or what has to happen",
        bad: "no colours; nor are there any in a pipe",
        good: "",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(is|are|be|was|were) to be (told|looked|filled in|tried|asked|run|shown|made|found|known)\b",
        instead: "must be, has to be",
        bad: "what stands in capitals is to be filled in",
        good: "must be filled in",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bonce and for ever\b",
        instead: "once and every time",
        bad: "with each error, once and for ever",
        good: "for ever",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bby (itself|themselves)\b",
        instead: "automatically, on its own",
        bad: "the next run tries again by itself",
        good: "itself",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bmade again\b|\b(made|copied|built|created) anew\b",
        instead: "re-created, copied again from the start",
        bad: "a database that was made again",
        good: "read again",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bthe way of the data\b",
        instead: "data flow",
        bad: "The way of the data",
        good: "the way to the data",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bstands? in capitals\b",
        instead: "Replace the values in CAPITALS",
        bad: "What stands in capitals",
        good: "",
        scope: Scope::Everything,
    },
    // Terms.
    Word {
        pattern: r"\bbatons?\b|\bwire::|\bmod wire\b|\bwire\.rs\b",
        instead: "payload",
        bad: "the baton of the run",
        good: "the format on the wire",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(a|the|one|each|every|first|second|third|next|last|this) look\b|\b(the|few|many|more|fewer|most|fifty|of|between|two|all|\d+(\.\d+)?) looks\b(?P<good> (like|for|up|at|after|into|from)\b)?|\blooks (are|grow|of|per)\b",
        instead: "poll",
        bad: "a copy of two hours takes at most fifty looks",
        good: "one looks like the other",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(copy|copies|database|databases|it|they|which) (that )?((is|are|was|were|has been|have been) )?looked at\b|\blooks at (every|each|all) (database|copy)",
        instead: "polled (a copy), processed (a database)",
        bad: "databases looked at of which nothing was copied",
        good: "a person looked at the page",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(is|are|was|were|be|been|being) told\b(?P<good> (apart|from|to|otherwise|the|a|where|which|how)\b)?",
        instead: "notified, reported",
        bad: "who is told of failed runs",
        good: "the two errors are told apart",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(tell|tells|telling) (the topic|nobody|somebody|people|a person|the operator|the operators|of the|of a|what)\b",
        instead: "notify, report, say",
        bad: "a message tells the topic",
        good: "nothing tells them apart",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\blanes?\b|\b(instance|cluster)_?lanes\b",
        instead: "concurrency",
        bad: "InstanceLanes",
        good: "planes",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bstrangers?\b",
        instead: "foreign snapshot, foreign copy",
        bad: "a stranger of the name",
        good: "a strange name",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bheld::|\bmod held\b|\bheld\.rs\b|\b(struct|enum|type) held",
        instead: "owned copies, destination copies",
        bad: "struct HeldCopy",
        good: "held by a test",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bkeep[_-]all\b|\bor_more\b|\bkeep\.rs\b",
        instead: "retention rules, hold, widest",
        bad: "fn or_more(self, other: Self)",
        good: "keep all of them",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(the|an|its|their|whose|missed) objectives?\b|\bobjective (is|was) missed\b",
        instead: "RPO",
        bad: "an objective is missed",
        good: "the recovery point objective",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"(?-i)\b(MOST|LEAST|LONGEST|SHORTEST)_\w+",
        instead: "MAX_..., MIN_...",
        bad: "const MOST_ATTEMPTS: u32 = 3;",
        good: "MAX_ATTEMPTS",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"(?-i)\bfn of[(<]|\bfn of_\w+[(<][^{;]*-> [^{;]*\bSelf\b",
        instead: "new, from_...",
        bad: "pub fn of(text: &str) -> Self",
        good: "fn of_a_fleet_none_is_lost() {",
        scope: Scope::Code,
    },
    Word {
        pattern: r"(?-i)\bfn (names|is)\([^)]*\) -> bool",
        instead: "is_..., matches",
        bad: "pub fn names(&self, id: &str) -> bool",
        good: "fn names(&self) -> Vec<String>",
        scope: Scope::Code,
    },
    Word {
        pattern: r"(?-i)\b(struct|enum|type|trait|class) (Wish|Fate|Sight|Doing|Standing|Told|Which|Label|Screen|Named)\b",
        instead: "the noun that it is",
        bad: "pub enum Doing {",
        good: "struct WhichKey",
        scope: Scope::Code,
    },
    Word {
        pattern: r"\bwarden\b|\bmod (lab|trial)\b|\b(lab|trial)\.rs\b|\btrials?\b|\bthe lab\b",
        instead: "supervisor, invariants, harness, scenario run",
        bad: "mod trial;",
        good: "watch the page",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\b(the|of|a|beside) floor\b|\bfloor's\b|\| floor\b|\btests/floor\b",
        instead: "baseline",
        bad: "beside the floor",
        good: "value.floor()",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bstatic[-_]checks\b|\btests/(static|coverage|simulator|simulator-sdk|localcloud|fixtures|measures)/",
        instead: "the folders that there are: see tests/README.md",
        bad: "tests/static/src/lib.rs",
        good: "tests/aws/rds-simulator/src",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"\bfunctions/shared\b|\bcrate shared\b|\bshared::",
        instead: "crates/{domain,rds,runtime}",
        bad: "use shared::Target;",
        good: "shared with another account",
        scope: Scope::Everything,
    },
    Word {
        pattern: r"(?-i)\b(WhatIsToBeDone|TellWhatFailed|IsListingFailureTold|TellListingFailed|WasAProblemFound|CanRoomBeMade|LookAgain|CanAnotherBeFound|SomebodyIsToBeTold|LookBeforeTheCopies)\b",
        instead: "the states and conditions that there are",
        bad: "Next: WhatIsToBeDone",
        good: "Decide",
        scope: Scope::Everything,
    },
    // Documents only: in code the words stand for things of the code.
    Word {
        pattern: r"\bhand-made (snapshot|copy|copies)\b",
        instead: "manual snapshot",
        bad: "a hand-made snapshot",
        good: "a manual snapshot",
        scope: Scope::Documents,
    },
    Word {
        pattern: r"\bcustomer keys?\b",
        instead: "customer managed key",
        bad: "a customer key",
        good: "a customer managed key",
        scope: Scope::Documents,
    },
];

/// Where one of them may stand nevertheless: file, a text that the line has, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[("CHANGELOG.md", " is now `", "says what something was called before")];

/// Files that are not prose or code of ours, and this one.
fn is_read(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_foreign = name.starts_with("LICENSE") || ["lock", "png"].contains(&ending(name));
    let is_list = name == "requirements.txt" || path.contains("proptest-regressions");
    !is_foreign && !is_list && !path.ends_with("deployment/tests/words.rs")
}

/// The ending of a file's name, as in `rs`.
fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// A text as it is read: one line, without the marks of comments, and with the words of a name apart. Sentences go
/// over the ends of lines, and names of tests are sentences.
struct Reading {
    text: String,
    /// Where each line begins in it.
    lines: Vec<usize>,
}

impl Reading {
    fn new(source: &str, names_apart: bool) -> Self {
        let (mut text, mut lines) = (String::new(), Vec::new());
        for line in source.lines() {
            lines.push(text.len());
            let line = line.trim();
            let line = line.trim_start_matches("///").trim_start_matches("//!");
            let line = line.trim_start_matches("//").trim_start_matches('#').trim_start();
            text.push_str(line);
            text.push(' ');
        }
        if names_apart {
            text = text.replace('_', " ");
        }
        Self { text, lines }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }
}

/// The faults of a text: line, what stands there, and what to write instead.
fn faults<'a>(path: &str, source: &str, words: &'a [(Regex, &'a Word)]) -> BTreeMap<(usize, String), &'a str> {
    let mut found = BTreeMap::new();
    for reading in [Reading::new(source, false), Reading::new(source, true)] {
        for (pattern, word) in words {
            let is_in_scope = match word.scope {
                Scope::Everything => true,
                Scope::Code => ["rs", "py"].contains(&ending(path)),
                Scope::Documents => ending(path) == "md",
            };
            if !is_in_scope {
                continue;
            }
            for captures in pattern.captures_iter(&reading.text) {
                if captures.name("good").is_none() {
                    let hit = captures.get_match();
                    found.insert(
                        (reading.line(hit.start()), hit.as_str().replace('_', " ")),
                        word.instead,
                    );
                }
            }
        }
    }
    found
}

fn words() -> Vec<(Regex, &'static Word)> {
    let compiled = |word: &'static Word| {
        let pattern = Regex::new(&format!("(?i){}", word.pattern));
        (
            pattern.unwrap_or_else(|error| panic!("{}: {error}", word.pattern)),
            word,
        )
    };
    WORDS.iter().map(compiled).collect()
}

/// What git knows, or would.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).expect("UTF-8");
    let files = files
        .lines()
        .filter(|path| is_read(path) && root().join(path).is_file());
    files.map(str::to_owned).collect()
}

/// A file's text. Of the changelog what is not released yet: what was released stays as it was said.
fn text(path: &str) -> String {
    let text = std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = String::from_utf8_lossy(&text).into_owned();
    if path != "CHANGELOG.md" {
        return text;
    }
    let released = text.match_indices("\n## [").map(|(at, _)| at).nth(1);
    text[..released.unwrap_or(text.len())].to_owned()
}

#[test]
fn one_word_for_one_thing_and_plain_english() {
    let words = words();
    let files = files();
    assert!(files.len() > 200, "only {} files", files.len());
    let mut allowances = vec![0; ALLOWED.len()];
    let mut report = Vec::new();
    for path in &files {
        for ((_, name), instead) in faults(path, path, &words) {
            report.push(format!("{path}: its name has {name:?}; say: {instead}"));
        }
        let source = text(path);
        let lines: Vec<&str> = source.lines().collect();
        for ((line, hit), instead) in faults(path, &source, &words) {
            let content = lines.get(line - 1).copied().unwrap_or_default();
            let allowed = ALLOWED
                .iter()
                .position(|(file, part, _)| file == path && content.contains(part));
            if let Some(allowed) = allowed {
                allowances[allowed] += 1;
                continue;
            }
            report.push(format!("{path}:{line}: {hit:?}; say: {instead}"));
        }
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
    for ((file, part, _), uses) in ALLOWED.iter().zip(allowances) {
        assert!(uses > 0, "{file} needs no exception any more for {part:?}");
    }
}

#[test]
fn each_word_is_found_where_it_is_wrong_and_only_there() {
    let words = words();
    for word in &words {
        let found = |text: &str| {
            let path = if word.1.scope == Scope::Documents {
                "a.md"
            } else {
                "a.rs"
            };
            !faults(path, text, std::slice::from_ref(word)).is_empty()
        };
        assert!(found(word.1.bad), "{:?} is not found by {}", word.1.bad, word.0);
        assert!(!found(word.1.good), "{:?} is found by {}", word.1.good, word.0);
    }
    let wrapped = "/// Each has one execution\n/// a database.\nfn takes_at_most_fifty_looks() {}";
    let lines: Vec<usize> = faults("a.rs", wrapped, &words)
        .into_keys()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(lines, [1, 3], "over the end of a line, and in a name");
}
