//! Sends the requests that follow a confirmed failure. Such a follow-up request is a control
//! request, the target's request through one of its layers, or the target's request with headers
//! that make a front door name the cause.
//!
//! A follow-up request uses a new connection. Its user agent distinguishes it from a probe in
//! access logs. `domain::follow_up` interprets the responses.

use super::{Prober, USER_AGENT};
use crate::domain::follow_up::{FollowUp, FollowUpKind, ask};
use crate::model::observation::Observation;
use crate::model::secret::Secret;
use crate::model::target::{HeaderText, Target};

/// The user agent suffix of a request with headers that make a front door name the cause.
const ASK_SUFFIX: &str = " (probecause-ask)";

/// The user agent suffix of a request through one of the target's layers.
const LAYER_SUFFIX: &str = " (probecause-layer)";

impl Prober {
    /// Sends a follow-up request. Returns `None` without sending a request if the target does not
    /// have the required control path or layer.
    pub async fn follow_up(&self, follow_up: &FollowUp) -> Option<Observation> {
        let target = &follow_up.target;
        let request = match follow_up.kind {
            FollowUpKind::Control => return self.control_request(target).await,
            FollowUpKind::Ask { .. } => with_ask_headers(target),
            FollowUpKind::Layer { index, .. } => through_layer(target, index)?,
        };
        Some(self.probe(&request).await)
    }
}

/// Returns a copy of `target` whose request has the headers that make a front door name the cause.
fn with_ask_headers(target: &Target) -> Target {
    let mut request = target.clone();
    let headers = ask::headers(target).into_iter();
    let headers = headers.map(|(name, value)| {
        let value = HeaderText::Plain(value.to_owned());
        (name.to_owned(), value)
    });
    request.request.headers.extend(headers);
    request.request.reuse_connection = false;
    add_suffix(&mut request, ASK_SUFFIX);
    request
}

/// Returns a copy of `target` whose request is sent to one of its layers. `index` is one for the
/// first layer, and zero for the target's own URL. Returns `None` if there is no such layer.
fn through_layer(target: &Target, index: usize) -> Option<Target> {
    let mut request = target.clone();
    if let Some(inner) = index.checked_sub(1) {
        let layer = target.layers.get(inner)?;
        request.request.connect_to = Some(layer.connect_to.clone());
    }
    request.request.reuse_connection = false;
    add_suffix(&mut request, LAYER_SUFFIX);
    Some(request)
}

/// Appends `suffix` to the configured user agent, or to that of a probe if none is configured.
fn add_suffix(target: &mut Target, suffix: &str) {
    let headers = &mut target.request.headers;
    let own = headers
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
    match own {
        Some((_, value)) => {
            let text = format!("{}{suffix}", value.expose());
            *value = match value {
                HeaderText::Plain(_) => HeaderText::Plain(text),
                HeaderText::Secret(_) => HeaderText::Secret(Secret::new(text)),
            };
        }
        None => {
            let text = HeaderText::Plain(format!("{USER_AGENT}{suffix}"));
            headers.push(("user-agent".to_owned(), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host_port::{HostPort, Layer};

    fn target(headers: &[(&str, &str)]) -> Target {
        let mut target = Target::with_defaults("shop", "https://shop.example/a".parse().unwrap());
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderText::Plain((*value).to_owned());
            ((*name).to_owned(), value)
        });
        target.request.headers = headers.collect();
        target.request.reuse_connection = true;
        target.layers = vec![Layer {
            name: "origin".to_owned(),
            connect_to: HostPort::parse("10.0.0.1:8443").unwrap(),
        }];
        target
    }

    fn sent(target: &Target) -> Vec<(&str, &str)> {
        let headers = target.request.headers.iter();
        let pairs = headers.map(|(name, value)| (name.as_str(), value.expose()));
        pairs.collect()
    }

    #[test]
    fn asking_adds_headers_except_those_that_the_target_sets() {
        let agent = format!("{USER_AGENT}{ASK_SUFFIX}");
        assert_eq!(
            sent(&with_ask_headers(&target(&[]))),
            [
                ("accept", "application/json"),
                ("x-azure-debuginfo", "1"),
                ("user-agent", &agent),
            ]
        );
        let own = [("Accept", "text/html"), ("User-Agent", "me/1")];
        assert_eq!(
            sent(&with_ask_headers(&target(&own))),
            [
                ("Accept", "text/html"),
                ("User-Agent", "me/1 (probecause-ask)"),
                ("x-azure-debuginfo", "1"),
            ]
        );
    }

    #[test]
    fn a_request_through_a_layer_changes_only_the_connection_and_the_user_agent() {
        let target = target(&[("accept", "text/html")]);
        let layer = through_layer(&target, 1).unwrap();
        let to = layer.request.connect_to.clone().unwrap();
        assert_eq!(to.to_string(), "10.0.0.1:8443");
        assert!(!layer.request.reuse_connection);
        let front = through_layer(&target, 0).unwrap();
        assert_eq!(front.request.connect_to, None);
        for mut request in [layer, front] {
            let agent = request.request.headers.pop().unwrap().1;
            assert_eq!(agent.expose(), format!("{USER_AGENT}{LAYER_SUFFIX}"));
            request.request.connect_to = None;
            request.request.reuse_connection = true;
            assert_eq!(request, target);
        }
        assert!(through_layer(&target, 2).is_none());
    }
}
