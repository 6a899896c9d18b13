//! Words for numbers.

/// `1 copy`, `3 copies`: the number with the word that goes with it.
pub(crate) fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// The same of databases.
pub(crate) fn databases(number: usize) -> String {
    count(number, "database", "databases")
}

/// The same of copies.
pub(crate) fn copies(number: usize) -> String {
    count(number, "copy", "copies")
}
