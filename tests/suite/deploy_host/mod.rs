//! Checks of `deploy/systemd` with systemd-analyze and of `deploy/debian` with dpkg and
//! lintian. `deploy_nspawn` tests the service under a running systemd.

mod package;
mod unit;

/// The path of a file in `deploy`.
#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}
