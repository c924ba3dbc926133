//! Who may import whom. The table below is the architecture; this test reads `src/` and fails, naming file and line,
//! where the code leaves it.
//!
//! It looks at `crate::…` paths (and at `super::…` where that reaches the crate root) and at every mention of an external
//! crate, with comments and literals blanked out. Test code inside `src/` keeps to the same table; it may use
//! dev-dependencies besides.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A top-level module and what it may import of the crate besides the ground floor and itself.
struct Module {
    name: &'static str,
    imports: &'static [Import],
}

enum Import {
    /// Anything the module makes public.
    Module(&'static str),
    /// These items only.
    Items(&'static str, &'static [&'static str]),
    /// Names re-exported by `lib.rs`.
    Root,
}

use Import::{Items, Module as All, Root};

/// Importable from everywhere, importing nothing but each other.
const GROUND_FLOOR: [&str; 5] = ["units", "stream", "limits", "violation", "memo"];

const MODULES: &[Module] = &[
    Module { name: "units", imports: &[] },
    Module { name: "stream", imports: &[] },
    Module { name: "limits", imports: &[] },
    Module { name: "violation", imports: &[] },
    Module { name: "memo", imports: &[] },
    Module { name: "capture", imports: &[] },
    Module { name: "packet", imports: &[Items("capture", &["Packet", "LinkType"])] },
    Module { name: "tcp", imports: &[All("packet")] },
    Module { name: "tls", imports: &[] },
    Module { name: "http", imports: &[] },
    Module { name: "websocket", imports: &[] },
    Module { name: "application", imports: &[] },
    Module {
        name: "connection",
        imports: &[All("tcp"), All("tls"), All("http"), All("websocket"), All("application")],
    },
    Module {
        name: "stack",
        imports: &[
            All("tcp"),
            All("tls"),
            All("http"),
            All("websocket"),
            All("application"),
            All("connection"),
            All("crowd"),
        ],
    },
    Module { name: "crowd", imports: &[All("connection")] },
    Module { name: "software", imports: &[All("connection")] },
    Module { name: "middlebox", imports: &[All("connection")] },
    Module { name: "evidence", imports: &[All("connection"), All("crowd"), All("software"), All("middlebox")] },
    Module { name: "catalog", imports: &[All("application"), All("software"), All("middlebox"), All("evidence")] },
    Module { name: "diagnosis", imports: &[All("evidence"), All("catalog")] },
    Module {
        name: "fleet",
        imports: &[
            Items("packet", &["SkipCounts"]),
            All("connection"),
            All("software"),
            All("evidence"),
            All("diagnosis"),
        ],
    },
    Module {
        name: "report",
        imports: &[All("connection"), All("software"), All("evidence"), All("catalog"), All("diagnosis"), All("fleet")],
    },
    Module {
        name: "analyzer",
        imports: &[
            All("capture"),
            All("packet"),
            All("tcp"),
            All("tls"),
            All("http"),
            All("websocket"),
            All("application"),
            All("connection"),
            All("stack"),
            All("crowd"),
            All("software"),
            All("evidence"),
            All("catalog"),
            All("diagnosis"),
            All("fleet"),
            All("report"),
        ],
    },
    // The command line sees what a user of the library sees, and prints the tables.
    Module {
        name: "cli",
        imports: &[
            Root,
            All("analyzer"),
            All("capture"),
            All("software"),
            All("evidence"),
            All("catalog"),
            All("diagnosis"),
            All("fleet"),
            All("report"),
        ],
    },
];

/// External crates and the modules that may name them; `None` means any. Every dependency of `Cargo.toml` is listed.
const CRATES: &[(&str, Option<&[&str]>)] = &[
    ("pcap_parser", Some(&["capture"])),
    ("lz4_flex", Some(&["capture"])),
    ("zstd", Some(&["capture"])),
    ("flate2", Some(&["capture"])),
    ("liblzma", Some(&["capture"])),
    ("etherparse", Some(&["packet"])),
    ("foldhash", Some(&["memo", "tcp", "http", "stack", "crowd", "fleet", "analyzer"])),
    ("simdutf8", Some(&["websocket"])),
    ("httparse", Some(&["http"])),
    ("mimalloc", Some(&["main.rs"])),
    ("memchr", Some(&["http"])),
    ("nom", Some(&["tls", "http"])),
    ("x509_cert", Some(&["tls"])),
    ("sha1", Some(&["http", "report", "tls"])),
    ("sha2", Some(&["tls"])),
    ("hmac", Some(&["tls"])),
    ("hkdf", Some(&["tls"])),
    ("aes", Some(&["tls"])),
    ("aes_gcm", Some(&["tls"])),
    ("ccm", Some(&["tls"])),
    ("cbc", Some(&["tls"])),
    ("chacha20poly1305", Some(&["tls"])),
    ("base64", Some(&["http", "report"])),
    ("rmp_serde", Some(&["catalog"])),
    ("toml", Some(&["catalog"])),
    ("serde", Some(&["catalog", "report", "cli"])),
    ("serde_json", Some(&["report", "cli"])),
    ("unicode_width", Some(&["report"])),
    ("clap", Some(&["cli"])),
    ("anstream", Some(&["cli"])),
    ("anstyle", Some(&["cli", "report"])),
    ("terminal_size", Some(&["cli"])),
    ("sys_locale", Some(&["cli"])),
    ("signal_hook", Some(&["cli"])),
    ("rustix", Some(&["cli"])),
    ("thiserror", None),
];

/// Crates that only test code may name: under `#[cfg(test)]`, or in a file `tests.rs` or folder `tests/`.
const DEV_CRATES: [&str; 4] = ["criterion", "jsonschema", "proptest", "zlib_rs"];

/// Fenced crates that test code may name everywhere: looking at what a type serialises to needs a format, and our inflater
/// is held against another.
const FREE_IN_TESTS: [&str; 2] = ["serde_json", "flate2"];

#[test]
fn sources_keep_to_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 3, "no sources found under {}", root.display());
    let faults: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            check(path.strip_prefix(&root).unwrap(), &text)
        })
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_dependency_is_fenced_and_justified() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut manifest: toml::Table = fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    // Those of some systems only are dependencies like others.
    for (_, target) in manifest["target"].as_table().unwrap().clone() {
        let more = target["dependencies"].as_table().unwrap().clone();
        manifest["dependencies"].as_table_mut().unwrap().extend(more);
    }
    let names = |section: &str| -> BTreeSet<String> {
        manifest[section].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
    };
    let fenced: BTreeSet<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("dependencies"), fenced, "Cargo.toml and the fence table differ");
    assert_eq!(
        names("dev-dependencies"),
        DEV_CRATES.map(str::to_owned).into(),
        "Cargo.toml and the fence table differ"
    );

    let reasons = fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
    for name in manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .chain(manifest["dev-dependencies"].as_table().unwrap().keys())
    {
        let row = format!("| {name} |");
        assert_eq!(reasons.matches(&row).count(), 1, "docs/dependencies.md has one row for {name}");
    }
}

