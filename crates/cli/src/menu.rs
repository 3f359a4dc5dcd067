//! What `kill`, `stop` and `free` show a person who named nothing: the ports of their own
//! processes, numbered, to choose from by number or to narrow by a text. Choosing is no consent:
//! what was chosen is asked about as if it had been typed.

use proc_core::report::{PortsReport, ProcessReport};
use proc_core::socket::Protocol;

use crate::core_api::Verb;
use crate::render;
use crate::terminal::View;

/// One port to choose, on all its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The target that it stands for, as `tcp:3000`.
    pub target: String,
    /// Its first holder, and how many there are.
    pub holder: Option<&'a ProcessReport>,
    /// How many holders it has.
    pub holders: usize,
}

/// As many as are shown at once.
const MOST: usize = 40;

/// What a line that was typed means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Typed {
    Nothing,
    /// The choices at these places, from 0.
    Places(Vec<usize>),
    Text(String),
}

/// Asks until something is chosen or nothing is wanted; the targets.
pub fn choose(
    verb: Verb,
    ports: &PortsReport,
    view: &View,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Vec<String> {
    let choices = choices(ports);
    let all: Vec<usize> = (0..choices.len()).collect();
    let mut shown = all.clone();
    let mut told = String::new();
    loop {
        let list: Vec<(usize, &Choice<'_>)> = shown
            .iter()
            .take(MOST)
            .filter_map(|&place| Some((place + 1, choices.get(place)?)))
            .collect();
        let more = shown.len() - list.len();
        let question = format!(
            "{told}{}{} which? numbers such as 1 or 2,4-6, a text to show fewer, or Enter for none: ",
            render::menu(&list, more, view),
            verb.name()
        );
        let Some(line) = ask(&question) else { return Vec::new() };
        let numbers: Vec<usize> = list.iter().map(|(number, _)| *number).collect();
        match typed(&line, &numbers) {
            Typed::Nothing => return Vec::new(),
            Typed::Places(places) => {
                let chosen = places.into_iter().filter_map(|place| choices.get(place));
                return chosen.map(|choice| choice.target.clone()).collect();
            }
            Typed::Text(text) => {
                shown = all.iter().copied().filter(|&place| has(&choices[place], &text)).collect();
                told = String::new();
                if shown.is_empty() {
                    told = render::note(&format!("nothing here has `{text}` in it"), view);
                    shown.clone_from(&all);
                }
            }
        }
    }
}

/// The ports to choose from, each once.
fn choices(ports: &PortsReport) -> Vec<Choice<'_>> {
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for socket in &ports.sockets {
        let transport = match socket.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            _ => continue,
        };
        let Some((_, port)) = socket.local.rsplit_once(':') else { continue };
        let target = format!("{transport}:{port}");
        if choices.iter().any(|choice| choice.target == target) {
            continue;
        }
        let mut pids: Vec<u32> = socket.holders.iter().map(|holder| holder.pid).collect();
        pids.dedup();
        let holder = ports.processes.iter().find(|process| Some(&process.pid) == pids.first());
        choices.push(Choice { target, holder, holders: pids.len() });
    }
    choices
}

/// Whether a choice has that text in what is shown of it, ignoring case.
fn has(choice: &Choice<'_>, text: &str) -> bool {
    let text = text.to_lowercase();
    let holder = choice.holder.into_iter().flat_map(|process| {
        let words = process.argv.join(" ");
        [process.name.clone(), words, process.cwd.clone().unwrap_or_default()]
    });
    holder.chain([choice.target.clone()]).any(|part| part.to_lowercase().contains(&text))
}

/// What was typed, where those numbers are shown. A number that is not shown is a text: a port,
/// such as 3000, narrows the list.
fn typed(line: &str, numbers: &[usize]) -> Typed {
    let line = line.trim();
    if line.is_empty() {
        return Typed::Nothing;
    }
    let mut places = Vec::new();
    for word in line.split([',', ' ']).filter(|word| !word.is_empty()) {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            return Typed::Text(line.to_owned());
        };
        let is_shown = |number: &usize| numbers.contains(number);
        if first > last || !is_shown(&first) || !is_shown(&last) {
            return Typed::Text(line.to_owned());
        }
        for number in (first..=last).filter(is_shown) {
            if !places.contains(&(number - 1)) {
                places.push(number - 1);
            }
        }
    }
    match places.is_empty() {
        true => Typed::Text(line.to_owned()),
        false => Typed::Places(places),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn numbers_choose_and_everything_else_narrows() {
        let numbers = [1, 2, 3, 5];
        let places = |places: &[usize]| Typed::Places(places.to_vec());
        for (line, want) in [
            ("", Typed::Nothing),
            ("  ", Typed::Nothing),
            ("2", places(&[1])),
            ("1,3", places(&[0, 2])),
            (" 3 1 1 ", places(&[2, 0])),
            ("2-5", places(&[1, 2, 4])),
            ("4", Typed::Text("4".to_owned())),
            ("0", Typed::Text("0".to_owned())),
            ("1,3000", Typed::Text("1,3000".to_owned())),
            ("3-1", Typed::Text("3-1".to_owned())),
            ("1-99999999999999999999", Typed::Text("1-99999999999999999999".to_owned())),
            (",", Typed::Text(",".to_owned())),
            ("node", Typed::Text("node".to_owned())),
        ] {
            assert_eq!(typed(line, &numbers), want, "{line}");
        }
    }

    /// What is chosen by these answers, and what was asked.
    fn chosen(answers: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut answers = answers.iter();
        let mut asked = Vec::new();
        let targets = choose(Verb::Kill, &fixture::ports(), &View::plain(), &mut |question| {
            asked.push(question.to_owned());
            answers.next().map(|answer| (*answer).to_owned())
        });
        (targets, asked)
    }

    #[test]
    fn a_port_is_a_choice_and_its_addresses_are_not() {
        let (targets, asked) = chosen(&["1,3"]);
        assert_eq!(targets, ["tcp:3000", "udp:53"]);
        assert!(asked[0].contains("tcp:3000") && asked[0].contains("node"), "{}", asked[0]);
        assert!(asked[0].contains("kill which?"), "{}", asked[0]);
    }

    #[test]
    fn a_text_shows_fewer_and_numbers_stay_what_they_were() {
        let (targets, asked) = chosen(&["udp", "1", "3"]);
        assert!(!asked[1].contains("tcp:3000"), "{}", asked[1]);
        // 1 is not shown any more, so it is a text: no port here has it but none is hit by mistake.
        assert_eq!(asked.len(), 3);
        assert_eq!(targets, ["udp:53"]);
        let (targets, asked) = chosen(&["no such thing", ""]);
        assert!(asked[1].contains("nothing here has `no such thing` in it"), "{}", asked[1]);
        assert!(targets.is_empty());
    }

    #[test]
    fn no_answer_and_no_terminal_choose_nothing() {
        assert!(chosen(&[""]).0.is_empty());
        assert!(chosen(&[]).0.is_empty());
    }
}
