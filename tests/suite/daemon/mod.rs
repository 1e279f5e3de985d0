//! The daemon as a process, as a supervisor and a scraper see it.

mod lagging;
mod process;
mod restart;
mod rules;
mod shards;
mod supervised;
mod surroundings;
mod watching;
