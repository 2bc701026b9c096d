//! What became of a message as bytes: how many filters ran, and JSON without what is empty.

use super::{pack, push_number, take_number, unpack};
use crate::store::StoreError;
use postigo_model::plan_version::ChainTrace;
use postigo_model::result::MessageResult;
use serde_json::Value;

/// Bytes of a result, written out, at most: filters write into it. What is longer is kept in short.
const LARGEST: usize = 16 << 20;

/// A result as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResult {
    /// With those filters alone that are kept themselves, where `ran` is there.
    pub result: MessageResult,
    /// How many filters ran before the chain ended, where the others are to be found in the plan's version.
    pub ran: Option<usize>,
}

/// Packs a result. Where there was a chain, of the filters those that it says are kept.
pub fn pack_result(result: &MessageResult, chain: Option<&ChainTrace>) -> Result<Vec<u8>, StoreError> {
    let (filters, ran) = match chain {
        Some(chain) => {
            let kept = chain.told.iter().filter_map(|place| result.filters.get(*place).cloned());
            (kept.collect(), (chain.ran as u64).saturating_add(1))
        }
        None => (result.filters.clone(), 0),
    };
    let bytes = written(&result.with_filters(filters), ran)?;
    if bytes.len() <= LARGEST {
        return pack(&bytes);
    }
    let told =
        format!("What became of this message took more than {} MiB to say, and is kept in short.", LARGEST >> 20);
    pack(&written(&MessageResult { warnings: vec![told], ..result.in_short() }, 0)?)
}

fn written(result: &MessageResult, ran: u64) -> Result<Vec<u8>, StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { what: "result", reason: error.to_string() };
    let mut document = serde_json::to_value(result).map_err(corrupt)?;
    if let Some(fields) = document.as_object_mut() {
        // What is left out is read as it is by default.
        fields.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(values) => !values.is_empty(),
            Value::Object(values) => !values.is_empty(),
            _ => true,
        });
        // A Boolean that may be null.
        if result.visible_for_customer == Some(false) {
            fields.insert("visible_for_customer".to_owned(), Value::Bool(false));
        }
    }
    let mut bytes = Vec::with_capacity(512);
    push_number(&mut bytes, ran);
    serde_json::to_writer(&mut bytes, &document).map_err(corrupt)?;
    Ok(bytes)
}

/// Reads a packed result.
pub fn unpack_result(packed: &[u8]) -> Result<StoredResult, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { what: "result", reason };
    let bytes = unpack("result", packed, LARGEST)?;
    let mut rest = bytes.as_slice();
    let ran = take_number(&mut rest).ok_or_else(|| corrupt("it is empty.".to_owned()))?;
    let result = serde_json::from_slice(rest).map_err(|error| corrupt(error.to_string()))?;
    Ok(StoredResult { result, ran: ran.checked_sub(1).and_then(|ran| usize::try_from(ran).ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::result::{FilterOutcome, FilterResult, MessageStatus};
    use postigo_model::ticket::WhyFollowUp;

    fn filter(name: &str, outcome: FilterOutcome) -> FilterResult {
        FilterResult {
            name: name.to_owned(),
            outcome,
            stopped: false,
            changes: Vec::new(),
            micros: Some(3),
            error: None,
            answers: Vec::new(),
            component: None,
            reason: None,
            version: None,
        }
    }

    #[test]
    fn a_result_comes_back_with_the_filters_that_are_kept() {
        let result = MessageResult {
            source: "a".into(),
            status: MessageStatus::Filed,
            follow_up: true,
            why_follow_up: Some(WhyFollowUp::Subject),
            visible_for_customer: Some(false),
            ticket_id: Some(0),
            dynamic_fields: [("A".to_owned(), Vec::new())].into(),
            headers: [("X-OTOBO-A".to_owned(), Value::Null)].into(),
            filters: vec![
                filter("a", FilterOutcome::NotMatched),
                filter("b", FilterOutcome::Matched),
                filter("c", FilterOutcome::NotRun),
            ],
            ..MessageResult::default()
        };
        let whole = unpack_result(&pack_result(&result, None).unwrap()).unwrap();
        assert_eq!(whole, StoredResult { result: result.clone(), ran: None });
        let chain = ChainTrace { plan: 1, first: 0, ran: 2, told: vec![1, 9] };
        let kept = unpack_result(&pack_result(&result, Some(&chain)).unwrap()).unwrap();
        assert_eq!(kept.ran, Some(2));
        assert_eq!(kept.result, MessageResult { filters: vec![result.filters[1].clone()], ..result });
        let empty = unpack_result(&pack_result(&MessageResult::default(), None).unwrap()).unwrap();
        assert_eq!(empty.result, MessageResult::default());
    }

    #[test]
    fn a_result_that_is_too_long_is_kept_in_short_and_says_so() {
        let headers = [("X-OTOBO-A".to_owned(), Value::from("x".repeat(LARGEST)))].into();
        let result = MessageResult { headers, ticket_number: Some("1".into()), ..MessageResult::default() };
        let kept = unpack_result(&pack_result(&result, None).unwrap()).unwrap().result;
        assert_eq!((kept.ticket_number.as_deref(), kept.headers.len(), kept.warnings.len()), (Some("1"), 0, 1));
    }
}
