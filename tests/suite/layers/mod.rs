//! Requests through the layers of a target, and questions to its front door.

mod asking;
mod broken;
mod hops;
