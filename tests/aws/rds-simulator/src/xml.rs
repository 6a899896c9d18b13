//! Writes the XML of the Query protocol.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

/// The XML namespace of the RDS API.
pub(crate) const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// A growing piece of XML: elements and text only, because RDS answers with nothing else.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    text: String,
    /// Elements that are not written.
    omitted: BTreeSet<String>,
}

impl Xml {
    /// Writes `<name>…</name>` around what `content` writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// Writes an element that holds text.
    pub(crate) fn value(&mut self, name: &str, value: impl Display) {
        if self.omitted.contains(name) {
            return;
        }
        self.open(name);
        // Escaping cannot fail.
        let _ = write!(Escaping(self), "{value}");
        self.close(name);
    }

    /// Writes all that `content` writes, but for the values of these names.
    pub(crate) fn omitting(&mut self, names: BTreeSet<String>, content: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.omitted, names);
        content(self);
        self.omitted = before;
    }

    /// Writes text.
    pub(crate) fn text(&mut self, text: &str) {
        self.escape(text);
    }

    /// Writes an element that holds text, or nothing at all: RDS leaves absent members out.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Writes a list, whose element is there even when it is empty.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        member: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.open(name);
        for item in items {
            self.element(member, |xml| write(xml, item));
        }
        self.close(name);
    }

    /// Appends what another writer has written.
    pub(crate) fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
    }

    /// Writes the root element, which carries the namespace.
    pub(crate) fn root(name: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::default();
        // Writing to a String cannot fail.
        let _ = write!(xml.text, "<{name} xmlns=\"{NAMESPACE}\">");
        content(&mut xml);
        xml.close(name);
        xml.text
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn escape(&mut self, text: &str) {
        // Nearly all of it.
        if !text.bytes().any(|byte| b"&<>\"\r".contains(&byte)) {
            self.text.push_str(text);
            return;
        }
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                // A bare carriage return would be read back as a line feed.
                '\r' => self.text.push_str("&#xD;"),
                other => self.text.push(other),
            }
        }
    }
}

/// Writes text into an element.
struct Escaping<'a>(&'a mut Xml);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.escape(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_absent_values_leave_no_element() {
        let text = Xml::root("R", |xml| {
            xml.value("A", "1 < 2 & \"3\"");
            xml.optional("B", None::<&str>);
            xml.list("L", "M", ["x"], |xml, item| xml.value("V", item));
        });
        assert_eq!(
            text,
            "<R xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
             <A>1 &lt; 2 &amp; &quot;3&quot;</A><L><M><V>x</V></M></L></R>"
        );
    }
}
