//! The world of filters as it was in version 1.0.0, where one package was the whole contract: its names, led to what is
//! there today.
//!
//! What differs: mail and log came from the package of filters, the headers that a filter may set stood in its
//! description, and arrival, ticket, attachment and refusal said less. So it has types of its own, generated from its
//! text as it was; what `configure` and `evaluate` take and give is the same today. It goes with version 2.0.

use super::filter::{FilterDescription, FilterExports};
use crate::bindings::exports::postigo::plugin::setup::{FilterSettings, Problem};
use crate::bindings::postigo::message::message::{self, HostMail as Today};
use crate::bindings::postigo::plugin::log;
use crate::mail_handle::MailHandle;
use crate::plugin::PluginExports;
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::world::{Exports, Plugin, SelfDescription, World, typed};
use bindings::exports::postigo::filter::guest::Description;
use bindings::postigo::filter::log::{Host as LogHost, Level};
use bindings::postigo::filter::message::{Address, Attachment, Envelope, Host, HostMail, Refusal, Ticket};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Instance, Linker, Resource};

/// What that version was, generated from its text, which is kept beside the component of it.
#[allow(clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../tests/kept/postigo-filter-1.0.0.wit",
        world: "filter",
        imports: { default: trappable },
        with: { "postigo:filter/message.mail": crate::mail_handle::MailHandle },
    });
}

type MailRead<T> = wasmtime::Result<Result<T, Refusal>>;

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
        bindings::Filter::add_to_linker::<_, HasSelf<_>>(linker, |sandbox| sandbox)
    }

    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal> {
        let plugin = Guest1_0(PluginExports::find_in(component, GUEST)?);
        let calls = FilterExports::find(component, GUEST, SCREENING)?;
        Ok(Exports { plugin: Box::new(plugin), calls: Box::new(calls) })
    }
}

impl Host for StoreData {}

impl HostMail for StoreData {
    fn header_names(&mut self, mail: Resource<MailHandle>) -> wasmtime::Result<Vec<String>> {
        Today::header_names(self, mail)
    }

    fn header(&mut self, mail: Resource<MailHandle>, name: String) -> wasmtime::Result<Option<String>> {
        Today::header(self, mail, name)
    }

    fn headers(&mut self, mail: Resource<MailHandle>, name: String) -> wasmtime::Result<Vec<String>> {
        Today::headers(self, mail, name)
    }

    fn addresses(&mut self, mail: Resource<MailHandle>, name: String) -> wasmtime::Result<Vec<Address>> {
        let addresses = Today::addresses(self, mail, name)?;
        Ok(addresses.into_iter().map(|one| Address { display_name: one.display_name, address: one.address }).collect())
    }

    fn envelope(&mut self, mail: Resource<MailHandle>) -> wasmtime::Result<Envelope> {
        let recipients = Today::recipients(self, Resource::new_borrow(mail.rep()))?;
        let arrival = Today::arrival(self, mail)?;
        Ok(Envelope {
            account: arrival.account,
            trusted: arrival.trusted,
            size: arrival.size,
            received_at: arrival.received_at,
            recipients,
        })
    }

    fn ticket(&mut self, mail: Resource<MailHandle>) -> wasmtime::Result<Option<Ticket>> {
        Ok(Today::ticket(self, mail)?.map(|ticket| Ticket {
            number: ticket.number,
            title: ticket.title,
            queue: ticket.queue,
            state: ticket.state,
            state_type: ticket.state_type,
            priority: ticket.priority,
            owner: ticket.owner,
            customer_user: ticket.customer_user,
        }))
    }

    fn text(&mut self, mail: Resource<MailHandle>) -> MailRead<String> {
        Ok(Today::text(self, mail)?.map_err(Refusal::from))
    }

    fn html(&mut self, mail: Resource<MailHandle>) -> MailRead<Option<String>> {
        Ok(Today::html(self, mail)?.map_err(Refusal::from))
    }

    fn attachments(&mut self, mail: Resource<MailHandle>) -> MailRead<Vec<Attachment>> {
        let attachment =
            |one: message::Attachment| Attachment { name: one.name, media_type: one.media_type, size: one.size };
        let attachments = Today::attachments(self, mail)?;
        Ok(attachments.map(|all| all.into_iter().map(attachment).collect()).map_err(Refusal::from))
    }

    fn attachment_bytes(
        &mut self,
        mail: Resource<MailHandle>,
        index: u32,
        offset: u64,
        length: u32,
    ) -> MailRead<Vec<u8>> {
        Ok(Today::attachment_bytes(self, mail, index, offset, length)?.map_err(Refusal::from))
    }

    fn raw(&mut self, mail: Resource<MailHandle>, offset: u64, length: u32) -> MailRead<Vec<u8>> {
        Ok(Today::raw(self, mail, offset, length)?.map_err(Refusal::from))
    }

    fn generation(&mut self, mail: Resource<MailHandle>) -> wasmtime::Result<u64> {
        Today::generation(self, mail)
    }

    fn drop(&mut self, mail: Resource<MailHandle>) -> wasmtime::Result<()> {
        Today::drop(self, mail)
    }
}

impl From<message::Refusal> for Refusal {
    fn from(refusal: message::Refusal) -> Self {
        match refusal {
            // It had no word for what cannot be read: to a component that was built for it that is as good as denied.
            message::Refusal::Denied | message::Refusal::Unreadable(_) => Self::Denied,
            message::Refusal::NotFound => Self::NotFound,
        }
    }
}

impl LogHost for StoreData {
    fn write(&mut self, level: Level, line: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Notice => log::Level::Notice,
            Level::Warning => log::Level::Warning,
            Level::Error => log::Level::Error,
        };
        log::Host::write(self, level, line)
    }
}

struct Guest1_0(PluginExports);

impl Plugin for Guest1_0 {
    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        typed::<(), (Description,)>(store, instance, self.0.describe(), "describe")?;
        self.0.check_configure(store, instance)
    }

    fn describe(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<SelfDescription> {
        let describe = instance.get_typed_func::<(), (Description,)>(&mut *store, self.0.describe())?;
        let (Description { name, version, summary, settings_schema, grants, headers },) = describe.call(store, ())?;
        let of_world = FilterDescription { headers, ..FilterDescription::default() }.into();
        Ok(SelfDescription { name, version, summary, settings_schema, grants, of_world })
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
