//! Tests, in virtual time, of when accounts are read and what becomes of their targets.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::domain::discovery::account::{
    Account, Api, ApiType, Authorization, Backend, Deployment, Route, Stage,
};
use crate::model::settings::discovery::AwsDiscovery;
use crate::model::target::Integration;

/// An account whose routes the test sets.
#[derive(Clone, Default)]
struct Double {
    /// The routes; `None` if the account cannot be read.
    routes: Arc<Mutex<Option<Vec<&'static str>>>>,
    is_incomplete: Arc<AtomicBool>,
    readings: Arc<AtomicUsize>,
}

impl Double {
    fn set(&self, routes: Option<&[&'static str]>) {
        *self.routes.lock().unwrap() = routes.map(<[_]>::to_vec);
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }
}

impl ReadAccount for Double {
    async fn read(&self, source: &AwsSource, _settings: &Settings) -> Result<Reading, ReadError> {
        self.readings.fetch_add(1, Ordering::Relaxed);
        let routes = self.routes.lock().unwrap().clone();
        let routes = routes.ok_or_else(|| ReadError::Unreachable("no route to host".to_owned()))?;
        let route = |key: &&str| Route {
            key: (*key).to_owned(),
            authorization: Authorization::None,
            api_key_required: false,
            required_parameters: Vec::new(),
            backend: Some(Backend {
                integration: Some(Integration::Http),
                ..Backend::default()
            }),
        };
        let api = Api {
            api_type: ApiType::Http,
            id: "a1".to_owned(),
            name: "shop".to_owned(),
            endpoint_disabled: false,
            private: false,
            resource_policy: false,
            stages: vec![Stage {
                name: "$default".to_owned(),
                deployment: Deployment::Present,
                ..Stage::default()
            }],
            routes: routes.iter().map(route).collect(),
        };
        Ok(Reading {
            account: Account {
                region: source.region.clone(),
                apis: vec![api],
                ..Account::default()
            },
            complete: !self.is_incomplete.load(Ordering::Relaxed),
        })
    }
}

const INTERVAL: Duration = Duration::from_secs(600);

fn source() -> AwsSource {
    AwsSource {
        region: "eu-west-1".to_owned(),
        role: None,
    }
}

/// The running task with the counterparts of its channels.
struct Run {
    double: Double,
    lists: TargetLists,
    settings: watch::Sender<Arc<Settings>>,
    reloads: Arc<AtomicUsize>,
    /// Whether reloads are accepted.
    accepts: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Run {
    fn start(routes: &[&'static str]) -> Self {
        Self::start_with(TargetLists::new(None), routes)
    }

    fn start_with(lists: TargetLists, routes: &[&'static str]) -> Self {
        let double = Double::default();
        double.set(Some(routes));
        let settings = Settings {
            discovery: vec![AwsDiscovery {
                source: source(),
                interval: INTERVAL,
            }],
            ..Settings::default()
        };
        let (settings, receiver) = watch::channel(Arc::new(settings));
        let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
        let (reloads, accepts) = (Arc::default(), Arc::new(AtomicBool::new(true)));
        let (counter, accepted): (Arc<AtomicUsize>, _) =
            (Arc::clone(&reloads), Arc::clone(&accepts));
        tokio::spawn(async move {
            while let Some(reply) = requests.recv().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let result = if accepted.load(Ordering::Relaxed) {
                    Ok("fine".to_owned())
                } else {
                    Err("no".to_owned())
                };
                reply.send(result).unwrap();
            }
        });
        let task = Discoverer::new(double.clone(), lists.clone(), receiver, reload).run();
        Self {
            double,
            lists,
            settings,
            reloads,
            accepts,
            task: tokio::spawn(task),
        }
    }

    /// Waits until the account was read this many times.
    async fn readings(&self, count: usize) {
        let waited = async {
            while self.double.readings() < count {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            // The list is stored and reloaded after the reading.
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let limit = INTERVAL * 3;
        tokio::time::timeout(limit, waited).await.unwrap();
    }

    /// Returns the paths of the targets in the list.
    fn paths(&self) -> Vec<String> {
        let list = self.lists.get(&source()).unwrap_or_default();
        let urls = list.lines().filter_map(|line| {
            let url = line.strip_prefix("url = \"")?.strip_suffix('"')?;
            Some(url.rsplit('/').next()?.to_owned())
        });
        urls.collect()
    }

    fn reloads(&self) -> usize {
        self.reloads.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_account_reloads_and_an_unchanged_one_does_not() {
    let run = Run::start(&["GET /a"]);
    run.readings(1).await;
    assert_eq!((run.paths(), run.reloads()), (vec!["a".to_owned()], 1));
    run.readings(2).await;
    assert_eq!(run.reloads(), 1);
    run.double.set(Some(&["GET /b"]));
    run.readings(3).await;
    assert_eq!((run.paths(), run.reloads()), (vec!["b".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn an_account_is_read_once_per_interval() {
    let run = Run::start(&["GET /a"]);
    run.readings(1).await;
    tokio::time::sleep(INTERVAL - Duration::from_secs(10)).await;
    assert_eq!(run.double.readings(), 1);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(run.double.readings(), 2);
}

#[tokio::test(start_paused = true)]
async fn targets_stay_if_the_account_cannot_be_read() {
    let run = Run::start(&["GET /a"]);
    run.readings(1).await;
    run.double.set(None);
    run.readings(2).await;
    assert_eq!((run.paths(), run.reloads()), (vec!["a".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_reading_only_adds_targets() {
    let run = Run::start(&["GET /a", "GET /b"]);
    run.readings(1).await;
    run.double.is_incomplete.store(true, Ordering::Relaxed);
    run.double.set(Some(&["GET /b", "GET /c"]));
    run.readings(2).await;
    assert_eq!(run.paths(), ["a", "b", "c"]);
    run.double.is_incomplete.store(false, Ordering::Relaxed);
    run.readings(3).await;
    assert_eq!(run.paths(), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_reading_does_not_replace_a_list_that_cannot_be_read() {
    let state = tempfile::tempdir().unwrap();
    // The lists would be in a directory with this name.
    std::fs::write(state.path().join("discovery"), "a file").unwrap();
    let run = Run::start_with(TargetLists::new(Some(state.path())), &["GET /a"]);
    run.double.is_incomplete.store(true, Ordering::Relaxed);
    run.readings(1).await;
    assert_eq!((run.paths(), run.reloads()), (vec![], 0));
    run.double.is_incomplete.store(false, Ordering::Relaxed);
    run.readings(2).await;
    assert_eq!((run.paths(), run.reloads()), (owned(&["a"]), 1));
}

#[tokio::test(start_paused = true)]
async fn readings_of_the_same_targets_reload_only_once() {
    let run = Run::start(&["GET /a"]);
    run.readings(1).await;
    run.double.is_incomplete.store(true, Ordering::Relaxed);
    run.double.set(Some(&["GET /a", "GET /b"]));
    run.readings(2).await;
    assert_eq!((run.paths(), run.reloads()), (owned(&["a", "b"]), 2));
    // The complete reading writes the list in another form.
    run.double.is_incomplete.store(false, Ordering::Relaxed);
    run.readings(3).await;
    run.double.is_incomplete.store(true, Ordering::Relaxed);
    run.readings(4).await;
    assert_eq!((run.paths(), run.reloads()), (owned(&["a", "b"]), 2));
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rejected_reload_is_repeated_after_the_next_reading() {
    let run = Run::start(&["GET /a"]);
    run.accepts.store(false, Ordering::Relaxed);
    run.readings(1).await;
    run.readings(2).await;
    assert_eq!(run.reloads(), 2);
    run.accepts.store(true, Ordering::Relaxed);
    run.readings(3).await;
    run.readings(4).await;
    assert_eq!(run.reloads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_removed_account_is_not_read_and_the_task_ends_with_its_settings() {
    let run = Run::start(&["GET /a"]);
    run.readings(1).await;
    run.settings.send_replace(Arc::new(Settings::default()));
    tokio::time::sleep(INTERVAL * 2).await;
    assert_eq!(run.double.readings(), 1);
    drop(run.settings);
    run.task.await.unwrap();
}
