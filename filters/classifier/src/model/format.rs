//! The bytes of a model, `postigo-linear/1`.
//!
//! The name says the layout and how features are made of a mail: a change of either is another number. All numbers are
//! little-endian. After the name come the length of all bytes (u64) and a check sum of what follows it (u64); then bits
//! of rows (u8), number of questions (u16), the rarity of each row (a byte each), and each question: name, four numbers
//! of its confidence (f32), number of labels (u16), the labels (name, examples as u32, ground as u8, bias as f32), the
//! scale step of each row (a byte each), and the weights of each row (a byte for each label, and zeros up to the padded
//! width). A name is its length (u16) and UTF-8.
//!
//! The check sum finds what was damaged, not what was forged: whatever the bytes say is held to bounds as well.

use super::confidence::Confidence;
use super::table::{Table, padded};
use super::weighing::{ROW_BITS, Weighing};
use super::{Ground, KnownLabel, KnownQuestion};

/// The format of models that are written and read: their layout, and how features are made of a mail.
pub const FORMAT: &str = "postigo-linear/1";
/// Behind the name: length and check sum.
const HEAD: usize = FORMAT.len() + 16;
/// A name has at most so many bytes.
pub(crate) const LONGEST_NAME: usize = 1_024;

/// Why bytes are no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// They begin with another name.
    #[error("The model is not of the format postigo-linear/1: train it anew with this version.")]
    Format,
    /// Some are missing, or there are more than there should be.
    #[error(
        "The model should have {said} bytes and has {found}: it was cut short or is another file; fetch or train it anew."
    )]
    Length {
        /// How many it says that there are.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// They are not those that were written.
    #[error("The model's bytes are not those that were written (their check sum differs): fetch or train it anew.")]
    CheckSum,
    /// What they say cannot be.
    #[error(
        "The model says of its {0} what cannot be: whoever made it wrote another format under this name; train it anew."
    )]
    Contents(&'static str),
}

/// How many bytes a model has whose questions have so many labels, but for names, which are short.
pub fn encoded_size(bits: u32, labels: &[usize]) -> usize {
    let rows = 2_usize << bits;
    rows * (1 + labels.iter().map(|labels| 1 + padded(*labels)).sum::<usize>())
}

/// Writes a model.
pub fn write(weighing: &Weighing, questions: &[KnownQuestion]) -> Vec<u8> {
    let labels: Vec<usize> = questions.iter().map(|question| question.labels.len()).collect();
    let mut bytes =
        Vec::with_capacity(HEAD + encoded_size(weighing.bits(), &labels) + 64 * labels.iter().sum::<usize>());
    bytes.extend(FORMAT.as_bytes());
    bytes.extend([0; 16]);
    bytes.push(weighing.bits() as u8);
    bytes.extend((questions.len() as u16).to_le_bytes());
    bytes.extend(weighing.rarity());
    for question in questions {
        write_name(&mut bytes, &question.name);
        let Confidence { temperature, comparison, height, offset } = question.confidence;
        for number in [temperature, comparison, height, offset] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((question.labels.len() as u16).to_le_bytes());
        for (label, bias) in question.labels.iter().zip(&question.bias) {
            write_name(&mut bytes, &label.name);
            bytes.extend(label.examples.to_le_bytes());
            bytes.push(label.ground as u8);
            bytes.extend(bias.to_le_bytes());
        }
        bytes.extend(question.table.steps());
        bytes.extend(question.table.weights().iter().map(|weight| weight.cast_unsigned()));
    }
    let length = bytes.len() as u64;
    bytes[FORMAT.len()..FORMAT.len() + 8].copy_from_slice(&length.to_le_bytes());
    let sum = check_sum(&bytes[HEAD..]);
    bytes[FORMAT.len() + 8..HEAD].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn write_name(bytes: &mut Vec<u8>, name: &str) {
    let name = &name[..name.floor_char_boundary(LONGEST_NAME)];
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend(name.as_bytes());
}

/// A sum that any one changed byte changes: each step has an inverse. Eight bytes at once, since a model has millions.
pub(super) fn check_sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(29);
    let sum = words.iter().fold(0x5bd1_e995, |sum, word| step(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte)))
}

