//! Builds the image with buildah and runs containers with podman.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name of the image under test.
pub(crate) const IMAGE: &str = "localhost/probecause-test";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs podman and returns its output without the trailing newline.
pub(crate) fn podman(arguments: &[&str]) -> String {
    run("podman", arguments)
}

/// Runs a program, which must succeed, and returns its output without the trailing newline.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim_end().to_owned()
}

/// Copies the output of the compile stage to a new folder and adds `authorities` to its CA file.
pub(crate) fn stage(authorities: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (made, out) = (root().join("target/image/out"), folder.path().join("out"));
    std::fs::create_dir_all(out.join("state")).unwrap();
    std::fs::copy(made.join("probecause"), out.join("probecause")).unwrap();
    let mut trusted = std::fs::read_to_string(made.join("ca-certificates.crt")).unwrap();
    trusted.push_str(authorities);
    std::fs::write(out.join("ca-certificates.crt"), trusted).unwrap();
    folder
}

/// Builds the image from the output of [`stage`]. Returns its size in bytes.
pub(crate) fn image(stage: &TempDir, tag: &str) -> f64 {
    let context = format!("build={}", stage.path().display());
    let file = root().join("deploy/container/Dockerfile");
    let (file, name) = (file.display().to_string(), format!("{IMAGE}:{tag}"));
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().display().to_string();
    // The OCI format has no health check.
    let arguments = ["build", "--isolation=chroot", "--format=docker"];
    let places = [
        "--build-context",
        &context,
        "-f",
        &file,
        "-t",
        &name,
        &empty,
    ];
    run("buildah", &[&arguments[..], &places[..]].concat());
    let size = podman(&["image", "inspect", "--format", "{{.Size}}", &name]);
    size.parse().unwrap()
}

/// A running container. Dropping it removes the container, its volume and its image.
pub(crate) struct Container {
    name: String,
    image: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let end = ["rm", "--force", "--volumes", &self.name];
        let _ = Command::new("podman").args(end).output();
        let _ = Command::new("podman").args(["rmi", &self.image]).output();
    }
}

impl Container {
    /// Starts a container with the recommended options: only the volume is writable.
    pub(crate) fn start(name: &str, tag: &str, options: &[&str]) -> Self {
        let container = Self {
            name: format!("probecause-{name}"),
            image: format!("{IMAGE}:{tag}"),
        };
        let base = [
            "--runtime=runc",
            "run",
            "--detach",
            "--name",
            &container.name,
        ];
        let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];
        let closed = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all"];
        // Credentials for the AWS SDK.
        let keys = [
            "--env=AWS_ACCESS_KEY_ID=test",
            "--env=AWS_SECRET_ACCESS_KEY=test",
        ];
        let image = [container.image.as_str()];
        let all = [&base[..], &limits, &closed, &keys, options, &image].concat();
        podman(&all);
        container
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn inspect(&self, format: &str) -> String {
        podman(&["inspect", "--format", format, &self.name])
    }

    /// The log of the daemon.
    pub(crate) fn log(&self) -> String {
        let output = Command::new("podman").args(["logs", &self.name]).output();
        String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
    }

    /// Runs the health check of the image.
    pub(crate) fn healthy(&self) -> bool {
        let check = ["healthcheck", "run", &self.name];
        let output = Command::new("podman").args(check).output().unwrap();
        output.status.success()
    }

    /// Checks the user, capabilities and mounts of the process in `/proc`.
    pub(crate) fn check_process(&self) {
        let process = self.inspect("{{.State.Pid}}");
        let read = |file| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
        let status = read("status");
        for (field, value) in [
            ("Uid:", "65532"),
            ("Gid:", "65532"),
            ("CapEff:", "0000000000000000"),
            ("CapBnd:", "0000000000000000"),
        ] {
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            assert_eq!(line.split_whitespace().nth(1), Some(value), "{line}");
        }
        let mounts = read("mounts");
        let options = |place: &str| {
            let mut mounts = mounts
                .lines()
                .map(|line| line.split(' ').collect::<Vec<_>>());
            let mount = mounts.find(|mount| mount[1] == place);
            mount.map(|mount| mount[3].split(',').next().unwrap_or_default().to_owned())
        };
        assert_eq!(options("/").as_deref(), Some("ro"), "{mounts}");
        assert_eq!(
            options("/etc/probecause").as_deref(),
            Some("ro"),
            "{mounts}"
        );
        assert_eq!(
            options("/var/lib/probecause").as_deref(),
            Some("rw"),
            "{mounts}"
        );
        assert_eq!(options("/tmp"), None, "{mounts}");
    }

    /// Stops the container as an orchestrator does. Returns how long that took.
    pub(crate) fn stop(&self, grace: Duration) -> Duration {
        let started = Instant::now();
        let seconds = format!("--time={}", grace.as_secs());
        podman(&["stop", &seconds, &self.name]);
        started.elapsed()
    }

    /// The files of an image, and its empty folders with a trailing slash.
    pub(crate) fn files(tag: &str) -> BTreeSet<String> {
        let name = format!("{IMAGE}:{tag}");
        let mounted = podman(&["image", "mount", &name]);
        let mut files = BTreeSet::new();
        collect(Path::new(&mounted), Path::new(&mounted), &mut files);
        podman(&["image", "unmount", &name]);
        files
    }
}

fn collect(top: &Path, folder: &Path, files: &mut BTreeSet<String>) {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    if entries.is_empty() {
        files.insert(format!("{}/", folder.strip_prefix(top).unwrap().display()));
    }
    for path in entries.iter().map(std::fs::DirEntry::path) {
        if path.is_dir() {
            collect(top, &path, files);
        } else {
            files.insert(path.strip_prefix(top).unwrap().display().to_string());
        }
    }
}
