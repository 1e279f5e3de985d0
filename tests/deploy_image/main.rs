//! The container: its final stage built with the program given as a build context, and
//! really run.
//!
//! The compile stage needs a registry; it is linted with the rest of the Dockerfile.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The image's name while it is tested.
const IMAGE: &str = "localhost/probecause-test";

/// Where the name server of this test listens, and the name that it alone knows.
const DNS: &str = "127.0.0.153";
const NAME: &str = "orders.probecause.test";

/// How long the container may take to do what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command; its output without the last line break.
#[cfg(test)]
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// Ends what it holds.
#[cfg(test)]
struct Ending(Child);

#[cfg(test)]
impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
struct Container(String);

#[cfg(test)]
impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("podman").args(["rm", "-f", &self.0]).output();
    }
}

#[cfg(test)]
fn build() {
    let context = format!("build={}", root().join("target/image").display());
    let file = root().join("deploy/container/Dockerfile");
    let file = file.display().to_string();
    // Docker's own format: the other one knows no health check.
    let arguments = [
        "build",
        "--isolation=chroot",
        "--format=docker",
        "--build-context",
        &context,
        "-f",
        &file,
        "-t",
        IMAGE,
        ".",
    ];
    run("buildah", &arguments);
}

#[cfg(test)]
async fn endpoint() -> SocketAddr {
    let router = axum::Router::new().fallback(|| async { "fine" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[cfg(test)]
async fn metrics(port: u16) -> Option<String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(format!("http://127.0.0.1:{port}/metrics"))
        .send()
        .await
        .ok()?;
    answer.text().await.ok()
}

#[cfg(test)]
fn name_server() -> Ending {
    let listen = format!("--listen-address={DNS}");
    let address = format!("--address=/{NAME}/127.0.0.1");
    let child = Command::new("dnsmasq")
        .args([
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
        ])
        .args(["--conf-file=/dev/null", "--pid-file=", &listen, &address])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Ending(child)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs buildah, podman and a static build: run by tests/run --long"]
async fn the_image_runs_as_nobody_on_a_read_only_root_and_ends_in_order() {
    build();
    check_image();
    let watched = endpoint().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), port, watched);
    let _names = name_server();
    let container = Container::start(folder.path(), port);
    until_probed(&container, port).await;
    container.check(port);
    run("podman", &["stop", "--time=20", &container.0]);
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
}

/// What the image is made of.
#[cfg(test)]
fn check_image() {
    let size = run(
        "podman",
        &["image", "inspect", "--format", "{{.Size}}", IMAGE],
    );
    let megabytes = size.parse::<f64>().unwrap() / 1e6;
    println!("the image has {megabytes:.1} MB, with a program of the dev profile");
    let layers = run(
        "podman",
        &[
            "image",
            "inspect",
            "--format",
            "{{len .RootFS.Layers}}",
            IMAGE,
        ],
    );
    assert_eq!(
        layers, "2",
        "from scratch, with the authorities and the program alone"
    );

    let inspect = |format: &str| run("podman", &["image", "inspect", "--format", format, IMAGE]);
    assert_eq!(
        inspect("{{.HealthCheck.Test}}"),
        "[CMD /probecause healthcheck]"
    );
    let labels = inspect("{{.Labels}}");
    assert!(
        labels.contains("org.opencontainers.image.title:probecause"),
        "{labels}"
    );
}

/// A configuration with a target by a name that only the name server knows.
#[cfg(test)]
fn write(folder: &Path, port: u16, watched: SocketAddr) {
    let config = format!(
        "location = \"here\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n[[target]]\nname = \"orders\"\n\
         url = \"http://{NAME}:{}/\"\ninterval = \"1s\"\ntimeout = \"900ms\"\n",
        watched.port()
    );
    std::fs::write(folder.join("probecause.toml"), config).unwrap();
    std::fs::write(folder.join("resolv.conf"), format!("nameserver {DNS}\n")).unwrap();
}

#[cfg(test)]
async fn until_probed(container: &Container, port: u16) {
    let begun = Instant::now();
    let success = "probe_success{target=\"orders\",location=\"here\"} 1";
    loop {
        let text = metrics(port).await.unwrap_or_default();
        if text.contains(success) {
            return;
        }
        let log = run("podman", &["logs", &container.0]);
        assert!(begun.elapsed() < PATIENCE, "never probed:\n{text}\n{log}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[cfg(test)]
impl Container {
    fn start(folder: &Path, port: u16) -> Self {
        let (path, name) = (folder.display(), format!("probecause-{port}"));
        let mount = format!("{path}:/etc/probecause:ro");
        let resolv = format!("{path}/resolv.conf:/etc/resolv.conf:ro");
        let container = Self(name.clone());
        run(
            "podman",
            &[
                "run",
                "--detach",
                "--name",
                &name,
                "--network=host",
                "--read-only",
                "--cap-drop=all",
                "--ulimit=nofile=1024:1024",
                "--ulimit=nproc=1024:1024",
                "-v",
                &mount,
                "-v",
                &resolv,
                IMAGE,
            ],
        );
        container
    }

    fn inspect(&self, format: &str) -> String {
        run("podman", &["inspect", "--format", format, &self.0])
    }

    /// What the running process may do.
    fn check(&self, port: u16) {
        let process = self.inspect("{{.State.Pid}}");
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!(field("Uid:"), "65532");
        assert_eq!(field("CapEff:"), "0000000000000000");
        assert_eq!(self.inspect("{{.HostConfig.ReadonlyRootfs}}"), "true");
        let url = format!("http://127.0.0.1:{port}");
        let ask = ["exec", &self.0, "/probecause", "healthcheck", "--url", &url];
        assert_eq!(run("podman", &ask), "healthy");
    }
}
