//! `proc help`: what there is to read, a topic, or a command's own help.

use proc_core::report::ErrorReport;
use serde_json::Value;

use crate::answer::Answer;
use crate::cli::{COMMANDS, help_of};
use crate::commands::schema::SCHEMA;
use crate::config::{KEYS, variable};
use crate::sanitize;
use proc_core::nearness::nearest;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc help                   the topics
  proc help targets           every form of a target
  proc help free              the same as `proc free --help`")]
pub struct Args {
    /// A topic or a command
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
}

/// Something to read.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// What is typed for it.
    pub name: &'static str,
    /// What it tells.
    pub about: &'static str,
    text: fn() -> String,
}

/// The topics.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "targets",
        about: "what can be named, and how",
        text: || include_str!("../../help/targets.txt").to_owned(),
    },
    Topic { name: "causes", about: "why a bind fails", text: causes },
    Topic {
        name: "exit-codes",
        about: "what each exit code means",
        text: || include_str!("../../help/exit-codes.txt").to_owned(),
    },
    Topic {
        name: "json",
        about: "answers for programs",
        text: || include_str!("../../help/json.txt").to_owned(),
    },
    Topic { name: "config", about: "what can be set for good", text: config },
];

/// Tells.
///
/// # Errors
/// There is no such topic.
pub fn run(args: &Args) -> Result<Answer, ErrorReport> {
    let text = match args.topic.as_deref() {
        None => contents(),
        Some(word) => match TOPICS.iter().find(|topic| topic.name == word) {
            Some(topic) => (topic.text)(),
            None if COMMANDS.contains(&word) => help_of(word),
            None => return Err(unknown(word)),
        },
    };
    Ok(Answer::Text(text))
}

fn unknown(word: &str) -> ErrorReport {
    let topics = TOPICS.iter().map(|topic| topic.name);
    let meant = nearest(word, topics.clone().chain(COMMANDS.iter().copied()));
    let shown = sanitize::text(word);
    let explain = match meant {
        Some(meant) => {
            format!("`{shown}` is neither a topic nor a command; did you mean `proc help {meant}`?")
        }
        None => {
            let topics: Vec<&str> = topics.collect();
            let topics = topics.join(", ");
            format!("`{shown}` is neither a command nor a topic; topics are {topics}")
        }
    };
    ErrorReport {
        kind: "usage".to_owned(),
        explain,
        word: Some(word.to_owned()),
        suggestion: meant.map(|meant| format!("proc help {meant}")),
    }
}

fn contents() -> String {
    let mut text = "Topics:\n".to_owned();
    for topic in TOPICS {
        text.push_str(&format!("  proc help {:<12} {}\n", topic.name, topic.about));
    }
    text + "\nA command's own: `proc help COMMAND`, or `proc COMMAND --help`. All commands: `proc --help`.\n"
}

/// The causes with the sentences of the schema, which is made from their types.
fn causes() -> String {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let kinds = schema["$defs"]["CauseKind"]["oneOf"].as_array().cloned().unwrap_or_default();
    fn words(value: &Value) -> Vec<&str> {
        value.as_str().unwrap_or_default().split_whitespace().collect()
    }
    let kinds: Vec<(String, Vec<&str>)> = kinds
        .iter()
        .map(|kind| {
            (kind["const"].as_str().unwrap_or_default().to_owned(), words(&kind["description"]))
        })
        .collect();
    let widest = kinds.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut page =
        "Why a bind fails; `proc why :3000` says which it is, with the evidence:\n\n".to_owned();
    for (name, words) in kinds {
        let hang = widest + 4;
        page.push_str(&format!("  {name:widest$}  "));
        page.push_str(&filled(&words, hang));
        page.push('\n');
    }
    page
}

