//! Renders the HTML pages, and keeps the state that the pages and the JSON API show.
//!
//! `status_board` keeps the state of every target in memory. `list` renders the page of all
//! targets, `detail` the page of one target, `causes` the page of all causes, and `components` the
//! parts that pages share. Pages are rendered on the server and escaped by the template. The script
//! only refreshes a page. Raw bodies and headers are neither stored nor shown.

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
