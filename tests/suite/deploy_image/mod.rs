//! The container image: builds its final stage and runs it on the host network and without a
//! network.
//!
//! The compile stage needs a registry, so `setup` runs its commands on the host and passes the
//! result as a build context; `deploy_kubernetes` lints the whole Dockerfile. The image under
//! test also trusts the authority of this test, so that TLS can be tested on loopback.

mod container;
mod servers;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;
    use std::time::{Duration, Instant};

    use crate::deploy_image::container::{Container, IMAGE, image, podman, stage};
    use crate::deploy_image::servers::{
        Authority, CloudWatch, DNS, DnsServer, TARGET, free_port, metrics,
    };

    /// How long to wait for a condition. Only a hang reaches it.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// How long Docker waits between SIGTERM and SIGKILL.
    const GRACE: Duration = Duration::from_secs(10);

    /// The Dockerfile without comments.
    fn dockerfile() -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("deploy/container/Dockerfile")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_compile_stage_uses_the_toolchain_and_version_of_this_project() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let toolchain = std::fs::read_to_string(root.join("rust-toolchain.toml")).unwrap();
        let channel = toolchain.split("channel = \"").nth(1).unwrap();
        let channel = channel.split('"').next().unwrap();
        let text = dockerfile();
        assert!(text.contains(&format!("/rust:{channel}-")), "{text}");
        let version = concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(version), "{text}");
    }

    /// Returns a configuration whose targets and CloudWatch endpoint have host names that only the
    /// DNS server of the test resolves.
    fn config(listen: u16, target: u16, cloudwatch: u16, names: &[&str]) -> String {
        let mut text = format!(
            r#"
location = "here"

[server]
listen = "127.0.0.1:{listen}"

[cloudwatch]
enabled = true
region = "eu-west-1"
endpoint_url = "http://{}:{cloudwatch}"

[defaults]
interval = "1s"
timeout = "900ms"
"#,
            CloudWatch::NAME
        );
        for name in names {
            let url = format!("https://{TARGET}:{target}/");
            text.push_str(&format!("[[target]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
        }
        text
    }

    /// Updates the mount as a kubelet updates a `ConfigMap`: writes a new directory and renames the
    /// link to it.
    fn swap(mount: &Path, version: &str, text: &str) {
        let folder = mount.join(version);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("probecause.toml"), text).unwrap();
        for path in [mount, &folder] {
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        symlink(version, mount.join("..tmp")).unwrap();
        std::fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
    }

    /// Waits until the metrics contain `line` and returns them.
    async fn metrics_with_line(container: &Container, port: u16, line: &str) -> String {
        let started = Instant::now();
        loop {
            let text = metrics(port).await.unwrap_or_default();
            if text.lines().any(|one| one == line) {
                return text;
            }
            let log = container.log();
            assert!(
                started.elapsed() < PATIENCE,
                "timed out waiting for {line}:\n{text}\n{log}"
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs buildah, podman and a static build: run by tests/run --long"]
    async fn the_image_runs_unprivileged_and_read_only_reloads_an_updated_config_map_and_stops_gracefully()
     {
        let authority = Authority::new();
        image(&stage(&authority.pem()), "all");
        let _dns = DnsServer::start();
        let (target, cloudwatch, port) = (
            authority.serve().await,
            CloudWatch::start().await,
            free_port(),
        );
        let folder = tempfile::tempdir().unwrap();
        let text = |names| config(port, target, cloudwatch.port, names);
        swap(folder.path(), "..v1", &text(&["orders"]));
        let link = folder.path().join("probecause.toml");
        symlink("..data/probecause.toml", link).unwrap();
        let names = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(names.path(), format!("nameserver {DNS}\n")).unwrap();
        std::fs::set_permissions(names.path(), Permissions::from_mode(0o644)).unwrap();
        let mount = format!("{}:/etc/probecause:ro", folder.path().display());
        let resolv = format!("{}:/etc/resolv.conf:ro", names.path().display());
        let options = ["--network=host", "-v", &mount, "-v", &resolv];
        let container = Container::start(&format!("all-{port}"), "all", &options);

        // The program resolves the target's name itself. Only the image's CA file contains the
        // authority of the target's certificate.
        let success = "probe_success{target=\"orders\",location=\"here\"} 1";
        let metrics_text = metrics_with_line(&container, port, success).await;
        assert!(
            metrics_text.contains("\nprobecause_store_up 1\n"),
            "{metrics_text}"
        );
        // The static C library resolves the name of the CloudWatch endpoint.
        cloudwatch.until_called(PATIENCE).await;
        container.check_process();

        // The image watches its configuration by default.
        swap(folder.path(), "..v2", &text(&["orders", "refunds"]));
        let success = "probe_success{target=\"refunds\",location=\"here\"} 1";
        metrics_with_line(&container, port, success).await;

        let duration = container.stop(GRACE);
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
        let mut out = std::io::stdout();
        let summary = format!("SIGTERM: stopped gracefully within {duration:.1?} of {GRACE:?}");
        writeln!(out, "{summary}").unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs buildah, podman and a static build: run by tests/run --long"]
    async fn the_image_has_three_files_all_labels_and_a_working_health_check() {
        let size = image(&stage(""), "plain");
        let expected = [
            "etc/ssl/certs/ca-certificates.crt",
            "probecause",
            "var/lib/probecause/",
        ];
        assert_eq!(
            Container::files("plain"),
            BTreeSet::from(expected.map(str::to_owned))
        );
        let mut out = std::io::stdout();
        writeln!(out, "the image has {:.1} MB", size / 1e6).unwrap();

        let name = format!("{IMAGE}:plain");
        let inspect = |format: &str| podman(&["image", "inspect", "--format", format, &name]);
        for label in ["title", "description", "licenses", "version", "revision"] {
            let key = format!("{{{{index .Labels \"org.opencontainers.image.{label}\"}}}}");
            assert_ne!(inspect(&key), "", "{label}");
        }
        assert_eq!(inspect("{{.User}}"), "65532:65532");
        assert_eq!(inspect("{{.Config.StopSignal}}"), "SIGTERM");

        // Without a network the default port is free, so the health check of the image works
        // unchanged.
        let folder = tempfile::tempdir().unwrap();
        let text = "[[target]]\nname = \"a\"\nurl = \"http://127.0.0.1:9/\"\n";
        std::fs::write(folder.path().join("probecause.toml"), text).unwrap();
        let mount = format!("{}:/etc/probecause:ro", folder.path().display());
        let container = Container::start(
            "probecause-plain",
            "plain",
            &["--network=none", "-v", &mount],
        );
        let started = Instant::now();
        while !container.healthy() {
            assert!(started.elapsed() < PATIENCE, "{}", container.log());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        // The check fails for a stopped process.
        podman(&["kill", "--signal=STOP", container.name()]);
        assert!(!container.healthy());
        podman(&["kill", "--signal=CONT", container.name()]);
        container.stop(GRACE);
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
    }
}
