//! What grows beside a component's packages does not touch it: components of today on a host that has a world more,
//! whose package is three versions on. The world here is made up, and stands in one file, as one does that is not.

use super::WORLDS;
use crate::budget::GuestBudget;
use crate::cache_folder::CacheFolder;
use crate::contract::{GroupMember, GroupSpec, Inspection};
use crate::engine::{ChildEngine, Engines};
use crate::functions::Functions;
use crate::group::Group;
use crate::mail_handle::MailHandle;
use crate::plugin::{PluginExports, SETUP};
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::session::GuestSession;
use crate::threads::Threads;
use crate::world::{Exports, World, WorldCalls, Worlds, function};
use crate::{inspect, shipped, snapshot};
use bindings::exports::postigo::tagger::tagging::Guess;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::guest::GuestLimits;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Linker, Resource, TypedFunc};

/// The package as a component of it was built for.
const FIRST: &str = "package postigo:tagger@1.0.0;
    interface tagging {
        use postigo:message/message@1.0.0.{mail};
        record guess { label: u32, confidence: f32 }
        tag: func(filter: u32, mail: borrow<mail>) -> result<list<guess>, string>;
    }
    world tagger {
        import postigo:message/message@1.0.0;
        export postigo:plugin/setup@1.1.0;
        export tagging;
    }";

mod bindings {
    #![allow(clippy::all, clippy::pedantic)]
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package postigo:scratch;
            world tagging { export postigo:tagger/tagging@1.3.0; }
            package postigo:tagger@1.3.0 {
                interface models { formats: func() -> list<string>; }
                interface tagging {
                    use postigo:message/message@1.0.0.{mail};
                    record guess { label: u32, confidence: f32 }
                    tag: func(filter: u32, mail: borrow<mail>) -> result<list<guess>, string>;
                }
                interface explaining { explain: func(filter: u32) -> list<string>; }
                world tagger {
                    import postigo:message/message@1.0.0;
                    import models;
                    export postigo:plugin/setup@1.1.0;
                    export tagging;
                }
                world explainer { include tagger; export explaining; }
            }",
        world: "postigo:scratch/tagging",
        with: { "postigo:message/message": crate::bindings::postigo::message::message },
    });
}

const TAGGING: &str = "postigo:tagger/tagging@1.3.0";
const MODELS: &str = "postigo:tagger/models@1.3.0";

struct Tagger;

impl World for Tagger {
    fn name(&self) -> &'static str {
        "postigo:tagger/tagger@1.3.0"
    }

    fn exports(&self) -> &'static [&'static str] {
        &[TAGGING, SETUP]
    }

    fn imports(&self) -> &'static [&'static str] {
        &[MODELS]
    }

    fn offer(&self, linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        linker.instance(MODELS)?.func_wrap("formats", |_, (): ()| Ok((vec!["scratch/1".to_owned()],)))
    }

    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal> {
        let calls = Tagging(function(component, TAGGING, "tag")?);
        Ok(Exports { plugin: Box::new(PluginExports::find(component)?), calls: Box::new(calls) })
    }
}

struct Tagging(ComponentExportIndex);

type Tag = TypedFunc<(u32, Resource<MailHandle>), (Result<Vec<Guess>, String>,)>;

impl WorldCalls for Tagging {
    fn of_instance(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Box<dyn Any + Send>> {
        let tag: Tag = instance.get_typed_func(store, self.0)?;
        Ok(Box::new(tag))
    }
}

/// The worlds of a later host.
const GROWN: Worlds =
    &[&Tagger, &super::filter::FilterWorld, &super::classifier::ClassifierWorld, &super::filter_1_0::FilterWorld1_0];

/// A host that inspects and prepares in this very process.
struct Host {
    _folder: tempfile::TempDir,
    child: ChildEngine,
    engines: Arc<Engines>,
    kept: CacheFolder,
    threads: Arc<Threads>,
    room: Arc<GuestBudget>,
}

impl Host {
    fn of(worlds: Worlds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = CacheFolder::open(folder.path()).unwrap();
        let functions = Arc::new(Functions::read(&kept.functions_path("00")));
        Self {
            child: ChildEngine::start(folder.path(), worlds, functions).unwrap(),
            engines: Arc::new(Engines::start(folder.path(), worlds).unwrap()),
            kept,
            threads: Arc::new(Threads::start(1).unwrap()),
            room: GuestBudget::of(1 << 30),
            _folder: folder,
        }
    }

    fn inspect(&self, bytes: &[u8]) -> Result<Inspection, UploadRefusal> {
        inspect::inspect(&self.child.loader, bytes, "00", |_| ())
    }

