//! Reads the files that a configuration names: bodies, secrets, certificates.
//!
//! Only regular files, and only up to a size: a slip must not hang or fill the memory.

use std::io::Read;
use std::path::Path;

/// The bytes of a file of at most `most` bytes, or why not and the mend.
pub(in crate::io::config) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    if !path.is_file() {
        return Err(format!(
            "there is no file {shown}; create it or mend the name"
        ));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {shown} ({error}); let this user read it"))?;
    if bytes.len() as u64 > most {
        return Err(format!(
            "{shown} is larger than {most} bytes; name a smaller file"
        ));
    }
    Ok(bytes)
}
