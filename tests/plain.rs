//! Diagnosing asks facts only when they are needed and tests each condition once. Here the same is done as
//! `docs/diagnosis.md` defines it: every rule on all facts, read beforehand. Both must say the same.

mod support;

use std::cmp::Reverse;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::Rng;
use wsdissect::capture::Reader;
use wsdissect::catalog::rules::{Confidence, Outcome, Rule, RuleSet, Test};
use wsdissect::diagnosis::{Diagnosis, diagnose, evaluate, is_firm};
use wsdissect::evidence::{FactId, FactType, Facts, Known, PacketRefs, Value, WhyUnknown};
use wsdissect::{Analyzer, ConnectionReport, Options};

/// What a diagnosis concludes, in words that compare.
#[derive(Debug, PartialEq)]
struct Conclusion {
    rule: String,
    confidence: Confidence,
    because: Vec<&'static str>,
    alternatives: Vec<String>,
    could_change: Vec<(WhyUnknown, Vec<String>)>,
}

impl Conclusion {
    fn of(diagnosis: &Diagnosis) -> Self {
        let limits = diagnosis.limits.iter();
        let names = |rules: &[_]| rules.iter().map(|rule| format!("{rule}")).collect();
        Self {
            rule: diagnosis.rule.to_string(),
            confidence: diagnosis.confidence,
            because: diagnosis.because.iter().map(|evidence| evidence.fact.name()).collect(),
            alternatives: diagnosis.alternatives.iter().map(|other| other.rule.to_string()).collect(),
            could_change: limits.map(|limit| (limit.why, names(&limit.could_change))).collect(),
        }
    }

    /// By the definition.
    fn plain(rules: &RuleSet, facts: &Facts) -> Self {
        let with = |outcome| rules.iter().filter(|rule| evaluate(rule, facts) == outcome).collect::<Vec<&Rule>>();
        let (firing, undecided) = (with(Outcome::Fires), with(Outcome::Undecided));
        let carried = |rule: &Rule| match &rule.firmer {
            Some(firmer) if is_firm(rule, facts) => firmer.confidence,
            _ => rule.confidence,
        };
        let refined = |rule: &Rule| firing.iter().any(|other| other.is_refinement_of(rule));
        let mut candidates: Vec<&Rule> = firing.iter().copied().filter(|rule| !refined(rule)).collect();
        candidates.sort_by_key(|rule| Reverse(carried(rule)));
        let winner = candidates[0];

        let mut because: Vec<FactId> = Vec::new();
        let firmer = winner.firmer.iter().filter(|_| is_firm(winner, facts)).flat_map(|firmer| &firmer.conditions);
        let below = firing.iter().filter(|rule| winner.is_refinement_of(rule)).flat_map(|rule| &rule.conditions);
        for condition in winner.conditions.iter().chain(firmer).chain(below) {
            because.extend([Some(condition.fact), condition.other_fact()].into_iter().flatten());
        }
        because.extend(FactId::by_name("capture.missing_bytes").filter(|hole| facts.get(*hole).seen().is_some()));
        let conflict = FactId::by_name("tcp.conflict").expect("a fact");
        let doubted = facts.get(conflict).seen().and_then(Value::text) == Some("unsettled");
        let mut told = Vec::new();
        for fact in because {
            if !matches!(facts.get(fact), Known::Unknown(_)) && !told.contains(&fact) {
                told.push(fact);
            }
        }
        let presumed = told.iter().any(|fact| facts.evidence(*fact).presumed);
        if doubted && !told.contains(&conflict) {
            told.push(conflict);
        }
        let questioned = undecided.iter().any(|rule| rule.is_refinement_of(winner));
        let most = if questioned || presumed || doubted { Confidence::Likely } else { Confidence::Certain };

        let adds_nothing =
            |rule: &Rule| winner.is_refinement_of(rule) || undecided.iter().any(|other| rule.is_refinement_of(other));
        let mut open: Vec<&Rule> = undecided.iter().copied().filter(|rule| !adds_nothing(rule)).collect();
        open.sort_by_key(|rule| Reverse(carried(rule)));

        let mut could_change: Vec<(WhyUnknown, Vec<&Rule>)> = Vec::new();
        for why in WhyUnknown::ALL {
            let is_open = |fact: FactId| facts.get(fact) == &Known::Unknown(*why);
            let rests = |rule: &&&Rule| {
                let mut facts = rule.conditions.iter().flat_map(|each| [Some(each.fact), each.other_fact()]);
                facts.any(|fact| fact.is_some_and(is_open))
            };
            let wins = |rule: &&&Rule| {
                let surer = (rule.confidence, &winner.id) > (winner.confidence, &rule.id);
                rule.is_refinement_of(winner) || (surer && !winner.is_refinement_of(rule))
            };
            let those: Vec<&Rule> = undecided.iter().filter(wins).filter(rests).copied().collect();
            let general = |rule: &&Rule| !those.iter().any(|other| rule.is_refinement_of(other));
            if !those.is_empty() {
                could_change.push((*why, those.iter().copied().filter(general).collect()));
            }
        }
        could_change.sort_by_key(|(why, _)| *why);
        let ids = |rules: &[&Rule]| rules.iter().map(|rule| rule.id.to_string()).collect();
        Self {
            rule: winner.id.to_string(),
            confidence: carried(winner).min(most),
            because: told.into_iter().map(FactId::name).collect(),
            alternatives: candidates[1..].iter().chain(&open).map(|rule| rule.id.to_string()).collect(),
            could_change: could_change.iter().map(|(why, rules)| (*why, ids(rules))).collect(),
        }
    }
}

