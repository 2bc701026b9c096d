//! The code of the host's crates, and which file uses which, by its own paths.
//!
//! Paths are followed through modules and `pub use` to the file that defines what they name. A `pub use` alone is a
//! front door and no use.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's place in its crate: `["store", "spool"]`.
type Module = Vec<String>;

/// All crates below `host/`.
pub struct Sources {
    pub crates: Vec<Crate>,
}

/// One crate.
pub struct Crate {
    /// As paths write it: `postigo_mail`.
    pub name: String,
    files: BTreeMap<Module, Source>,
}

struct Source {
    /// Relative to the crate's `src`.
    file: String,
    text: String,
}

/// One file uses another.
pub struct Arrow {
    /// The file that uses, from the workspace's root.
    pub file: String,
    /// The path as it is written.
    pub path: String,
    /// The room of the file: a module of `postigo`, else the crate.
    pub from_room: String,
    /// The room of what the path names.
    pub to_room: String,
    from: (usize, Module),
    to: (usize, Module),
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Sources {
    /// Reads them.
    pub fn read() -> Self {
        let host = root().join("host");
        let below = std::fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().path());
        let mut crates: Vec<Crate> = below
            .filter(|path| path.join("Cargo.toml").is_file())
            .map(|path| {
                Crate::read(&format!("postigo_{}", path.file_name().unwrap().to_str().unwrap()), &path.join("src"))
            })
            .collect();
        crates.push(Crate::read("postigo", &host.join("src")));
        assert!(crates.len() > 3 && crates.iter().all(|found| found.files.len() > 1), "the crates were not found");
        Self { crates }
    }

    /// Every use of one file by another, tests left out.
    pub fn arrows(&self) -> Vec<Arrow> {
        let parsed: Vec<BTreeMap<&Module, Parsed>> = self.crates.iter().map(Crate::parse).collect();
        let names = Names { sources: self, parsed: &parsed };
        let mut arrows = Vec::new();
        for (index, found) in self.crates.iter().enumerate() {
            for (module, source) in found.files.iter().filter(|(module, _)| !names.is_for_tests(index, module)) {
                for path in &parsed[index][module].used {
                    let Some(to) = names.resolve((index, module), path) else { continue };
                    if to == (index, module.clone()) || (to.1.is_empty() && to.0 == index) {
                        continue;
                    }
                    arrows.push(Arrow {
                        file: format!("{}/{}", found.name, source.file),
                        path: path.join("::"),
                        from_room: self.room((index, module)),
                        to_room: self.room((to.0, &to.1)),
                        from: (index, module.clone()),
                        to,
                    });
                }
            }
        }
        arrows
    }

    fn room(&self, (index, module): (usize, &Module)) -> String {
        let name = &self.crates[index].name;
        match module.first() {
            Some(room) if name == "postigo" => room.clone(),
            None if name == "postigo" => "main".to_owned(),
            _ => name.trim_start_matches("postigo_").to_owned(),
        }
    }

    /// Files that use each other in a ring, a line a ring.
    pub fn rings(&self) -> Vec<String> {
        let arrows = self.arrows();
        let mut uses: BTreeMap<&(usize, Module), BTreeSet<&(usize, Module)>> = BTreeMap::new();
        for arrow in &arrows {
            uses.entry(&arrow.from).or_default().insert(&arrow.to);
        }
        let reach = |from: &(usize, Module)| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(next) = open.pop() {
                for to in uses.get(next).into_iter().flatten() {
                    if seen.insert(*to) {
                        open.push(to);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<_, _> = uses.keys().map(|from| (*from, reach(from))).collect();
        let in_ring = |one, other| reached.get(one).is_some_and(|seen| seen.contains(other));
        let mut rings: BTreeSet<Vec<String>> = BTreeSet::new();
        for from in uses.keys().filter(|from| in_ring(**from, **from)) {
            let ring = uses.keys().filter(|other| in_ring(*from, **other) && in_ring(**other, *from));
            rings.insert(
                ring.map(|(index, module)| {
                    format!("{}/{}", self.crates[*index].name, self.crates[*index].files[module].file)
                })
                .collect(),
            );
        }
        rings.into_iter().map(|ring| ring.join(" · ")).collect()
    }
}

impl Crate {
    fn read(name: &str, src: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut open = vec![src.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let relative = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
                    let mut module: Module = relative.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
                    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                        module.pop();
                    }
                    if relative != "main.rs" {
                        files.insert(module, Source { file: relative, text: std::fs::read_to_string(&path).unwrap() });
                    }
                }
            }
        }
        Self { name: name.to_owned(), files }
    }

