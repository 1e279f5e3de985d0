//! The page sink: what people and the JSON API are shown.
//!
//! Reading order: `board` (the newest of every target, in memory), then the HTML made
//! from it: `list` (all targets), `detail` (one target), `causes` (what each cause means),
//! `parts` (what all use). All of
//! it is rendered here on the server and escaped by the template; the script only
//! fetches the same page again. Raw bodies and headers are never shown or kept.

mod board;
mod causes;
mod detail;
mod list;
mod parts;

pub use board::{Board, Sample, TargetView};
pub use causes::causes;
pub use detail::detail;
pub use list::list;

/// The style sheet of every page.
pub const STYLE: &str = include_str!("style.css");

/// The script that keeps a page current.
pub const SCRIPT: &str = include_str!("script.js");

/// The icon of every page: a probe's pulse that breaks.
pub const ICON: &str = include_str!("icon.svg");