/// A value that some rule asks for, or one beside it.
fn value(fact: FactId, rules: &RuleSet, rng: &mut Rng) -> Option<Value> {
    let of_fact = |rule: &'_ Rule| rule.conditions.iter().filter(|each| each.fact == fact).cloned().collect::<Vec<_>>();
    let conditions: Vec<_> = rules.iter().flat_map(of_fact).collect();
    let pick = rng.below(conditions.len().max(1) as u64) as usize;
    let beside = rng.below(5) as f64 - 2.0;
    let number = |bound: f64| match fact.ty() {
        FactType::Seconds => Value::Float(bound + beside),
        _ => Value::Int((bound + beside) as i64),
    };
    match conditions.get(pick).map(|condition| &condition.test) {
        Some(Test::AnyOf(values) | Test::NoneOf(values)) => {
            values.get(rng.below(values.len() as u64) as usize).cloned()
        }
        Some(Test::Min(bound) | Test::Max(bound) | Test::Above(bound) | Test::Below(bound)) => Some(number(*bound)),
        Some(Test::Near(marks)) => marks.first().map(|mark| number(*mark)),
        Some(Test::Prefix(text)) => Some(Value::Text(text.clone())),
        Some(Test::Contains(texts)) => texts.first().map(|text| Value::Text(text.clone())),
        _ => match fact.ty() {
            FactType::Bool => Some(Value::Bool(rng.below(2) == 0)),
            FactType::Enum(words) => Some(Value::Enum(words[rng.below(words.len() as u64) as usize])),
            FactType::Text => Some(Value::Text("text".into())),
            FactType::Int | FactType::Bytes | FactType::Seconds => Some(number(3.0)),
        },
    }
}

#[test]
fn whatever_the_facts_both_conclude_the_same() {
    let rules = &RuleSet::builtin().expect("the rules load");
    let mut rng = Rng::new(7);
    let examples: Vec<_> = rules.iter().flat_map(|rule| &rule.examples).collect();
    for (round, example) in examples.iter().cycle().take(4000).enumerate() {
        // From a rule's own example, so that something is explained, to nothing but chance.
        let changes = [0, 1, 3, 20, 400][round % 5];
        let mut facts = example.facts();
        let all: Vec<FactId> = FactId::all().collect();
        for _ in 0..changes {
            let fact = all[rng.below(all.len() as u64) as usize];
            let known = match rng.below(4) {
                0 => Known::Absent,
                1 => Known::Unknown(WhyUnknown::ALL[rng.below(WhyUnknown::ALL.len() as u64) as usize]),
                _ => Known::watched(value(fact, rules, &mut rng)),
            };
            facts.set(fact, known, PacketRefs::default());
        }
        assert_eq!(Conclusion::of(&diagnose(rules, &facts)), Conclusion::plain(rules, &facts), "round {round}");
    }
}

#[test]
fn of_every_recorded_connection_both_conclude_the_same() {
    let rules = RuleSet::shared();
    let mut rng = Rng::new(8);
    let (mut captures, mut compared) = (Vec::new(), 0);
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut captures);
    for path in captures {
        for report in reports(&path) {
            let all = Facts::of(report.subject.clone());
            let told: Vec<_> = all.iter().collect();
            assert_eq!(Conclusion::of(&report.diagnosis), Conclusion::plain(rules, &all), "{}", path.display());
            // Facts do not depend on what was asked before.
            let others = Facts::of(report.subject.clone());
            let mut order: Vec<FactId> = FactId::all().collect();
            order.sort_by_cached_key(|_| rng.next_u64());
            for fact in order {
                assert_eq!(others.evidence(fact), told[fact.index()], "{}", path.display());
                assert_eq!(report.facts.evidence(fact), told[fact.index()], "{}", path.display());
            }
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared} connections");
}

fn find(folder: &Path, captures: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let is_capture = path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng");
        if path.is_dir() {
            find(&path, captures);
        } else if is_capture {
            captures.push(path);
        }
    }
}

fn reports(path: &Path) -> Vec<ConnectionReport> {
    let mut analyzer = Analyzer::new(Options::default());
    // Some are damaged on purpose.
    if let Ok(mut reader) = Reader::open(File::open(path).expect("a file")) {
        while let Ok(Some(packet)) = reader.next_packet() {
            analyzer.packet(&packet);
        }
    }
    analyzer.finish();
    std::iter::from_fn(|| analyzer.next_report()).collect()
}
