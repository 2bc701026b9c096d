//! The log as guests write it: `log` of `postigo:plugin` in `wit/`.

use super::bindings::postigo::plugin::log::{Host, Level};
use super::sandbox::StoreData;

impl Host for StoreData {
    fn write(&mut self, level: Level, line: String) -> wasmtime::Result<()> {
        self.host_call(|sandbox| {
            let priority = match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Notice => "notice",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            sandbox.log.write(priority, &line);
            Ok(())
        })
    }
}
