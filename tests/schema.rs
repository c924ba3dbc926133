//! The JSON Schema that comes with the program against what the program prints: every object of every fixture fits it,
//! objects that are not as described do not, and its lists of names are those of the code.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use wsdissect::catalog::rules::Cause;
use wsdissect::evidence::WhyUnknown;
use wsdissect::limits::LimitHits;
use wsdissect::packet::SkipCounts;
use wsdissect::violation::ViolationRule;

fn schema() -> Value {
    serde_json::from_str(wsdissect::report::schema::TEXT).expect("the schema is JSON")
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema()).expect("the schema is a schema")
}

/// The capture of every fixture, sorted.
fn captures() -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = dir.read_dir().into_iter().flatten();
        entries.map(|entry| entry.expect("a readable directory").path()).collect()
    };
    let cases = list(Path::new("fixtures")).into_iter().flat_map(|family| list(&family));
    let mut captures: Vec<_> = cases
        .filter(|case| case.join("case.toml").exists())
        .flat_map(|case| list(&case))
        .filter(|file| file.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("capture")))
        .collect();
    captures.sort();
    assert!(captures.len() >= 30, "only {} captures found", captures.len());
    captures
}

/// What the program prints on standard output.
fn output(arguments: &[&str], captures: &[PathBuf]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wsdissect")).args(arguments).args(captures).output().expect("it runs");
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 3)), "{arguments:?}: {status:?} {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

/// The first connection object of a fixture.
fn connection(fixture: &str) -> Value {
    let dir = Path::new("fixtures").join(fixture);
    let capture = captures().into_iter().find(|capture| capture.starts_with(&dir)).expect("a fixture of this name");
    let object = lines(&output(&["-T", "jsonl", "--lang", "en"], &[capture])).remove(0);
    assert_eq!(object["type"], "connection");
    object
}

