//! The engines: one that pools instances for messages, one that does not for everything else, and the tick of both.

use super::bindings;
use super::cache_folder::CODE;
use super::code;
use super::limits::TICK;
use super::refusal::StartError;
use super::sandbox::StoreData;
use super::world::{World, Worlds};
use postigo_supervision::{WorkKind, caught_here};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use wasmtime::component::Linker;
use wasmtime::{Cache, CacheConfig, CacheStore, Config, Enabled, Engine, PoolingAllocationConfig};

/// Instances that may live at once: a message holds one of every group that it met. Slots are address space, no memory.
const SLOTS: u32 = 1000;
/// Slots without an instance that keep their memory for the next one of the same snapshot.
const WARM: u32 = 100;
/// Bytes of a memory that stay resident between two instances; what a guest touched beyond is given back to the system.
/// With [`WARM`] slots that is 200 MiB at most, beside the room that living guests have.
const KEEP_RESIDENT: usize = 2 << 20;
/// The largest memory that fits a slot; a filter with a higher limit runs on the plain engine.
pub(super) const SLOT_MEMORY: u64 = 1 << 30;

/// Where components are loaded: an engine, with the worlds that they may be of.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) engine: Engine,
    pub(super) worlds: Worlds,
}

impl Loader {
    /// What a component of a world may import: the contract, and nothing else.
    pub(super) fn linker(&self, world: &dyn World) -> wasmtime::Result<Linker<StoreData>> {
        let mut linker = Linker::new(&self.engine);
        bindings::offer(&mut linker)?;
        world.offer(&mut linker)?;
        Ok(linker)
    }
}

/// Both engines. Neither has a compiler: they find on disk what a child compiled, the same code for both, or nothing.
pub(super) struct Engines {
    /// Instances as they come.
    pub(super) plain: Loader,
    /// Instances in slots that are made ahead; none where this machine has not the address space.
    pub(super) fast: Option<Loader>,
    _ticker: Ticker,
}

impl Engines {
    /// The daemon's engines, with compiled code in `cache`.
    pub(super) fn start(cache: &Path, worlds: Worlds) -> Result<Self, StartError> {
        let config = loading(cache).map_err(|error| engine_error(&error))?;
        let plain = Engine::new(&config).map_err(|error| engine_error(&error))?;
        let mut pooled = config;
        pooled.allocation_strategy(pool());
        let fast = Engine::new(&pooled)
            .inspect_err(|error| {
                tracing::warn!("instances cannot be pooled on this machine, so filters cost more: {error:#}");
            })
            .ok();
        let ticker = Ticker::start(std::iter::once(&plain).chain(&fast)).map_err(StartError::Threads)?;
        let loader = |engine| Loader { engine, worlds };
        Ok(Self { plain: loader(plain), fast: fast.map(loader), _ticker: ticker })
    }
}

/// The one engine of a child process, which compiles.
pub(super) struct ChildEngine {
    pub(super) loader: Loader,
    /// As the daemon's, to know what it looks for.
    loading: Engine,
    code: PathBuf,
    _ticker: Ticker,
}

impl ChildEngine {
    /// `functions` keeps functions that were compiled before.
    pub(super) fn start(cache: &Path, worlds: Worlds, functions: Arc<dyn CacheStore>) -> Result<Self, StartError> {
        let mut compiling = config(cache).map_err(|error| engine_error(&error))?;
        compiling.enable_incremental_compilation(functions).map_err(|error| engine_error(&error))?;
        let engine = Engine::new(&compiling).map_err(|error| engine_error(&error))?;
        let loading = loading(cache).and_then(|config| Engine::new(&config)).map_err(|error| engine_error(&error))?;
        let ticker = Ticker::start(std::iter::once(&engine)).map_err(StartError::Threads)?;
        Ok(Self { loader: Loader { engine, worlds }, loading, code: code_folder(cache), _ticker: ticker })
    }

    /// Lets the daemon find the code of a component that this engine compiled.
    pub(super) fn offer(&self, component: &[u8]) -> std::io::Result<()> {
        code::offer(&self.code, &self.loader.engine, &self.loading, component)
    }

    /// Forgets the code of a component that is refused.
    pub(super) fn forget(&self, component: &[u8]) {
        code::forget(&self.code, &self.loader.engine, component);
    }
}

fn code_folder(cache: &Path) -> PathBuf {
    cache.join("code")
}

fn config(cache: &Path) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.epoch_interruption(true).memory_init_cow(true).generate_address_map(false);
    let mut code = CacheConfig::new();
    code.with_directory(code_folder(cache)).with_files_total_size_soft_limit(CODE);
    config.cache(Some(Cache::new(code)?));
    Ok(config)
}

/// The same without a compiler.
fn loading(cache: &Path) -> wasmtime::Result<Config> {
    let mut config = config(cache)?;
    config.enable_compiler(false);
    Ok(config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * 4)
        .total_memories(SLOTS)
        .total_tables(SLOTS * 2)
        .max_memory_size(usize::try_from(SLOT_MEMORY).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(1 << 20)
        .max_unused_warm_slots(WARM)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn engine_error(error: &wasmtime::Error) -> StartError {
    StartError::Engine(format!("{error:#}"))
}

/// A thread that advances the engines' epochs until it is dropped.
struct Ticker {
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    fn start<'a>(engines: impl Iterator<Item = &'a Engine>) -> std::io::Result<Self> {
        let engines: Vec<_> = engines.map(Engine::weak).collect();
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::Builder::new().name("guest-tick".into()).spawn(move || {
            let tick =
                || engines.iter().filter_map(wasmtime::EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
            while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Without it no guest would meet its limit of time.
                let _ = caught_here(WorkKind::GuestThreads, "", tick);
            }
        })?;
        Ok(Self { _stop: stop })
    }
}
