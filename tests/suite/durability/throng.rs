//! Very many targets fail at once: who is paged, what is written, and how soon the alarms
//! are right.

use std::time::Duration;

use probecause::domain::alarm::heartbeat_name;
use tokio::time::{Instant, sleep};

use crate::durability::account::Account;
use crate::durability::ledger::Probed;
use crate::durability::long;
use crate::durability::prober::{Home, Prober, until, until_within};

/// How long the alarms of so many targets take to be created, three a second, with room.
const CREATED: Duration = Duration::from_secs(600);

fn config(cloudwatch: &str, probed: std::net::SocketAddr, targets: usize) -> String {
    let targets: String = (0..targets)
        .map(|number| {
            format!("[[target]]\nname = \"t{number}\"\nurl = \"http://{probed}/t{number}\"\n")
        })
        .collect();
    format!(
        "location = \"throng\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\n\
         endpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"5s\"\ntimeout = \"4s\"\nconfirm_after = \"1s\"\n{targets}"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, for alarms are created three a second: run by tests/run"]
async fn when_all_fail_at_once_each_alarm_fires_and_one_says_why() {
    let _alone = crate::durability::ALONE.lock().await;
    let targets = if long() { 1000 } else { 120 };
    let (probed, address) = Probed::start().await;
    let (account, url) = Account::start().await;
    let home = Home::new(&config(&url, address, targets));
    let prober = Prober::start(&home).await;
    until_within("all alarms", CREATED, async || {
        account.alarms() == targets + 1
    })
    .await;
    let known = "probecause_health{";
    until("all healthy", async || {
        let metrics = prober.get("/metrics").await;
        let up = metrics.lines().filter(|line| {
            line.starts_with(known) && line.contains("state=\"up\"") && line.ends_with(" 1")
        });
        up.count() == targets
    })
    .await;
    sleep(Duration::from_secs(2)).await;
    let created = account.writes().len();

    let begun = Instant::now();
    probed.fail((0..targets).map(|number| format!("t{number}")));
    until("all alarms fire", async || account.firing() == targets).await;
    let fired = begun.elapsed();
    // Whatever is written on account of it is under way by then.
    sleep(Duration::from_secs(20)).await;
    let written = account.writes().len() - created;
    let heartbeat = heartbeat_name("throng", 0);
    let named = account.tag(&heartbeat, "probecause:cause");
    let late = prober.metric("probecause_alarm_updates_late_total ").await;
    println!(
        "{targets} targets failing: {} pages, all alarms right after {fired:.1?}, {written} \
         alarm writes, {late} datapoints held back too long; `{heartbeat}` names {named:?}",
        account.pages()
    );
    assert_eq!(account.pages(), targets);
    assert_eq!(named.as_deref(), Some("lambda-throttled"));
    assert!(written < targets / 4, "{written} writes");

    let begun = Instant::now();
    probed.fail([]);
    until("all alarms are over", async || account.firing() == 0).await;
    let over = begun.elapsed();
    until("the group is over", async || {
        account.tag(&heartbeat, "probecause:cause").as_deref() == Some("none")
    })
    .await;
    let written = account.writes().len() - created;
    println!("all alarms over after {over:.1?}, {written} alarm writes in all");
    assert_eq!(account.pages(), targets, "nobody is paged twice");
    assert_eq!(prober.terminate().await, Some(0));
}
