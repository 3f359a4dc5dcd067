//! The processes that are to let go, each pinned, with what was sent to it and what became of it.

use std::time::Duration;

use crate::host::{ActError, Host, Pinned};
use crate::plan::{Part, Victim};

/// The victims with their pins.
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    pub(super) forced: bool,
    pub(super) last_exit: Duration,
    pub(super) topmost: Vec<bool>,
    parts: Vec<Part>,
}

pub(super) struct Member {
    pub(super) pin: Option<Pinned>,
    pub(super) gone: bool,
    pub(super) let_go: bool,
    pub(super) sent: Vec<i32>,
}

impl Group {
    /// Takes hold of each.
    ///
    /// # Errors
    /// One that is there and cannot be taken hold of, so that its end would not show.
    pub(super) fn pin(host: &dyn Host, victims: &[Victim]) -> Result<Self, String> {
        let mut members = Vec::with_capacity(victims.len());
        for victim in victims {
            let pin = match host.pin(victim.id) {
                Ok(pin) => Some(pin),
                Err(ActError::Gone) => None,
                Err(error) => {
                    let (name, pid) = (&victim.name, victim.id.pid);
                    return Err(format!("{name} (pid {pid}) cannot be acted on: {error}"));
                }
            };
            members.push(Member { gone: pin.is_none(), pin, let_go: false, sent: Vec::new() });
        }
        let topmost = victims.iter().map(|victim| victim.topmost).collect();
        let parts = victims.iter().map(|victim| victim.part).collect();
        Ok(Self { members, forced: false, last_exit: host.now(), topmost, parts })
    }

    /// Finds out who has ended since the last time.
    pub(super) fn newly_gone(&mut self, host: &dyn Host) -> Vec<usize> {
        let mut ended = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            if !member.gone && member.pin.as_ref().is_none_or(|pin| host.exited(pin)) {
                member.gone = true;
                self.last_exit = host.now();
                ended.push(index);
            }
        }
        ended
    }

    pub(super) fn top_is_gone(&self) -> bool {
        let mut top = self.members.iter().zip(&self.topmost).filter(|(_, top)| **top);
        top.all(|(member, _)| member.gone || member.let_go)
    }

    pub(super) fn all_asked(&self) -> bool {
        self.members.iter().all(|m| m.gone || m.let_go || !m.sent.is_empty())
    }

    pub(super) fn all_gone(&self) -> bool {
        self.members.iter().all(|member| member.gone)
    }

    /// Whether those that would start a holder again have ended.
    pub(super) fn runners_gone(&self) -> bool {
        self.of(Part::is_runner).all(|member| member.gone)
    }

    /// Whether there are some that hold nothing that is wanted and are asked all the same.
    pub(super) fn has_kin(&self) -> bool {
        self.parts.contains(&Part::Kin)
    }

    /// Whether each that matters has ended or let go by itself.
    pub(super) fn none_holds(&self) -> bool {
        self.of(|part| part != Part::Kin).all(|member| member.gone || member.let_go)
    }

    /// Those that matter and neither ended nor let go.
    pub(super) fn holding(&self) -> Vec<usize> {
        let holding = |index: &usize| {
            let member = &self.members[*index];
            self.parts[*index] != Part::Kin && !member.gone && !member.let_go
        };
        (0..self.members.len()).filter(holding).collect()
    }

    fn of(&self, wanted: impl Fn(Part) -> bool) -> impl Iterator<Item = &Member> {
        let parts = self.parts.iter();
        self.members
            .iter()
            .zip(parts)
            .filter(move |(_, part)| wanted(**part))
            .map(|(member, _)| member)
    }

    pub(super) fn alive_pins(&self) -> Vec<&Pinned> {
        self.members.iter().filter(|m| !m.gone).filter_map(|m| m.pin.as_ref()).collect()
    }
}