/// Reads a model.
pub fn read(bytes: &[u8]) -> Result<(Weighing, Vec<KnownQuestion>), ModelError> {
    let mut left = Unread(bytes.strip_prefix(FORMAT.as_bytes()).ok_or(ModelError::Format)?);
    let cut = ModelError::Length { said: HEAD as u64, found: bytes.len() as u64 };
    let said = left.array().map(u64::from_le_bytes).ok_or(cut)?;
    if said != bytes.len() as u64 {
        return Err(ModelError::Length { said, found: bytes.len() as u64 });
    }
    let sum = left.array().map(u64::from_le_bytes).ok_or(cut)?;
    if check_sum(left.0) != sum {
        return Err(ModelError::CheckSum);
    }
    let bits = u32::from(left.byte().ok_or(ModelError::Contents("rows"))?);
    let number = left.u16().ok_or(ModelError::Contents("questions"))?;
    if bits > ROW_BITS {
        return Err(ModelError::Contents("rows"));
    }
    let rows = 2_usize << bits;
    let rarity = left.take(rows).ok_or(ModelError::Contents("rarity"))?;
    let weighing = Weighing::new(bits, rarity.to_vec()).ok_or(ModelError::Contents("rarity"))?;
    let mut questions = Vec::new();
    for _ in 0..number {
        questions.push(read_question(&mut left, rows)?);
    }
    if left.0.is_empty() { Ok((weighing, questions)) } else { Err(ModelError::Contents("end")) }
}

fn read_question(left: &mut Unread, rows: usize) -> Result<KnownQuestion, ModelError> {
    let name = left.name().ok_or(ModelError::Contents("questions' names"))?;
    let mut number = || left.f32().ok_or(ModelError::Contents("confidences"));
    let confidence = Confidence { temperature: number()?, comparison: number()?, height: number()?, offset: number()? };
    if confidence.temperature <= 0.0 {
        return Err(ModelError::Contents("confidences"));
    }
    let count = left.u16().ok_or(ModelError::Contents("labels"))?;
    let (mut labels, mut bias) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let name = left.name().ok_or(ModelError::Contents("labels' names"))?;
        let examples = left.array().map(u32::from_le_bytes).ok_or(ModelError::Contents("labels"))?;
        let ground = match left.byte() {
            Some(0) => Ground::Nothing,
            Some(1) => Ground::Words,
            Some(2) => Ground::Examples,
            _ => return Err(ModelError::Contents("labels")),
        };
        labels.push(KnownLabel { name, examples, ground });
        bias.push(left.f32().ok_or(ModelError::Contents("labels"))?);
    }
    let width = padded(labels.len());
    let steps = left.take(rows).ok_or(ModelError::Contents("scales"))?.to_vec();
    let weights = rows.checked_mul(width).and_then(|size| left.take(size)).ok_or(ModelError::Contents("weights"))?;
    let weights = weights.iter().map(|weight| weight.cast_signed()).collect();
    let table = Table::new(width, steps, weights).ok_or(ModelError::Contents("weights"))?;
    Ok(KnownQuestion { name, labels, confidence, bias, table })
}

/// Bytes that are still to be read. What is taken is there: nothing is set aside for what they only announce.
struct Unread<'b>(&'b [u8]);

impl<'b> Unread<'b> {
    fn take(&mut self, size: usize) -> Option<&'b [u8]> {
        let (taken, left) = self.0.split_at_checked(size)?;
        self.0 = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<usize> {
        self.array().map(u16::from_le_bytes).map(usize::from)
    }

    /// A number that is one, and not so large that sums of it are none.
    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes).filter(|number| number.abs() <= 1e6)
    }

    fn name(&mut self) -> Option<String> {
        let size = self.u16().filter(|size| *size <= LONGEST_NAME)?;
        String::from_utf8(self.take(size)?.to_vec()).ok()
    }
}