    fn group(&self, bytes: &[u8], settings: &serde_json::Value) -> Arc<Group> {
        let inspected = self.inspect(bytes).unwrap();
        let spec = GroupSpec {
            component: inspected.component.into(),
            digest: inspected.description.digest,
            members: vec![GroupMember::new("one", settings.clone())],
            grants: Vec::new(),
            limits: GuestLimits { time: Duration::from_secs(20), memory: 16 << 20 },
        };
        let made =
            snapshot::make(&self.child.loader, &spec.component, &spec.members, &spec.grants, spec.limits).unwrap();
        assert_eq!(made.0.unsnapshotable, None);
        self.child.offer(&made.1).unwrap();
        Group::build(&self.engines, &self.kept, (&self.threads, &self.room), &spec, &made, "00".into()).unwrap()
    }
}

fn mail() -> Box<Mail> {
    let raw = b"From: Jane <jane@example.com>\r\nTo: support@example.org\r\nSubject: Invoice 42\r\nAuto-Submitted: auto-replied\r\n\r\nHello.\r\n";
    let opened = OpenedMessage::as_it_came(Message::parse(raw.to_vec().into()));
    Box::new(opened.vet(Envelope { account: "local".into(), ..Envelope::default() }, &Vocabulary::new(&[])).0.compute())
}

/// A core module of the package's first version: it guesses the second label by half.
fn tagger() -> Vec<u8> {
    let text = r#"(module
      (import "postigo:message/message@1.0.0" "[resource-drop]mail" (func $drop (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\00\01\00\00\07\00\00\00\07\01\00\00\05\00\00\00\0c\01\00\00\08\00\00\00\14\01\00\00\02\00\00\00\00\00\00\00\00\00\00\00")
      (data (i32.const 64) "\00\00\00\00\80\00\00\00\01\00\00\00")
      (data (i32.const 128) "\01\00\00\00\00\00\00\3f")
      (data (i32.const 256) "scratch1.0.0Guesses.{}")
      (global $free (mut i32) (i32.const 4096))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
        (global.set $free (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
      (func (export "postigo:plugin/setup@1.1.0#describe") (result i32) (i32.const 0))
      (func (export "postigo:plugin/setup@1.1.0#configure") (param i32 i32) (result i32) (i32.const 512))
      (func (export "postigo:tagger/tagging@1.0.0#tag") (param i32 i32) (result i32)
        (call $drop (local.get 1))
        (i32.const 64)))"#;
    let mut bytes = wat::parse_str(text).unwrap();
    let mut wit = wit_parser::Resolve::default();
    wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
    let package = wit.push_str("tagger.wit", FIRST).unwrap();
    let world = wit.select_world(&[package], Some("tagger")).unwrap();
    wit_component::embed_component_metadata(&mut bytes, &wit, world, wit_component::StringEncoding::UTF8).unwrap();
    bytes
}

#[test]
fn a_filter_says_the_same_on_a_host_whose_tagger_package_is_three_versions_on() {
    let kept = include_bytes!("../../../../tests/kept/postigo-filter-1.0.0.wasm").as_slice();
    let shipped = shipped::bytes("auto-reply-guard").expect("the shipped filters are built by `make guests`");
    let [today, grown] = [WORLDS, GROWN].map(Host::of);
    for (bytes, settings) in [(kept, serde_json::json!({ "word": "Invoice" })), (shipped, serde_json::json!({}))] {
        let said = [&today, &grown].map(|host| {
            let group = host.group(bytes, &settings);
            let verdict = GuestSession::open(&group).unwrap().evaluate(0, mail(), None).result.unwrap();
            (group.screens(), verdict)
        });
        assert!(said[0].1.matched);
        assert_eq!(said[0], said[1]);
    }
}

/// The same worlds in another order.
const TURNED: Worlds =
    &[&super::filter_1_0::FilterWorld1_0, &super::classifier::ClassifierWorld, &super::filter::FilterWorld, &Tagger];

#[test]
fn what_a_component_exports_means_the_same_whatever_worlds_come_beside_and_in_which_order() {
    // A filter that is a tagger besides: one of them on a host that knows no taggers would be the other on the
    // next.
    let both = r#"(component (instance $guest)
        (export "postigo:filter/filtering@1.1.0" (instance $guest))
        (export "postigo:plugin/setup@1.1.0" (instance $guest))
        (export "postigo:tagger/tagging@1.0.0" (instance $guest)))"#;
    for worlds in [WORLDS, GROWN] {
        let refused = Host::of(worlds).inspect(&wat::parse_str(both).unwrap()).unwrap_err();
        assert!(matches!(&refused, UploadRefusal::Export(why) if why.contains("postigo:tagger/tagging")), "{refused}");
    }
    let said = [GROWN, TURNED].map(|worlds| Host::of(worlds).inspect(&wat::parse_str(both).unwrap()).unwrap_err());
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_tagger_of_the_first_version_runs_on_a_host_whose_package_is_three_versions_on_and_is_no_filter() {
    let host = Host::of(GROWN);
    let group = host.group(&tagger(), &serde_json::json!({}));
    assert!(!group.screens());
    let mut session = GuestSession::open(&group).unwrap();
    let called = session.call(mail(), None, |instance, mail| {
        let tag = *instance.calls.downcast_ref::<Tag>().unwrap();
        Ok(Ok(tag.call(&mut instance.store, (0, mail))?.0.unwrap()))
    });
    let guesses = called.result.unwrap();
    assert!(matches!(guesses[..], [Guess { label: 1, confidence: 0.5 }]), "{guesses:?}");
    let no_filter = session.evaluate(0, called.mail, None).result.unwrap_err();
    assert!(no_filter.message.contains("no filter"), "{no_filter}");

    let refused = Host::of(WORLDS).inspect(&tagger()).unwrap_err().to_string();
    for part in ["postigo:tagger/tagging@1.0.0", "postigo:filter/filtering@1.1.0"] {
        assert!(refused.contains(part), "{part} is missing in: {refused}");
    }
}
