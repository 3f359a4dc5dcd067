//! The committed JSON Schema is what the report types say. `UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use proc_core::report;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// One document: a value is valid if it is one of these, whose parts are in `$defs`.
/// Which document each command prints, a line each so that two changes seldom meet.
const DESCRIPTION: &str = concat!(
    "What `proc --json` prints: a Report; ",
    "for `proc ports` a PortsReport (and with --jsonl a PortLine on each line); ",
    "for `proc list` and its kin a ProcessesReport (and with --jsonl a process on each line); ",
    "for `proc config` a ConfigReport; ",
    "for `proc pick` a PickReport or a LeasesReport; ",
    "for `proc undo` an UndoReport; ",
    "for `proc watch` a WatchEvent on each line.",
);

fn generate() -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let documents = [
        generator.subschema_for::<report::Report>(),
        generator.subschema_for::<report::PortsReport>(),
        generator.subschema_for::<report::PortLine>(),
        generator.subschema_for::<report::ProcessesReport>(),
        generator.subschema_for::<report::ConfigReport>(),
        generator.subschema_for::<report::PickReport>(),
        generator.subschema_for::<report::LeasesReport>(),
        generator.subschema_for::<report::UndoReport>(),
        generator.subschema_for::<report::WatchEvent>(),
    ];
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "proc",
        "description": DESCRIPTION,
        "anyOf": documents,
        "$defs": generator.take_definitions(true),
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    text
}

#[test]
fn the_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.json");
    let now = generate();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == now,
        "report types changed: run this test with UPDATE=1 and look at the difference"
    );
}

#[test]
fn every_reference_has_its_definition() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(target)) => found.push(target.clone()),
                _ => references(value, found),
            }),
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&generate()).unwrap();
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(found.len() > 10);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(schema.pointer(pointer).is_some(), "{target}");
    }
}

/// Every field and every word of a closed set is explained to users.
#[test]
fn the_page_for_users_names_everything() {
    fn words(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                if let Some(Value::String(word)) = map.get("const") {
                    found.push(word.clone());
                }
                map.values().for_each(|value| words(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| words(value, found)),
            _ => {}
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut found = Vec::new();
    words(&serde_json::from_str(&generate()).unwrap(), &mut found);
    assert!(found.len() > 100);
    found.retain(|word| !page.contains(&format!("`{word}`")));
    assert!(found.is_empty(), "docs/json.md lacks {found:?}");
}
