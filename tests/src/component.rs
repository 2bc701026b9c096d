//! Filter components made on the spot, so that a test has as many versions of one as it needs.

use std::fmt::Write as _;

/// A component that matches every mail.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    version: String,
    schema: String,
    grants: Vec<String>,
    sets: Vec<(String, String)>,
    traps: bool,
    loops: bool,
}

/// The memory of a guest as it is written down, from an address on.
struct Memory {
    bytes: Vec<u8>,
    from: u32,
}

/// Where a guest's texts begin; its description lies at 0, its list of headers at 40, its verdict at 64.
const TEXTS: u32 = 128;

impl Memory {
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let address = self.from + u32::try_from(self.bytes.len()).expect("a small guest");
        self.bytes.extend(bytes);
        // Every address that follows is aligned to a word.
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        address
    }

    /// Puts a text; its address and length.
    fn text(&mut self, text: &str) -> [u32; 2] {
        [self.put(text.as_bytes()), u32::try_from(text.len()).expect("a small guest")]
    }

    /// Puts a list of records of texts, so many a record; its address and length.
    fn list(&mut self, texts: &[String], each: usize) -> [u32; 2] {
        let words: Vec<u32> = texts.iter().flat_map(|text| self.text(text)).collect();
        [self.put(&bytes(&words)), u32::try_from(texts.len() / each).expect("a small guest")]
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Bytes as a string of the text format.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

impl Component {
    /// A component of a name and version that takes any settings, wants nothing and sets nothing.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            schema: r#"{"type":"object"}"#.to_owned(),
            grants: Vec::new(),
            sets: Vec::new(),
            traps: false,
            loops: false,
        }
    }

    /// Declares and sets a header.
    #[must_use]
    pub fn sets(mut self, header: &str, value: &str) -> Self {
        self.sets.push((header.to_owned(), value.to_owned()));
        self
    }

    /// Asks for a grant.
    #[must_use]
    pub fn wants(mut self, grant: &str) -> Self {
        self.grants.push(grant.to_owned());
        self
    }

    /// Has a schema of settings.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.schema);
        self
    }

    /// Traps when it is configured.
    #[must_use]
    pub fn that_traps_in_configure(mut self) -> Self {
        self.traps = true;
        self
    }

    /// Never comes to a verdict: each call lasts until the filter's time limit.
    #[must_use]
    pub fn that_loops(mut self) -> Self {
        self.loops = true;
        self
    }

    /// A core module that carries its component type, ready for upload.
    ///
    /// # Panics
    /// If the contract in `wit/` is another than the one that this is written for.
    pub fn bytes(&self) -> Vec<u8> {
        let mut memory = Memory { bytes: Vec::new(), from: TEXTS };
        let headers: Vec<String> = self.sets.iter().map(|(header, _)| header.clone()).collect();
        let changes: Vec<String> =
            self.sets.iter().flat_map(|(header, value)| [header.clone(), value.clone()]).collect();
        let description = [
            memory.text(&self.name),
            memory.text(&self.version),
            memory.text("Made for a test."),
            memory.text(&self.schema),
            memory.list(&self.grants, 1),
            memory.list(&headers, 1),
        ];
        let [changes, count] = memory.list(&changes, 2);
        // A result that is ok: matched, the changes, no reason.
        let verdict = [0, 1, changes, count, 0, 0];
        let text = format!(
            r#"(module
  (import "postigo:message/message@1.0.0" "[resource-drop]mail" (func $drop (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "{description}")
  (data (i32.const 64) "{verdict}")
  (data (i32.const {TEXTS}) "{texts}")
  (global $free (mut i32) (i32.const 16384))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "postigo:plugin/setup@1.1.0#describe") (result i32) (i32.const 0))
  (func (export "postigo:filter/filtering@1.1.0#settable-headers") (result i32) (i32.const 40))
  (func (export "postigo:plugin/setup@1.1.0#configure") (param i32 i32) (result i32)
    {configure}
    ;; a result<_, list<problem>> that is ok: zeroes
    (i32.const 12288))
  (func (export "postigo:filter/filtering@1.1.0#evaluate") (param i32 i32) (result i32)
    (call $drop (local.get 1))
    {evaluate}
    (i32.const 64)))"#,
            description = escaped(&bytes(&description.concat())),
            verdict = escaped(&bytes(&verdict)),
            texts = escaped(&memory.bytes),
            configure = if self.traps { "unreachable" } else { "" },
            evaluate = if self.loops { "(loop (br 0))" } else { "" },
        );
        let mut module = wat::parse_str(text).expect("the text is a module");
        let mut wit = wit_parser::Resolve::default();
        let (package, _) = wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).expect("the contract is read");
        let world = wit.select_world(&[package], Some("filter")).expect("the contract has the world filter");
        wit_component::embed_component_metadata(&mut module, &wit, world, wit_component::StringEncoding::UTF8)
            .expect("it fits the world");
        module
    }
}
