//! The service's life under a real systemd: a Debian booted by systemd-nspawn, the package
//! installed in it, and everything that `inside` does to it.
//!
//! Its network is its own loopback. Limits of memory are not looked at: a container on a
//! machine without a systemd of its own does not enforce them.

#[cfg(test)]
mod life {
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use crate::support::debian::{PACKAGE, later, repacked, succeed};

    /// Several times what it takes.
    const PATIENCE_SECONDS: &str = "420";

    /// Runs the script as soon as the system is up, and ends the system with it.
    const UNIT: &str = "\
        [Unit]\n\
        Requires=dbus.service\n\
        After=dbus.service systemd-journald.service basic.target\n\
        [Service]\n\
        Type=oneshot\n\
        ExecStart=/proof/inside\n\
        StandardOutput=file:/proof/told\n\
        StandardError=inherit\n\
        ExecStopPost=/bin/systemctl poweroff --no-block\n";

    fn project(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    #[ignore = "needs systemd-nspawn and debootstrap: tests/run --long sets them up"]
    fn the_service_starts_reloads_survives_and_upgrades_under_systemd() {
        // Beside the prepared system rather than in a temporary file system of memory.
        let folder = tempfile::tempdir_in(project("target/deploy-host")).unwrap();
        let proof = folder.path().join("proof");
        std::fs::create_dir(&proof).unwrap();
        std::fs::copy(&*PACKAGE, proof.join("old.deb")).unwrap();
        repacked(&proof.join("new.deb"), later);
        std::fs::copy(project("tests/deploy_nspawn/inside"), proof.join("inside")).unwrap();
        let root = folder.path().join("root");
        let mut copy = Command::new("cp");
        succeed(
            copy.arg("-a")
                .arg(project("target/deploy-host/root"))
                .arg(&root),
        );
        std::fs::write(root.join("etc/systemd/system/proof.service"), UNIT).unwrap();

        let console = boot(&root, &proof);
        let told = std::fs::read_to_string(proof.join("told")).unwrap_or_default();
        // Past the test's own capture: what was shown is worth reading when it is well, too.
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        assert!(told.ends_with("\ndone\n"), "{told}\nconsole:\n{console}");
    }

    /// Boots the system until it ends by itself; what its console says.
    fn boot(root: &Path, proof: &Path) -> String {
        let mut nspawn = Command::new("timeout");
        nspawn.args(["--kill-after=20", PATIENCE_SECONDS, "systemd-nspawn"]);
        nspawn.args(["--quiet", "--boot", "--register=no", "--keep-unit"]);
        nspawn.args(["--private-network", "--console=pipe"]);
        nspawn.arg(format!("--machine=probecause-{}", std::process::id()));
        nspawn.arg(format!("--directory={}", root.display()));
        nspawn.arg(format!("--bind={}:/proof", proof.display()));
        nspawn.arg("systemd.unit=proof.service");
        let output = nspawn.stdin(Stdio::null()).output().unwrap();
        let (out, err) = (output.stdout, output.stderr);
        String::from_utf8_lossy(&[out, err].concat()).into_owned()
    }
}
