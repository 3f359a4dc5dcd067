//! A process: what identifies it, and the few facts a person needs to recognise it.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A process for good: the PID and when it started. A PID alone may be somebody else tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// When it started, in the system's own finest unit since boot (Linux: clock ticks, field 22
    /// of `/proc/PID/stat`, proc_pid_stat(5)). Only ever compared for equality and order.
    pub start: u64,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// On a processor or ready for one.
    Running,
    /// Waiting for an event.
    Sleeping,
    /// Waiting for a device, deaf to signals (state D).
    Uninterruptible,
    /// Stopped by a signal, as by Ctrl-Z (state T). SIGTERM alone only queues.
    Stopped,
    /// Stopped by a debugger (state t).
    Traced,
    /// All its threads are held: by some program, or by Windows while nobody looks at it. Windows
    /// alone.
    Suspended,
    /// Ended and not yet collected by its parent.
    Zombie,
    /// Its main thread has ended and others run on.
    LeaderExited,
    /// Something this version does not know.
    Other,
}

impl ProcessState {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Sleeping,
        Self::Uninterruptible,
        Self::Stopped,
        Self::Traced,
        Self::Suspended,
        Self::Zombie,
        Self::LeaderExited,
        Self::Other,
    ];

    /// Its word, as typed and as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Uninterruptible => "uninterruptible",
            Self::Stopped => "stopped",
            Self::Traced => "traced",
            Self::Suspended => "suspended",
            Self::Zombie => "zombie",
            Self::LeaderExited => "leader-exited",
            Self::Other => "other",
        }
    }
}

/// A share of one processor, in tenths of a percent: 1000 is all of one, and a process with several
/// busy threads has more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Percent(u32);

impl Percent {
    /// That many tenths of a percent.
    pub const fn from_tenths(tenths: u32) -> Self {
        Self(tenths)
    }

    /// What used `used` within `window`, as a whole number of tenths; 0 for no time at all.
    pub fn of(used: Duration, window: Duration) -> Self {
        let window = window.as_micros().max(1);
        let tenths = (used.as_micros() * 1000 + window / 2) / window;
        Self(u32::try_from(tenths).unwrap_or(u32::MAX))
    }

    /// In tenths of a percent.
    pub const fn tenths(self) -> u32 {
        self.0
    }
}

impl From<f64> for Percent {
    /// Rounded to tenths; what is negative or no number is 0.
    fn from(percent: f64) -> Self {
        Self((percent * 10.0).round() as u32)
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        Self::from(percent.0) / 10.0
    }
}

impl std::fmt::Display for Percent {
    /// `12.5`, `100`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 % 10 {
            0 => write!(f, "{}", self.0 / 10),
            tenth => write!(f, "{}.{tenth}", self.0 / 10),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number",
            "minimum": 0,
            "description": "A share of one processor in percent, to a tenth: a process with several busy threads has more than 100."
        })
    }
}

/// What runs a process from inside a box with its own name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Container {
    /// `docker`, `podman`, `containerd`, `cri-o`, `kubernetes`, `lxc`, `nspawn`.
    pub engine: String,
    /// The id or name the control group carries.
    pub id: String,
}

/// Who runs a process, so far as its control group and its ancestors tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervisor {
    /// What kind of thing it is.
    pub kind: SupervisorKind,
    /// Its name: unit, container, program.
    pub name: String,
    /// Its process, where it is one.
    pub pid: Option<u32>,
    /// Whether it would start the process again; `None` where that is not known.
    pub restarts: Option<bool>,
    /// The command that stops the process for good.
    pub stop: Option<Vec<String>>,
    /// When it starts the process again, in its own word: `always`, `on-failure`, `unless-stopped`.
    pub policy: Option<String>,
    /// How often it has started it again by itself, where it counts.
    pub restarted: Option<u32>,
    /// The user it belongs to, where that is another than root: who has to ask it.
    pub owner: Option<u32>,
    /// What ends along when it is stopped, in a few words each: units, containers, applications.
    pub takes_along: Vec<String>,
    /// Whether it runs nothing but this process's family, so that ending it is ending that process
    /// for good and nobody else. Only ever true where that was seen, or follows from what it is.
    #[serde(default)]
    pub alone: bool,
}

