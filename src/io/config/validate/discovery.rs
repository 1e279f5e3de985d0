//! Reads `[[discovery.aws]]`: the AWS accounts and Regions in which the daemon finds targets.

use std::time::Duration;

use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::text::{Identifier, Region, RoleArn};
use crate::io::config::value::time::DiscoveryInterval;
use crate::model::settings::Role;
use crate::model::settings::discovery::{AwsDiscovery, AwsSource};

/// The default time between two readings of an account.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(600);

/// Reads the accounts in the `discovery` table of the main file. Reports invalid and repeated
/// accounts, and omits them.
pub(in crate::io::config) fn read(main: &Table<'_>) -> Vec<AwsDiscovery> {
    let mut found: Vec<AwsDiscovery> = Vec::new();
    for item in main.table("discovery", schema::DISCOVERY).items("aws") {
        let Some(one) = account(&item) else { continue };
        if found.iter().any(|other| is_same(other, &one)) {
            item.place.error(format!(
                "another [[discovery.aws]] has the same `region` ({}) and `role_arn`; remove one \
                 of them",
                one.source.region
            ));
            continue;
        }
        found.push(one);
    }
    found
}

/// Returns whether two tables have the same Region and role. The external id is not compared,
/// because it does not select the account.
fn is_same(one: &AwsDiscovery, other: &AwsDiscovery) -> bool {
    let place = |it: &AwsDiscovery| {
        let role = it.source.role.as_ref().map(|role| role.arn.clone());
        (it.source.region.clone(), role)
    };
    place(one) == place(other)
}

fn account(item: &Value<'_>) -> Option<AwsDiscovery> {
    let table = item.table(schema::DISCOVERY_AWS)?;
    let region = table.required::<Region>("region", "region = \"eu-west-1\"");
    let interval = table.get::<DiscoveryInterval>("interval");
    let external_id = table.get::<Identifier>("external_id");
    if external_id.is_some() && !table.has("role_arn") {
        let place = table.place_of("external_id");
        place.error("has no effect without `role_arn`; add `role_arn` or remove `external_id`");
    }
    let role = table
        .get::<RoleArn>("role_arn")
        .map(|arn| Role { arn, external_id });
    Some(AwsDiscovery {
        source: AwsSource {
            region: region?,
            role,
        },
        interval: interval.unwrap_or(DEFAULT_INTERVAL),
    })
}
