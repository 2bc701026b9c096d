//! The world of filters as it was in version 1.0.0, where one package was the whole contract: its names, led to what is
//! there today.
//!
//! What differs is where things stand: mail and log came from the package of filters, and the headers that a filter may
//! set stood in its description. All other records are today's. It goes with version 2.0.

use super::filter::FilterExports;
use crate::bindings::exports::postigo::plugin::setup::{FilterSettings, Problem};
use crate::bindings::postigo::message::message::HostMail as _;
use crate::bindings::postigo::plugin::log::{Host as _, Level};
use crate::mail_handle::MailHandle;
use crate::plugin::PluginExports;
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::world::{Exports, Plugin, SelfDescription, World, typed};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentType, Instance, Lift, Linker, Resource, ResourceType};

const GUEST: &str = "postigo:filter/guest@1.0.0";
const SCREENING: &str = "postigo:filter/screening@1.0.0";
const MESSAGE: &str = "postigo:filter/message@1.0.0";
const LOG: &str = "postigo:filter/log@1.0.0";

/// The world.
pub(crate) struct FilterWorld1_0;

impl World for FilterWorld1_0 {
    fn name(&self) -> &'static str {
        "postigo:filter/filter@1.0.0"
    }

    fn exports(&self) -> &'static [&'static str] {
        &[GUEST]
    }

    fn optional_exports(&self) -> &'static [&'static str] {
        &[SCREENING]
    }

    fn imports(&self) -> &'static [&'static str] {
        &[MESSAGE, LOG]
    }

    fn is_old(&self) -> bool {
        true
    }

    fn offer(&self, linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        offer_mail(linker)?;
        linker
            .instance(LOG)?
            .func_wrap("write", |mut store, (level, line): (Level, String)| store.data_mut().write(level, line))
    }

    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal> {
        let plugin = Guest1_0(PluginExports::find_in(component, GUEST)?);
        let calls = FilterExports::find(component, GUEST, SCREENING)?;
        Ok(Exports { plugin: Box::new(plugin), calls: Box::new(calls) })
    }
}

fn offer_mail(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    type Mail = Resource<MailHandle>;
    let mut message = linker.instance(MESSAGE)?;
    message.resource("mail", ResourceType::host::<MailHandle>(), |_, _| Ok(()))?;
    message.func_wrap("[method]mail.header-names", |mut store, (mail,): (Mail,)| {
        Ok((store.data_mut().header_names(mail)?,))
    })?;
    message.func_wrap("[method]mail.header", |mut store, (mail, name): (Mail, String)| {
        Ok((store.data_mut().header(mail, name)?,))
    })?;
    message.func_wrap("[method]mail.headers", |mut store, (mail, name): (Mail, String)| {
        Ok((store.data_mut().headers(mail, name)?,))
    })?;
    message.func_wrap("[method]mail.addresses", |mut store, (mail, name): (Mail, String)| {
        Ok((store.data_mut().addresses(mail, name)?,))
    })?;
    message
        .func_wrap("[method]mail.envelope", |mut store, (mail,): (Mail,)| Ok((store.data_mut().envelope(mail)?,)))?;
    message.func_wrap("[method]mail.ticket", |mut store, (mail,): (Mail,)| Ok((store.data_mut().ticket(mail)?,)))?;
    message.func_wrap("[method]mail.text", |mut store, (mail,): (Mail,)| Ok((store.data_mut().text(mail)?,)))?;
    message.func_wrap("[method]mail.html", |mut store, (mail,): (Mail,)| Ok((store.data_mut().html(mail)?,)))?;
    message.func_wrap("[method]mail.attachments", |mut store, (mail,): (Mail,)| {
        Ok((store.data_mut().attachments(mail)?,))
    })?;
    message.func_wrap(
        "[method]mail.attachment-bytes",
        |mut store, (mail, index, offset, length): (Mail, u32, u64, u32)| {
            Ok((store.data_mut().attachment_bytes(mail, index, offset, length)?,))
        },
    )?;
    message.func_wrap("[method]mail.raw", |mut store, (mail, offset, length): (Mail, u64, u32)| {
        Ok((store.data_mut().raw(mail, offset, length)?,))
    })?;
    message
        .func_wrap("[method]mail.generation", |mut store, (mail,): (Mail,)| Ok((store.data_mut().generation(mail)?,)))
}

struct Guest1_0(PluginExports);

/// What a component said of itself.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Description1_0 {
    name: String,
    version: String,
    summary: String,
    #[component(name = "settings-schema")]
    settings_schema: String,
    grants: Vec<String>,
    headers: Vec<String>,
}

impl Plugin for Guest1_0 {
    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        typed::<(), (Description1_0,)>(store, instance, self.0.describe(), "describe")?;
        self.0.check_configure(store, instance)
    }

    fn describe(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<SelfDescription> {
        let describe = instance.get_typed_func::<(), (Description1_0,)>(&mut *store, self.0.describe())?;
        let (Description1_0 { name, version, summary, settings_schema, grants, headers },) =
            describe.call(store, ())?;
        Ok(SelfDescription { name, version, summary, settings_schema, grants, headers, ..SelfDescription::default() })
    }

    fn configure(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        filters: &[FilterSettings],
    ) -> wasmtime::Result<Result<(), Vec<Problem>>> {
        self.0.configure(store, instance, filters)
    }
}
