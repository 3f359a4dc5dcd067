//! The answer of `systemctl show` as [`UnitFacts`]: text alone, nothing is asked here. Whatever
//! is written is read as far as it makes sense; it may come from another user's manager.

use super::UnitFacts;

/// The properties to ask for (org.freedesktop.systemd1(5)).
pub const PROPERTIES: &str = "--property=Id,Description,LoadState,ActiveState,UnitFileState,Restart,MainPID,TriggeredBy,Triggers,Listen,Accept,RequiredBy,BoundBy,ConsistsOf,RefuseManualStop";

/// The most names or addresses kept of one property: no unit that a person made has more.
const MOST_OF_ONE: usize = 256;

/// The units of one answer, in its order: blocks of `Name=value` lines between empty lines
/// (systemctl(1)). Values are kept as they are, with systemd's escapes. A block without a name is
/// left out, and so is a unit that its manager does not know. A last block that breaks off counts
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
        (!unit.id.is_empty() && !unknown).then_some(unit)
    }
}

fn add_names(names: &mut Vec<String>, value: &str) {
    for name in value.split_whitespace() {
        if names.len() >= MOST_OF_ONE {
            return;
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
}
