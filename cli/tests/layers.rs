//! The arrows among the modules of the program point one way: commands use facts, facts use AWS, and only commands
//! write. Modules are imported from where they are defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each layer, and those that it may use beside itself.
const LAYERS: [(&str, &[&str]); 10] = [
    ("main", &["", "args", "error", "output"]),
    ("", &["args", "aws", "commands", "error", "output"]),
    (
        "commands",
        &["args", "aws", "error", "facts", "format", "output", "quoting"],
    ),
    ("output", &["error", "facts", "format"]),
    ("facts", &["aws", "error", "format"]),
    ("aws", &["error"]),
    ("args", &["format", "quoting"]),
    ("error", &[]),
    ("format", &[]),
    ("quoting", &[]),
];

/// The modules that each module names, by path: `facts::copies`; the crate's root has none.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn layer(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// What is wrong with these imports.
fn wrongs(imports: &Imports) -> Vec<String> {
    let is_allowed = |from: &str, to: &str| {
        let allowed = LAYERS.iter().find(|(layer, _)| *layer == from);
        from == to && !from.is_empty() || allowed.is_some_and(|(_, allowed)| allowed.contains(&to))
    };
    let mut wrongs = Vec::new();
    for (module, used) in imports {
        let against = used.iter().filter(|to| !is_allowed(layer(module), layer(to)));
        wrongs.extend(against.map(|to| format!("{module:?} may not use {to:?}")));
    }
    wrongs.extend(circle(imports));
    wrongs
}

/// The modules that are left when those that use nothing that is left are taken away, again and again.
fn circle(imports: &Imports) -> Option<String> {
    let mut left = imports.clone();
    loop {
        let free = left
            .iter()
            .find(|(_, used)| used.iter().all(|to| !left.contains_key(to)));
        match free.map(|(module, _)| module.clone()) {
            Some(module) => left.remove(&module),
            None if left.is_empty() => return None,
            None => return Some(format!("there is a circle among {:?}", left.keys())),
        };
    }
}

/// The paths behind `root` (`crate::`) in a file.
fn paths<'a>(source: &'a str, root: &'a str) -> impl Iterator<Item = &'a str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(move |line| line.split(root).skip(1)).map(|path| {
        let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        &path[..end.unwrap_or(path.len())]
    })
}

/// The longest beginning of `path` that is a module; the root if there is none.
fn module_of(path: &str, modules: &BTreeSet<String>) -> String {
    let parts: Vec<&str> = path.split("::").collect();
    let beginnings = (1..=parts.len()).rev().map(|length| parts[..length].join("::"));
    beginnings
        .into_iter()
        .find(|module| modules.contains(module))
        .unwrap_or_default()
}

/// Every file by its module.
fn files(folder: &Path, parent: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let module = match (parent, stem.as_str()) {
            (_, "mod" | "lib") => parent.to_owned(),
            ("", _) => stem,
            _ => format!("{parent}::{stem}"),
        };
        if path.is_dir() {
            files(&path, &module, found);
        } else {
            found.insert(module, fs::read_to_string(&path).expect("text"));
        }
    }
}

fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources
}

#[test]
fn the_modules_use_each_other_in_one_direction_and_without_circles() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.keys().filter(|module| !module.is_empty()).cloned().collect();
    let mut imports = Imports::new();
    for (module, source) in &sources {
        let root = if module == "main" { "snapferry::" } else { "crate::" };
        let mut used: BTreeSet<String> = paths(source, root).map(|path| module_of(path, &modules)).collect();
        // The last part of a group is a name or a module; the folder alone is used for its modules.
        for group in source.split(&format!("use {root}")).skip(1) {
            let Some((begin, rest)) = group.split_once('{') else {
                continue;
            };
            let names = rest.split('}').next().unwrap_or_default().split(',');
            if !begin.contains(';') {
                used.extend(names.map(|name| module_of(&format!("{begin}{}", name.trim()), &modules)));
            }
        }
        used.remove(module);
        imports.insert(module.clone(), used);
    }
    assert_eq!(wrongs(&imports), Vec::<String>::new());
    // It has read something.
    assert!(imports["commands::audit"].contains("facts::history"), "{imports:?}");
    assert!(imports[""].contains("commands::audit"), "{imports:?}");
    for (module, source) in sources {
        let parents = source.matches("super::").count() - source.matches("use super::*;").count();
        assert!(
            parents == 0,
            "{module} names its parent, which this test does not follow"
        );
    }
}

#[test]
fn an_arrow_against_the_layers_and_a_circle_are_found() {
    let imports = |arrows: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in arrows {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            imports.entry((*to).to_owned()).or_default();
        }
        wrongs(&imports)
    };
    assert_eq!(imports(&[("commands::run", "facts::copies")]), [""; 0]);
    let against = imports(&[("facts::copies", "output::table")]);
    assert_eq!(against, [r#""facts::copies" may not use "output::table""#]);
    assert_eq!(imports(&[("facts::copies", "")]), [r#""facts::copies" may not use """#]);
    let circle = imports(&[("facts::a", "facts::b"), ("facts::b", "facts::a")]);
    assert_eq!(circle, [r#"there is a circle among ["facts::a", "facts::b"]"#]);
}