    /// Adds a line to a file, as somebody may.
    pub fn add(&mut self, file: &str, line: &str) {
        let source = self.files.values_mut().find(|source| source.file == file).expect("a file of that name");
        source.text = format!("{}\n{line}\n", source.text);
    }

    fn parse(&self) -> BTreeMap<&Module, Parsed> {
        self.files.iter().map(|(module, source)| (module, Parsed::of(&source.text, &source.file))).collect()
    }
}

/// What a file says.
#[derive(Default)]
struct Parsed {
    /// Names of what it defines.
    defines: BTreeSet<String>,
    /// Names that it brings in, with the paths that they stand for; `*` for all of a module.
    brings: Vec<(String, Vec<String>)>,
    /// Paths that it uses.
    used: Vec<Vec<String>>,
    /// Modules that are only compiled for tests.
    tests: BTreeSet<String>,
}

impl Parsed {
    fn of(text: &str, file: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut parsed = Self::default();
        parsed.items(tokens, true);
        parsed
    }

    /// Reads items one after the other; what is compiled for tests alone is passed over.
    fn items(&mut self, tokens: TokenStream, outermost: bool) {
        let mut tokens = tokens.into_iter().peekable();
        let mut for_tests = false;
        while tokens.peek().is_some() {
            let mut item: Vec<TokenTree> = Vec::new();
            if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '#') {
                tokens.next();
                let inner = tokens.next_if(|token| token.to_string() == "!").is_some();
                let attribute = tokens.next().map(|token| token.to_string().replace(' ', "")).unwrap_or_default();
                if inner && attribute == "[cfg(test)]" {
                    return;
                }
                for_tests |= !inner && attribute == "[cfg(test)]";
                continue;
            }
            for token in tokens.by_ref() {
                let ends = match &token {
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !ends_with_semicolon(&item),
                    _ => false,
                };
                item.push(token);
                if ends {
                    break;
                }
            }
            self.item(&item, for_tests, outermost);
            for_tests = false;
        }
    }

    fn item(&mut self, item: &[TokenTree], for_tests: bool, outermost: bool) {
        let words: Vec<String> =
            item.iter().take_while(|token| !matches!(token, TokenTree::Punct(_))).map(ToString::to_string).collect();
        let after =
            |keyword: &str| words.iter().position(|word| word == keyword).and_then(|at| words.get(at + 1)).cloned();
        if let Some(name) = after("mod").filter(|_| for_tests) {
            self.tests.insert(name);
        }
        if for_tests {
            return;
        }
        if let Some(at) = words.iter().position(|word| word == "use") {
            let mut leaves = Vec::new();
            gather(&item[at + 1..], &[], &mut leaves);
            for (name, path) in leaves {
                // A `pub use` is a front door.
                if at == 0 {
                    self.used.push(path.iter().filter(|step| *step != "*").cloned().collect());
                }
                self.brings.push((name, path));
            }
            return;
        }
        if outermost {
            let kinds = ["struct", "enum", "trait", "fn", "const", "static", "type", "union"];
            self.defines.extend(kinds.iter().filter_map(|kind| after(kind)));
            if item.first().is_some_and(|first| first.to_string() == "macro_rules") {
                self.defines.extend(item.get(2).map(ToString::to_string));
            }
        }
        let is_list = words.iter().any(|word| word == "impl" || word == "mod" || word == "trait");
        match item.last() {
            Some(TokenTree::Group(group)) if is_list => {
                self.paths(&item[..item.len() - 1]);
                self.items(group.stream(), false);
            }
            _ => self.paths(item),
        }
    }

    /// Every path in these tokens, `name::name` and longer.
    fn paths(&mut self, tokens: &[TokenTree]) {
        let mut path: Vec<String> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(ident) => {
                    path.push(ident.to_string());
                    let colons =
                        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                    if colons(at + 1) && colons(at + 2) && matches!(tokens.get(at + 3), Some(TokenTree::Ident(_))) {
                        at += 3;
                        continue;
                    }
                    let path = std::mem::take(&mut path);
                    if path.len() > 1 {
                        self.used.push(path);
                    }
                }
                TokenTree::Group(group) => self.paths(&group.stream().into_iter().collect::<Vec<_>>()),
                _ => {}
            }
            at += 1;
        }
    }
}

