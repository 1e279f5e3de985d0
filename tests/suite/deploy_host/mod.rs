//! What `deploy/systemd` and `deploy/debian` put on a host: the unit by systemd's own
//! words, the package by dpkg's. The service's life under systemd is in `deploy_nspawn`.

mod package;
mod unit;

/// A file of `deploy`.
#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}
