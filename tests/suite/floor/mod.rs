//! Control requests on real sockets: where they are sent, what they contain, and which
//! answers establish a floor.

mod controls;
