//! Detects changes to the files of a configuration by polling.
//!
//! Polling works where file events do not: network file systems send no events, and a Kubernetes
//! node does not modify the files of a `ConfigMap`, but writes a new directory and then replaces
//! the symbolic link `..data`. This module reports only that a file changed; the reload determines
//! what changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::SourceFile;
use super::include;
use super::problem::Problems;
use super::schema;
use super::table::Table;

/// Detects changes to the files of one configuration.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Vec<FileState>,
}

/// The metadata of a file, used to detect a change without reading the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    /// Device, inode, length in bytes, and modification time in seconds and nanoseconds. `None` if
    /// the metadata cannot be read, for example because the file is missing.
    metadata: Option<(u64, u64, u64, i64, i64)>,
}

/// Time between two polls of the files. A shorter time would have little benefit, because a
/// Kubernetes node takes up to two minutes to update a `ConfigMap`.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

impl Watch {
    /// Creates a watch and records the current state of the files. Blocks on I/O.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: states(path),
        }
    }

    /// Waits until the files have changed since this method last returned (at first, since
    /// [`new`](Self::new)), and two consecutive polls find the same state. Several files can
    /// therefore be copied without a reload in between. Cancel safe: the next call detects the same
    /// change.
    pub async fn changed(&mut self) {
        let mut before = self.seen.clone();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let path = self.path.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || states(&path)).await else {
                // The runtime is shutting down, so this task will be dropped.
                return std::future::pending().await;
            };
            if now != self.seen && now == before {
                self.seen = now;
                return;
            }
            before = now;
        }
    }
}

fn states(path: &Path) -> Vec<FileState> {
    let files = files(path).into_iter();
    files
        .map(|path| FileState {
            metadata: std::fs::metadata(&path).ok().map(|file| {
                let changed = (file.mtime(), file.mtime_nsec());
                (file.dev(), file.ino(), file.len(), changed.0, changed.1)
            }),
            path,
        })
        .collect()
}

/// Returns the paths of the watched files: the main file, included files, rule files, the web
/// configuration file and the PEM files that it names. Omits the files named in a file that cannot
/// be read or parsed.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    let Ok(source) = SourceFile::read(path) else {
        return files;
    };
    let Ok(document) = source.parse() else {
        return files;
    };
    let problems = Problems::default();
    let main = Table::root(&document, schema::MAIN, "", &problems);
    for glob in main.items("include") {
        let glob = glob.text().unwrap_or_default();
        files.extend(include::find_files(&source.relative(""), glob));
    }
    if let Some(rules) = main.get::<String>("rules_dir") {
        files.extend(include::find_files(&source.relative(&rules), "*.toml"));
    }
    if let Some(web) = main.table("server", &[]).get::<String>("web_config") {
        // The certificates named in the web configuration are watched too, because they are renewed
        // more often than the configuration changes.
        let web = super::web::read(&source.relative(&web), &problems);
        files.extend(web.files);
    }
    files
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Creates a directory like a mounted `ConfigMap`, whose files are symbolic links through
    /// `..data`.
    fn mount(directory: &Path) {
        put(directory, "..v1", "first");
        symlink("..v1", directory.join("..data")).unwrap();
        symlink("..data/probecause.toml", directory.join("probecause.toml")).unwrap();
        symlink("..data/targets.d", directory.join("targets.d")).unwrap();
    }

    fn put(directory: &Path, version: &str, name: &str) {
        let version = directory.join(version);
        std::fs::create_dir_all(version.join("targets.d")).unwrap();
        let main = "include = [\"targets.d/*.toml\"]\n";
        std::fs::write(version.join("probecause.toml"), main).unwrap();
        let target = format!("[[target]]\nname = \"{name}\"\nurl = \"https://a.example/\"\n");
        std::fs::write(version.join("targets.d/a.toml"), target).unwrap();
    }

    /// Updates the mounted directory as a Kubernetes node does: creates a new directory and
    /// replaces the link `..data` atomically.
    fn swap(directory: &Path, version: &str) {
        put(directory, version, version);
        symlink(version, directory.join("..tmp")).unwrap();
        std::fs::rename(directory.join("..tmp"), directory.join("..data")).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_swapped_config_map_is_detected_once() {
        let directory = tempfile::tempdir().unwrap();
        mount(directory.path());
        let mut watch = Watch::new(&directory.path().join("probecause.toml"));
        assert!(
            timeout(POLL_INTERVAL * 3, watch.changed()).await.is_err(),
            "reported a change although no file changed"
        );
        swap(directory.path(), "..v2");
        timeout(PATIENCE, watch.changed()).await.unwrap();
        assert!(
            timeout(POLL_INTERVAL * 3, watch.changed()).await.is_err(),
            "reported the same change twice"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_included_file_that_appears_or_disappears_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), ".", "first");
        let mut watch = Watch::new(&directory.path().join("probecause.toml"));
        let second = directory.path().join("targets.d/b.toml");
        std::fs::write(&second, "").unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
        std::fs::remove_file(&second).unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
        // A missing main file is also a change; the reload reports the missing file.
        std::fs::remove_file(directory.path().join("probecause.toml")).unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_of_the_web_configuration_is_detected() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        write("probecause.toml", "[server]\nweb_config = \"web.yml\"\n");
        write(
            "web.yml",
            "tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n",
        );
        write("a.pem", "first");
        let mut watch = Watch::new(&directory.path().join("probecause.toml"));
        write("a.pem", "renewed");
        timeout(PATIENCE, watch.changed()).await.unwrap();
        write("web.yml", "");
        timeout(PATIENCE, watch.changed()).await.unwrap();
    }
}
