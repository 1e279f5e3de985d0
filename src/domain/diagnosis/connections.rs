//! Computes the facts about a probe's connections. These facts are reported even if the probe
//! passed.

use crate::domain::diagnosis::fact::Facts;
use crate::model::observation::Observation;

/// Maximum length of the fact `dead_addresses` in characters.
const MAX_TEXT: usize = 256;

impl Facts {
    /// Adds the facts about dead addresses and replaced connections.
    pub(super) fn add_connections(&mut self, observation: &Observation) {
        if observation.replaced_connections > 0 {
            let count = f64::from(observation.replaced_connections);
            self.set_number("replaced_connections", count);
        }
        let dead = observation.dead_addresses.iter();
        let dead = dead.map(|dead| format!("{} ({})", dead.address, dead.reason));
        let dead: Vec<_> = dead.collect();
        if !dead.is_empty() {
            let text: String = dead.join(", ").chars().take(MAX_TEXT).collect();
            self.set_text("dead_addresses", &text);
        }
    }
}
