//! The answer of `systemctl show` as [`UnitFacts`]: text alone, nothing is asked here. Whatever
//! is written is read as far as it makes sense; it may come from another user's manager.

use super::{UnitFacts, is_unit_name};

/// The properties to ask for (org.freedesktop.systemd1(5)).
pub const PROPERTIES: &str = "--property=Id,Description,LoadState,ActiveState,UnitFileState,Restart,NRestarts,MainPID,TriggeredBy,Triggers,Listen,Accept,RequiredBy,BoundBy,ConsistsOf,RefuseManualStop";

/// The most names or addresses kept of one property: no unit that a person made has more.
const MOST_OF_ONE: usize = 256;

/// The units of one answer, in its order: blocks of `Name=value` lines between empty lines
/// (systemctl(1)). Values are kept as they are, with systemd's escapes. A block without the name
/// of a unit is left out, and so is a unit that its manager does not know: names become arguments
/// of commands. A last block that breaks off counts
/// as far as it came.
pub fn units(text: &[u8], user: Option<u32>) -> Vec<UnitFacts> {
    let mut all = Vec::new();
    let mut open = Block::default();
    for line in text.split(|&byte| byte == b'\n') {
        if line.is_empty() {
            all.extend(std::mem::take(&mut open).finish(user));
        } else {
            open.read(line);
        }
    }
    all.extend(open.finish(user));
    all
}

#[derive(Default)]
struct Block {
    unit: UnitFacts,
    not_found: bool,
}

impl Block {
    fn read(&mut self, line: &[u8]) {
        let Some(equals) = line.iter().position(|&byte| byte == b'=') else { return };
        let (name, value) = (&line[..equals], String::from_utf8_lossy(&line[equals + 1..]));
        let said = || Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let unit = &mut self.unit;
        match name {
            b"Id" => unit.id = value.into_owned(),
            b"Description" => unit.description = said(),
            b"LoadState" => self.not_found = value == "not-found",
            b"ActiveState" => unit.active = said(),
            b"UnitFileState" => unit.enabled = said(),
            b"Restart" => unit.restart = said(),
            b"NRestarts" => unit.restarted = value.parse().ok(),
            b"MainPID" => unit.main_pid = value.parse().ok().filter(|&pid| pid != 0),
            b"TriggeredBy" => add_names(&mut unit.triggered_by, &value),
            b"Triggers" => add_names(&mut unit.triggers, &value),
            b"RequiredBy" | b"BoundBy" | b"ConsistsOf" => add_names(&mut unit.takes_along, &value),
            b"Listen" if unit.listens.len() < MOST_OF_ONE => unit.listens.extend(said()),
            b"Accept" => unit.accepts = value == "yes",
            b"RefuseManualStop" => unit.refuses_stop = value == "yes",
            _ => {}
        }
    }

    fn finish(self, user: Option<u32>) -> Option<UnitFacts> {
        let Self { mut unit, not_found } = self;
        // A unit whose file was removed while it runs is still there.
        let unknown = not_found && !unit.is_active();
        unit.user = user;
        for names in [&mut unit.triggered_by, &mut unit.triggers, &mut unit.takes_along] {
            names.retain(|name| is_unit_name(name));
        }
        (is_unit_name(&unit.id) && !unknown).then_some(unit)
    }
}