#[test]
fn planted_violations_are_caught() {
    let caught = |path: &str, text: &str| check(Path::new(path), text);
    let one = |path: &str, text: &str, wanted: &str| {
        let faults = caught(path, text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].starts_with(wanted), "{text}: {faults:?}");
    };

    // Modules of the crate.
    one("websocket/mod.rs", "//! x\nuse crate::tcp::Flow;", "src/websocket/mod.rs:2: websocket may not import tcp");
    one("http/mod.rs", "use crate::{units::Side, websocket};", "src/http/mod.rs:1: http may not import websocket");
    one("http/a.rs", "fn f() -> crate::tls::Alert {}", "src/http/a.rs:1: http may not import tls");
    one("tcp/flow.rs", "use super::super::http::Request;", "src/tcp/flow.rs:1: tcp may not import http");
    one("tcp/mod.rs", "use super::http::Request;", "src/tcp/mod.rs:1: tcp may not import http");
    one("tcp.rs", "mod a {\nuse super::super::http;\n}", "src/tcp.rs:2: tcp may not import http");
    one("units.rs", "use crate::capture::Packet;", "src/units.rs:1: units may not import capture");
    one(
        "packet/mod.rs",
        "use crate::capture::{LinkType, Packet, Reader};",
        "src/packet/mod.rs:1: packet may import only",
    );
    one("packet/mod.rs", "use crate::capture;", "src/packet/mod.rs:1: packet may import only");
    one("packet/mod.rs", "use crate::capture::*;", "src/packet/mod.rs:1: packet may import only");
    one("report/json.rs", "use crate::Analyzer;", "src/report/json.rs:1: report may not import the façade");
    one("tls/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::http::Request;\n}", "src/tls/mod.rs:3: tls");
    one("stack/mod.rs", "use crate::magic::Wand;", "src/stack/mod.rs:1: magic is not in the table");
    one("magic/mod.rs", "", "src/magic/mod.rs:1: magic is not in the table");
    one("magic.rs", "", "src/magic.rs:1: magic is not in the table");

    // External crates.
    one("http/mod.rs", "use etherparse::TcpSlice;", "src/http/mod.rs:1: http may not use the crate etherparse");
    one("report/mod.rs", "use ::{nom::IResult};", "src/report/mod.rs:1: report may not use the crate nom");
    one("report/mod.rs", "use {std::fmt, nom as n};", "src/report/mod.rs:1: report may not use the crate nom");
    one("tcp/mod.rs", "fn f(x: ::nom::Err) {}", "src/tcp/mod.rs:1: tcp may not use the crate nom");
    one("tcp/mod.rs", "#[derive(serde::Serialize)]\nstruct A;", "src/tcp/mod.rs:1: tcp may not use the crate serde");
    one("tcp/mod.rs", "extern crate clap;", "src/tcp/mod.rs:1: tcp may not use the crate clap");
    one("lib.rs", "use mimalloc::MiMalloc;", "src/lib.rs:1: lib.rs may not use the crate mimalloc");
    one("lib.rs", "pub use clap::Parser;", "src/lib.rs:1: lib.rs may not use the crate clap");
    one("tcp/mod.rs", "use proptest::prelude::*;", "src/tcp/mod.rs:1: proptest is for test code only");
    one("tcp/mod.rs", "#[cfg(test)]\nmod t {}\nuse proptest::x;", "src/tcp/mod.rs:3: proptest is for test code only");
    one("tcp/tests.rs", "use crate::http::Request;", "src/tcp/tests.rs:1: tcp may not import http");
    one("catalog/mod.rs", "use serde_json::Value;", "src/catalog/mod.rs:1: catalog may not use the crate serde_json");
}

