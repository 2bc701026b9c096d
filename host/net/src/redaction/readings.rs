//! A text as its readers may decode it, in every way that is known here, over and over again.
//!
//! Decoders are small and know nothing of secrets. Each gives at most as many letters as it reads, times the ways in
//! which it may be read, and they are put together no more than [`DEPTH`] deep: all layers of a text together are so
//! many letters for each of its own, whatever it says.

use super::layer::{LEAST, Layer};
use super::{base64, escapes, hexadecimal, numbers};

/// So often may a text be encoded over again.
const DEPTH: usize = 3;

/// Shows every layer of a text, the text itself first.
pub fn each(text: &str, show: &mut dyn FnMut(&Layer)) {
    fn descend(layer: &Layer, depth: usize, show: &mut dyn FnMut(&Layer)) {
        show(layer);
        if depth > 0 {
            decoded(layer).for_each(|decoded| descend(&decoded, depth - 1, show));
        }
    }
    descend(&Layer::of(text), DEPTH, show);
}

/// What a layer may stand for. Nothing that is shorter than [`LEAST`].
fn decoded(layer: &Layer) -> impl Iterator<Item = Layer> {
    let layers = escapes::decoded(layer).chain(numbers::decoded(layer));
    layers
        .chain(hexadecimal::decoded(layer))
        .chain(base64::decoded(layer))
        .filter(|layer| layer.letters().len() >= LEAST)
}
