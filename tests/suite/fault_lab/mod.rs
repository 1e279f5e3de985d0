//! The fault lab: its CloudFormation template, the configuration that the template outputs,
//! and `probecause scorecard` over the simulator.

mod scorecard;
mod template;
