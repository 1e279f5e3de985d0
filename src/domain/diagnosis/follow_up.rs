//! Adds the facts about the layers of a target, such as a CDN and a load balancer.
//!
//! After a confirmed failure, follow-up requests are sent through each layer. `layers` evaluates
//! the responses; this module only turns the findings into facts.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::layers::LayerFindings;

impl Facts {
    /// Adds the state of each layer and whether the requests were repeated. If a layer is broken,
    /// also adds the name of this layer and whether a layer behind it responds.
    pub fn add_layers(&mut self, findings: &LayerFindings) {
        for result in &findings.results {
            self.set_text(&format!("layer.{}", result.name), result.state.as_str());
        }
        self.set_text(
            "layer.repeated",
            if findings.repeated { "yes" } else { "no" },
        );
        if let Some(broken) = findings.broken() {
            self.set_text("layer.broken", broken.name);
            self.set_text("layer.next", if broken.innermost { "none" } else { "ok" });
        }
    }
}
