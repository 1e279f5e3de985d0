//! The daemon as a process, as a supervisor and a scraper see it.

#[cfg(test)]
mod lagging;
#[cfg(test)]
#[path = "../support/loopback.rs"]
mod loopback;
#[cfg(test)]
mod process;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod supervised;
#[cfg(test)]
mod support;
#[cfg(test)]
mod surroundings;
#[cfg(test)]
mod watching;
