//! The functions of WASI whose answer does not follow from its type: output, waiting, chance, and the end.

use super::output::OutputStream;
use super::state::WasiHandle;
use crate::limits::LIFTED_BYTES;
use crate::sandbox::StoreData;
use crate::stopped::StopReason;
use postigo_model::guest::FailureKind;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, Resource};

/// Bytes that an output says it takes at once.
const TAKEN_AT_ONCE: u64 = 64 << 10;

/// `stream-error` of `wasi:io/streams`. Outputs here never fail: what is too much is cut by the log.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[expect(dead_code, reason = "WASI's variant has it")]
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<WasiHandle>),
    #[expect(dead_code, reason = "WASI's variant has it")]
    #[component(name = "closed")]
    Closed,
}

/// `datetime` of `wasi:clocks/wall-clock`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Handle = Resource<WasiHandle>;
type StreamResult = Result<(), StreamError>;

/// Which answer of its own an item of an interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemAnswer {
    Output(OutputStream),
    Room,
    Write,
    Flush,
    Zeroes,
    Poll,
    Ready,
    Resolution,
    WallResolution,
    Bytes,
    Number,
    Seed,
    Exit,
    ExitWithCode,
}

/// The answer of an item of an interface (without its version), if it has one of its own.
pub(super) fn answer(interface: &str, item: &str) -> Option<ItemAnswer> {
    Some(match (interface, item) {
        ("wasi:cli/stdout", "get-stdout") => ItemAnswer::Output(OutputStream::Output),
        ("wasi:cli/stderr", "get-stderr") => ItemAnswer::Output(OutputStream::Error),
        ("wasi:io/streams", "[method]output-stream.check-write") => ItemAnswer::Room,
        ("wasi:io/streams", "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush") => {
            ItemAnswer::Write
        }
        ("wasi:io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => {
            ItemAnswer::Flush
        }
        (
            "wasi:io/streams",
            "[method]output-stream.write-zeroes" | "[method]output-stream.blocking-write-zeroes-and-flush",
        ) => ItemAnswer::Zeroes,
        ("wasi:io/poll", "poll") => ItemAnswer::Poll,
        ("wasi:io/poll", "[method]pollable.ready") => ItemAnswer::Ready,
        ("wasi:clocks/monotonic-clock", "resolution") => ItemAnswer::Resolution,
        ("wasi:clocks/wall-clock", "resolution") => ItemAnswer::WallResolution,
        ("wasi:random/random", "get-random-bytes") | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            ItemAnswer::Bytes
        }
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            ItemAnswer::Number
        }
        ("wasi:random/insecure-seed", "insecure-seed") => ItemAnswer::Seed,
        ("wasi:cli/exit", "exit") => ItemAnswer::Exit,
        ("wasi:cli/exit", "exit-with-code") => ItemAnswer::ExitWithCode,
        _ => return None,
    })
}

/// Offers an item with its answer.
pub(super) fn offer(
    offered: &mut LinkerInstance<'_, StoreData>,
    item: &str,
    answer: ItemAnswer,
) -> wasmtime::Result<()> {
    match answer {
        ItemAnswer::Output(stream) => {
            wrap(offered, item, move |sandbox, ()| Ok((Handle::new_own(sandbox.wasi.give(stream)),)))
        }
        ItemAnswer::Room => {
            wrap(offered, item, |_, (_,): (Handle,)| Ok((Result::<u64, StreamError>::Ok(TAKEN_AT_ONCE),)))
        }
        ItemAnswer::Write => wrap(offered, item, |sandbox, (to, bytes): (Handle, Vec<u8>)| {
            sandbox.print(OutputStream::of(to.rep()), &bytes)?;
            Ok((StreamResult::Ok(()),))
        }),
        ItemAnswer::Flush => wrap(offered, item, |_, (_,): (Handle,)| Ok((StreamResult::Ok(()),))),
        ItemAnswer::Zeroes => wrap(offered, item, |_, (_, _): (Handle, u64)| Ok((StreamResult::Ok(()),))),
        // Whoever waits goes on at once, for whatever it is: a guest that wants to sleep spends its own time.
        ItemAnswer::Poll => wrap(offered, item, |_, (waited,): (Vec<Handle>,)| {
            if waited.is_empty() {
                return Err(StopReason::error(
                    FailureKind::Trap,
                    "the guest waited for nothing at all (wasi:io/poll#poll)",
                ));
            }
            Ok(((0..waited.len() as u32).collect::<Vec<u32>>(),))
        }),
        ItemAnswer::Ready => wrap(offered, item, |_, (_,): (Handle,)| Ok((true,))),
        ItemAnswer::Resolution => wrap(offered, item, |_, ()| Ok((1_u64,))),
        ItemAnswer::WallResolution => wrap(offered, item, |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },))),
        ItemAnswer::Bytes => wrap(offered, item, |sandbox, (length,): (u64,)| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > LIFTED_BYTES {
                let message = format!("the guest asked for {length} random bytes; {LIFTED_BYTES} are given at once");
                return Err(StopReason::error(FailureKind::Output, message));
            }
            sandbox.hand_over(length)?;
            Ok((sandbox.wasi.bytes(length),))
        }),
        ItemAnswer::Number => wrap(offered, item, |sandbox, ()| Ok((sandbox.wasi.number(),))),
        ItemAnswer::Seed => wrap(offered, item, |sandbox, ()| Ok(((sandbox.wasi.number(), sandbox.wasi.number()),))),
        ItemAnswer::Exit => wrap(offered, item, |_, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(ended(if status.is_ok() { "success" } else { "failure" }))
        }),
        ItemAnswer::ExitWithCode => {
            wrap(offered, item, |_, (code,): (u8,)| -> wasmtime::Result<()> { Err(ended(&format!("the code {code}"))) })
        }
    }
}

fn wrap<Params, Return>(
    offered: &mut LinkerInstance<'_, StoreData>,
    item: &str,
    answer: impl Fn(&mut StoreData, Params) -> wasmtime::Result<Return> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    Params: ComponentNamedList + Lift + 'static,
    Return: ComponentNamedList + Lower + 'static,
{
    offered.func_wrap(item, move |mut store: StoreContextMut<'_, StoreData>, params: Params| {
        store.data_mut().host_call(|sandbox| answer(sandbox, params))
    })
}

fn ended(status: &str) -> wasmtime::Error {
    StopReason::error(
        FailureKind::Trap,
        format!("the guest ended itself with {status} (wasi:cli/exit), before it had answered"),
    )
}
