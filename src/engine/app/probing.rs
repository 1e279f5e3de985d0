//! Threads of their own for probes, so that nothing else of the daemon holds them up.
//!
//! Rendering, judging and publishing run elsewhere. One thread is the rule: tasks that wake
//! each other on one thread need no system call for it, which saves a fifth of a probe's
//! cost; more are taken where one would be busy.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread::{Builder, available_parallelism};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::model::settings::Settings;

/// Probes a second for which one thread is enough: HTTPS with a fresh handshake costs about a
/// millisecond, and a thread that is half busy answers in time.
const A_THREAD: f64 = 500.0;

/// How many threads the probes of this configuration want, of those that the machine has.
pub(super) fn threads(settings: &Settings) -> usize {
    let most = available_parallelism().map_or(1, NonZero::get);
    let a_second = |interval: f64| if interval > 0.0 { 1.0 / interval } else { 0.0 };
    let targets = settings.targets.iter();
    let rate: f64 = targets
        .map(|target| a_second(target.interval.as_secs_f64()))
        .sum();
    let wanted = (1..most)
        .take_while(|count| rate > A_THREAD * f64::from(u32::try_from(*count).unwrap_or(u32::MAX)));
    wanted.count() + 1
}

/// Runs a future and what it spawns on so many threads, until it ends.
///
/// # Errors
/// The system's, when a thread cannot be made.
pub(super) fn spawn(
    threads: usize,
    run: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("probes")
        .enable_all()
        .build()?;
    let (over, ended) = oneshot::channel::<()>();
    let task = runtime.spawn(async move {
        let _over = over;
        run.await;
    });
    // A runtime must not be dropped where tasks run: this thread waits to do it.
    Builder::new()
        .name("probes' end".to_owned())
        .spawn(move || {
            // An error is what it waits for: the sender is dropped.
            let _ = ended.blocking_recv();
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
    fn a_thread_does_until_it_would_be_busy() {
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
        assert_eq!(threads(&settings(0, 1)), 1);
        assert_eq!(threads(&settings(10_000, 60)), 1);
        assert_eq!(threads(&settings(500, 1)), 1);
        let machine = available_parallelism().unwrap().get();
        assert_eq!(threads(&settings(501, 1)), machine.min(2));
        assert_eq!(threads(&settings(100_000, 1)), machine.min(200));
    }

    #[tokio::test]
    async fn its_end_and_its_panic_are_noticed() {
        assert!(spawn(1, async {}).unwrap().await.is_ok());
        let crashed = spawn(1, async { panic!("as the test wants it") });
        assert!(crashed.unwrap().await.unwrap_err().is_panic());
    }
}
