//! Renders the HTML pages, and keeps the state that the pages and the JSON API show.
//!
//! `status_board` keeps the state of every target in memory. `list` renders the page of all
//! targets, `detail` the page of one target, `causes` the page of all causes, and `components` the
//! parts that pages share. Pages are rendered on the server, and the templates escape all text. The
//! script only refreshes a page and filters the table of targets. Raw bodies and headers of
//! responses, except the request id, are neither stored nor shown.

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

/// The script of every page, which refreshes the page and filters the table of targets.
pub const SCRIPT: &str = include_str!("script.js");

/// The icon of every page.
pub const ICON: &str = include_str!("icon.svg");
