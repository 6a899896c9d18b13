//! Tables for spreadsheets (RFC 4180).

use std::borrow::Cow;

use crate::output::printable::printable_line;

/// A table, with its heading first.
pub(crate) fn csv<'a>(heading: &[&str], rows: impl IntoIterator<Item = Vec<Cow<'a, str>>>) -> String {
    let mut text = String::new();
    line(&mut text, heading.iter().map(|cell| Cow::Borrowed(*cell)));
    for row in rows {
        line(&mut text, row.into_iter());
    }
    text
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = Cow<'a, str>>) {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell. What a spreadsheet would compute is made a text: names, tags and messages are written by others.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = printable_line(cell);
    let cell = if is_formula {
        format!("'{cell}")
    } else {
        cell.into_owned()
    };
    if cell.contains([',', '"', '\n']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_whatever_is_in_it() {
        let row = ["a,b", "say \"no\"", "=1+1", "two\nlines", "-1", ""]
            .map(Cow::from)
            .to_vec();
        assert_eq!(
            csv(&["a", "b", "c", "d", "e", "f"], [row]),
            "a,b,c,d,e,f\r\n\"a,b\",\"say \"\"no\"\"\",'=1+1,two\\u{a}lines,'-1,\r\n"
        );
    }
}