/// Adds the names of a list. One with a character that a shell would take for its own, as every
/// escape is, is quoted, with its backslashes doubled: `"a\\x2db.slice"`.
fn add_names(names: &mut Vec<String>, value: &str) {
    let mut rest = value.trim_start();
    while !rest.is_empty() && names.len() < MOST_OF_ONE {
        let (name, after) = word(rest);
        rest = after.trim_start();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The first word, without its quotes, and what follows. Quotes that do not close reach to the
/// end.
fn word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (name, &quoted[at + 1..]),
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            plain => name.push(plain),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `systemctl show` of systemd 252, as it wrote it.
    const RECORDED: &[u8] = include_bytes!("../../tests/data/systemctl/recorded.txt");

    fn recorded(id: &str) -> UnitFacts {
        units(RECORDED, None).into_iter().find(|unit| unit.id == id).unwrap()
    }

    #[test]
    fn a_recorded_answer_is_read_whole() {
        let ids: Vec<String> = units(RECORDED, None).into_iter().map(|unit| unit.id).collect();
        assert_eq!(
            ids,
            [
                "act.socket",
                "act.service",
                "echo.socket",
                "mixed.socket",
                "always.service",
                "plain.service",
                "onfail.service",
                r"my-app@dev\x2dtwo.service",
                "system.slice",
                "dbus.service",
            ],
            "nosuch.service was asked for too, and is not there"
        );
        let always = UnitFacts {
            id: "always.service".to_owned(),
            description: Some("always.service".to_owned()),
            active: Some("active".to_owned()),
            enabled: Some("disabled".to_owned()),
            restart: Some("always".to_owned()),
            main_pid: Some(53),
            takes_along: vec!["child.service".to_owned()],
            ..UnitFacts::default()
        };
        assert_eq!(recorded("always.service"), always);
    }

    #[test]
    fn how_often_it_was_started_again_is_a_number_or_unknown() {
        let told = |text: &[u8]| units(text, None)[0].restarted;
        assert_eq!(told(b"Id=a.service\nNRestarts=3\n"), Some(3));
        assert_eq!(told(b"Id=a.service\nNRestarts=0\n"), Some(0));
        assert_eq!(told(b"Id=a.service\nNRestarts=-1\n"), None);
        assert_eq!(told(b"Id=a.service\n"), None, "a systemd before 235");
    }

    #[test]
    fn sockets_and_services_name_each_other() {
        let socket = recorded("act.socket");
        assert_eq!(socket.listens, ["[::]:9090 (Stream)"]);
        assert_eq!((socket.triggers, socket.accepts), (vec!["act.service".to_owned()], false));
        let service = recorded("act.service");
        assert_eq!(service.description.as_deref(), Some("Activated thing"));
        assert_eq!(service.triggered_by, ["act.socket", "mixed.socket"]);
        assert_eq!((service.main_pid, service.is_active()), (None, false));
        assert!(recorded("echo.socket").accepts);
        assert_eq!(
            recorded("mixed.socket").listens,
            [
                "[::]:9292 (Stream)",
                "0.0.0.0:5353 (Datagram)",
                "[::1]:9293 (Stream)",
                "/run/m x.sock (SequentialPacket)",
                "/run/m.fifo (FIFO)",
                "kobject-uevent 1 (Netlink)",
                "vsock::1234 (Stream)",
                "/mq (MessageQueue)",
            ]
        );
    }

    #[test]
    fn quoted_names_lose_their_quotes_and_keep_their_escapes() {
        let along = recorded("system.slice").takes_along;
        assert!(along.contains(&r"system-my\x2dapp.slice".to_owned()), "{along:?}");
        assert!(!along.iter().any(|name| name.contains('"') || name.contains(r"\\")), "{along:?}");
        for (text, want) in [
            (
                r#"a.socket "b\\x2dc.socket"  d.socket"#,
                &["a.socket", r"b\x2dc.socket", "d.socket"][..],
            ),
            (r#""open a.socket"#, &["open a.socket"]),
            (r#""ends in \"#, &["ends in "]),
            (r#""" a "" a"#, &["a"]),
            ("", &[]),
        ] {
            let mut names = Vec::new();
            add_names(&mut names, text);
            assert_eq!(names, want, "{text}");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_counts_as_far_as_it_came() {
        let whole = units(RECORDED, None).len();
        for length in 0..RECORDED.len() {
            let found = units(&RECORDED[..length], Some(7));
            assert!(found.len() <= whole + 1);
            assert!(found.iter().all(|unit| !unit.id.is_empty() && unit.user == Some(7)));
        }
    }

    #[test]
    fn other_blocks_are_left_out() {
        for (text, want) in [
            ("", 0),
            ("\n\n\n", 0),
            ("ActiveState=active\n", 0),
            ("Failed to connect to bus: No medium found\n", 0),
            ("Id=a.service\nLoadState=not-found\nActiveState=inactive\n", 0),
            ("Id=a.service\nLoadState=not-found\nActiveState=active\n", 1),
            ("Id=a.service\nFutureProperty=1\n=\nMainPID=-4\nx\n", 1),
            ("Id=a.service\n\n\nId=b.service", 2),
        ] {
            assert_eq!(units(text.as_bytes(), None).len(), want, "{text:?}");
        }
        assert_eq!(units(b"Id=\xff.service\n\nId=--root=/x\n\nId=a b.service\n", None), []);
        let text =
            b"Id=a.service\nTriggeredBy=--force *.socket b.socket --root=/x.socket -.mount\n";
        assert_eq!(units(text, None)[0].triggered_by, ["b.socket"]);
        let odd = &units(b"Id=a.service\nMainPID=99999999999\nRestart=\n", None)[0];
        assert_eq!((odd.main_pid, &odd.restart), (None, &None));
    }

    #[test]
    fn a_hundred_thousand_units_and_a_unit_with_as_many_names() {
        let many: String =
            (0..100_000).map(|n| format!("Id=u{n}.service\nRestart=always\n\n")).collect();
        assert_eq!(units(many.as_bytes(), None).len(), 100_000);
        let names: String = (0..100_000).map(|n| format!(" u{n}.service")).collect();
        let one =
            format!("Id=a.service\nRequiredBy={names}\n{}", "Listen=/x (Stream)\n".repeat(9999));
        let unit = &units(one.as_bytes(), None)[0];
        assert_eq!((unit.takes_along.len(), unit.listens.len()), (MOST_OF_ONE, MOST_OF_ONE));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>, text in "(Id=|Listen=|Triggers=|\"|\\\\|\n| |[a-z]){0,60}") {
            let _ = (units(&bytes, None), units(text.as_bytes(), Some(1)));
        }
    }
}
