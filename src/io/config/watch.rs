//! Notices that the files of a configuration are others than before.
//!
//! By looking, every few seconds: what a Kubernetes node does to a mounted `ConfigMap` (a
//! new directory, then a swap of the symbolic link `..data`) tells nothing to those who
//! listen for events on the old files, and network file systems tell nothing at all. It
//! refuses to judge what changed: reading the configuration does.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Document;
use super::file::MainFile;
use super::include;
use super::problem::Problems;

/// The files of one configuration, as they were last seen.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Vec<Mark>,
}

/// What tells one state of a file from the next, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    /// Device, inode, length, and when it was changed; `None`: it is not there.
    state: Option<(u64, u64, u64, i64, i64)>,
}

/// How often is looked. A node takes up to a minute or two to bring a `ConfigMap` anyway.
const EVERY: Duration = Duration::from_secs(2);

impl Watch {
    /// Begins with the files as they are. Blocks on files.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: marks(path),
        }
    }

    /// Returns when the files are others than at the last time, and have been the same for
    /// a while: whoever copies several is given the time to finish. What is cancelled
    /// begins anew with the next call.
    pub async fn changed(&mut self) {
        let mut before = self.seen.clone();
        loop {
            tokio::time::sleep(EVERY).await;
            let path = self.path.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || marks(&path)).await else {
                // The runtime ends, and so does whoever waits.
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

fn marks(path: &Path) -> Vec<Mark> {
    let files = files(path).into_iter();
    files
        .map(|path| Mark {
            state: std::fs::metadata(&path).ok().map(|file| {
                let changed = (file.mtime(), file.mtime_nsec());
                (file.dev(), file.ino(), file.len(), changed.0, changed.1)
            }),
            path,
        })
        .collect()
}

/// Every file that makes up the configuration, as far as it can be read.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    let Ok(main) = Document::read(path) else {
        return files;
    };
    let (file, _) = main.parse::<MainFile>();
    let Some(file) = file else { return files };
    for glob in file.include.iter().flatten() {
        files.extend(include::matching(main.folder(), glob));
    }
    if let Some(rules) = &file.rules_dir {
        let folder = main.root().key("rules_dir").relative(rules);
        files.extend(include::matching(&folder, "*.toml"));
    }
    let server = main.root().key("server");
    if let Some(web) = file
        .server
        .as_ref()
        .and_then(|table| table.web_config.as_ref())
    {
        // A certificate is renewed more often than anything else is changed.
        let path = server.key("web_config").relative(web);
        files.extend(super::web::read(&path, &mut Problems::default()).files);
    }
    files
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A folder as a node mounts a `ConfigMap`: files are links through `..data`.
    fn mount(folder: &Path) {
        put(folder, "..v1", "first");
        symlink("..v1", folder.join("..data")).unwrap();
        symlink("..data/probecause.toml", folder.join("probecause.toml")).unwrap();
        symlink("..data/targets.d", folder.join("targets.d")).unwrap();
    }

    fn put(folder: &Path, version: &str, name: &str) {
        let version = folder.join(version);
        std::fs::create_dir_all(version.join("targets.d")).unwrap();
        let main = "include = [\"targets.d/*.toml\"]\n";
        std::fs::write(version.join("probecause.toml"), main).unwrap();
        let target = format!("[[target]]\nname = \"{name}\"\nurl = \"https://a.example/\"\n");
        std::fs::write(version.join("targets.d/a.toml"), target).unwrap();
    }

    /// What a node does: a new directory, and the link changes in one step.
    fn swap(folder: &Path, version: &str) {
        put(folder, version, version);
        symlink(version, folder.join("..tmp")).unwrap();
        std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    }

    #[tokio::test]
    async fn a_config_map_that_is_swapped_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        mount(folder.path());
        let mut watch = Watch::new(&folder.path().join("probecause.toml"));
        assert!(
            timeout(EVERY * 3, watch.changed()).await.is_err(),
            "nothing changed"
        );
        swap(folder.path(), "..v2");
        timeout(PATIENCE, watch.changed()).await.unwrap();
        assert!(
            timeout(EVERY * 3, watch.changed()).await.is_err(),
            "told already"
        );
    }

    #[tokio::test]
    async fn an_included_file_that_comes_or_goes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), ".", "first");
        let mut watch = Watch::new(&folder.path().join("probecause.toml"));
        let second = folder.path().join("targets.d/b.toml");
        std::fs::write(&second, "").unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
        std::fs::remove_file(&second).unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
        // A main file that cannot be read is a change too: its reload says why.
        std::fs::remove_file(folder.path().join("probecause.toml")).unwrap();
        timeout(PATIENCE, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_renewed_certificate_of_the_web_configuration_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("probecause.toml", "[server]\nweb_config = \"web.yml\"\n");
        write(
            "web.yml",
            "tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n",
        );
        write("a.pem", "first");
        let mut watch = Watch::new(&folder.path().join("probecause.toml"));
        write("a.pem", "renewed");
        timeout(PATIENCE, watch.changed()).await.unwrap();
        write("web.yml", "");
        timeout(PATIENCE, watch.changed()).await.unwrap();
    }
}
