//! Checks of `deploy/aws` and `deploy/README.md`: the CloudFormation templates, the IAM policies
//! against the API calls in the code, the example notification against the annotations that the
//! code writes, and the commands that start the daemon.

mod notification;
mod policies;
mod quick_start;
mod templates;

/// The path of a file in `deploy/aws`.
#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/aws")
        .join(name)
}

/// The text of a file in `deploy/aws`.
#[cfg(test)]
fn read(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}
