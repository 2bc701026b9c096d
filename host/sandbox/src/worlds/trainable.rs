//! The classifiers that can be trained here: what the world `trainable` adds to `classifier`.

use crate::inspect::shown;
use crate::lesson::{LabelledExample, LearningTask, Purpose};
use crate::mail_handle::MailHandle;
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::world::{RawModel, TrainingCalls, function, typed};
use bindings::exports::postigo::classifier::training as guest;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource, TypedFunc};

pub(super) const TRAINING: &str = "postigo:classifier/training@1.0.0";

/// What those that can be trained export besides, generated from `wit/`.
#[allow(clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package postigo:host; world training { export postigo:classifier/training@1.0.0; }",
        world: "postigo:host/training",
        with: { "postigo:message/message": crate::bindings::postigo::message::message },
    });
}

/// Formats that a component may name.
const FORMATS: usize = 20;
/// Bytes of a format's name.
const FORMAT: usize = 200;

/// Where a component's calls for training are.
pub(super) struct TrainingExports {
    begin: ComponentExportIndex,
    learn: ComponentExportIndex,
    finish: ComponentExportIndex,
    formats: ComponentExportIndex,
}

type Begin = TypedFunc<(u32, guest::Task), (Result<u32, String>,)>;
type Learn<'a> = TypedFunc<(Resource<MailHandle>, guest::Purpose, &'a [Option<u32>], f32), (Result<(), String>,)>;
type Finish = TypedFunc<(), (Result<guest::Model, String>,)>;
type Formats = TypedFunc<(), (Vec<String>,)>;

impl TrainingExports {
    /// Finds them; none where the component does not export the interface.
    pub(super) fn find(component: &Component) -> Result<Option<Self>, UploadRefusal> {
        if component.get_export_index(None, TRAINING).is_none() {
            return Ok(None);
        }
        let place = |name| function(component, TRAINING, name);
        Ok(Some(Self {
            begin: place("begin")?,
            learn: place("learn")?,
            finish: place("finish")?,
            formats: place("formats")?,
        }))
    }

    /// Whether the functions have the types that they must.
    pub(super) fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        let _: Begin = typed(store, instance, self.begin, "begin")?;
        let _: Learn<'_> = typed(store, instance, self.learn, "learn")?;
        let _: Finish = typed(store, instance, self.finish, "finish")?;
        let _: Formats = typed(store, instance, self.formats, "formats")?;
        Ok(())
    }
}

impl TrainingCalls for TrainingExports {
    fn formats(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Vec<String>> {
        let formats: Formats = instance.get_typed_func(&mut *store, self.formats)?;
        Ok(formats.call(store, ())?.0)
    }

    fn begin(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        task: &LearningTask,
    ) -> wasmtime::Result<Result<u32, String>> {
        let begin: Begin = instance.get_typed_func(&mut *store, self.begin)?;
        Ok(begin.call(store, (0, guest_task(task)))?.0)
    }

    fn learn(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        mail: Resource<MailHandle>,
        example: &LabelledExample,
    ) -> wasmtime::Result<Result<(), String>> {
        let learn: Learn<'_> = instance.get_typed_func(&mut *store, self.learn)?;
        let purpose = match example.purpose {
            Purpose::Fit => guest::Purpose::Fit,
            Purpose::Outside => guest::Purpose::Outside,
            Purpose::Calibrate => guest::Purpose::Calibrate,
        };
        Ok(learn.call(store, (mail, purpose, &example.labels, example.weight))?.0)
    }

    fn finish(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Result<RawModel, String>> {
        let finish: Finish = instance.get_typed_func(&mut *store, self.finish)?;
        let model = finish.call(store, ())?.0;
        Ok(model.map(|model| RawModel { bytes: model.bytes, format: model.format, summary: model.summary }))
    }
}

fn guest_task(task: &LearningTask) -> guest::Task {
    let topics = task.topics.iter().zip(&task.examples).map(|(topic, counts)| {
        let labels = topic.labels.iter().zip(counts).map(|(label, examples)| guest::Label {
            name: label.name.clone(),
            description: label.description.clone(),
            examples: *examples,
        });
        guest::Topic { name: topic.name.clone(), labels: labels.collect() }
    });
    let LearningTask { fit, outside, calibrate, seed, .. } = *task;
    guest::Task { topics: topics.collect(), fit, outside, calibrate, seed }
}

/// Whether a component's formats are as the contract has them; else why not, a sentence.
pub(super) fn check_formats(formats: &[String]) -> Result<(), String> {
    if formats.is_empty() || formats.len() > FORMATS {
        return Err(format!(
            "it names {} formats of models; one that can be trained names 1 to {FORMATS}",
            formats.len()
        ));
    }
    match formats.iter().find(|format| !is_format(format)) {
        None => Ok(()),
        Some(wrong) => Err(format!(
            "it names the format of models {:?}; one has 1 to {FORMAT} bytes and no control characters",
            shown(wrong)
        )),
    }
}

/// Whether this may be the name of a format.
fn is_format(format: &str) -> bool {
    !format.is_empty() && format.len() <= FORMAT && !format.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_formats_bites() {
        let format = |text: &str| vec![text.to_owned()];
        assert_eq!(check_formats(&format("acme-linear/1")), Ok(()));
        assert!(check_formats(&[]).unwrap_err().contains("0 formats"));
        assert!(check_formats(&vec!["a".to_owned(); 21]).unwrap_err().contains("21 formats"));
        for wrong in ["", "a\nb", &"x".repeat(201)] {
            assert!(check_formats(&format(wrong)).unwrap_err().contains("1 to 200 bytes"), "{wrong}");
        }
    }

    #[test]
    fn the_contract_says_these_limits() {
        let contract = crate::limits::tests::contract();
        assert!(contract.contains(&format!("1 to {FORMATS}, of at most {FORMAT} bytes each")));
        assert!(contract.contains(&format!("`acme-linear/1`; at most {FORMAT} bytes")));
    }
}
