//! What a guest's empty world remembers: how many handles it gave, the next random number, lines that have not ended.

use super::output::{OutputStream, UnendedLine};

/// The host's type behind every handle of WASI. A guest's handles know their own types; here there is but a number.
pub(super) struct WasiHandle;

/// The empty world of one guest. Every guest's begins the same.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    handles: u32,
    chance: u64,
    output: UnendedLine,
    error: UnendedLine,
}

impl Wasi {
    /// Gives a handle: the number behind it.
    pub(super) fn give(&mut self, stream: OutputStream) -> u32 {
        self.handles = self.handles.saturating_add(1);
        stream.number()
    }

    /// A guest dropped a handle.
    pub(super) fn take_back(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }

    /// How many handles the guest has.
    pub(crate) fn handles(&self) -> u32 {
        self.handles
    }

    /// The next of the numbers that come out the same for every guest (SplitMix64 from zero: spread well, secret to
    /// nobody).
    pub(super) fn number(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// So many bytes of such numbers.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| self.number().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }

    /// A guest writes to an output; whole lines go to `log`, until that says that it is full.
    pub(crate) fn write(&mut self, stream: OutputStream, bytes: &[u8], log: impl FnMut(&str) -> bool) {
        match stream {
            OutputStream::None => {}
            OutputStream::Output => self.output.write(bytes, log),
            OutputStream::Error => self.error.write(bytes, log),
        }
    }

    /// Ends the lines that have not, as a call ends.
    pub(crate) fn end_lines(&mut self, mut log: impl FnMut(&'static str, &str) -> bool) {
        self.output.end(|line| log(OutputStream::Output.priority(), line));
        self.error.end(|line| log(OutputStream::Error.priority(), line));
    }
}
