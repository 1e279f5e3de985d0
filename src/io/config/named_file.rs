//! Reads the files that a configuration names: request bodies, secrets, certificates and the web
//! configuration.
//!
//! Only regular files up to a given size are read, so that a wrong path neither blocks the daemon
//! nor exhausts its memory.

use std::io::Read;
use std::path::Path;

/// Reads a regular file of at most `max_bytes` bytes. The error message says what is wrong and what
/// to do.
pub(super) fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    if !path.is_file() {
        return Err(format!(
            "file {shown} not found; create it or correct the path"
        ));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| {
        file.take(max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
    })
    .map_err(|error| {
        format!("cannot read {shown} ({error}); make it readable for the user that runs probecause")
    })?;
    if bytes.len() as u64 > max_bytes {
        return Err(format!(
            "{shown} is larger than {max_bytes} bytes; set the path of a smaller file"
        ));
    }
    Ok(bytes)
}
