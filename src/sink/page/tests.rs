//! Tests of the board and the pages.