#[test]
fn what_is_allowed_is_not_caught() {
    let fine = |path: &str, text: &str| assert_eq!(check(Path::new(path), text), Vec::<String>::new(), "{text}");
    fine("websocket/mod.rs", "use crate::{limits::Limits, units::{Origin, Side}, violation::*};\nuse simdutf8::basic;");
    fine("websocket/mod.rs", "use crate::websocket::frame::Frame;");
    fine("packet/mod.rs", "use crate::capture::{LinkType, Packet as Record};");
    fine(
        "packet/mod.rs",
        "fn f(p: crate::capture::Packet<'_>) -> crate::capture::LinkType { crate::capture::LinkType::Raw }",
    );
    fine("tcp/flow.rs", "use super::half::Half;\nmod tests { use super::*; use super::super::half; }");
    fine(
        "http/mod.rs",
        "// use crate::tcp::X\n/* crate::tls /* nested */ crate::tls */\nconst A: &str = \"crate::tcp \\\" nom::x\";",
    );
    fine("http/mod.rs", "const A: &str = r#\"crate::tcp \" clap::x\"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}");
    fine("http/mod.rs", "/// See [`crate::tcp`] and clap::Parser.\nfn f() {}");
    fine("tcp/mod.rs", "#[cfg(test)]\nmod tests {\n    use proptest::prelude::*;\n}");
    fine("tcp/tests.rs", "use proptest::prelude::*;\nuse super::flow;");
    fine("catalog/mod.rs", "#[cfg(test)]\nmod tests {\n    fn f() { serde_json::to_value(1); }\n}");
    fine("cli/mod.rs", "use crate::{Analyzer, Options, report};\nuse clap::Parser;");
    fine("lib.rs", "pub mod cli;\npub use analyzer::Analyzer;\npub use crate::tcp::Flow;");
    fine("main.rs", "fn main() { wsdissect::cli::run() }");
    fine("main.rs", "static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;");
    fine("report/mod.rs", "struct A { zstd: u8 } fn f(a: A) { a.zstd; self::toml::x(); crate::report::nom::y() }");
    fine("limits.rs", "#[derive(Debug, thiserror::Error)]\nenum E {}");
}

