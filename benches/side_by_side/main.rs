//! The servers and clients that the side-by-side benchmark needs, in one binary.
//!
//! `target PLAIN_PORT TLS_PORT DIR` is the probed server and counts requests. `truth PORT
//! LOG` responds after an exact delay and logs the actual times. `bare SCHEME PORT N PAUSE DIR`
//! and `reqwest …` are clients with the minimum cost of a probe. The script `run` measures the
//! CPU time of each process from outside.

mod client;
mod target;
mod truth;

use std::error::Error;

/// The result of a part; `run` shows the error.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: target PLAIN TLS DIR | truth PORT LOG | \
                     bare|reqwest http|https PORT N PAUSE_IN_MICROSECONDS DIR";

fn main() -> Outcome {
    // Cargo passes `--bench` to every benchmark.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["target", plain, tls, folder] => target::serve(plain.parse()?, tls.parse()?, folder),
        ["truth", port, log] => truth::serve(port.parse()?, log),
        ["bare", scheme, port, n, pause, folder] => {
            client::bare(&client::Load::new(scheme, port, n, pause, folder)?)
        }
        ["reqwest", scheme, port, n, pause, folder] => {
            client::reqwest(&client::Load::new(scheme, port, n, pause, folder)?)
        }
        // `cargo bench` runs every benchmark, but this one needs its script.
        [] => {
            println!("run benches/side_by_side/run\n{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}
