//! The user's own catalog: the example of docs/catalog.md, where it is found, and how mistakes in it are told.

mod common;
mod support;

use common::program::{command, ended, folder, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Capture, Conversation, Upgrade};

/// The catalog of the documentation.
fn documented() -> String {
    let page = include_str!("../docs/catalog.md");
    let (_, rest) = page.split_once("```toml\n").expect("the page has an example");
    rest.split_once("```").expect("which ends").0.to_owned()
}

fn file(test: &str, name: &str, text: &str) -> PathBuf {
    let path = folder(test).join(name);
    fs::write(&path, text).expect("the folder is ours");
    path
}

fn capture(test: &str, said: &[&str], code: u16, reason: &str) -> PathBuf {
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    c.connect().upgrade_with(&Upgrade::default());
    for text in said {
        c.server().text(text);
    }
    c.wait(3.0);
    c.server().close(code, reason);
    c.client().close(code, "");
    c.server().fin();
    c.client().fin();
    let path = folder(test).join("capture.pcap");
    fs::write(&path, Capture::of([c]).pcap()).expect("the folder is ours");
    path
}

fn path(path: &Path) -> &str {
    path.to_str().expect("our own paths are UTF-8")
}

fn diagnosed(catalog: &Path, capture: &Path) -> Value {
    let lines = run(&["-T", "jsonl", "--lang", "en", "--catalog", path(catalog), path(capture)]).lines();
    lines.into_iter().find(|line| line["type"] == "connection").expect("there is a connection")
}

