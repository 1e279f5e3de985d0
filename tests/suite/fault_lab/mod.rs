//! The fault lab and its scorecard: the template as text, the configuration
//! that its outputs make, and the scorecard over the simulator.

mod scorecard;
mod template;
