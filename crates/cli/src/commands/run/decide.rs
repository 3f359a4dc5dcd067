//! What to do after a command has ended: a pure function of how it ended, what is in its way and
//! what the person said. Nothing is looked at, asked or done here.

use proc_core::message::Class;

/// What to do about a port that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnConflict {
    /// Ask, on the terminal.
    Ask,
    /// Free it, and start again.
    Free,
    /// Start again on the next free port.
    Next,
    /// Wait until it is free, and start again.
    Wait,
    /// Say what holds it, and end as the command did.
    Explain,
}

/// How a command ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// With code 0.
    pub success: bool,
    /// Somebody asked it to end: Ctrl-C, a signal.
    pub asked: bool,
}

/// What is in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing that is known of.
    None,
    /// A port or socket file that somebody has.
    Held {
        /// Whether another port would do: exactly one is known, and none of a unix socket.
        has_next: bool,
    },
    /// What was in its way is gone by now.
    Gone,
    /// Something that nobody's leaving would cure, such as a missing right.
    Other,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// End as the command did, without a word.
    Leave,
    /// The same, after saying what is in the way.
    Explain,
    /// Say that it is still so after that many starts, and end as the command did.
    GiveUp,
    /// Ask the person.
    Ask,
    /// Start again, as it is.
    Again,
    /// Free what is in the way, and start again.
    Free,
    /// Start again on the next free port.
    Next,
    /// Wait until it is free, and start again.
    Wait,
}

/// How often a command is started again without a person's word: whatever takes the port each
/// time will do so the next time.
pub const MOST_AGAIN: u32 = 3;

/// What to do. `again` is how often it was started again by itself.
pub fn next_step(on_conflict: OnConflict, ending: Ending, obstacle: Obstacle, again: u32) -> Step {
    if ending.asked || obstacle == Obstacle::None {
        return Step::Leave;
    }
    // It found a way by itself.
    if ending.success {
        return Step::Explain;
    }
    let automatic = |step| if again < MOST_AGAIN { step } else { Step::GiveUp };
    match (on_conflict, obstacle) {
        (_, Obstacle::None) => Step::Leave,
        (OnConflict::Explain, _) | (_, Obstacle::Other) => Step::Explain,
        (OnConflict::Ask, _) => Step::Ask,
        (_, Obstacle::Gone) => automatic(Step::Again),
        (OnConflict::Free, _) => automatic(Step::Free),
        (OnConflict::Next, Obstacle::Held { has_next: true }) => automatic(Step::Next),
        (OnConflict::Next, _) => Step::Explain,
        (OnConflict::Wait, _) => automatic(Step::Wait),
    }
}

/// Whether a failure of that kind is cured when whoever is in the way leaves.
pub const fn is_conflict(class: Class) -> bool {
    matches!(class, Class::InUse | Class::Allocated | Class::SocketFile)
}

/// What a person may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Free it and start again.
    Free,
    /// Start again.
    Again,
    /// On that port.
    Next(u16),
    /// When it is free.
    Wait,
    /// End.
    Leave,
}

/// The question for these choices, and the answer's meaning by its first letter. What is not
/// understood leaves everything as it is.
pub fn question(choices: &[Choice]) -> String {
    let words: Vec<String> = choices
        .iter()
        .map(|choice| match choice {
            Choice::Free => "[f]ree it and start again".to_owned(),
            Choice::Again => "[s]tart again".to_owned(),
            Choice::Next(port) => format!("[n]ext free port ({port})"),
            Choice::Wait => "[w]ait until it is free".to_owned(),
            Choice::Leave => "[l]eave it".to_owned(),
        })
        .collect();
    format!("{}: ", words.join(", "))
}