#[test]
fn row_130_the_catalog_of_the_documentation_teaches_codes_reasons_applications_and_rules() {
    let catalog = file("catalog-doc", "chat.toml", &documented());
    for (said, code, reason, rule, cause, party) in [
        (&[][..], 4100, "", "application-code-peer", "application_code", "client"),
        (&[], 4101, "", "application-code-peer", "application_code", "client"),
        (&[], 1008, "plan: basic", "application-code-nobody", "application_code", "none"),
        (&[r#"{"type":"acme_hello"}"#], 4200, "", "application-code-ender", "application_code", "server"),
        (
            &[r#"{"type":"acme_hello"}"#, r#"{"type":"refused","code":7}"#],
            1000,
            "",
            "announced-auth",
            "policy",
            "client",
        ),
        (&[r#"{"type":"acme_hello"}"#, r#"{"type":"refused"}"#], 1000, "", "announced-own-server", "policy", "server"),
        (&[], 1001, "gateway 2.1", "acme-gateway-deploy", "service_restart", "proxy"),
    ] {
        let found = diagnosed(&catalog, &capture("catalog-doc-capture", said, code, reason));
        let verdict = &found["diagnosis"];
        assert_eq!(
            (&verdict["rule"], &verdict["cause"], &verdict["party"]),
            (&rule.into(), &cause.into(), &party.into()),
            "{code} {reason}"
        );
        let text = verdict.to_string();
        for words in match (code, reason) {
            (4100, _) => &["signed in on another device", "Ask the person whether to continue here"][..],
            (1008, _) => &["the customer's plan does not include this"],
            (1001, _) => &["The Acme gateway was deployed", "gateway 2.1", "Drain the gateway for 60 s"],
            _ => &[],
        } {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    // Without the catalog nobody knows.
    let found = run(&["-T", "jsonl", path(&capture("catalog-doc-capture", &[], 4100, ""))]).lines();
    assert_eq!(found[0]["diagnosis"]["rule"], "close-4000-4999");
}

#[test]
fn row_130_the_catalog_teaches_the_timeout_of_an_own_device() {
    let catalog = file("catalog-device", "edge.toml", &documented());
    let mut c = Conversation::new("10.0.0.1:40000", "10.0.0.2:80");
    let response_headers = vec!["X-Acme-Edge: fra-1".to_owned()];
    c.connect().upgrade_with(&Upgrade { response_headers, ..Upgrade::default() });
    c.client().text("hello");
    c.server().text("welcome");
    c.wait(75.0).server().fin();
    c.client().fin();
    let capture = folder("catalog-device-capture").join("capture.pcap");
    fs::write(&capture, Capture::of([c]).pcap()).expect("the folder is ours");
    let told = diagnosed(&catalog, &capture);
    assert_eq!((&told["diagnosis"]["cause"], &told["diagnosis"]["party"]), (&"idle_timeout".into(), &"proxy".into()));
    let fixes = told["diagnosis"]["fixes"].to_string();
    assert!(fixes.contains("tunnel_idle = "), "{fixes}");
}

#[test]
fn options_that_all_commands_know_may_stand_before_the_command() {
    let behind = run(&["explain", "--no-config", "--lang", "de", "1009"]);
    assert_eq!(behind.code, Some(0), "{behind:?}");
    let before = run(&["--no-config", "--lang", "de", "explain", "1009"]);
    assert_eq!((before.code, &before.stdout), (Some(0), &behind.stdout), "{before:?}");
    // One that only the main job knows is no capture named `rules`, and is not passed over.
    let other = run(&["--verbose", "rules"]);
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.stderr.contains("'--verbose' says nothing to 'rules'"), "{other:?}");
}

#[test]
fn row_130_explain_rules_and_codes_know_the_catalog() {
    let catalog = file("catalog-explain", "chat.toml", &documented());
    let said = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--catalog", path(&catalog), "--lang", "en"]).collect();
        run(&args).text().to_owned()
    };
    assert!(said(&["explain", "4100"]).contains("signed in on another device"));
    assert!(said(&["explain", "acme-gateway-deploy"]).contains("Drain the gateway"));
    assert!(said(&["explain", "acme-chat"]).contains("the room is closed"));
    assert!(said(&["rules"]).contains("acme-gateway-deploy"));
    assert!(said(&["codes"]).contains("signed in on another device"));
    assert!(!run(&["rules"]).text().contains("acme-gateway-deploy"));
}

#[test]
fn row_130_the_configuration_is_read_unless_it_is_switched_off() {
    let home = folder("catalog-config");
    fs::create_dir_all(home.join("wsdissect")).expect("the folder is ours");
    fs::write(home.join("wsdissect/catalog.toml"), "[[code]]\ncode = 4100\nmeans = \"ours\"\nparty = \"server\"\n")
        .expect("it is ours");
    let capture = capture("catalog-config-capture", &[], 4100, "");
    let party = |more: &[&str]| {
        let args: Vec<&str> = ["-T", "jsonl", path(&capture)].into_iter().chain(more.iter().copied()).collect();
        let run = ended(command(&args).env("XDG_CONFIG_HOME", &home).spawn().expect("the program starts"));
        run.lines()[0]["diagnosis"]["party"].clone()
    };
    assert_eq!(party(&[]), "server");
    assert_eq!(party(&["--no-config"]), "unknown");
    // The command line goes before it.
    let other =
        file("catalog-config-other", "own.toml", "[[code]]\ncode = 4100\nmeans = \"theirs\"\nparty = \"client\"\n");
    assert_eq!(party(&["--profile", path(&other)]), "client");
}

#[test]
fn row_130_mistakes_are_told_with_line_and_column() {
    let rule = "[[rule]]\nid = \"mine\"\nwhen = { \"close.code\" = 4100 }\ncause = \"policy\"\nparty = \"client\"\nconfidence = \"likely\"\ntitle = \"t\"\nexplanation = \"e\"\nfix = []\n";
    for (text, place, what) in [
        ("[[code]]\ncode = 4100\nmeans = \"x\"\nparty = \"clint\"\n", ":4:9:", "clint"),
        ("[[code]]\ncode = 4100\nmeans = \"x\"\n\n[[code]]\ncode = 1000\nmeans = \"x\"\n", ":5:", "3000 to 4999"),
        ("[[code]]\nmeans = \"x\"\n", ":1:", "every Close frame"),
        ("[[codes]]\n", ":1:", "codes"),
        ("[[application]]\nname = \"mine\"\n", ":2:8:", "cannot be recognised"),
        ("[[application]]\nname = \"discord\"\nhosts = [\"x\"]\n", ":2:8:", "listed twice"),
        (&format!("\n\n{rule}").replace("close.code", "close.cod"), ":5:", "close.cod"),
        (&rule.replace("\"policy\"", "\"polcy\""), ":4:9:", "polcy"),
        (&rule.replace("mine", "close-1000"), ":2:6:", "twice"),
        (&rule.replace("title = \"t\"\n", ""), ":2:6:", "title"),
        (&rule.replace("explanation = \"e\"", "explanation = \"{no.fact}\""), ":8:15:", "no.fact"),
        (
            &format!("{rule}example = [\n  {{ expect = \"fires\", given = {{ \"close.code\" = 4101 }} }},\n]\n"),
            ":11:",
            "fails",
        ),
        ("a = \n", ":1:", ""),
    ] {
        let catalog = file("catalog-wrong", "own.toml", text);
        let run = run(&["--catalog", path(&catalog), "rules"]);
        assert_eq!(run.code, Some(2), "{text}");
        assert!(
            run.stderr.contains(&format!("own.toml{place}")) && run.stderr.contains(what),
            "{text}: {}",
            run.stderr
        );
    }
    let run = run(&["--catalog", "/no/such/catalog.toml", "rules"]);
    assert_eq!(run.code, Some(2));
}
