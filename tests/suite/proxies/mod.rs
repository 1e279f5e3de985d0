//! Real proxies on loopback: each answers every fault as its capture in the corpus says.
//!
//! nginx, HAProxy, Apache httpd, Varnish and Caddy run with the configurations in
//! `tests/corpus/configurations`. The daemon's own prober sends the requests, over HTTP/1.1 and
//! over HTTP/2 with TLS. `tests/corpus/setup` provides the programs. With `CORPUS_UPDATE=1` the
//! captures are written instead of compared.

mod backends;
mod faults;
mod live;
mod process;
mod products;
mod recorded;

use live::check;
use products::{APACHE, CADDY, HAPROXY, NGINX, VARNISH};

#[tokio::test]
#[ignore = "needs the proxies of tests/corpus/setup"]
async fn nginx_answers_every_fault_as_captured() {
    check(&NGINX).await;
}

#[tokio::test]
#[ignore = "needs the proxies of tests/corpus/setup"]
async fn haproxy_answers_every_fault_as_captured() {
    check(&HAPROXY).await;
}

#[tokio::test]
#[ignore = "needs the proxies of tests/corpus/setup"]
async fn apache_answers_every_fault_as_captured() {
    check(&APACHE).await;
}

#[tokio::test]
#[ignore = "needs the proxies of tests/corpus/setup"]
async fn varnish_answers_every_fault_as_captured() {
    check(&VARNISH).await;
}

#[tokio::test]
#[ignore = "needs the proxies of tests/corpus/setup"]
async fn caddy_answers_every_fault_as_captured() {
    check(&CADDY).await;
}