impl Default for Supervisor {
    /// A parent of which nothing is known.
    fn default() -> Self {
        Self {
            kind: SupervisorKind::Parent,
            name: String::new(),
            pid: None,
            restarts: None,
            stop: None,
            policy: None,
            restarted: None,
            owner: None,
            takes_along: Vec::new(),
            alone: false,
        }
    }
}

/// The kinds of [`Supervisor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SupervisorKind {
    /// A systemd system service.
    SystemdUnit,
    /// A unit of a user's own systemd.
    SystemdUserUnit,
    /// A job of launchd: a daemon of the system's, or somebody's agent.
    LaunchdJob,
    /// A service of Windows.
    WindowsService,
    /// A container engine.
    Container,
    /// A process manager such as pm2 or supervisord.
    ProcessManager,
    /// A watcher that starts its child again on a change or an exit, such as nodemon.
    Watcher,
    /// The master of a pool of workers that share the socket.
    Master,
    /// Another parent that is not an interactive shell, such as a script with a loop.
    Parent,
}

/// One process, seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Which.
    pub id: ProcessId,
    /// Its parent's PID; 0 for none.
    pub ppid: u32,
    /// The kernel's short name, at most 15 bytes on Linux, as the process chose it.
    pub name: String,
    /// The executable's path; a deleted one as it was.
    pub exe: Option<String>,
    /// Whether the executable's file is gone or was replaced since.
    pub exe_deleted: bool,
    /// The arguments, lossily as text.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// The effective user.
    pub uid: Option<u32>,
    /// That user's name.
    pub user: Option<String>,
    /// What it is doing.
    pub state: ProcessState,
    /// When it started.
    pub started_at: Option<SystemTime>,
    /// Its process group.
    pub group: Option<u32>,
    /// Its session.
    pub session: Option<u32>,
    /// The controlling terminal, such as `pts/3`.
    pub terminal: Option<String>,
    /// How many threads.
    pub threads: Option<u32>,
    /// Whether it is a thread of the kernel.
    pub kernel_thread: bool,
    /// The control group's path.
    pub cgroup: Option<String>,
    /// The systemd unit the control group names.
    pub unit: Option<String>,
    /// The container the control group names.
    pub container: Option<Container>,
    /// Processor time that all its threads have used since it started, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// How much of its memory is in the machine's (resident set), in bytes, shared pages included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

impl Process {
    /// A process of which nothing but its identity was read: nobody's child, in no known state.
    pub const fn unread(id: ProcessId) -> Self {
        Self {
            id,
            ppid: 0,
            name: String::new(),
            exe: None,
            exe_deleted: false,
            argv: Vec::new(),
            cwd: None,
            uid: None,
            user: None,
            state: ProcessState::Other,
            started_at: None,
            group: None,
            session: None,
            terminal: None,
            threads: None,
            kernel_thread: false,
            cgroup: None,
            unit: None,
            container: None,
            cpu_ms: None,
            memory: None,
        }
    }

    /// Its age at that moment; `None` where the start is unknown or later.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.started_at?).ok()
    }

    /// Whether a SIGTERM would only queue until somebody continues it.
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, ProcessState::Stopped)
    }

    /// Its program as people know it: the kernel's name for it, or its executable where a runtime
    /// renamed its main thread (Node 20 says `MainThread`), or `argv[0]` where an interpreter set
    /// a title.
    pub fn program(&self) -> &str {
        match &self.exe {
            Some(exe) if is_no_program(&self.name) => exe.rsplit('/').next().unwrap_or(exe),
            _ => &self.name,
        }
    }
}

/// Whether a short name is one that a runtime gave its main thread, so that the executable has to
/// be read to know the program.
pub fn is_no_program(name: &str) -> bool {
    name.ends_with("MainThread") || name.is_empty()
}
