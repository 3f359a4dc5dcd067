//! The processes that are to let go, each pinned, with what was sent to it and what became of it.

use std::time::Duration;

use crate::host::{Host, Pinned};
use crate::plan::Victim;

/// The victims with their pins.
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    pub(super) forced: bool,
    pub(super) last_exit: Duration,
    pub(super) topmost: Vec<bool>,
}

pub(super) struct Member {
    pub(super) pin: Option<Pinned>,
    pub(super) gone: bool,
    pub(super) let_go: bool,
    pub(super) sent: Vec<i32>,
}

impl Group {
    pub(super) fn pin(host: &dyn Host, victims: &[Victim]) -> Self {
        let members = victims
            .iter()
            .map(|victim| {
                let pin = host.pin(victim.id).ok();
                Member { gone: pin.is_none(), pin, let_go: false, sent: Vec::new() }
            })
            .collect();
        let topmost = victims.iter().map(|victim| victim.topmost).collect();
        Self { members, forced: false, last_exit: host.now(), topmost }
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

    /// Whether each has ended or let go by itself.
    pub(super) fn none_holds(&self) -> bool {
        self.members.iter().all(|member| member.gone || member.let_go)
    }

    /// Those that neither ended nor let go.
    pub(super) fn holding(&self) -> Vec<usize> {
        let holding = |member: &Member| !member.gone && !member.let_go;
        (0..self.members.len()).filter(|&index| holding(&self.members[index])).collect()
    }

    pub(super) fn alive_pins(&self) -> Vec<&Pinned> {
        self.members.iter().filter(|m| !m.gone).filter_map(|m| m.pin.as_ref()).collect()
    }
}
