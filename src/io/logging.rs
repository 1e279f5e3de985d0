//! Sets up the daemon's log, which consists of human-readable or JSON lines on standard error.
//!
//! Secrets cannot be logged, because the type `Secret` does not print them. Standard output is
//! reserved for the results of commands.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

use crate::model::settings::{LogFormat, LogSettings};

/// An error in setting up logging.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The log filter is invalid.
    #[error(
        "invalid log filter `{level}`: {source}; use a filter such as `info` or `probecause=debug`"
    )]
    Level {
        /// The filter as configured.
        level: String,
        /// The error of the filter's parser.
        source: ParseError,
    },
    /// Logging is already set up.
    #[error("cannot set up logging: {0}")]
    Init(#[from] TryInitError),
}

/// Sets up logging for the whole process. `color` enables colors in human-readable lines.
///
/// # Errors
/// Returns an error if the filter is invalid or logging is already set up.
pub fn start(settings: &LogSettings, color: bool) -> Result<(), LoggingError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&settings.level)?)
        .with_target(false)
        .with_ansi(color)
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Human => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Parses a log filter, and adds levels for the AWS SDK unless the filter names `aws_config`.
///
/// # Errors
/// Returns [`LoggingError::Level`] if the filter is invalid.
pub fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let complete = if level.contains("aws_config") {
        level.to_owned()
    } else {
        format!("{level},{SDK_LEVELS}")
    };
    // The configured filter is parsed alone first, so that an error quotes only that filter.
    let parsed = EnvFilter::try_new(level).and_then(|_| EnvFilter::try_new(complete));
    parsed.map_err(|source| LoggingError::Level {
        level: level.to_owned(),
        source,
    })
}

/// Log levels for AWS SDK modules that warn about every failed attempt to get credentials. The
/// daemon itself logs such a failure once. A filter that names `aws_config` replaces these levels.
const SDK_LEVELS: &str = "aws_config::sts=error,aws_config::meta::credentials=error";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_filter_is_quoted_in_the_error() {
        assert!(filter("probecause=debug,info").is_ok());
        let error = filter("probecause=loud").unwrap_err().to_string();
        assert!(error.contains("`probecause=loud`"), "{error}");
    }
}
