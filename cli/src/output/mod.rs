//! How the commands write: the terminal, tables, progress bars, and the page of the audit.

pub(crate) mod audit_page;
pub(crate) mod csv;
pub mod printable;
pub(crate) mod progress_bars;
pub(crate) mod table;
pub mod terminal;
