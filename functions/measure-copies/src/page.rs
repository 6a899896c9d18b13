//! The evidence as a page that a person reads, without a script and without anything from elsewhere.

use std::fmt::Write as _;

use domain::restorability::Verdict;

use crate::evidence::{Database, Record};

/// The page of a part. `more` says whether another part follows.
pub(crate) fn page(record: &Record, more: bool) -> String {
    let day = &record.time.to_string()[..10];
    let title = escaped(&format!(
        "Copies of {} in {} on {day}",
        record.source_region, record.region
    ));
    let stack = escaped(&record.stack);
    let rows: String = record.databases.iter().map(row).collect();
    let next = if more {
        format!(
            "<p><a href='part-{:03}.html'>The next databases</a></p>",
            record.part + 1
        )
    } else {
        String::new()
    };
    format!(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style></head>\
         <body><h1>{title}</h1><p>Stack {stack}, owner {}, release {}, {}. {} databases with a verified copy, {} without \
         one. Objective: {} hours. Part {}.</p><table><thead><tr><th>Database<th>Newest verified copy<th>Data of<th>Age \
         (h)<th>Restorable<th>Last drill</thead><tbody>{rows}</tbody></table>{next}</body></html>",
        escaped(&record.owner),
        escaped(&record.release),
        record.time,
        record.databases_in_all,
        record.without_copy,
        record.objective_hours,
        record.part,
    )
}

const STYLE: &str = "body{font:16px sans-serif;margin:2em}table{border-collapse:collapse}\
    th,td{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #ccc}.bad{color:#a00}";

fn row(database: &Database) -> String {
    let copy = &database.copy;
    let restorable = match database.restorable {
        Verdict::Yes => "yes",
        Verdict::No => "no",
        Verdict::Unknown => "unknown",
    };
    let drill = database.last_drill.as_ref().map_or_else(
        || "never".to_owned(),
        |drill| format!("{}, {}. {}", drill.outcome, drill.time, drill.reason),
    );
    let left_behind = if database.left_behind {
        " (no new copy for a fortnight)"
    } else {
        ""
    };
    format!(
        "<tr><td>{} {}{left_behind}<td>{}<td>{}<td{}>{}<td{}>{}<td>{}",
        database.kind,
        escaped(&database.id),
        escaped(&copy.id),
        copy.data_time,
        bad(!database.within_objective),
        database.age_hours,
        bad(database.restorable != Verdict::Yes),
        escaped(&[&[restorable.to_owned()], &database.reasons[..]].concat().join(" ")),
        escaped(drill.trim()),
    )
}

fn bad(is: bool) -> &'static str {
    if is { " class='bad'" } else { "" }
}

/// Most bytes of a text in a page: the record has the rest.
const MAX_TEXT: usize = 400;

/// Text of a page, in which neither HTML nor JSON has to escape anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if escaped.len() > MAX_TEXT {
            escaped.push_str("...");
            break;
        }
        match character {
            '<' | '>' | '&' | '"' | '\'' | '\\' => by_number(&mut escaped, character),
            ' '..='~' => escaped.push(character),
            // A page has no use for what controls a terminal.
            _ if character.is_control() => escaped.push(' '),
            // Some write these into JSON by their numbers.
            _ => by_number(&mut escaped, character),
        }
    }
    escaped
}

fn by_number(text: &mut String, character: char) {
    // Into a text, nothing fails.
    let _ = write!(text, "&#{};", u32::from(character));
}
