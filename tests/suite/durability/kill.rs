//! `kill -9` at random moments under load.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::durability::ledger::{Ledger, Probed};
use crate::durability::prober::{Home, Prober, until};
use crate::durability::{TARGETS, config, long, names};

/// One life of the daemon.
struct Life {
    began: Timestamp,
    ended: Timestamp,
}

/// Between 0 and 1, differing each time: the moment of a kill has to be nobody's choice.
fn random() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond() % 10_007) / 10_007.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute, or four: run by tests/run"]
async fn kill_9_loses_no_incident_and_at_most_a_second_of_datapoints() {
    let _alone = crate::durability::ALONE.lock().await;
    let kills = if long() { 20 } else { 4 };
    let (probed, address) = Probed::start().await;
    let (ledger, url) = Ledger::start(None).await;
    let quiet = |_: &str| "alarm = { enabled = false }".to_owned();
    let home = Home::new(&config("kill", &url, address, quiet));

    // Every incident that was ever shown, with when it was opened.
    let mut shown = HashMap::new();
    let mut lives = Vec::new();
    for number in 0..kills {
        let began = Timestamp::now();
        let prober = Prober::start(&home).await;
        check_memory(&prober, &shown).await;
        work(&prober, &probed, number, &mut shown).await;
        prober.kill().await;
        lives.push(Life {
            began,
            ended: Timestamp::now(),
        });
    }

    // The last life sends what the others left, and ends in order.
    let prober = Prober::start(&home).await;
    check_memory(&prober, &shown).await;
    until("the backlog is sent", async || {
        prober.metric("probecause_spool_datapoints ").await < 1.0
    })
    .await;
    println!("{} incidents shown, none lost", shown.len());
    assert!(
        shown.len() >= 5 * usize::from(kills > 4) + 5,
        "too few incidents to tell"
    );
    assert_eq!(prober.terminate().await, Some(0));
    compare(&lives, &probed, &ledger);
    check_database(&home);
}

/// Lets the daemon work for a few seconds while targets fail and recover, and notes the
/// incidents that it shows.
async fn work(
    prober: &Prober,
    probed: &Probed,
    number: usize,
    shown: &mut HashMap<String, String>,
) {
    let until = Instant::now() + Duration::from_secs_f64(6.0 + 3.0 * random());
    let failing = names().skip(number * 7 % TARGETS).step_by(3).take(10);
    probed.fail(failing);
    let mut calm = false;
    while Instant::now() < until {
        for incident in prober.incidents().await {
            let text = |key: &str| incident[key].as_str().unwrap().to_owned();
            shown.insert(text("incident_id"), text("opened"));
        }
        if !calm && until - Instant::now() < Duration::from_secs(3) {
            calm = true;
            probed.fail(names().skip(number * 7 % TARGETS).step_by(3).take(3));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing that was shown is gone, and nothing was set aside.
async fn check_memory(prober: &Prober, shown: &HashMap<String, String>) {
    assert_eq!(prober.said("store:"), Vec::<String>::new());
    assert!(prober.metric("probecause_store_up ").await > 0.0);
    let known: HashMap<_, _> = prober
        .incidents()
        .await
        .into_iter()
        .map(|incident| {
            let text = |key: &str| incident[key].as_str().unwrap().to_owned();
            (text("incident_id"), text("opened"))
        })
        .collect();
    for (id, opened) in shown {
        assert_eq!(
            known.get(id),
            Some(opened),
            "incident {id} is lost or changed"
        );
    }
}

/// Probes that were answered in each life, beside the values that CloudWatch has of it.
fn compare(lives: &[Life], probed: &Probed, ledger: &Ledger) {
    let points = ledger.points("Failed");
    for (number, life) in lives.iter().enumerate() {
        let asked: usize = names()
            .map(|name| probed.between(&name, life.began, life.ended))
            .sum();
        let within = points
            .iter()
            .filter(|(_, at, _)| (life.began..life.ended).contains(at));
        let taken: usize = within.map(|(.., count)| count).sum();
        let lost = asked.saturating_sub(taken);
        let seconds = (life.ended - life.began).total(jiff::Unit::Second).unwrap();
        println!(
            "kill {}: after {seconds:.1} s and {asked} probes: {lost} lost, {} twice",
            number + 1,
            taken.saturating_sub(asked)
        );
        assert!(asked > TARGETS, "only {asked} probes");
        // A second's worth: what was not on disk yet, and probes that were under way.
        assert!(lost <= TARGETS, "{lost} lost of a life");
    }
    println!(
        "{} datapoints arrived twice, told as such or not",
        ledger.duplicates()
    );
}

fn check_database(home: &Home) {
    let path = home.state().join(probecause::io::store::DATABASE_FILE);
    let database = rusqlite::Connection::open(path).unwrap();
    let check = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(check.unwrap(), "ok");
}
