//! Reads `[[target.layer]]`: addresses for requests that bypass one or more servers, such as a CDN,
//! in front of the origin.

use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::address::ConnectTo;
use crate::io::config::value::text::LayerName;
use crate::model::host_port::Layer;
use crate::model::target::Target;

/// Maximum number of layers of a target. The number is limited because the daemon sends two
/// requests through each layer when it examines a failure.
const MAX_LAYERS: usize = 8;

/// Reads the layers of a target. The outermost layer is listed first.
pub(super) fn read(table: &Table<'_>, target: &mut Target) {
    let items = table.items("layer");
    let place = table.place_of("layer");
    if items.len() > MAX_LAYERS {
        let count = items.len();
        place.error(format!(
            "there are {count} layers; write at most {MAX_LAYERS}, the outermost first"
        ));
    }
    for item in items.iter().take(MAX_LAYERS) {
        let Some(layer) = layer(item) else { continue };
        if target.layers.iter().any(|other| other.name == layer.name) {
            let name = &layer.name;
            item.place.error(format!(
                "{name:?} is also the name of another layer; give each layer a unique name"
            ));
            continue;
        }
        target.layers.push(layer);
    }
    if !target.layers.is_empty() && target.request.proxy.is_some() {
        place.error(
            "requests through layers cannot use a proxy; remove the layers or `request.proxy`",
        );
    }
}

fn layer(item: &Value<'_>) -> Option<Layer> {
    let table = item.table(schema::LAYER)?;
    let name = table.required::<LayerName>("name", "name = \"origin\"");
    let example = "connect_to = \"origin.internal:443\"";
    let connect_to = table.required::<ConnectTo>("connect_to", example);
    Some(Layer {
        name: name?,
        connect_to: connect_to?,
    })
}
