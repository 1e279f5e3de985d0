//! Adds the facts from the requests through the layers of a target.

use crate::domain::diagnosis::fact::Facts;
use crate::domain::layers::LayerFindings;

impl Facts {
    /// Adds the results of the requests through the layers of a target.
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
