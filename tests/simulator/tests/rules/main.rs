//! The rules that the simulator keeps, one test each.

mod authorization;
mod copying;
mod describing;
mod lab;
mod properties;
mod seeding;
mod tagging;
mod time;
mod trouble;
