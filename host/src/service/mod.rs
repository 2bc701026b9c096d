//! What one may do with the gate, one function a use case, and what is shown of it: command line and REST only translate.

pub mod tickets;
