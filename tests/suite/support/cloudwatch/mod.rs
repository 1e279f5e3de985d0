//! CloudWatch for tests: the emulator, a recording proxy, and canned responses.

pub(crate) mod answers;
pub(crate) mod cbor;
pub(crate) mod emulator;
pub(crate) mod evidence;
pub(crate) mod gateway;
pub(crate) mod proxy;
pub(crate) mod reports;
pub(crate) mod sdk;
pub(crate) mod sink;
pub(crate) mod telemetry;