/// What is wrong with an object according to the definition of its type. Asking the definition alone, and not the whole
/// schema, gives an error that names the field.
fn faults(object: &Value) -> Vec<String> {
    let mut schema = schema();
    let keywords = schema.as_object_mut().expect("an object");
    keywords.remove("anyOf");
    keywords.insert("$ref".to_owned(), json!(format!("#/$defs/{}", object["type"].as_str().unwrap_or("array"))));
    let validator = jsonschema::draft202012::new(&schema).expect("the definition exists");
    validator.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_line_of_every_fixture_fits() {
    let validator = validator();
    for language in ["en", "zh"] {
        // One run for each capture: several on one command line are one input.
        let run =
            |capture: &PathBuf| lines(&output(&["-T", "jsonl", "--lang", language], std::slice::from_ref(capture)));
        let objects: Vec<Value> = captures().iter().flat_map(run).collect();
        for object in &objects {
            assert!(
                validator.is_valid(object),
                "{} stream {}: {:#?}",
                object["capture"],
                object["stream"],
                faults(object)
            );
        }
        let summaries = objects.iter().filter(|object| object["type"] == "summary").count();
        assert_eq!(summaries, captures().len(), "one summary for each capture");
    }
}

/// What the summary counts is what the lines above it say.
#[test]
fn the_summary_adds_up() {
    fn tally(connections: &[Value], path: &str) -> Value {
        let mut counts = serde_json::Map::new();
        for connection in connections {
            let name = connection.pointer(path).and_then(Value::as_str).expect("a name").to_owned();
            let count = counts.get(&name).and_then(Value::as_u64).unwrap_or_default();
            counts.insert(name, json!(count + 1));
        }
        Value::Object(counts)
    }
    let sum = |counts: &Value| -> u64 {
        let counts = counts.as_object().expect("counts").values();
        counts.map(|count| count.as_u64().expect("a count")).sum()
    };
    let mut connections = Vec::new();
    for object in lines(&output(&["-T", "jsonl"], &captures())) {
        if object["type"] == "connection" {
            connections.push(object);
            continue;
        }
        let (name, counts) = (&object["capture"], &object["connections"]);
        assert_eq!(counts["total"], connections.len(), "{name}");
        assert_eq!(counts["by_rule"], tally(&connections, "/diagnosis/rule"), "{name}");
        assert_eq!(counts["by_cause"], tally(&connections, "/diagnosis/cause"), "{name}");
        assert_eq!(counts["by_party"], tally(&connections, "/diagnosis/party"), "{name}");
        assert_eq!(sum(&counts["by_code"]), connections.len() as u64, "{name}");
        let packets = &object["packets"];
        let [read, analysed, skipped] =
            ["read", "analysed", "skipped"].map(|key| packets[key].as_u64().expect("a count"));
        assert_eq!(read, analysed + skipped, "{name}");
        assert_eq!(skipped, sum(&packets["skipped_by_reason"]), "{name}");
        connections.clear();
    }
    assert!(connections.is_empty(), "connections without a summary");
}

#[test]
fn the_array_fits_and_holds_the_same_objects() {
    let captures = &captures()[..12];
    let array: Value =
        serde_json::from_str(&output(&["-T", "json", "--lang", "en"], captures)).expect("one JSON array");
    assert!(validator().is_valid(&array), "{:#?}", faults(&array));
    let mut of_array: Vec<_> = array.as_array().expect("an array").iter().map(Value::to_string).collect();
    let mut of_lines: Vec<_> =
        lines(&output(&["-T", "jsonl", "--lang", "en"], captures)).iter().map(Value::to_string).collect();
    of_array.sort();
    of_lines.sort();
    assert_eq!(of_array, of_lines);
}

/// Every field of every object that the fixtures show, taken away, must be missed, and an added one must be noticed.
#[test]
fn missing_and_added_fields_are_noticed() {
    /// Paths of all objects inside `value` whose fields are fixed.
    fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.push(path.to_owned());
                for (name, field) in fields {
                    objects(field, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(items) => {
                items.iter().take(1).for_each(|item| objects(item, &format!("{path}/0"), found));
            }
            _ => {}
        }
    }
    let validator = validator();
    let captures = captures();
    let tls = captures.iter().position(|capture| capture.starts_with("fixtures/tls")).expect("a family of fixtures");
    let mut doctored = 0;
    for object in lines(&output(&["-T", "jsonl", "--lang", "en"], &[captures[0].clone(), captures[tls].clone()])) {
        let mut paths = Vec::new();
        objects(&object, "", &mut paths);
        for path in paths {
            let fields: Vec<String> =
                object.pointer(&path).and_then(Value::as_object).expect("found above").keys().cloned().collect();
            let mut added = object.clone();
            let target = added.pointer_mut(&path).and_then(Value::as_object_mut).expect("found above");
            target.insert("Surprise!".to_owned(), json!(1));
            // The keys of these are names of rules and causes, which this one is not either.
            assert!(!validator.is_valid(&added), "an unknown field in {path:?} passes");
            let counts = [
                "/frames/",
                "/messages/client/sizes",
                "/messages/server/sizes",
                "/connections/by_",
                "/packets/skipped_by_reason",
                "/packets/duplicate_points",
                "/packets/unknown_link_types",
                "/limits_hit",
            ];
            if counts.iter().any(|tally| path.starts_with(tally)) {
                continue;
            }
            for field in fields {
                let mut short = object.clone();
                short.pointer_mut(&path).and_then(Value::as_object_mut).expect("found above").remove(&field);
                // Absent on ws: the one field that may be missing.
                assert_eq!(validator.is_valid(&short), field == "tls", "{path}/{field} is missing");
                doctored += 1;
            }
        }
    }
    assert!(doctored > 100, "only {doctored} fields were taken away");
}

#[test]
fn wrong_values_are_noticed() {
    let validator = validator();
    let good = connection("close-codes/1000-by-client");
    assert!(validator.is_valid(&good), "{:#?}", faults(&good));
    let wrong = [
        ("/type", json!("flow")),
        ("/schema", json!("wsdissect/2")),
        ("/stream", json!(-1)),
        ("/transport", json!("WS")),
        ("/community_id", json!("1:short=")),
        ("/first_packet", json!(0)),
        ("/start", json!("2026-11-21 07:12:20")),
        ("/duration_s", json!("0.1")),
        ("/client/port", json!(65_536)),
        ("/handshake/outcome", json!("ok")),
        ("/handshake/status", json!("101")),
        ("/messages/client/text", json!(1.5)),
        ("/frames/client/close", json!(-1)),
        ("/close/code", json!(70_000)),
        ("/close/initiator", json!("proxy")),
        ("/close/echoed", json!("yes")),
        ("/close/echoed", json!({ "unknown": "The capture has a gap" })),
        ("/close/client_frame", json!({ "unknown": "gap", "code": 1000 })),
        ("/close/server_frame/code", json!("1000")),
        ("/close/tcp_end/kind", json!("close")),
        ("/api_view/client/was_clean", json!(null)),
        ("/visibility/client", json!("partial")),
        ("/diagnosis", json!(null)),
        ("/diagnosis/rule", json!("Close 1000")),
        ("/diagnosis/cause", json!("closed normally")),
        ("/diagnosis/party", json!("either")),
        ("/diagnosis/confidence", json!("sure")),
        ("/diagnosis/evidence/0/fact", json!("code")),
        ("/diagnosis/evidence/0/packets", json!([0])),
        ("/diagnosis/fixes/0/who", json!("unknown")),
    ];
    for (path, value) in wrong {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap_or_else(|| panic!("{path} exists")) = value.clone();
        assert!(!validator.is_valid(&bad), "{path} = {value} passes");
    }
}

/// Lists to which names may be added stand in the schema as examples.
#[test]
fn the_listed_names_are_those_of_the_code() {
    let schema = schema();
    let listed = |path: &str| -> Vec<String> {
        let examples = schema.pointer(path).and_then(|node| node.get("examples")).and_then(Value::as_array);
        examples.expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let causes: Vec<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    assert_eq!(listed("/$defs/cause"), causes);
    let violations: Vec<_> = ViolationRule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(listed("/$defs/violation/properties/rule"), violations);
    let reasons: Vec<_> = WhyUnknown::ALL.iter().map(|why| why.name()).collect();
    assert_eq!(listed("/$defs/unknown/properties/unknown"), reasons);

    let summary = &schema["$defs"]["summary"]["properties"];
    for (name, _) in SkipCounts::default().named() {
        let reasons = &summary["packets"]["properties"]["skipped_by_reason"]["properties"];
        assert!(reasons.get(name).is_some(), "the schema lacks the reason {name}");
    }
    for (name, _) in LimitHits::default().named() {
        assert!(summary["limits_hit"]["properties"].get(name).is_some(), "the schema lacks the limit {name}");
    }
}

/// Whoever writes a pipeline reads the descriptions: every field has one, its own or that of what it refers to.
#[test]
fn every_field_is_described() {
    fn check(schema: &Value, node: &Value, path: &str, bare: &mut Vec<String>) {
        if let Some(fields) = node.get("properties").and_then(Value::as_object) {
            for (name, field) in fields {
                let target = field.get("$ref").and_then(Value::as_str).and_then(|name| schema.pointer(&name[1..]));
                if ![Some(field), target].iter().flatten().any(|node| node.get("description").is_some()) {
                    bare.push(format!("{path}/{name}"));
                }
            }
        }
        match node {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| check(schema, field, &format!("{path}/{name}"), bare));
            }
            Value::Array(items) => items.iter().for_each(|item| check(schema, item, path, bare)),
            _ => {}
        }
    }
    let schema = schema();
    let mut bare = Vec::new();
    check(&schema, &schema, "", &mut bare);
    // Sides and opcodes say all with their names.
    bare.retain(|path| !path.contains("/frame_counts/") && !path.ends_with("/client") && !path.ends_with("/server"));
    assert_eq!(bare, Vec::<String>::new());
}
