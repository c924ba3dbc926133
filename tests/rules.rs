//! The rules that come with the program: every example of every rule, every word in every language, one diagnosis for
//! whatever facts, and a clear error for every kind of mistake in a table.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use wsdissect::catalog::rules::words::{Part, Words};
use wsdissect::catalog::rules::{Confidence, Outcome, Party, RuleSet, Test, Who};
use wsdissect::diagnosis::{Diagnosis, diagnose, evaluate, is_firm, render};
use wsdissect::evidence::{FactId, FactType, Facts, Known, PacketRefs, Value, WhyUnknown};
use wsdissect::violation::ViolationRule;

static BUILTIN: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::builtin().unwrap_or_else(|error| panic!("{error}")));

fn builtin() -> &'static RuleSet {
    &BUILTIN
}

/// Facts as a test writes them; the rest is absent.
fn facts(given: &[(&str, Value)]) -> Facts {
    let mut facts = Facts::all(&Known::Absent);
    for (name, value) in given {
        facts.set(fact(name), Known::Seen(value.clone()), PacketRefs::default());
    }
    facts
}

fn fact(name: &str) -> FactId {
    FactId::by_name(name).unwrap_or_else(|| panic!("no fact `{name}`"))
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// A fact and its value.
type Given = (&'static str, Value);

fn closed_by(side: &'static str, peer: &'static str, code: i64) -> Vec<Given> {
    vec![
        ("capture.visibility", Value::Enum("full")),
        ("connection.open_at_capture_end", Value::Bool(false)),
        ("handshake.outcome", Value::Enum("accepted")),
        ("close.initiator", Value::Enum(side)),
        ("end.side", Value::Enum(side)),
        ("peer.side", Value::Enum(peer)),
        ("close.payload", Value::Enum("status")),
        ("close.code", Value::Int(code)),
        ("close.echoed", Value::Bool(true)),
        ("end.tcp", Value::Enum("fin")),
        ("end.tcp_side", Value::Enum(side)),
        ("peer.messages", Value::Int(9)),
        ("connection.messages", Value::Int(18)),
    ]
}

fn dropped_by(side: &'static str, peer: &'static str, how: &'static str) -> Vec<Given> {
    vec![
        ("capture.visibility", Value::Enum("full")),
        ("connection.open_at_capture_end", Value::Bool(false)),
        ("handshake.outcome", Value::Enum("accepted")),
        ("end.side", Value::Enum(side)),
        ("peer.side", Value::Enum(peer)),
        ("end.tcp", Value::Enum(how)),
        ("end.tcp_side", Value::Enum(side)),
        ("connection.messages", Value::Int(18)),
        ("connection.lifetime_s", Value::Float(77.7)),
    ]
}

fn with(mut given: Vec<Given>, more: &[Given]) -> Diagnosis {
    given.extend_from_slice(more);
    diagnose(builtin(), &facts(&given))
}

#[test]
fn every_example_of_every_rule_comes_out_as_stated() {
    for rule in builtin().iter() {
        for (at, example) in rule.examples.iter().enumerate() {
            let outcome = evaluate(rule, &example.facts());
            assert_eq!(outcome, example.expect, "{}: rule `{}`, example {}", rule.file, rule.id, at + 1);
        }
    }
}

/// Where a rule is surer under further conditions, its examples say when, and it shows in the diagnosis.
#[test]
fn every_firmer_example_makes_its_rule_surer() {
    let mut firm = 0;
    for rule in builtin().iter() {
        for (at, example) in rule.examples.iter().enumerate().filter(|(_, example)| example.expect == Outcome::Fires) {
            assert_eq!(
                is_firm(rule, &example.facts()),
                example.firmer,
                "{}: rule `{}`, example {}",
                rule.file,
                rule.id,
                at + 1
            );
            let diagnosis = diagnose(builtin(), &example.facts());
            if example.firmer && diagnosis.rule == rule.id {
                let firmer = rule.firmer.as_ref().expect("it is firm");
                assert_eq!((diagnosis.confidence, diagnosis.firm), (firmer.confidence, true), "`{}`", rule.id);
                firm += 1;
            }
        }
    }
    assert!(firm >= 8, "{firm}");
}

/// What makes a rule surer can only be missing: where it cannot be answered, nothing changes.
#[test]
fn what_makes_a_rule_surer_never_keeps_it_from_firing() {
    let rule = builtin().by_id("crowd-same-silence").expect("a rule");
    let mut given = rule.examples[0].facts();
    given.set(
        FactId::by_name("crowd.lifetimes_differ").expect("a fact"),
        Known::Unknown(WhyUnknown::NoTime),
        PacketRefs::default(),
    );
    assert_eq!(evaluate(rule, &given), Outcome::Fires);
    let diagnosis = diagnose(builtin(), &given);
    assert_eq!((diagnosis.rule.as_str(), diagnosis.confidence), ("crowd-same-silence", Confidence::Likely));
}

#[test]
fn every_rule_has_a_hit_a_near_miss_and_an_undecided_case() {
    let rules = builtin();
    for rule in rules.iter().filter(|rule| rule.id != rules.catch_all().id) {
        for needed in Outcome::ALL {
            assert!(rule.examples.iter().any(|example| example.expect == *needed), "`{}`: no `{needed}`", rule.id);
        }
    }
}

/// The first example of a rule must win, or lose only to a more specific rule: else another one hides it for good.
#[test]
fn every_rule_wins_its_own_first_example() {
    let rules = builtin();
    let mut hidden = Vec::new();
    for rule in rules.iter() {
        let diagnosis = diagnose(rules, &rule.examples[0].facts());
        let winner = rules.by_id(diagnosis.rule.as_str()).expect("a rule of the set");
        if winner.id != rule.id && !winner.is_refinement_of(rule) {
            hidden.push(format!("`{}` loses its own example to `{}`", rule.id, diagnosis.rule));
        }
    }
    assert!(hidden.is_empty(), "{}", hidden.join("\n"));
}

#[test]
fn there_are_rules_for_every_code_and_status_that_is_promised() {
    let rules = builtin();
    assert!(rules.iter().count() >= 80);
    let families = rules.iter().fold(BTreeMap::new(), |mut count: BTreeMap<String, usize>, rule| {
        *count.entry(rule.file.to_string()).or_default() += 1;
        count
    });
    assert!(families.len() >= 8, "{families:?}");
    for code in (1000..=1015).chain([0, 999, 1016, 2999, 3000, 3003, 3008, 3500, 4000, 4999, 5000, 65535]) {
        let diagnosis = with(closed_by("server", "client", code), &[]);
        assert_ne!(diagnosis.rule.as_str(), "close-frame", "{code}");
        assert_ne!(diagnosis.rule.as_str(), "unknown-ending", "{code}");
    }
    for status in [200, 204, 301, 400, 401, 403, 404, 407, 408, 410, 426, 429, 431, 500, 501, 502, 503, 504, 505, 521] {
        let given = [
            ("handshake.outcome", Value::Enum("rejected")),
            ("handshake.status", Value::Int(status)),
            ("handshake.upgrade_token", Value::Bool(true)),
            ("handshake.connection_token", Value::Bool(true)),
            ("handshake.version", Value::Int(13)),
        ];
        let rule = diagnose(builtin(), &facts(&given)).rule;
        assert!(!["handshake-rejected", "handshake-4xx", "handshake-5xx"].contains(&rule.as_str()), "{status}: {rule}");
    }
}

#[test]
fn the_words_are_complete_in_every_language() {
    let rules = builtin();
    for language in Words::LANGUAGES {
        let words = Words::builtin(language).expect("a language we speak").unwrap_or_else(|error| panic!("{error}"));
        let problems = words.problems(rules);
        assert!(problems.is_empty(), "{language}:\n{}", problems.join("\n"));
    }
}

fn collect(parts: &[Part], places: &mut Vec<FactId>) {
    for part in parts {
        match part {
            Part::Words(_) => {}
            Part::Value(fact) => places.push(*fact),
            Part::Optional(inner) => collect(inner, places),
        }
    }
}

/// The same facts are named in every language: a translation that drops the number drops the proof.
#[test]
fn translations_name_the_same_facts() {
    let rules = builtin();
    let load = |language| Words::builtin(language).expect("a language we speak").expect("checked above");
    let english = load("en");
    let places = |words: &Words, id: &str| {
        let mut places = Vec::new();
        collect(words.rule(id).expect("checked above").cause.parts(), &mut places);
        places.sort_unstable();
        places
    };
    for language in &Words::LANGUAGES[1..] {
        let translated = load(language);
        for rule in rules.iter() {
            let id = rule.id.as_str();
            assert_eq!(places(&english, id), places(&translated, id), "{language}: `{id}`");
            let (ours, theirs) = (english.rule(id).expect("there"), translated.rule(id).expect("there"));
            assert_ne!(ours.title, theirs.title, "{language}: title of `{id}` is not translated");
        }
        for fix in rules.iter().flat_map(|rule| &rule.fixes) {
            assert_ne!(english.fix(&fix.id), translated.fix(&fix.id), "{language}: fix `{}` is not translated", fix.id);
        }
    }
}

#[test]
fn every_first_example_renders_without_a_gap() {
    let rules = builtin();
    for language in Words::LANGUAGES {
        let words = Words::builtin(language).expect("a language we speak").expect("checked above");
        for rule in rules.iter() {
            let sentence =
                render(&words.rule(rule.id.as_str()).expect("checked above").cause, &rule.examples[0].facts(), &words);
            assert!(
                !sentence.contains(['{', '}', '[', ']']) && sentence.len() > 10,
                "{language} `{}`: {sentence}",
                rule.id
            );
        }
    }
}

#[test]
fn evidence_that_contradicts_the_code_is_told() {
    let valid = [("peer.last_utf8", Value::Enum("valid")), ("peer.last_kind", Value::Enum("text"))];
    assert_eq!(with(closed_by("server", "client", 1007), &valid).rule.as_str(), "close-1007-valid");
    assert_eq!(with(closed_by("server", "client", 1002), &[]).rule.as_str(), "close-1002-unproven");
    let idle = [("end.silence_s", Value::Float(60.02)), ("idle.limit_s", Value::Float(60.0))];
    assert_eq!(with(closed_by("server", "client", 1002), &idle).rule.as_str(), "close-1002-idle");
    let sizes = [("peer.last_size", Value::Int(10)), ("peer.largest_before", Value::Int(4096))];
    assert_eq!(with(closed_by("server", "client", 1009), &sizes).rule.as_str(), "close-1009-larger-passed");
}

/// Chromium closes with 1002 when a text message is not UTF-8.
#[test]
fn the_packets_outrank_the_code() {
    let bad = [
        ("peer.violation", text("invalid_utf8_text")),
        ("peer.violation_s", Value::Float(0.001)),
        ("peer.last_utf8", Value::Enum("invalid")),
    ];
    let diagnosis = with(closed_by("client", "server", 1002), &bad);
    assert_eq!((diagnosis.rule.as_str(), diagnosis.cause.name()), ("violation-invalid-utf8", "invalid_utf8"));
    assert_eq!((diagnosis.party, diagnosis.confidence), (Party::Server, Confidence::Certain));
    assert_eq!(diagnosis.fixes[0].who, Who::Server);
    let dropped = with(dropped_by("server", "client", "fin"), &bad);
    assert_eq!(dropped.rule.as_str(), "violation-invalid-utf8");
    assert_eq!(with(closed_by("server", "client", 1007), &bad).rule.as_str(), "close-1007-invalid");
}

#[test]
fn without_a_close_frame_the_most_specific_reason_wins() {
    let [silence, timer] = [("end.silence_s", Value::Float(60.01)), ("idle.limit_s", Value::Float(60.0))];
    let [nginx, device] = [("handshake.server", text("nginx/1.22.1")), ("idle.device", text("nginx"))];
    let cases: [(&'static str, &[Given], &str); 7] = [
        ("fin", &[], "no-close-fin"),
        ("rst", &[], "no-close-rst"),
        ("fin", &[("end.silence_s", Value::Float(41.3))], "no-close-long-idle"),
        ("fin", &[silence.clone(), timer.clone()], "no-close-idle-60"),
        ("fin", &[silence.clone(), timer.clone(), nginx.clone(), device.clone()], "no-close-idle-nginx"),
        (
            "fin",
            &[silence, timer, nginx, device, ("ping.unanswered_s", Value::Float(20.0))],
            "no-close-ping-unanswered",
        ),
        ("fin", &[("end.since_peer_data_s", Value::Float(0.01))], "no-close-after-message"),
    ];
    for (how, more, rule) in cases {
        assert_eq!(with(dropped_by("server", "client", how), more).rule.as_str(), rule);
    }
}

/// What the capture cannot show must weaken the conclusion and be named.
#[test]
fn an_undecided_refinement_costs_certainty_and_is_named() {
    let rules = builtin();
    let mut given = facts(&closed_by("client", "server", 1000));
    assert_eq!(diagnose(rules, &given).confidence, Confidence::Certain);
    given.set(fact("close.reason"), Known::Unknown(WhyUnknown::CutByCapture), PacketRefs::default());
    let diagnosis = diagnose(rules, &given);
    assert_eq!((diagnosis.rule.as_str(), diagnosis.confidence), ("close-1000-by-client", Confidence::Likely));
    let open = diagnosis.alternatives.iter().find(|each| each.rule.as_str() == "close-1000-ping-timeout");
    assert_eq!(open.expect("an alternative").undecided, [(fact("close.reason"), WhyUnknown::CutByCapture)]);
}

#[test]
fn a_diagnosis_carries_its_evidence() {
    let diagnosis = with(closed_by("server", "client", 1009), &[("peer.last_size", Value::Int(70_000))]);
    let names: Vec<_> = diagnosis.because.iter().map(|evidence| evidence.fact.name()).collect();
    for needed in ["close.code", "close.initiator", "peer.last_size"] {
        assert!(names.contains(&needed), "{needed} in {names:?}");
    }
    assert_eq!(diagnosis.references.first().map(|reference| &**reference), Some("RFC 6455 §7.4.1"));
}

#[test]
fn nothing_known_is_still_a_diagnosis() {
    let unknown = diagnose(builtin(), &Facts::all(&Known::Unknown(WhyUnknown::Encrypted)));
    assert_eq!(unknown.rule.as_str(), "unknown-ending");
    assert!(!unknown.alternatives.is_empty());
    let mut encrypted = Facts::all(&Known::Unknown(WhyUnknown::Encrypted));
    encrypted.set(fact("capture.visibility"), Known::Seen(Value::Enum("encrypted")), PacketRefs::default());
    assert_eq!(diagnose(builtin(), &encrypted).rule.as_str(), "encrypted");
}

fn any_answer(fact: FactId) -> BoxedStrategy<Known<Value>> {
    let value = match fact.ty() {
        FactType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        FactType::Int => prop_oneof![0..10_i64, 40..130_i64, 200..600_i64, 990..1020_i64, 2990..5010_i64]
            .prop_map(Value::Int)
            .boxed(),
        FactType::Bytes => prop_oneof![0..200_i64, 60_000..2_000_000_i64].prop_map(Value::Int).boxed(),
        FactType::Seconds => prop_oneof![0.0..3.0, 59.0..61.0, 0.0..4000.0].prop_map(Value::Float).boxed(),
        FactType::Text => prop_oneof![Just("nginx"), Just("1.0"), Just("ping timeout"), Just("rsv_nonzero"), Just("")]
            .prop_map(text)
            .boxed(),
        FactType::Enum(words) => proptest::sample::select(words).prop_map(Value::Enum).boxed(),
    };
    prop_oneof![
        4 => value.prop_map(Known::Seen),
        2 => Just(Known::Absent),
        1 => Just(Known::Unknown(WhyUnknown::Gap)),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Exactly one diagnosis, one of the most refined that fire, never more certain than the open questions allow.
    #[test]
    fn any_facts_have_one_diagnosis(answers in FactId::all().map(any_answer).collect::<Vec<_>>()) {
        let rules = builtin();
        let mut given = Facts::all(&Known::Absent);
        for (fact, answer) in FactId::all().zip(answers) {
            given.set(fact, answer, PacketRefs::default());
        }
        let diagnosis = diagnose(rules, &given);
        let winner = rules.by_id(diagnosis.rule.as_str()).expect("a rule of the set");
        prop_assert_eq!(evaluate(winner, &given), Outcome::Fires);
        for rule in rules.iter() {
            let refines_it = rule.is_refinement_of(winner);
            let outcome = evaluate(rule, &given);
            prop_assert!(!(refines_it && outcome == Outcome::Fires), "`{}` is more specific", rule.id);
            if refines_it && outcome == Outcome::Undecided {
                prop_assert!(diagnosis.confidence < Confidence::Certain);
            }
        }
        for candidate in &diagnosis.alternatives {
            prop_assert_ne!(&candidate.rule, &diagnosis.rule);
            let expect = if candidate.undecided.is_empty() { Outcome::Fires } else { Outcome::Undecided };
            prop_assert_eq!(evaluate(rules.by_id(candidate.rule.as_str()).expect("a rule"), &given), expect);
        }
    }
}

const CATCH_ALL: &str = "[[rule]]\nid = \"all\"\nwhen = {}\ncause = \"unknown\"\nparty = \"unknown\"\n\
                         confidence = \"possible\"\nsource = \"test\"\n";

/// A rule table with one line replaced.
fn doctored(line: &str, by: &str) -> String {
    let rule = "[[rule]]\nid = \"one\"\nwhen = { \"close.code\" = 1000 }\ncause = \"normal\"\nparty = \"none\"\n\
                confidence = \"certain\"\nsource = \"test\"\n";
    assert!(rule.contains(line), "{line}");
    format!("{CATCH_ALL}{}", rule.replace(line, by))
}

#[test]
fn mistakes_in_a_table_are_told_with_their_place() {
    let whole = doctored("id = \"one\"", "id = \"one\"");
    assert_eq!(RuleSet::load(&[("good.toml", &whole)]).map(|rules| rules.iter().count()), Ok(2));
    let when = "{ \"close.code\" = 1000 }";
    let cases = [
        ("id = \"one\"", "id = \"One\"", "9:6: `One` is no id"),
        ("id = \"one\"", "id = \"all\"", "rule `all` is there twice"),
        ("id = \"one\"", "id = \"one\"\nextends = \"none-such\"", "10:11: there is no rule `none-such`"),
        ("id = \"one\"", "id = \"one\"\nrefines = [\"one\"]", "refines itself, in a circle"),
        ("id = \"one\"", "id = \"one\"\nwhat = 1", "10:1: unknown field `what`, expected one of `id`, `extends`"),
        ("cause = \"normal\"", "cause = \"odd\"", "11:9: unknown word `odd`; one of: normal, going_away"),
        ("cause = \"normal\"\n", "", "missing field `cause`"),
        ("party = \"none\"", "party = \"either\"", "`either` is for fixes only"),
        ("party = \"none\"", "party = \"none\"\nfix = [{ who = \"none\", id = \"x\" }]", "a fix is for someone"),
        ("confidence = \"certain\"", "confidence = \"sure\"", "one of: possible, likely, certain"),
        ("source = \"test\"", "", "`one` has no `source`"),
        (
            "confidence = \"certain\"",
            "confidence = \"likely\"\nfirmer = { when = { \"close.code\" = 1000 }, confidence = \"likely\" }",
            "must be surer than the rule itself",
        ),
        (
            "confidence = \"certain\"",
            "confidence = \"likely\"\nfirmer = { when = {}, confidence = \"certain\" }",
            "`firmer` has no conditions",
        ),
        (when, "{ \"close.cod\" = 1000 }", "10:10: unknown fact `close.cod`"),
        (when, "{ \"close.code\" = \"1000\" }", "10:25: `close.code` is of type integer, not string"),
        (when, "{ \"close.code\" = { minimum = 3 } }", "unknown test `minimum`; one of: equals, any_of"),
        (when, "{ \"close.code\" = {} }", "no test for `close.code`"),
        (when, "{ \"close.code\" = { any_of = [] } }", "a list with at least one item"),
        (when, "{ \"close.code\" = { prefix = \"1\" } }", "`close.code` is of type integer, not text"),
        (when, "{ \"close.reason\" = { min = 1 } }", "`close.reason` is of type text and has no order"),
        (when, "{ \"close.code\" = { absent = false } }", "`absent` takes only `true`"),
        (when, "{ \"close.initiator\" = \"proxy\" }", "`close.initiator` is never `proxy`; one of: client, server"),
        (when, "{ \"close.code\" = { same_as = \"close.reason\" } }", "cannot be compared"),
        (when, "{}", "`one` has no conditions, but only one rule may catch all"),
        (when, "{ \"close.code\" = ", "bad.toml:1"),
    ];
    for (line, by, message) in cases {
        let error = RuleSet::load(&[("bad.toml", &doctored(line, by))]).expect_err(by).to_string();
        assert!(error.starts_with("bad.toml:") && error.contains(message), "{by}\n  gives {error}\n  not {message}");
    }
    assert!(RuleSet::load(&[]).expect_err("nothing catches all").message.contains("one must catch all"));
}

#[test]
fn circles_through_several_rules_are_found() {
    let rule = |id: &str, above: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\n{above}\nwhen = {{ \"close.code\" = 1000 }}\ncause = \"normal\"\nparty = \"none\"\n\
             confidence = \"certain\"\nsource = \"test\"\n"
        )
    };
    let circle = [
        CATCH_ALL.to_owned(),
        rule("a-outside", "extends = \"b\""),
        rule("b", "extends = \"c\""),
        rule("c", "refines = [\"d\"]"),
        rule("d", "extends = \"b\""),
    ]
    .concat();
    let error = RuleSet::load(&[("circle.toml", &circle)]).expect_err("a circle");
    assert!(error.message.contains("in a circle"), "{error}");
    let extends = [
        CATCH_ALL.to_owned(),
        rule("a", "extends = \"b\""),
        rule("b", "extends = \"c\""),
        rule("c", "extends = \"b\""),
    ];
    assert!(RuleSet::load(&[("circle.toml", &extends.concat())]).is_err());
}

#[test]
fn broken_words_are_told_with_their_place() {
    let facts = include_str!("../src/catalog/text/en/facts.toml");
    let rules = "[fix]\n[rule.all]\ntitle = \"All\"\ncause = \"Ended by {close.cod}.\"\n";
    let error = Words::load(("rules.toml", rules), ("facts.toml", facts)).expect_err("an unknown fact");
    assert_eq!(error.to_string(), "rules.toml:4:9: unknown fact `close.cod`");
    let rules = "[refute]\nwhole-capture-shows = \"x\"\n[fix]\nextra = \"x\"\n[rule.all]\ntitle = \"All\"\ncause = \"Ended by {close.code}.\"\n";
    let words = Words::load(("rules.toml", rules), ("facts.toml", facts)).expect("well-formed");
    let set = RuleSet::load(&[("rules.toml", CATCH_ALL)]).expect("well-formed");
    let problems = words.problems(&set);
    assert_eq!(problems, ["fix `extra` does not exist", "rule `all`: `close.code` may have no value here"]);
}

/// Violations reach the rules as text; a misspelt name would never fire.
#[test]
fn rules_speak_of_violations_that_exist() {
    let known: Vec<&str> = ViolationRule::ALL.iter().map(|rule| rule.name()).collect();
    for rule in builtin().iter() {
        for condition in rule.conditions.iter().filter(|condition| condition.fact.name().ends_with(".violation")) {
            if let Test::AnyOf(values) = &condition.test {
                for value in values {
                    assert!(value.text().is_some_and(|name| known.contains(&name)), "`{}`: {value:?}", rule.id);
                }
            }
        }
    }
}
