//! The answer of a world in which there is nothing, by the type of what is asked for: an empty list, none, zero, or the
//! error that says best that it is not to be had.

use super::output::OutputStream;
use super::state::WasiHandle;
use crate::limits::{ANSWER_NAMES, ANSWER_PARTS};
use crate::sandbox::StoreData;
use crate::stopped::StopReason;
use postigo_model::guest::FailureKind;
use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, Type};
use wasmtime::component::{LinkerInstance, Resource, ResourceAny, Val};

/// The errors of WASI that say that there is nothing, the best one first. Where an interface has none of them, its
/// first error is taken.
const REFUSALS: [&str; 7] =
    ["not-supported", "unsupported", "access-denied", "access", "closed", "HTTP-request-denied", "no-such-store"];

/// Offers a function that answers by its type, unless its answer is larger than any of WASI's is: the type is the
/// guest's word, and the answer is built anew at each call.
pub(super) fn offer(
    offered: &mut LinkerInstance<'_, StoreData>,
    interface: &str,
    item: &str,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    let mut size = AnswerSize::default();
    if !ty.results().all(|ty| size.add(&ty)) {
        wasmtime::bail!(
            "the answer of `{item}` of {interface} has more than {ANSWER_PARTS} parts, or names of more than {} KiB",
            ANSWER_NAMES >> 10
        );
    }
    let (name, bytes) = (item.to_owned(), size.bytes());
    offered.func_new(item, move |mut store, ty, arguments, results| {
        StoreData::host_call_in(&mut store, |store| {
            store.data_mut().hand_over(bytes)?;
            for (result, ty) in results.iter_mut().zip(ty.results()) {
                *result = nothing(&ty, store, &name)?;
            }
            arguments.iter().try_for_each(|argument| drop_handles(argument, store))
        })
    })
}

/// How large the answer by a type is.
#[derive(Default)]
struct AnswerSize {
    parts: usize,
    names: usize,
}

impl AnswerSize {
    /// Adds what [`nothing`] makes of a type, or looks at for it; false as soon as that is too much.
    fn add(&mut self, ty: &Type) -> bool {
        self.name("")
            && match ty {
                Type::Result(result) => result.err().is_none_or(|error| self.add(&error)),
                Type::Record(record) => record.fields().all(|field| self.name(field.name) && self.add(&field.ty)),
                Type::Tuple(tuple) => tuple.types().all(|ty| self.add(&ty)),
                Type::Enum(cases) => cases.names().all(|name| self.name(name)),
                Type::Variant(variant) => {
                    variant.cases().all(|case| self.name(case.name) && case.ty.is_none_or(|ty| self.add(&ty)))
                }
                _ => true,
            }
    }

    fn name(&mut self, name: &str) -> bool {
        self.parts += 1;
        self.names = self.names.saturating_add(name.len());
        self.parts <= ANSWER_PARTS && self.names <= ANSWER_NAMES
    }

    fn bytes(&self) -> usize {
        self.parts * size_of::<Val>() + self.names
    }
}

fn nothing(ty: &Type, store: &mut StoreContextMut<'_, StoreData>, item: &str) -> wasmtime::Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(false),
        Type::S8 => Val::S8(0),
        Type::U8 => Val::U8(0),
        Type::S16 => Val::S16(0),
        Type::U16 => Val::U16(0),
        Type::S32 => Val::S32(0),
        Type::U32 => Val::U32(0),
        Type::S64 => Val::S64(0),
        Type::U64 => Val::U64(0),
        Type::Float32 => Val::Float32(0.0),
        Type::Float64 => Val::Float64(0.0),
        Type::Char => Val::Char('\0'),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Flags(_) => Val::Flags(Vec::new()),
        Type::Own(_) => {
            let handle = Resource::<WasiHandle>::new_own(store.data_mut().wasi.give(OutputStream::None));
            Val::Resource(ResourceAny::try_from_resource(handle, &mut *store)?)
        }
        Type::Result(result) => {
            Val::Result(Err(result.err().map(|error| refusal(&error, store, item)).transpose()?.map(Box::new)))
        }
        Type::Record(record) => {
            let fields = record.fields().map(|field| Ok((field.name.to_owned(), nothing(&field.ty, store, item)?)));
            Val::Record(fields.collect::<wasmtime::Result<_>>()?)
        }
        Type::Tuple(tuple) => {
            Val::Tuple(tuple.types().map(|ty| nothing(&ty, store, item)).collect::<wasmtime::Result<_>>()?)
        }
        Type::Enum(_) | Type::Variant(_) => refusal(ty, store, item)?,
        Type::Map(_)
        | Type::FixedLengthList(_)
        | Type::Borrow(_)
        | Type::Future(_)
        | Type::Stream(_)
        | Type::ErrorContext => {
            return Err(StopReason::error(
                FailureKind::Denied,
                format!("the guest called {item} of WASI, which has no answer here"),
            ));
        }
    })
}

/// Of several things that may be said, the one that says best that there is nothing.
fn refusal(ty: &Type, store: &mut StoreContextMut<'_, StoreData>, item: &str) -> wasmtime::Result<Val> {
    let best =
        |names: &[&str]| REFUSALS.iter().find_map(|refusal| names.iter().position(|name| name == refusal)).unwrap_or(0);
    match ty {
        Type::Enum(cases) => {
            let names: Vec<&str> = cases.names().collect();
            Ok(Val::Enum(names.get(best(&names)).map(ToString::to_string).unwrap_or_default()))
        }
        Type::Variant(variant) => {
            let names: Vec<&str> = variant.cases().map(|case| case.name).collect();
            let Some(case) = variant.cases().nth(best(&names)) else { return Ok(Val::Variant(String::new(), None)) };
            let value = case.ty.map(|ty| nothing(&ty, store, item)).transpose()?;
            Ok(Val::Variant(case.name.to_owned(), value.map(Box::new)))
        }
        other => nothing(other, store, item),
    }
}

/// Gives back the handles among the arguments: those that the guest gave away, and those that it lent.
fn drop_handles(argument: &Val, store: &mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<()> {
    match argument {
        Val::Resource(handle) => handle.resource_drop(&mut *store),
        Val::List(items) | Val::Tuple(items) | Val::FixedLengthList(items) => {
            items.iter().try_for_each(|item| drop_handles(item, store))
        }
        Val::Record(fields) => fields.iter().try_for_each(|(_, field)| drop_handles(field, store)),
        Val::Variant(_, Some(value)) | Val::Option(Some(value)) | Val::Result(Ok(Some(value)) | Err(Some(value))) => {
            drop_handles(value, store)
        }
        Val::Map(entries) => entries
            .iter()
            .try_for_each(|(key, value)| drop_handles(key, store).and_then(|()| drop_handles(value, store))),
        _ => Ok(()),
    }
}
