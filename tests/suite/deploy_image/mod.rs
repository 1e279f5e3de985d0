//! The container: its final stage built with the program given as a build context, and
//! really run, on the network of the host and on none.
//!
//! The compile stage needs a registry: `setup` carries its commands out here, and
//! `deploy_kubernetes` lints the whole file. The image under test trusts one authority more
//! than the shipped one, that of this test, so that its trust can be shown on a loopback.

mod container;
mod surroundings;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;
    use std::time::{Duration, Instant};

    use crate::deploy_image::container::{Container, IMAGE, image, podman, stage};
    use crate::deploy_image::surroundings::{
        Authority, Aws, DNS, Names, TARGET, free_port, metrics,
    };

    /// How long the container may take to do what is waited for.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// What Docker gives a container to end in order before it kills it.
    const GRACE: Duration = Duration::from_secs(10);

    /// The Dockerfile, without its comments.
    fn dockerfile() -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("deploy/container/Dockerfile")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_compile_stage_has_the_toolchain_and_the_version_of_this_project() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let toolchain = std::fs::read_to_string(root.join("rust-toolchain.toml")).unwrap();
        let channel = toolchain.split("channel = \"").nth(1).unwrap();
        let channel = channel.split('"').next().unwrap();
        let text = dockerfile();
        assert!(text.contains(&format!("/rust:{channel}-")), "{text}");
        let version = concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(version), "{text}");
    }

    /// A configuration with targets by a name that only the name server knows, and with a
    /// CloudWatch behind another such name.
    fn config(listen: u16, target: u16, aws: u16, names: &[&str]) -> String {
        let mut text = format!(
            r#"
location = "here"

[server]
listen = "127.0.0.1:{listen}"

[cloudwatch]
enabled = true
region = "eu-west-1"
endpoint_url = "http://{}:{aws}"

[defaults]
interval = "1s"
timeout = "900ms"
"#,
            Aws::NAME
        );
        for name in names {
            let url = format!("https://{TARGET}:{target}/");
            text.push_str(&format!("[[target]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
        }
        text
    }

    /// Lays a configuration into a folder as a node mounts a `ConfigMap`: in a folder of
    /// its own, to which a link leads that changes in one step.
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

    /// Waits until a line is among the metrics, and returns all of them.
    async fn until(container: &Container, port: u16, line: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = metrics(port).await.unwrap_or_default();
            if text.lines().any(|one| one == line) {
                return text;
            }
            let log = container.log();
            assert!(begun.elapsed() < PATIENCE, "no {line}:\n{text}\n{log}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs buildah, podman and a static build: run by tests/run --long"]
    async fn the_image_runs_as_nobody_on_a_read_only_root_takes_a_swapped_config_map_and_ends_in_order()
     {
        let authority = Authority::new();
        image(&stage(&authority.pem()), "all");
        let _names = Names::start();
        let (target, aws, port) = (authority.serve().await, Aws::start().await, free_port());
        let folder = tempfile::tempdir().unwrap();
        let text = |names| config(port, target, aws.port, names);
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

        // The target's name is asked by the program itself, and its certificate is of an
        // authority that is known from the image's own file alone.
        let success = "probe_success{target=\"orders\",location=\"here\"} 1";
        let seen = until(&container, port, success).await;
        assert!(seen.contains("\nprobecause_store_up 1\n"), "{seen}");
        // The endpoint's name of AWS is asked by the static C library.
        aws.until_called(PATIENCE).await;
        container.check_process();

        // The image watches its configuration without being told to.
        swap(folder.path(), "..v2", &text(&["orders", "refunds"]));
        let success = "probe_success{target=\"refunds\",location=\"here\"} 1";
        until(&container, port, success).await;

        let took = container.stop(GRACE);
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
        let mut out = std::io::stdout();
        let said = format!("SIGTERM: ended in order within {took:.1?} of {GRACE:?}");
        writeln!(out, "{said}").unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs buildah, podman and a static build: run by tests/run --long"]
    async fn the_image_has_three_files_its_labels_and_a_health_check_that_works() {
        let size = image(&stage(""), "plain");
        let wanted = [
            "etc/ssl/certs/ca-certificates.crt",
            "probecause",
            "var/lib/probecause/",
        ];
        assert_eq!(
            Container::files("plain"),
            BTreeSet::from(wanted.map(str::to_owned))
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

        // On no network but its own loopback, where its usual port is free: the check is
        // carried out as the image declares it.
        let folder = tempfile::tempdir().unwrap();
        let text = "[[target]]\nname = \"a\"\nurl = \"http://127.0.0.1:9/\"\n";
        std::fs::write(folder.path().join("probecause.toml"), text).unwrap();
        let mount = format!("{}:/etc/probecause:ro", folder.path().display());
        let container = Container::start(
            "probecause-plain",
            "plain",
            &["--network=none", "-v", &mount],
        );
        let begun = Instant::now();
        while !container.healthy() {
            assert!(begun.elapsed() < PATIENCE, "{}", container.log());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        // Stopped in the middle, it is not healthy: the check is awake.
        podman(&["kill", "--signal=STOP", container.name()]);
        assert!(!container.healthy());
        podman(&["kill", "--signal=CONT", container.name()]);
        container.stop(GRACE);
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0");
    }
}
