//! Probecause: synthetic monitoring that names the probable cause.
//!
//! # The straight line
//!
//! `config → schedule → probe → Observation → Diagnosis → health Transition → Incident →
//! Report → sinks`. One probe's story is read top to bottom in [`monitor`].
//!
//! # The floors
//!
//! Arrows only point down; `tests/architecture.rs` holds them.
//!
//! | floor | rooms |
//! | --- | --- |
//! | 5 front | [`cli`] and `main`: what a person types |
//! | 4 engine | [`app`], [`scheduler`], [`controls`], [`monitor`], [`server`]: own tasks and time |
//! | 3 edges | [`config`], [`aws`], [`probe`], [`evidence`], [`sink`], [`store`], [`wire`], [`telemetry`], [`supervisor`], [`web`], [`simulator`]: touch the world, decide nothing |
//! | 2 core | [`schedule`], [`shard`], [`expectation`], [`diagnosis`], [`baseline`], [`health`], [`incident`], [`inquiry`], [`maintenance`], [`alarm`], [`transcript`], [`vantage`], [`throng`], [`report`]: pure, `now` is an argument |
//! | 1 words | [`cause`], [`hash`], [`secret`], [`target`], [`settings`], [`observation`]: plain data |
//!
//! The modules below stand in reading order.

// Floor 1: words.
pub mod cause;
pub mod hash;
pub mod observation;
pub mod secret;
pub mod settings;
pub mod target;

// Floor 2: core.
pub mod alarm;
pub mod baseline;
pub mod diagnosis;
pub mod expectation;
pub mod health;
pub mod incident;
pub mod inquiry;
pub mod maintenance;
pub mod report;
pub mod schedule;
pub mod shard;
pub mod throng;
pub mod transcript;
pub mod vantage;

// Floor 3: edges.
pub mod aws;
pub mod config;
pub mod evidence;
pub mod probe;
pub mod simulator;
pub mod sink;
pub mod store;
pub mod supervisor;
pub mod telemetry;
pub mod web;
pub mod wire;

// Floor 4: engine.
pub mod app;
pub mod controls;
pub mod monitor;
pub mod scheduler;
pub mod server;

// Floor 5: front.
pub mod cli;
