//! Runs probes on their own threads, so that the daemon's other work does not delay them.
//!
//! Diagnosing, rendering and publishing run on other threads. One thread for all probes is
//! preferred, because tasks on one thread wake each other without a system call, which saves a
//! fifth of a probe's CPU time. More threads are used if one thread would be more than half busy.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread::{Builder, available_parallelism};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::model::settings::Settings;

/// Number of probes per second per thread above which another thread is added, up to one per CPU. A
/// probe over HTTPS with a new connection takes about one millisecond of CPU time, so a thread is
/// half busy at this rate and starts probes on time.
const PROBES_PER_THREAD: f64 = 500.0;

/// Returns the number of threads for the probes of a configuration: at least one, and at most one
/// per CPU.
fn thread_count(settings: &Settings) -> usize {
    let cpus = available_parallelism().map_or(1, NonZero::get);
    let intervals = settings.targets.iter().map(|target| target.interval);
    let seconds = intervals.map(|interval| interval.as_secs_f64());
    let rate: f64 = seconds
        .filter(|interval| *interval > 0.0)
        .map(f64::recip)
        .sum();
    ((rate / PROBES_PER_THREAD).ceil() as usize).clamp(1, cpus)
}

/// Starts a separate runtime that runs a future, and the tasks that it spawns, until the future
/// ends. Returns the handle of the future's task.
///
/// # Errors
/// Returns an error if the operating system cannot create what the runtime needs, such as a thread.
pub(super) fn spawn(
    settings: &Settings,
    run: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(thread_count(settings))
        .thread_name("probes")
        .enable_all()
        .build()?;
    let (done, finished) = oneshot::channel::<()>();
    let task = runtime.spawn(async move {
        let _dropped_when_done = done;
        run.await;
    });
    // A runtime must not be dropped on a thread that runs tasks, so a separate thread shuts the
    // runtime down.
    Builder::new()
        .name("probes-shutdown".to_owned())
        .spawn(move || {
            // `blocking_recv` returns an error once the future has ended and the sender is dropped.
            let _ = finished.blocking_recv();
            runtime.shutdown_background();
        })?;
    Ok(task)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::target::Target;

    #[test]
    fn a_thread_is_added_for_every_500_probes_per_second() {
        let settings = |count: usize, interval| {
            let url: url::Url = "https://a.example/".parse().unwrap();
            let mut target = Target::with_defaults("a", url);
            target.interval = Duration::from_secs(interval);
            let target = Arc::new(target);
            Settings {
                targets: vec![target; count],
                ..Settings::default()
            }
        };
        assert_eq!(thread_count(&settings(0, 1)), 1);
        assert_eq!(thread_count(&settings(10_000, 60)), 1);
        assert_eq!(thread_count(&settings(500, 1)), 1);
        let cpus = available_parallelism().unwrap().get();
        assert_eq!(thread_count(&settings(501, 1)), cpus.min(2));
        assert_eq!(thread_count(&settings(100_000, 1)), cpus.min(200));
    }

    #[tokio::test]
    async fn the_task_reports_its_end_and_its_panic() {
        let settings = Settings::default();
        assert!(spawn(&settings, async {}).unwrap().await.is_ok());
        let panicked = spawn(&settings, async { panic!("the test expects this panic") });
        assert!(panicked.unwrap().await.unwrap_err().is_panic());
    }
}
