//! The `probecause` command.

use std::process::ExitCode;

use clap::Parser;
use probecause::cli::{Cli, Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // With huge pages, which the allocator requests and many small allocations fill badly, a
    // daemon of a thousand targets uses half as much memory again and is no faster. An error
    // is harmless: the daemon then only uses more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = Cli::parse();
    // One thread suffices, since probes, rendering and the store have threads of their own,
    // and tasks on one thread wake each other without a system call.
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
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