/// All `.rs` files below `folder`, in a stable order.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What is wrong with one source file; `path` is relative to `src/`.
fn check(path: &Path, text: &str) -> Vec<String> {
    let shown = format!("src/{}", path.display());
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
    let is_root = parts.len() == 1 && ["lib", "main"].contains(&parts[0]);
    let module = MODULES.iter().find(|module| module.name == parts[0]);
    if !is_root && module.is_none() {
        return vec![format!("{shown}:1: {} is not in the table of tests/layering.rs", parts[0])];
    }
    // How many `super` lead from this file to the crate root.
    let depth = if is_root { 0 } else { parts.len() - usize::from(parts[parts.len() - 1] == "mod") };

    let test_file = parts.contains(&"tests");

    let mut faults = Vec::new();
    for mention in mentions(&tokens(text), depth) {
        let in_test = mention.in_test || test_file;
        let fault = match &mention.path[..] {
            [name, rest @ ..] if mention.of_crate => module.and_then(|module| import_fault(module, name, rest)),
            [name, ..] => crate_fault(if is_root { None } else { Some(parts[0]) }, name, in_test, &parts),
            [] => None,
        };
        faults.extend(fault.map(|fault| format!("{shown}:{}: {fault}", mention.line)));
    }
    faults.dedup();
    faults
}

/// What is wrong when `module` names `crate::name::rest`.
fn import_fault(module: &Module, name: &str, rest: &[&str]) -> Option<String> {
    if name == module.name || GROUND_FLOOR.contains(&name) && is_allowed_on_ground_floor(module.name, name) {
        return None;
    }
    let importer = module.name;
    if name == "*" || name.starts_with(char::is_uppercase) {
        let allowed = module.imports.iter().any(|import| matches!(import, Root));
        return (!allowed).then(|| format!("{importer} may not import the façade (crate::{name})"));
    }
    if !MODULES.iter().any(|module| module.name == name) {
        return Some(format!("{name} is not in the table of tests/layering.rs"));
    }
    for import in module.imports {
        match import {
            All(allowed) if *allowed == name => return None,
            Items(allowed, items) if *allowed == name => {
                let item = rest.iter().find(|part| **part == "*" || part.starts_with(char::is_uppercase));
                return (!item.is_some_and(|item| items.contains(item)))
                    .then(|| format!("{importer} may import only {} from {name}", items.join(", ")));
            }
            _ => {}
        }
    }
    Some(format!("{importer} may not import {name}"))
}

/// The ground floor is not one heap: units stands on nothing, the others on units.
fn is_allowed_on_ground_floor(importer: &str, imported: &str) -> bool {
    !GROUND_FLOOR.contains(&importer) || (importer != "units" && imported == "units")
}

/// What is wrong when a module (`None` for lib.rs and main.rs) names an external crate.
fn crate_fault(importer: Option<&str>, name: &str, in_test: bool, parts: &[&str]) -> Option<String> {
    if DEV_CRATES.contains(&name) {
        return (!in_test).then(|| format!("{name} is for test code only"));
    }
    if in_test && FREE_IN_TESTS.contains(&name) {
        return None;
    }
    let (_, modules) = CRATES.iter().find(|(known, _)| *known == name)?;
    let modules = (*modules)?;
    let importer = importer.map_or_else(|| format!("{}.rs", parts[0]), str::to_owned);
    if modules.contains(&importer.as_str()) {
        return None;
    }
    Some(format!("{importer} may not use the crate {name}: it belongs to {}", modules.join(", ")))
}

/// A path that leaves the module: below the crate root, or of an external crate.
struct Mention<'a> {
    line: usize,
    /// The segments after `crate::`, or from the external crate's name on.
    path: Vec<&'a str>,
    of_crate: bool,
    in_test: bool,
}

/// A word, `::`, or a single character of punctuation.
#[derive(Clone, Copy)]
struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// Finds all mentions; `depth` is how many `super` lead from the file to the crate root.
fn mentions<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Mention<'a>> {
    let mut found = Vec::new();
    // Open braces: whether each belongs to an inline module, and whether it is under #[cfg(test)].
    let mut braces: Vec<(bool, bool)> = Vec::new();
    let mut test_next = false;
    let mut i = 0;
    while i < tokens.len() {
        let at = |j: usize| tokens.get(j).map_or("", |token| token.text);
        let level = depth + braces.iter().filter(|(is_module, _)| *is_module).count();
        let in_test = test_next || braces.iter().any(|(_, test)| *test);
        match at(i) {
            "#" if ["[", "cfg", "(", "test", ")", "]"].iter().enumerate().all(|(k, text)| at(i + 1 + k) == *text) => {
                test_next = true;
                i += 7;
            }
            "{" => {
                let is_module = i >= 2 && at(i - 2) == "mod";
                braces.push((is_module, std::mem::take(&mut test_next)));
                i += 1;
            }
            "}" => {
                braces.pop();
                i += 1;
            }
            ";" => {
                test_next = false;
                i += 1;
            }
            "use" if at(i + 1) != "<" => {
                // A whole tree at once: `use {crate::a, ::b::{c, d}};`
                let end = (i..tokens.len()).find(|&j| tokens[j].text == ";").unwrap_or(tokens.len());
                let mut leaves = Vec::new();
                use_tree(&tokens[i + 1..end], &mut 0, &[], &mut leaves);
                found.extend(leaves.iter().filter_map(|leaf| mention(leaf, level, in_test)));
                i = end;
            }
            // A path in code or in an attribute, from its first segment.
            word if is_word(word) && (at(i + 1) == "::" || i >= 2 && at(i - 2) == "extern" && at(i - 1) == "crate") => {
                let mut path = vec![tokens[i]];
                while at(i + 1) == "::" && is_word(at(i + 2)) {
                    path.push(tokens[i + 2]);
                    i += 2;
                }
                found.extend(mention(&path, level, in_test));
                i += 1;
            }
            _ => i += 1,
        }
    }
    found
}

