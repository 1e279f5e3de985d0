//! Starts a proxy on free ports of loopback with a configuration of its own, and stops it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::corpus;
use crate::proxies::backends::{Backends, PATIENCE, PAUSE};
use crate::proxies::products::Product;
use crate::support::certified::{self, Ca};

/// Attempts to start a proxy: another process may take a port between its choice and its use.
const ATTEMPTS: usize = 5;

/// Time that a proxy has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A running proxy. It is killed when dropped.
pub(crate) struct Running {
    pub(crate) ports: Ports,
    child: Child,
    _folder: TempDir,
}

/// The ports of a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// HTTP/1.1 without TLS.
    pub(crate) http: u16,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub(crate) https: u16,
    /// The same, where a client certificate is required.
    pub(crate) mutual: u16,
}

impl Ports {
    fn free() -> Self {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [http, https, mutual] = listeners.map(|one| one.local_addr().unwrap().port());
        Self {
            http,
            https,
            mutual,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}

/// The program of a product: from `target/corpus`, or else an installed one.
pub(crate) fn program(product: &Product) -> PathBuf {
    let folder = unpacked();
    let places = [
        folder.join("root/usr/sbin"),
        folder.join("venv/bin"),
        PathBuf::from("/usr/sbin"),
    ];
    let mut programs = places.iter().map(|place| place.join(product.program));
    let found = programs.find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{} was not found: run tests/corpus/setup", product.program))
}

/// A command that finds the libraries of unpacked packages.
pub(crate) fn command(product: &Product) -> Command {
    let mut command = Command::new(program(product));
    let usr = unpacked().join("root/usr/lib");
    if let Ok(entries) = fs::read_dir(&usr) {
        let folders = entries.map(|entry| entry.unwrap().path());
        let folders = folders.filter(|path| path.to_str().unwrap().ends_with("-linux-gnu"));
        let folders: Vec<PathBuf> = folders
            .flat_map(|path| [path.join("varnish"), path])
            .collect();
        command.env("LD_LIBRARY_PATH", std::env::join_paths(folders).unwrap());
    }
    command
}

fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/corpus")
}

/// The version of a product.
pub(crate) fn version(product: &Product) -> String {
    let output = command(product).args(product.version).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let (_, rest) = text.split_once(product.version_after).expect(&text);
    let ends = |c: char| !(c.is_ascii_digit() || c == '.');
    rest.split(ends).next().unwrap().to_owned()
}

impl Running {
    /// Starts a proxy in front of `backends`, and waits until it listens.
    pub(crate) async fn start(product: &Product, backends: &Backends, ca: &Ca) -> Self {
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let ports = Ports::free();
            let folder = tempfile::tempdir().unwrap();
            let texts = texts(product, backends, ports, folder.path());
            write_files(product, &texts, ca, folder.path());
            let child = spawn(product, &texts, folder.path());
            let mut running = Self {
                ports,
                child,
                _folder: folder,
            };
            match running.listens(product).await {
                Ok(()) => return running,
                Err(error) => log = error,
            }
        }
        panic!("{} did not start:\n{log}", product.id)
    }

    /// Lets the proxy end by itself, so that it leaves nothing behind; kills it otherwise.
    pub(crate) async fn stop(mut self) {
        self.signal("-TERM");
        let started = Instant::now();
        while started.elapsed() < GRACE && self.child.try_wait().is_ok_and(|end| end.is_none()) {
            sleep(PAUSE).await;
        }
    }

    /// Sends a signal to the process group of the proxy: Varnish has a second process.
    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let mut kill = Command::new("kill");
        // It fails if the group has ended.
        let _ = kill
            .args([name, "--", &group])
            .stderr(Stdio::null())
            .status();
    }

    /// Waits until the proxy listens on all ports. `Err`: it ended, with its log.
    async fn listens(&mut self, product: &Product) -> Result<(), String> {
        let Ports {
            http,
            https,
            mutual,
        } = self.ports;
        let ports = if product.tls {
            vec![http, https, mutual]
        } else {
            vec![http]
        };
        let started = Instant::now();
        for port in ports {
            while tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_err()
            {
                let ended = self.child.try_wait().unwrap().is_some();
                if ended || started.elapsed() > PATIENCE {
                    let log = |name| fs::read_to_string(self._folder.path().join(name));
                    let log = ["output.log", "error.log"].map(|name| log(name).unwrap_or_default());
                    return Err(log.concat());
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

/// What the texts such as `@http@` in a configuration stand for.
fn texts(
    product: &Product,
    backends: &Backends,
    ports: Ports,
    folder: &Path,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut set = |name: String, text: String| texts.insert(format!("@{name}@"), text);
    set("http".to_owned(), ports.http.to_string());
    set("https".to_owned(), ports.https.to_string());
    set("mutual".to_owned(), ports.mutual.to_string());
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    set("folder".to_owned(), path(folder));
    set(
        "configuration".to_owned(),
        path(&folder.join(product.configuration)),
    );
    // Beside the program, in `lib` instead of `sbin`.
    let usr = program(product).ancestors().nth(2).unwrap().to_owned();
    set("modules".to_owned(), path(&usr.join("lib/apache2/modules")));
    for (name, address) in &backends.addresses {
        set((*name).to_owned(), address.to_string());
        set(format!("{name}.port"), address.port().to_string());
    }
    texts
}

fn replaced(text: &str, texts: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in texts {
        text = text.replace(name, value);
    }
    text
}

/// Writes the configuration, and the certificates that the proxy shows and trusts.
fn write_files(product: &Product, texts: &BTreeMap<String, String>, ca: &Ca, folder: &Path) {
    let template = corpus::folder()
        .join("configurations")
        .join(product.configuration);
    let template = fs::read_to_string(template).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = certified::valid().signed_by(&key, ca).unwrap().pem();
    let key = key.serialize_pem();
    for (name, text) in [
        (product.configuration, replaced(&template, texts)),
        ("ca.pem", ca.pem()),
        ("front-and-key.pem", format!("{certificate}{key}")),
        ("front.pem", certificate),
        ("front.key", key),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    fs::create_dir(folder.join("empty")).unwrap();
    // Apache httpd reads this as another user.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder, mode).unwrap();
}

fn spawn(product: &Product, texts: &BTreeMap<String, String>, folder: &Path) -> Child {
    let arguments = product.arguments.iter();
    let arguments = arguments.map(|argument| replaced(argument, texts));
    let output = fs::File::create(folder.join("output.log")).unwrap();
    let mut command = command(product);
    std::os::unix::process::CommandExt::process_group(&mut command, 0)
        .args(arguments)
        .env("HOME", folder)
        .env("RES_OPTIONS", "timeout:1 attempts:1")
        .stdin(Stdio::null())
        .stderr(output.try_clone().unwrap())
        .stdout(output)
        .spawn()
        .unwrap()
}
