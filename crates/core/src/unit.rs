//! Units of systemd, as systemd itself describes them: what would start one again, what triggers
//! it, what ends with it. Which unit a process is in is told by its control group alone
//! ([`crate::supervisor`]).

mod listen;
pub mod show;

use serde::{Deserialize, Serialize};

use crate::snapshot::Gap;
use crate::socket::Socket;

/// A unit as its manager describes it (the properties of `systemctl show`, systemctl(1) and
/// org.freedesktop.systemd1(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnitFacts {
    /// Its name, escapes kept (`Id`).
    pub id: String,
    /// The user whose manager has it; `None` for the system's.
    pub user: Option<u32>,
    /// What it is, in its author's words (`Description`).
    pub description: Option<String>,
    /// `active`, `inactive`, `activating`, `failed` … (`ActiveState`).
    pub active: Option<String>,
    /// `enabled`, `disabled`, `static` … (`UnitFileState`).
    pub enabled: Option<String>,
    /// When the manager starts it again by itself: `no`, `always`, `on-failure` … (`Restart`).
    pub restart: Option<String>,
    /// Its first process (`MainPID`).
    pub main_pid: Option<u32>,
    /// How often it has started it again by itself (`NRestarts`).
    pub restarted: Option<u32>,
    /// Units that start it: a socket, a timer, a path (`TriggeredBy`).
    pub triggered_by: Vec<String>,
    /// Units that it starts (`Triggers`).
    pub triggers: Vec<String>,
    /// Of a socket unit, what it listens on, as systemd writes it: `[::]:80 (Stream)` (`Listen`).
    pub listens: Vec<String>,
    /// Units that end when it is stopped (`RequiredBy`, `BoundBy`, `ConsistsOf`).
    pub takes_along: Vec<String>,
    /// Whether the manager refuses to stop it by hand (`RefuseManualStop`).
    pub refuses_stop: bool,
    /// Of a socket unit, whether it starts an instance of a template for each connection
    /// (`Accept`).
    pub accepts: bool,
}

impl UnitFacts {
    /// Whether it runs or is on its way up or down; a unit whose state was not told counts.
    pub fn is_active(&self) -> bool {
        !matches!(self.active.as_deref(), Some("inactive" | "failed"))
    }

    /// Whether it is started when the machine boots, or its user logs in.
    pub fn is_enabled(&self) -> bool {
        matches!(self.enabled.as_deref(), Some("enabled" | "enabled-runtime"))
    }

    /// Whether it is a socket unit that listens on that very address.
    pub fn listens_on(&self, socket: &Socket) -> bool {
        self.listens.iter().any(|line| listen::covers(line, socket))
    }
}

/// What to ask the managers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitWish {
    /// These units, each with the user whose manager has it (`None`: the system's).
    pub units: Vec<(String, Option<u32>)>,
    /// Every socket unit of these managers that listens on one of the sockets below, and what it
    /// starts.
    pub sockets_of: Vec<Option<u32>>,
    /// The sockets whose socket units are looked for.
    pub sockets: Vec<Socket>,
}

/// Whether systemd would take this for the name of a unit (`unit_name_is_valid`), and so never for
/// an option or a pattern: a name, a known type, no odd characters. The few
/// that begin with a `-` (`-.mount`) are left out.
pub(crate) fn is_unit_name(name: &str) -> bool {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "scope",
        "slice",
        "timer",
        "path",
        "target",
        "mount",
        "automount",
        "swap",
        "device",
    ];
    const LONGEST: usize = 255;
    let Some((prefix, kind)) = name.rsplit_once('.') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    TYPES.contains(&kind)
        && !prefix.is_empty()
        && !prefix.starts_with(['@', '-'])
        && name.len() <= LONGEST
        && name.chars().all(plain)
}

/// What the managers said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitAnswer {
    /// The units wished for, the units that trigger them, those they trigger, those that end
    /// with them.
    pub units: Vec<UnitFacts>,
    /// Managers that are there and told nothing.
    pub gaps: Vec<Gap>,
}
