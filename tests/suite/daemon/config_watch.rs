//! `run --watch`: a daemon whose configuration is mounted as Kubernetes mounts a `ConfigMap`.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::daemon::process::{config, endpoint};
use crate::support::process::get;

/// How long to wait until a change is noticed. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Updates the mount as a kubelet does: writes a new directory and renames the link to it.
fn swap(mount: &Path, version: &str, text: &str) {
    swap_file(mount, version, "probecause.toml", text);
}

fn swap_file(mount: &Path, version: &str, file: &str, text: &str) {
    let folder = mount.join(version);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
    symlink(version, mount.join("..tmp")).unwrap();
    std::fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
}

async fn metrics_until(url: &str, wanted: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let (_, metrics) = get(&format!("{url}/metrics")).await;
        if wanted(&metrics) {
            return metrics;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "timed out; last metrics:\n{metrics}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Starts a daemon that watches its configuration. Returns the process, which is killed when
/// it is dropped, and the URL of its page.
async fn start_watching(path: &Path, state: &Path) -> (Child, String) {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["run", "--watch", "--config"])
        .arg(path)
        .arg("--state")
        .arg(state)
        .env_remove("STATE_DIRECTORY")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let url = loop {
        let line = log.next_line().await.unwrap().expect("the daemon exited");
        if let Some((_, page)) = line.split_once("page at ") {
            let page = page.split_whitespace().next().unwrap();
            break page.trim_end_matches('/').to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (daemon, url)
}

#[tokio::test]
async fn an_updated_config_map_is_loaded_without_a_restart_and_an_invalid_one_is_rejected() {
    let endpoint = endpoint().await;
    let mount = tempfile::tempdir().unwrap();
    let path = mount.path().join("probecause.toml");
    swap(mount.path(), "..v1", &config(endpoint, &["ok"]));
    symlink("..data/probecause.toml", &path).unwrap();
    let (_daemon, url) = start_watching(&path, &mount.path().join("state")).await;
    metrics_until(&url, |metrics| metrics.contains("target=\"ok\"")).await;

    swap(mount.path(), "..v2", &config(endpoint, &["ok", "teapot"]));
    metrics_until(&url, |metrics| metrics.contains("target=\"teapot\"")).await;

    swap(mount.path(), "..v3", "nonsense");
    let rejected = "\nprobecause_config_last_reload_successful 0\n";
    let metrics = metrics_until(&url, |metrics| metrics.contains(rejected)).await;
    assert!(
        metrics.contains("target=\"teapot\""),
        "the previous configuration is gone"
    );

    swap(mount.path(), "..v4", &config(endpoint, &["ok"]));
    let good = "\nprobecause_config_last_reload_successful 1\n";
    let metrics = metrics_until(&url, |metrics| metrics.contains(good)).await;
    assert!(!metrics.contains("target=\"teapot\""));
}

#[tokio::test]
async fn an_updated_config_map_of_included_targets_is_loaded_and_an_invalid_one_is_rejected() {
    let endpoint = endpoint().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probecause.toml");
    let include = "include = [\"targets.d/*.toml\"]\n".to_owned();
    std::fs::write(&path, include + &config(endpoint, &["ok"])).unwrap();
    let mount = folder.path().join("targets.d");
    std::fs::create_dir(&mount).unwrap();
    let shop =
        |route| format!("[[target]]\nname = \"{route}\"\nurl = \"http://{endpoint}/{route}\"\n");
    swap_file(&mount, "..v1", "shop.toml", &shop("teapot"));
    symlink("..data/shop.toml", mount.join("shop.toml")).unwrap();
    let (_daemon, url) = start_watching(&path, &folder.path().join("state")).await;
    metrics_until(&url, |metrics| metrics.contains("target=\"teapot\"")).await;

    swap_file(&mount, "..v2", "shop.toml", "[[target]]\nname = 3\n");
    let rejected = "\nprobecause_config_last_reload_successful 0\n";
    let metrics = metrics_until(&url, |metrics| metrics.contains(rejected)).await;
    assert!(
        metrics.contains("target=\"teapot\""),
        "the previous configuration is gone"
    );

    swap_file(&mount, "..v3", "shop.toml", &shop("throttled"));
    let metrics = metrics_until(&url, |metrics| metrics.contains("target=\"throttled\"")).await;
    assert!(!metrics.contains("target=\"teapot\""), "{metrics}");
}