/// Whether an item that begins so goes on after a brace.
fn ends_with_semicolon(item: &[TokenTree]) -> bool {
    let words: Vec<String> = item.iter().map(ToString::to_string).take(6).collect();
    let begins = |keyword: &str| words.iter().any(|word| word == keyword);
    begins("use") || ((begins("const") || begins("static") || begins("type")) && !begins("fn"))
}

/// The leaves of a use tree: the name that each brings in, and its path.
fn gather(tree: &[TokenTree], before: &[String], leaves: &mut Vec<(String, Vec<String>)>) {
    let mut path = before.to_vec();
    let mut tokens = tree.iter().peekable();
    let mut renamed = None;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if *ident == "as" => renamed = tokens.next().map(ToString::to_string),
            TokenTree::Ident(ident) => path.push(ident.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = inner.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','));
                parts.filter(|part| !part.is_empty()).for_each(|part| gather(part, &path, leaves));
                return;
            }
            _ => {}
        }
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    leaves.push((renamed.or_else(|| path.last().cloned()).unwrap_or_default(), path));
}

/// Where names lead.
struct Names<'s> {
    sources: &'s Sources,
    parsed: &'s [BTreeMap<&'s Module, Parsed>],
}

impl Names<'_> {
    /// The file that defines what a path of this file names; none where it is of another crate than ours, or a name of
    /// the file's own.
    fn resolve(&self, at: (usize, &Module), path: &[String]) -> Option<(usize, Module)> {
        self.follow(at, path, 0).filter(|(index, module)| !self.is_for_tests(*index, module))
    }

    fn is_for_tests(&self, index: usize, module: &Module) -> bool {
        (1..=module.len()).any(|depth| {
            let (parent, name) = (module[..depth - 1].to_vec(), &module[depth - 1]);
            self.parsed[index].get(&parent).is_some_and(|parsed| parsed.tests.contains(name))
        })
    }

    fn follow(&self, (index, module): (usize, &Module), path: &[String], depth: usize) -> Option<(usize, Module)> {
        let (first, rest) = path.split_first()?;
        if depth > 16 {
            return None;
        }
        let (index, mut at, mut rest) = match first.as_str() {
            "crate" => (index, Vec::new(), rest),
            "self" => (index, module.clone(), rest),
            "super" => (index, module[..module.len().checked_sub(1)?].to_vec(), rest),
            name => {
                if let Some(other) = self.sources.crates.iter().position(|found| found.name == name) {
                    (other, Vec::new(), rest)
                } else if self.sources.crates[index].files.contains_key(&[&module[..], &[name.to_owned()]].concat()) {
                    (index, module.clone(), path)
                } else {
                    let (_, brought) = self.parsed[index]
                        .get(module)?
                        .brings
                        .iter()
                        .find(|(brought, path)| brought == name && path[0] != name)?;
                    return self.follow((index, module), &[brought, rest].concat(), depth + 1);
                }
            }
        };
        while let Some((step, after)) = rest.split_first() {
            let below = [&at[..], std::slice::from_ref(step)].concat();
            if step == "super" {
                at.pop()?;
            } else if self.sources.crates[index].files.contains_key(&below) {
                at = below;
            } else {
                let parsed = self.parsed[index].get(&at)?;
                if parsed.defines.contains(step) {
                    return Some((index, at));
                }
                if let Some((_, brought)) = parsed.brings.iter().find(|(name, _)| name == step) {
                    return self.follow((index, &at), &[brought, after].concat(), depth + 1);
                }
                let all = parsed.brings.iter().filter(|(name, _)| name == "*");
                let found = all.filter_map(|(_, path)| {
                    let to = self.follow((index, &at), &[&path[..path.len() - 1], rest].concat(), depth + 1)?;
                    self.parsed[to.0].get(&to.1)?.defines.contains(step).then_some(to)
                });
                return found.into_iter().next().or(Some((index, at)));
            }
            rest = after;
        }
        Some((index, at))
    }
}
