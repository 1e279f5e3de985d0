//! The entry point of the `probecause` command.

use std::process::ExitCode;

use clap::Parser;
use probecause::cli::{Cli, Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Disable the huge pages that the allocator requests. Many small allocations leave most of a
    // huge page unused, so a daemon with a thousand targets would use 50 % more memory and be no
    // faster. The error is ignored, since its only effect is higher memory use.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = Cli::parse();
    // One worker thread is enough, because the daemon runs probes, rendering and the store on other
    // threads. Tasks on one thread also wake each other without a system call.
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!(
                "error: cannot start the Tokio runtime: {error}; raise the limits on open files \
                 and threads"
            );
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
