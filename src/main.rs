//! The `probecause` command.

use std::process::ExitCode;

use clap::Parser;
use probecause::cli::{Cli, Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, of which a prober's many small things fill little:
    // without them a daemon of a thousand targets is a third smaller and no slower. Where the
    // system does not let it be said, it is only larger.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = Cli::parse();
    // Probes, rendering and the disk have threads of their own: what is left hardly computes,
    // and on one thread a task wakes another without a system call.
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
