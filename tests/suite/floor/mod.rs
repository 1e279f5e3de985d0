//! Control requests on real sockets: who is asked, with what, and which answers make a
//! floor.

mod controls;
