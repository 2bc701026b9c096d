//! The functions of WASI whose answer does not follow from its type: output, waiting, chance, and the end.

use super::output::Stream;
use super::state::Nothing;
use crate::limits::LIFTED_BYTES;
use crate::sandbox::Sandbox;
use crate::stopped::Stopped;
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
    LastOperationFailed(Resource<Nothing>),
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

type Handle = Resource<Nothing>;
type Done = Result<(), StreamError>;

/// Which answer an item of an interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Output(Stream),
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

fn answer(interface: &str, item: &str) -> Option<Answer> {
    Some(match (interface, item) {
        ("wasi:cli/stdout", "get-stdout") => Answer::Output(Stream::Output),
        ("wasi:cli/stderr", "get-stderr") => Answer::Output(Stream::Error),
        ("wasi:io/streams", "[method]output-stream.check-write") => Answer::Room,
        ("wasi:io/streams", "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush") => {
            Answer::Write
        }
        ("wasi:io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => Answer::Flush,
        (
            "wasi:io/streams",
            "[method]output-stream.write-zeroes" | "[method]output-stream.blocking-write-zeroes-and-flush",
        ) => Answer::Zeroes,
        ("wasi:io/poll", "poll") => Answer::Poll,
        ("wasi:io/poll", "[method]pollable.ready") => Answer::Ready,
        ("wasi:clocks/monotonic-clock", "resolution") => Answer::Resolution,
        ("wasi:clocks/wall-clock", "resolution") => Answer::WallResolution,
        ("wasi:random/random", "get-random-bytes") | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            Answer::Bytes
        }
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            Answer::Number
        }
        ("wasi:random/insecure-seed", "insecure-seed") => Answer::Seed,
        ("wasi:cli/exit", "exit") => Answer::Exit,
        ("wasi:cli/exit", "exit-with-code") => Answer::ExitWithCode,
        _ => return None,
    })
}

/// Whether an item of an interface (without its version) has an answer of its own.
pub(super) fn has(interface: &str, item: &str) -> bool {
    answer(interface, item).is_some()
}

/// Offers an item that has one.
pub(super) fn offer(offered: &mut LinkerInstance<'_, Sandbox>, interface: &str, item: &str) -> wasmtime::Result<()> {
    let Some(answer) = answer(interface, item) else { return Ok(()) };
    match answer {
        Answer::Output(stream) => {
            wrap(offered, item, move |sandbox, ()| Ok((Handle::new_own(sandbox.wasi.give(stream)),)))
        }
        Answer::Room => wrap(offered, item, |_, (_,): (Handle,)| Ok((Result::<u64, StreamError>::Ok(TAKEN_AT_ONCE),))),
        Answer::Write => wrap(offered, item, |sandbox, (to, bytes): (Handle, Vec<u8>)| {
            sandbox.print(Stream::of(to.rep()), &bytes)?;
            Ok((Done::Ok(()),))
        }),
        Answer::Flush => wrap(offered, item, |_, (_,): (Handle,)| Ok((Done::Ok(()),))),
        Answer::Zeroes => wrap(offered, item, |_, (_, _): (Handle, u64)| Ok((Done::Ok(()),))),
        // Whoever waits goes on at once, for whatever it is: a guest that wants to sleep spends its own time.
        Answer::Poll => wrap(offered, item, |_, (waited,): (Vec<Handle>,)| {
            if waited.is_empty() {
                return Err(Stopped::error(
                    FailureKind::Trap,
                    "the guest waited for nothing at all (wasi:io/poll#poll)",
                ));
            }
            Ok(((0..waited.len() as u32).collect::<Vec<u32>>(),))
        }),
        Answer::Ready => wrap(offered, item, |_, (_,): (Handle,)| Ok((true,))),
        Answer::Resolution => wrap(offered, item, |_, ()| Ok((1_u64,))),
        Answer::WallResolution => wrap(offered, item, |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },))),
        Answer::Bytes => wrap(offered, item, |sandbox, (length,): (u64,)| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > LIFTED_BYTES {
                let message = format!("the guest asked for {length} random bytes; {LIFTED_BYTES} are given at once");
                return Err(Stopped::error(FailureKind::Output, message));
            }
            sandbox.hand_over(length)?;
            Ok((sandbox.wasi.bytes(length),))
        }),
        Answer::Number => wrap(offered, item, |sandbox, ()| Ok((sandbox.wasi.number(),))),
        Answer::Seed => wrap(offered, item, |sandbox, ()| Ok(((sandbox.wasi.number(), sandbox.wasi.number()),))),
        Answer::Exit => wrap(offered, item, |_, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(ended(if status.is_ok() { "success" } else { "failure" }))
        }),
        Answer::ExitWithCode => {
            wrap(offered, item, |_, (code,): (u8,)| -> wasmtime::Result<()> { Err(ended(&format!("the code {code}"))) })
        }
    }
}

fn wrap<Params, Return>(
    offered: &mut LinkerInstance<'_, Sandbox>,
    item: &str,
    answer: impl Fn(&mut Sandbox, Params) -> wasmtime::Result<Return> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    Params: ComponentNamedList + Lift + 'static,
    Return: ComponentNamedList + Lower + 'static,
{
    offered.func_wrap(item, move |mut store: StoreContextMut<'_, Sandbox>, params: Params| {
        store.data_mut().host_call(|sandbox| answer(sandbox, params))
    })
}

fn ended(status: &str) -> wasmtime::Error {
    Stopped::error(
        FailureKind::Trap,
        format!("the guest ended itself with {status} (wasi:cli/exit), before it had answered"),
    )
}
