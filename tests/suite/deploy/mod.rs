//! What `deploy/aws` puts into an account: templates by cfn-lint, policies against the
//! calls that the code makes, the example of a notification against the words that the
//! code writes; and the page of the four ways to run it.

mod notification;
mod policies;
mod templates;
mod ways;

#[cfg(test)]
fn deploy(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/aws")
        .join(name)
}

#[cfg(test)]
fn read(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}
