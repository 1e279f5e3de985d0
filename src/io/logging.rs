//! The daemon's own log: structured lines on standard error, for a person or as JSON.
//!
//! Log lines carry facts as fields and no secrets: what a secret is wrapped in cannot
//! be printed. Standard output belongs to the commands' results.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

use crate::model::settings::{LogFormat, LogSettings};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log level `{level}`: {source}; use one such as `info` or `probecause=debug`")]
    Level {
        /// The filter as written.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody set up logging before.
    #[error("cannot set up logging: {0}")]
    Init(#[from] TryInitError),
}

/// Sets up logging for the whole process.
///
/// # Errors
/// A filter that does not parse, or logging that is already set up.
pub fn start(settings: &LogSettings, colour: bool) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&settings.level)?)
        .with_target(false)
        .with_ansi(colour)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Human => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Parses a log filter.
///
/// # Errors
/// [`TelemetryError::Level`] with the filter and what is wrong with it.
pub fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let quiet = if level.contains("aws_config") {
        level.to_owned()
    } else {
        format!("{level},{QUIET}")
    };
    // Without ours first: a message must quote what the user wrote.
    let parsed = EnvFilter::try_new(level).and_then(|_| EnvFilter::try_new(quiet));
    parsed.map_err(|source| TelemetryError::Level {
        level: level.to_owned(),
        source,
    })
}

/// Parts of the AWS SDK that warn of every attempt to get credentials anew; we tell of a
/// failure once, with the mend. Whoever names them in the filter hears them all the same.
const QUIET: &str = "aws_config::sts=error,aws_config::meta::credentials=error";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named() {
        assert!(filter("probecause=debug,info").is_ok());
        let error = filter("probecause=loud").unwrap_err().to_string();
        assert!(error.contains("`probecause=loud`"), "{error}");
    }
}
