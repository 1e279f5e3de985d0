//! The daemon as a process, and what it costs to get it wrong.

#[cfg(test)]
mod process;
