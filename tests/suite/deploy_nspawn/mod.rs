//! The service under a real systemd: systemd-nspawn boots a Debian, in which the script
//! `tests/deploy_nspawn/inside` installs, reloads, kills and upgrades the package.
//!
//! The container has only a loopback network. Memory limits are not tested: a container on a
//! host without systemd does not enforce them.

#[cfg(test)]
mod lifecycle {
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use crate::support::debian::{PACKAGE, later, repacked, succeed};

    /// The time limit of the boot and the script, several times what they need.
    const PATIENCE_SECONDS: &str = "420";

    /// A unit that runs the script once the system is up, then powers the system off.
    const UNIT: &str = "\
        [Unit]\n\
        Requires=dbus.service\n\
        After=dbus.service systemd-journald.service basic.target\n\
        [Service]\n\
        Type=oneshot\n\
        ExecStart=/proof/inside\n\
        StandardOutput=file:/proof/log\n\
        StandardError=inherit\n\
        ExecStopPost=/bin/systemctl poweroff --no-block\n";

    fn project(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    #[ignore = "needs systemd-nspawn and debootstrap: tests/run --long sets them up"]
    fn the_service_starts_reloads_survives_and_upgrades_under_systemd() {
        // On disk next to the prepared system, since /tmp may be in memory.
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
        let log = std::fs::read_to_string(proof.join("log")).unwrap_or_default();
        // Bypasses the capture of the test harness, so that the log is shown on success too.
        std::io::stderr().write_all(log.as_bytes()).unwrap();
        assert!(log.ends_with("\ndone\n"), "{log}\nconsole:\n{console}");
    }

    /// Boots the system and waits until it powers off. Returns its console output.
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