/// What an answer means.
pub fn answered(word: &str, choices: &[Choice]) -> Choice {
    let letter = word.trim().chars().next().map(|letter| letter.to_ascii_lowercase());
    let meant = |choice: &&Choice| {
        letter
            == Some(match choice {
                Choice::Free => 'f',
                Choice::Again => 's',
                Choice::Next(_) => 'n',
                Choice::Wait => 'w',
                Choice::Leave => 'l',
            })
    };
    choices.iter().find(meant).copied().unwrap_or(Choice::Leave)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Ending = Ending { success: false, asked: false };
    const HELD: Obstacle = Obstacle::Held { has_next: true };

    #[test]
    fn the_way_that_was_chosen_is_taken() {
        for (on_conflict, held, gone) in [
            (OnConflict::Ask, Step::Ask, Step::Ask),
            (OnConflict::Free, Step::Free, Step::Again),
            (OnConflict::Next, Step::Next, Step::Again),
            (OnConflict::Wait, Step::Wait, Step::Again),
            (OnConflict::Explain, Step::Explain, Step::Explain),
        ] {
            assert_eq!(next_step(on_conflict, FAILED, HELD, 0), held, "{on_conflict:?}");
            assert_eq!(next_step(on_conflict, FAILED, Obstacle::Gone, 0), gone, "{on_conflict:?}");
            let other = next_step(on_conflict, FAILED, Obstacle::Other, 0);
            assert_eq!(other, Step::Explain, "{on_conflict:?}");
            let none = next_step(on_conflict, FAILED, Obstacle::None, 0);
            assert_eq!(none, Step::Leave, "{on_conflict:?}");
        }
    }

    #[test]
    fn whoever_was_asked_to_end_is_left_alone_and_success_is_no_conflict() {
        for on_conflict in [
            OnConflict::Ask,
            OnConflict::Free,
            OnConflict::Next,
            OnConflict::Wait,
            OnConflict::Explain,
        ] {
            for success in [false, true] {
                let asked = Ending { success, asked: true };
                assert_eq!(next_step(on_conflict, asked, HELD, 0), Step::Leave);
            }
            let well = Ending { success: true, asked: false };
            assert_eq!(next_step(on_conflict, well, HELD, 0), Step::Explain);
            assert_eq!(next_step(on_conflict, well, Obstacle::None, 0), Step::Leave);
        }
    }

    #[test]
    fn it_is_not_started_again_for_ever_unless_a_person_says_so() {
        for on_conflict in [OnConflict::Free, OnConflict::Next, OnConflict::Wait] {
            let step = next_step(on_conflict, FAILED, HELD, MOST_AGAIN - 1);
            assert_ne!(step, Step::GiveUp, "{on_conflict:?}");
            assert_eq!(next_step(on_conflict, FAILED, HELD, MOST_AGAIN), Step::GiveUp);
            assert_eq!(next_step(on_conflict, FAILED, Obstacle::Gone, MOST_AGAIN), Step::GiveUp);
        }
        assert_eq!(next_step(OnConflict::Ask, FAILED, HELD, 99), Step::Ask);
    }

    #[test]
    fn what_has_no_next_is_explained() {
        let file = Obstacle::Held { has_next: false };
        assert_eq!(next_step(OnConflict::Next, FAILED, file, 0), Step::Explain);
        assert_eq!(next_step(OnConflict::Free, FAILED, file, 0), Step::Free);
    }

    #[test]
    fn answers_are_letters_and_everything_else_leaves() {
        let choices = [Choice::Free, Choice::Next(3001), Choice::Wait, Choice::Leave];
        assert_eq!(
            question(&choices),
            "[f]ree it and start again, [n]ext free port (3001), [w]ait until it is free, \
             [l]eave it: "
        );
        for (word, want) in [
            ("f", Choice::Free),
            (" Free ", Choice::Free),
            ("n", Choice::Next(3001)),
            ("w", Choice::Wait),
            ("l", Choice::Leave),
            ("", Choice::Leave),
            ("s", Choice::Leave),
            ("?", Choice::Leave),
            ("\u{1b}[A", Choice::Leave),
        ] {
            assert_eq!(answered(word, &choices), want, "{word:?}");
        }
        assert_eq!(answered("f", &[Choice::Again, Choice::Leave]), Choice::Leave);
    }
}
