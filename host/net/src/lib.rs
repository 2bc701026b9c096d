//! What all protocols share: connections, TLS, signing in, a server's words without secrets, and what listeners need
//! against crowds.

pub mod credentials;
pub mod listen;
pub mod pem;
pub mod redaction;
pub mod sasl;
mod stream;
pub mod tls;
pub mod words;

pub use stream::{ConnectError, Stream};
