//! The HTML pages and the state behind them and behind the JSON API.
//!
//! Reading order: `status_board` (the state of every target, in memory), then the pages rendered
//! from it: `list` (all targets), `detail` (one target), `causes`, and `components` (shared
//! parts). Pages are rendered on the server and escaped by the template; the script only reloads
//! them. Raw bodies and headers are neither stored nor shown.

mod causes;
mod components;
mod detail;
mod list;
mod status_board;

pub use causes::causes;
pub use detail::detail;
pub use list::list;
pub use status_board::{ProbeSample, StatusBoard, TargetView};

/// The style sheet of every page.
pub const STYLE: &str = include_str!("style.css");

/// The script that refreshes a page.
pub const SCRIPT: &str = include_str!("script.js");

/// The icon of every page.
pub const ICON: &str = include_str!("icon.svg");
