//! The `probecause` command.

use std::process::ExitCode;

use clap::Parser;
use probecause::cli::{Cli, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::from(Exit::Usage.code());
        }
    };
    match runtime.block_on(Box::pin(cli.run())) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(Exit::Usage.code())
        }
    }
}