/// The words in lines of at most 100 columns, each after the first that far in.
fn filled(words: &[&str], hang: usize) -> String {
    const WIDEST: usize = 100;
    let mut text = String::new();
    let mut used = hang;
    for (at, word) in words.iter().enumerate() {
        let length = word.chars().count();
        if at > 0 && used + 1 + length > WIDEST {
            text.push('\n');
            text.push_str(&" ".repeat(hang));
            used = hang;
        } else if at > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += length;
    }
    text
}

fn config() -> String {
    let mut text = "\
Settings: `proc config` shows them, `proc config --default` prints a file to begin with and
`proc config --path` where it goes. The command line comes first, then the environment, then the
file.\n\n"
        .to_owned();
    for key in KEYS {
        let variable = variable(key.name);
        text.push_str(&format!("  {:<11} {variable:<16} {}\n", key.name, key.about));
    }
    // A line that goes on here would lose its indent.
    text + "  [columns]   PROC_COLUMNS_…   a list's columns: `ports = [\"port\", \"name\"]`
  [alias]                      words of your own: `dev = \"free :3000 --yes\"`

PROC_CONFIG names another file; empty means none.

" + &help_of("config")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(topic: &str) -> String {
        match run(&Args { topic: Some(topic.to_owned()) }) {
            Ok(Answer::Text(text)) => text,
            other => panic!("{topic}: {other:?}"),
        }
    }

    #[test]
    fn every_topic_has_a_text_that_fits() {
        for topic in TOPICS {
            let text = text(topic.name);
            assert!(text.lines().count() > 5 && text.ends_with('\n'), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert!(contents().contains(&format!("proc help {}", topic.name)));
        }
    }

    #[test]
    fn the_causes_are_those_of_the_program() {
        let text = text("causes");
        for kind in ["listener", "time-wait", "other-namespace", "unexplained"] {
            let line = text.lines().find(|line| line.starts_with(&format!("  {kind} ")));
            assert!(line.is_some_and(|line| line.len() > 30), "{kind} in {text}");
        }
        assert!(text.lines().count() > 20);
    }

    #[test]
    fn every_form_of_a_target_is_one() {
        let forms = include_str!("../../help/targets.txt");
        let mut checked = 0;
        for line in forms.lines().filter_map(|line| line.strip_prefix("  ")) {
            let Some(form) = line.split("  ").next().filter(|form| !form.is_empty()) else {
                continue;
            };
            // The service manager's and the kernel's names are the machine's own.
            for word in form.split(' ').filter(|word| !word.starts_with(":p")) {
                let names = proc_core::names::MachineNames::default();
                let parsed = proc_core::target::parse_list_with([word], &names);
                assert!(parsed.is_ok() || word == ":http", "{word}: {parsed:?}");
                checked += 1;
            }
        }
        assert!(checked > 15, "{checked}");
    }

    #[test]
    fn every_setting_is_told() {
        let text = text("config");
        assert!(KEYS.iter().all(|key| text.contains(key.name) && text.contains(key.about)));
    }

    #[test]
    fn every_word_for_programs_is_in_the_schema() {
        let text = include_str!("../../help/json.txt");
        let mut checked = 0;
        for word in text.split('`').skip(1).step_by(2).filter(|word| !word.contains(['-', ' '])) {
            assert!(SCHEMA.contains(&format!("\"{word}\"")), "{word}");
            checked += 1;
        }
        assert!(checked > 15, "{checked}");
    }

    #[test]
    fn what_is_neither_is_guessed() {
        let refused =
            |topic: &str| run(&Args { topic: Some(topic.to_owned()) }).unwrap_err().explain;
        assert_eq!(
            refused("target"),
            "`target` is neither a topic nor a command; did you mean `proc help targets`?"
        );
        assert_eq!(
            refused("nonsense"),
            "`nonsense` is neither a command nor a topic; topics are targets, causes, exit-codes, json, config"
        );
    }

    #[test]
    fn a_command_has_its_own_help() {
        let text = text("free");
        assert!(text.contains("Usage: proc free") && text.contains("--only-signal"), "{text}");
    }
}
