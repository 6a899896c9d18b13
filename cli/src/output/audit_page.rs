//! The audit as a page: one file, no scripts, no network.
//!
//! The charts are lists whose texts say what the bars show, so that they read on any screen and aloud.

use std::fmt::{Display, Formatter, Write};

use jiff::{SignedDuration, Timestamp};

use crate::audit::{Entry, Report};
use crate::moment::{length, utc};
use crate::status::{Line, State};
use crate::words;

const STYLE: &str = include_str!("page.css");

/// Ages beyond so many objectives are drawn alike, or one of them would hide the differences of all others.
const MAX_OBJECTIVES: i64 = 3;

/// Nothing that happened is too short to be seen: percent of the timeline.
const MIN_PERCENT: f64 = 0.4;

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let title = format!("Database copies in {}", report.region);
    let mut html = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        Text(&title)
    );
    header(&mut html, report, &title);
    html.push_str("<main>\n");
    ages(&mut html, report);
    timeline(&mut html, report);
    table(&mut html, report);
    html.push_str("</main>\n");
    let _ = write!(
        html,
        "<footer>\n<p>A copy counts as verified when it is complete and was compared with its source: snapshot, engine, \
         version, encryption and key, and size where RDS reports it. Its age is that of its data. All times are UTC.</p>\n\
         <p>Written by snapferry {}.</p>\n</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

fn header(html: &mut String, report: &Report, title: &str) {
    let _ = writeln!(html, "<header>\n<h1>{}</h1>", Text(title));
    let of = match &report.stack {
        Some(stack) => format!("Stack {stack}, owner {}", report.owner),
        None => format!("Owner {}, by the copies' own tags", report.owner),
    };
    let _ = writeln!(
        html,
        "<p class=\"faint\">{}. {} to {} UTC.</p>",
        Text(&of),
        utc(report.since),
        utc(report.now)
    );
    let living = report
        .databases
        .iter()
        .filter(|line| line.state != State::Retired)
        .count();
    let missed = report.databases.iter().filter(|line| line.state.misses()).count();
    let objective = length(objective(report));
    let (class, answer) = match missed {
        0 => (
            "good",
            format!("Every database has a verified copy of data not older than {objective} ({living} of {living})."),
        ),
        _ => (
            "bad",
            format!(
                "{missed} of {} have no verified copy of data younger than {objective}.",
                words::databases(living)
            ),
        ),
    };
    let _ = writeln!(html, "<p class=\"answer {class}\">{answer}</p>");
    for note in &report.notes {
        let _ = writeln!(html, "<p class=\"soon\">{}</p>", Text(note));
    }
    html.push_str("</header>\n");
}

fn objective(report: &Report) -> SignedDuration {
    SignedDuration::from_secs(report.objective_seconds)
}

/// How old each database's newest verified copy is, the worst first.
fn ages(html: &mut String, report: &Report) {
    let limit = report.objective_seconds;
    let oldest = report.databases.iter().filter_map(|line| line.age_seconds).max();
    let scale = oldest
        .unwrap_or_default()
        .min(limit * MAX_OBJECTIVES)
        .max(limit * 5 / 4);
    let _ = write!(
        html,
        "<section aria-labelledby=\"ages\">\n<h2 id=\"ages\">Age of the newest verified copy</h2>\n\
         <p class=\"legend\">The line in each bar is the objective, {}. The longest bars are of {} or more.</p>\n<ol class=\"chart\">\n",
        length(objective(report)),
        length(SignedDuration::from_secs(scale)),
    );
    for line in &report.databases {
        let (word, class) = judged(line, limit);
        let age = line.age_seconds;
        let value = match age {
            Some(age) => format!("{}{word}", length(SignedDuration::from_secs(age))),
            None => "no verified copy".to_owned(),
        };
        let width = age.map_or(100.0, |age| percent(age.min(scale), scale));
        let bar = Bar {
            class,
            from: 0.0,
            width,
        };
        let mark = Bar {
            class: "mark",
            from: percent(limit, scale),
            width: 0.3,
        };
        row(
            html,
            &Text(&line.name()).to_string(),
            &[bar, mark],
            &value,
            &class.replace("is-", ""),
        );
    }
    html.push_str("</ol>\n</section>\n");
}

fn judged(line: &Line, limit: i64) -> (&'static str, &'static str) {
    let soon = line.age_seconds.is_some_and(|age| age > limit / 10 * 9);
    match line.state {
        State::NoCopy | State::Late => (", late", "is-bad"),
        State::Good if soon => ("", "is-soon"),
        State::Good => ("", "is-good"),
        State::Retired => (", retired", "queued"),
    }
}

/// What the last stretch of work did when.
fn timeline(html: &mut String, report: &Report) {
    let shown: Vec<&Entry> = report.timeline.iter().map(|at| &report.entries[*at]).collect();
    let begins = shown.iter().map(|entry| entry.started_at).min();
    let ends = shown.iter().map(|entry| entry.ended_at.unwrap_or(report.now)).max();
    let (Some(begins), Some(ends)) = (begins, ends) else {
        return;
    };
    let whole = milliseconds(ends.duration_since(begins));
    let _ = writeln!(
        html,
        "<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">The last work, {}</h2>\n<p class=\"legend\">{}{}{}{}{}</p>\n\
         <p class=\"axis\"><span>{}</span><span>{}</span></p>\n<ol class=\"chart\">",
        match &report.stack {
            Some(_) => words::count(shown.len(), "execution", "executions"),
            None => words::copies(shown.len()),
        },
        swatch("queued"),
        swatch("copying"),
        swatch("verifying"),
        swatch("pruning"),
        swatch("failed"),
        utc(begins),
        utc(ends),
    );
    for entry in shown {
        let spans = spans(entry, report.now);
        let bars: Vec<Bar> = spans
            .iter()
            .map(|(class, from, to)| Bar {
                class,
                from: percent(milliseconds(from.duration_since(begins)), whole),
                width: percent(milliseconds(to.duration_since(*from)), whole).max(MIN_PERCENT),
            })
            .collect();
        let took = entry.ended_at.unwrap_or(report.now).duration_since(entry.started_at);
        let (value, class) = match entry.outcome.as_str() {
            "copied" => (length(took), ""),
            "running" => (format!("{}, running", length(took)), "soon"),
            _ => (entry.ended().to_owned(), "bad"),
        };
        row(html, &link(entry), &bars, &value, class);
    }
    html.push_str("</ol>\n</section>\n");
}

/// What an execution did from when to when.
fn spans(entry: &Entry, now: Timestamp) -> Vec<(&'static str, Timestamp, Timestamp)> {
    let end = entry.ended_at.unwrap_or(now);
    if entry.outcome == "failed" {
        return vec![("failed", entry.started_at, end)];
    }
    let copying = entry.requested_at.unwrap_or(end).clamp(entry.started_at, end);
    let verified = entry.verified_at.unwrap_or(end).clamp(copying, end);
    let verifying = entry.phases.verifying.unwrap_or(verified).clamp(copying, end);
    let pruning = entry.phases.pruning.unwrap_or(verified).clamp(verifying, end);
    let all = [
        ("queued", entry.started_at, copying),
        ("copying", copying, verifying),
        ("verifying", verifying, pruning),
        ("pruning", pruning, end),
    ];
    all.into_iter().filter(|(_, from, to)| from < to).collect()
}

/// A part of a bar: where it begins and how long it is, in percent.
struct Bar {
    class: &'static str,
    from: f64,
    width: f64,
}

/// A row of a chart: `name` is HTML, `value` is text.
fn row(html: &mut String, name: &str, bars: &[Bar], value: &str, class: &str) {
    let _ = write!(
        html,
        "<li><span class=\"name\">{name}</span><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\"><rect class=\"track\" width=\"100\" height=\"10\"/>"
    );
    for Bar { class, from, width } in bars {
        let from = from.clamp(0.0, 100.0 - MIN_PERCENT);
        let width = width.min(100.0 - from);
        let _ = write!(
            html,
            "<rect class=\"{class}\" x=\"{from:.2}\" width=\"{width:.2}\" height=\"10\"/>"
        );
    }
    let _ = writeln!(html, "</svg><span class=\"value {class}\">{}</span></li>", Text(value));
}

fn swatch(class: &str) -> String {
    format!(
        "<span><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\" focusable=\"false\"><rect class=\"{class}\" width=\"10\" \
         height=\"10\"/></svg>{class}</span> "
    )
}

fn milliseconds(length: SignedDuration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few years are exact")]
fn percent(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// The database, as a link to its execution.
fn link(entry: &Entry) -> String {
    format!("<a href=\"{}\">{}</a>", Text(&entry.link), Text(&entry.name()))
}

fn table(html: &mut String, report: &Report) {
    const TITLES: [&str; 8] = [
        "Database", "Started", "Outcome", "Took", "Data of", "Copy", "Verified", "Deleted",
    ];
    let what = match &report.stack {
        Some(_) => "Each database is a link to its execution in the Step Functions console.",
        None => "Of the copies that are still there. Each database is a link to its copy in the RDS console.",
    };
    let counts = report.counts().into_iter();
    let counts: Vec<String> = counts.map(|(outcome, count)| format!("{count} {outcome}")).collect();
    let _ = write!(
        html,
        "<section aria-labelledby=\"history\">\n<h2 id=\"history\">What happened</h2>\n<table role=\"table\">\n\
         <caption>{}. {what}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">",
        if counts.is_empty() {
            "Nothing".to_owned()
        } else {
            counts.join(", ")
        }
    );
    for title in TITLES {
        let _ = write!(html, "<th role=\"columnheader\" scope=\"col\">{title}</th>");
    }
    html.push_str("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for entry in &report.entries {
        let class = match entry.outcome.as_str() {
            "copied" => "good",
            "failed" => "bad",
            "running" => "soon",
            _ => "faint",
        };
        let outcome = match &entry.cause {
            Some(cause) => format!(
                "<span class=\"{class}\">{}</span><br>{}",
                Text(entry.ended()),
                Text(cause)
            ),
            None => format!("<span class=\"{class}\">{}</span>", Text(entry.ended())),
        };
        let key = entry.kms_key_arn.as_deref().map_or_else(String::new, |key| {
            format!("<br><span class=\"faint\">{}</span>", Text(key))
        });
        let size = entry
            .size()
            .map(|size| format!("<br><span class=\"faint\">{size} GiB</span>"));
        let copy = entry.copy.as_deref().unwrap_or_default();
        let verified = entry.verified_at.map(utc).unwrap_or_default();
        let fields = match entry.verified_fields.as_slice() {
            [] => String::new(),
            fields => format!("<br><span class=\"faint\">{}</span>", Text(&fields.join(", "))),
        };
        let _ = write!(
            html,
            "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">{}</th>",
            link(entry)
        );
        let cells = [
            (utc(entry.started_at), "number"),
            (outcome, ""),
            (entry.took().map(length).unwrap_or_default(), "number"),
            (
                entry.captured_at.map(utc).unwrap_or_default() + &size.unwrap_or_default(),
                "number",
            ),
            (format!("{}{key}", Text(copy)), "copy"),
            (verified + &fields, "verified"),
            (Text(&entry.deleted.join(", ")).to_string(), ""),
        ];
        for ((cell, class), title) in cells.iter().zip(&TITLES[1..]) {
            let _ = write!(
                html,
                "<td role=\"cell\" class=\"{class}\" data-label=\"{title}\">{cell}</td>"
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
}

/// Text as HTML: nothing that a tag or a message says becomes markup.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_read_becomes_markup() {
        let text = Text("<script>alert(\"it's & so\")</script>").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&quot;it&#39;s &amp; so&quot;)&lt;/script&gt;"
        );
    }
}
