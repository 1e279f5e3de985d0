//! What the side-by-side measurement measures against, in one binary.
//!
//! `target PLAIN_PORT TLS_PORT DIR` serves and counts; `truth PORT LOG` answers after an
//! exact delay and writes down what it really did; `bare MODE PORT N MICROSECONDS DIR` and
//! `reqwest …` are the least a probe can cost. It measures nothing itself: `run` reads the
//! CPU time of each process from outside, the same way for all.

mod client;
mod target;
mod truth;

use std::error::Error;

/// What each part may fail with; the script shows it.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: target PLAIN TLS DIR | truth PORT LOG | \
                     bare|reqwest http|https PORT N PAUSE_IN_MICROSECONDS DIR";

fn main() -> Outcome {
    // Cargo adds `--bench` when it runs a benchmark; it means nothing here.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|w| w != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["target", plain, tls, folder] => target::serve(plain.parse()?, tls.parse()?, folder),
        ["truth", port, log] => truth::serve(port.parse()?, log),
        ["bare", scheme, port, n, pause, folder] => {
            client::bare(&client::Load::new(scheme, port, n, pause, folder)?)
        }
        ["reqwest", scheme, port, n, pause, folder] => {
            client::reqwest(&client::Load::new(scheme, port, n, pause, folder)?)
        }
        // `cargo bench` runs every benchmark; this one needs its script.
        [] => {
            println!("run benches/side_by_side/run\n{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}
