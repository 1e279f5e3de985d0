//! Servers, processes and fixtures that several test modules share.

pub(crate) mod certified;
pub(crate) mod cloudwatch;
pub(crate) mod debian;
pub(crate) mod log;
pub(crate) mod loopback;
pub(crate) mod own_process;
pub(crate) mod page_state;
pub(crate) mod probe;
pub(crate) mod process;
