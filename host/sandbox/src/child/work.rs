//! The child's side: takes one task, within limits that the system enforces, and answers.

use super::{AssetBytes, ChildAnswer, ChildTask, ProgramIdentity, Request, confinement, frame, group_members};
use crate::cache_folder::CacheFolder;
use crate::engine::ChildEngine;
use crate::functions::Functions;
use crate::refusal::{PrepareError, UploadRefusal};
use crate::template::LinkedComponent;
use crate::worlds::WORLDS;
use crate::{inspect, schema, snapshot};
use postigo_supervision as supervision;
use postigo_supervision::Panic;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

/// Bytes of memory that the child begins with, until it knows its task.
const DATA: u64 = 3 << 30;
/// Bytes of address space. That alone costs nothing, and wasmtime reserves a lot of it.
const ADDRESS_SPACE: u64 = 1 << 40;
/// What is prepared can wait for mail that is filed.
const NICE: i32 = 10;

/// The child's whole life: one request on standard input, one answer on standard output. `main` of the binary calls it
/// when its first argument is [`ARGUMENT`](super::ARGUMENT), before anything else.
pub fn main() -> ExitCode {
    // A panic is an answer here, not a message for the daemon's log.
    std::panic::set_hook(Box::new(|_| {}));
    let worked = confine().and_then(|()| work());
    if worked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work() -> io::Result<()> {
    let (identity, _) = frame::read::<ProgramIdentity>(&mut io::stdin().lock())?;
    if let Err(reason) = identity.check() {
        return frame::write(&mut io::stdout().lock(), &ChildAnswer::Unable(reason), &[]);
    }
    let (request, component) = frame::read::<Request>(&mut io::stdin().lock())?;
    confinement::limit_memory(request.task.memory())?;
    let assets = (0..request.assets).map(|_| asset()).collect::<io::Result<AssetBytes>>()?;
    confinement::limit_processor(request.task.processor_seconds(&component, &assets))?;
    let (answer, bytes) = supervision::catch(|| answer(&request, &component, &assets))
        .unwrap_or_else(|panic| (broken(&request.task, &panic), Vec::new()));
    let answer = match answer {
        ChildAnswer::Refused(refused) => ChildAnswer::Refused(refused.shortened()),
        ChildAnswer::NotMade(error) => ChildAnswer::NotMade(error.shortened()),
        answer => answer,
    };
    frame::write(&mut io::stdout().lock(), &answer, &bytes)
}

/// The next asset on standard input.
fn asset() -> io::Result<(String, Arc<[u8]>)> {
    let (digest, bytes) = frame::read(&mut io::stdin().lock())?;
    Ok((digest, bytes.into()))
}

fn answer(request: &Request, component: &[u8], assets: &AssetBytes) -> (ChildAnswer, Vec<u8>) {
    if let ChildTask::Check { schema, members } = &request.task {
        let checked = schema::mistakes(schema, &group_members(members, assets));
        return (
            checked.map_or_else(|why| ChildAnswer::Refused(UploadRefusal::Description(why)), ChildAnswer::Checked),
            Vec::new(),
        );
    }
    answer_with_engine(request, component, assets)
}

fn answer_with_engine(request: &Request, component: &[u8], assets: &AssetBytes) -> (ChildAnswer, Vec<u8>) {
    let started = CacheFolder::open(&request.cache).map_err(|error| error.to_string()).and_then(|kept| {
        let functions = Arc::new(Functions::read(&kept.functions_path(&request.digest)));
        let engine = ChildEngine::start(kept.folder(), WORLDS, functions.clone()).map_err(|error| error.to_string())?;
        Ok((engine, functions, kept))
    });
    let (engine, functions, kept) = match started {
        Ok(started) => started,
        Err(reason) => return (ChildAnswer::Unable(reason), Vec::new()),
    };
    let answered = match &request.task {
        ChildTask::Check { .. } => (ChildAnswer::Unable("a schema is applied without an engine".into()), Vec::new()),
        ChildTask::Inspect => {
            match inspect::inspect(&engine.loader, component, &request.digest, |refused| engine.forget(refused)) {
                Ok(found) => (
                    ChildAnswer::Inspected {
                        description: Box::new(found.description),
                        unsnapshotable: found.unsnapshotable,
                    },
                    found.component,
                ),
                Err(refused) => (ChildAnswer::Refused(refused), Vec::new()),
            }
        }
        ChildTask::Compile => (compile(&engine, component), Vec::new()),
        ChildTask::Prepare { members, grants, limits } => {
            match snapshot::make(&engine.loader, component, &group_members(members, assets), grants, *limits) {
                Ok((made, bytes)) => {
                    // Where that fails, the daemon asks for it by itself, and hears why.
                    engine.offer(if made.unsnapshotable.is_some() { component } else { &bytes }).ok();
                    (ChildAnswer::Made(made), bytes)
                }
                Err(error) => (ChildAnswer::NotMade(error), Vec::new()),
            }
        }
    };
    // Whoever uploads what is refused leaves nothing behind.
    if !matches!(answered.0, ChildAnswer::Refused(_)) {
        // Without the file, the next snapshot takes longer.
        functions.write().and_then(|()| kept.forget_old_functions()).ok();
    }
    answered
}

fn compile(engine: &ChildEngine, component: &[u8]) -> ChildAnswer {
    match LinkedComponent::new(&engine.loader, component).map(|_| engine.offer(component)) {
        Ok(Ok(())) => ChildAnswer::Compiled,
        Ok(Err(error)) => ChildAnswer::Unable(format!("compiled code could not be kept: {error}")),
        Err(refused) => ChildAnswer::Refused(refused),
    }
}

/// The answer where the component made a tool panic.
fn broken(task: &ChildTask, panic: &Panic) -> ChildAnswer {
    let refused = UploadRefusal::Compile(format!("it breaks the tools that read it: {panic}"));
    match task {
        ChildTask::Inspect | ChildTask::Compile => ChildAnswer::Refused(refused),
        ChildTask::Check { .. } => {
            ChildAnswer::Refused(UploadRefusal::Description("the settings schema breaks what applies it".into()))
        }
        ChildTask::Prepare { .. } => ChildAnswer::NotMade(PrepareError::Refused(refused)),
    }
}

fn confine() -> io::Result<()> {
    confinement::begin(NICE)?;
    confinement::limit_address_space(ADDRESS_SPACE)?;
    confinement::limit_memory(DATA)
}