/// Flattens the tree of a `use` into its leaves.
fn use_tree<'a>(tokens: &[Token<'a>], i: &mut usize, prefix: &[Token<'a>], leaves: &mut Vec<Vec<Token<'a>>>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*i) {
        *i += 1;
        match token.text {
            "{" => {
                while tokens.get(*i).is_some_and(|token| token.text != "}") {
                    use_tree(tokens, i, &path, leaves);
                    if tokens.get(*i).is_some_and(|token| token.text == ",") {
                        *i += 1;
                    }
                }
                *i += 1;
                return;
            }
            "," | "}" => {
                *i -= 1;
                break;
            }
            "as" => *i += 1, // the new name says nothing
            "::" => {}
            "self" if !path.is_empty() => {}
            _ => path.push(*token),
        }
    }
    if path.len() > prefix.len() || !prefix.is_empty() {
        leaves.push(path);
    }
}

/// A path as a mention, if it leaves the module. `level` is how many `super` reach the crate root.
fn mention<'a>(path: &[Token<'a>], level: usize, in_test: bool) -> Option<Mention<'a>> {
    let texts: Vec<&str> = path.iter().map(|token| token.text).collect();
    let supers = texts.iter().take_while(|text| **text == "super").count();
    let (skip, of_crate) = match texts[0] {
        "crate" => (1, true),
        "super" if supers == level => (supers, true),
        "super" | "self" => return None,
        _ => (0, false),
    };
    let line = path.get(skip)?.line;
    Some(Mention { line, path: texts[skip..].to_vec(), of_crate, in_test })
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Source text to tokens, without comments, literals, lifetimes and white space.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        let literal = literal_len(rest);
        if rest.starts_with("//") {
            len = rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            len = block_comment_len(rest);
        } else if literal > 0 {
            len = literal;
        } else if rest.starts_with("::") {
            len = 2;
            tokens.push(Token { line, text: "::" });
        } else if c.is_alphanumeric() || c == '_' {
            len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token { line, text: &rest[..len] });
        } else if !c.is_whitespace() && c != '$' {
            tokens.push(Token { line, text: &rest[..len] });
        }
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

/// The length of the string, character or lifetime that `rest` begins with; 0 when it begins with none.
fn literal_len(rest: &str) -> usize {
    if let Some(after) = rest.strip_prefix('\'') {
        let mut chars = after.chars();
        let (first, second) = (chars.next(), chars.next());
        return match (first, second) {
            (Some('\\'), _) => quoted_len(rest, '\''),
            (Some(c), Some('\'')) => 2 + c.len_utf8(),
            _ => 1 + after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len()),
        };
    }
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| match prefix.ends_with('r') {
            true => after.trim_start_matches('#').starts_with('"'),
            false => after.starts_with('"') || *prefix == "b" && after.starts_with('\''),
        })
    });
    let Some(prefix) = prefix else { return 0 };
    let after = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        return prefix.len() + quoted_len(after, if after.starts_with('"') { '"' } else { '\'' });
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let close = format!("\"{}", "#".repeat(hashes));
    let body = prefix.len() + hashes + 1;
    rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len())
}

/// The length of a literal that begins and ends with `quote`, with backslash escapes.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the block comment that `rest` begins with; they nest.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0;
    let mut i = 0;
    while i < rest.len() {
        if rest[i..].starts_with("/*") {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with("*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += rest[i..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}
