//! The file of one act: what was ended, with everything that is needed to start it again. The
//! format is versioned; reading and writing files is the store's.

use serde::{Deserialize, Serialize};

use crate::addr::Transport;
use crate::process::ProcessId;

/// The version of the file. It changes when an older program would misread a newer file; new
/// fields alone do not change it.
pub const FORMAT: u32 = 1;

/// One act of `kill`, `stop` or `free`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// [`FORMAT`].
    pub format: u32,
    /// Its number, which no later act gets.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which boot (random(4)): identities of processes of another mean nothing.
    pub boot: String,
    /// `kill`, `stop` or `free`.
    pub verb: String,
    /// The targets it was about.
    pub targets: Vec<String>,
    /// What it ended, in that order.
    pub items: Vec<Item>,
}

/// One thing that an act ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// That it was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// The kinds of things that acts end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum What {
    /// A process that was signalled, or whose child was and which ended with it.
    Process(Box<Ended>),
    /// What a manager or engine stopped.
    Command {
        /// What it is called.
        name: String,
        /// The command that stopped it.
        ran: Vec<String>,
        /// The command that starts it; `None` where none is known.
        inverse: Option<Vec<String>>,
        /// What it listened on.
        #[serde(default)]
        ports: Vec<Held>,
    },
    /// What nobody can bring back: a closed connection, a removed file.
    Lost {
        /// What happened to it, in a sentence.
        explain: String,
    },
}

/// That something was started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which boot.
    pub boot: String,
    /// Its new process, where it is one of ours.
    pub id: Option<ProcessId>,
}

/// A process as it was before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which it was.
    pub id: ProcessId,
    /// Its program, for sentences.
    pub name: String,
    /// The path of its executable.
    pub exe: Option<Bytes>,
    /// Which file that was.
    pub file: Option<FileMark>,
    /// Its arguments, as it was given them. Secrets are masked unless they were to be kept.
    pub argv: Vec<Bytes>,
    /// Its command line as one string, where that is what a program is given and cuts by itself
    /// (Windows): nothing of it is put together again from `argv`. Absent where secrets are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Bytes>,
    /// Whether it had written a title over its arguments, so that `argv` is that title.
    #[serde(default)]
    pub title: bool,
    /// Whether secrets are missing in `argv`.
    #[serde(default)]
    pub masked: bool,
    /// Its working directory.
    pub cwd: Option<Bytes>,
    /// Its environment, `NAME=value` each, without secrets unless they were to be kept; `None`
    /// where it could not be read.
    pub environment: Option<Vec<Bytes>>,
    /// The variables that were left out, by name.
    #[serde(default)]
    pub dropped: Vec<String>,
    /// Its file mode creation mask.
    pub umask: Option<u32>,
    /// Its user.
    pub uid: u32,
    /// That user's name.
    pub user: Option<String>,
    /// Its group.
    pub gid: u32,
    /// Its further groups.
    pub groups: Vec<u32>,
    /// Its nice value.
    pub nice: Option<i32>,
    /// Its limits (getrlimit(2)): name as `/proc/PID/limits` has it, soft, hard; `None` for
    /// none.
    #[serde(default)]
    pub limits: Vec<(String, Option<u64>, Option<u64>)>,
    /// What its descriptors 0, 1 and 2 were.
    pub streams: [Stream; 3],
    /// The ports that it and what it had started listened on.
    pub ports: Vec<Held>,
    /// The unix sockets they listened on, by path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The command lines of those that held the ports, secrets masked: to know them again.
    #[serde(default)]
    pub holders: Vec<Vec<String>>,
    /// Who ran it, for sentences.
    #[serde(default)]
    pub supervisor: Option<String>,
    /// The manager, watcher or master that would start it by itself, while it lives.
    #[serde(default)]
    pub keeper: Option<ProcessId>,
    /// Its controlling terminal.
    #[serde(default)]
    pub terminal: Option<String>,
    /// Why it cannot be started from where the act was done: the container, the namespaces.
    #[serde(default)]
    pub elsewhere: Option<String>,
    /// Whether its listeners were handed to it (LISTEN_PID, sd_listen_fds(3)).
    #[serde(default)]
    pub handed: bool,
}

/// Which file an executable was: a rebuilt program has another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its device and inode.
    pub id: (u64, u64),
    /// Its length in bytes.
    pub length: u64,
    /// When its contents last changed: seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
}

/// What a standard stream was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Closed, or it could not be seen.
    #[default]
    None,
    /// `/dev/null`.
    Null,
    /// A terminal.
    Terminal(Bytes),
    /// A regular file: where, which, and with what flags it was open (open(2)).
    File {
        /// Its path.
        path: Bytes,
        /// Its device and inode.
        id: (u64, u64),
        /// Its flags.
        flags: u32,
    },
    /// A pipe to or from another program.
    Pipe,
    /// A socket.
    Socket,
    /// Another kind of file, by what `/proc/PID/fd` calls it.
    Other(Bytes),
}

/// A port that was listened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// TCP or UDP.
    pub transport: Transport,
    /// Where.
    pub address: std::net::SocketAddr,
    /// Whether the kernel may have chosen it, so that the next one will be another.
    #[serde(default)]
    pub drawn: bool,
}

/// Bytes of the system, which need not be text: text where they are, else the bytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bytes {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Raw(Vec<u8>),
}

impl Bytes {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    /// As text, with what is none replaced: to show, not to use.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Raw(bytes.to_vec()),
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.lossy())
    }
}

impl Act {
    /// Whether something in it could be started again and was not yet.
    pub fn is_open(&self) -> bool {
        self.items.iter().any(|item| {
            item.again.is_none()
                && match &item.what {
                    What::Process(_) => true,
                    What::Command { inverse, .. } => inverse.is_some(),
                    What::Lost { .. } => false,
                }
        })
    }
}

impl Ended {
    /// Its command line as text, masked as it is kept.
    pub fn command(&self) -> Vec<String> {
        self.argv.iter().map(Bytes::lossy).collect()
    }

    /// `node (pid 4242)`, as it was.
    pub fn named(&self) -> String {
        format!("{} (pid {})", self.name, self.id.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive() {
        for bytes in [&b""[..], b"a\nb", b"\xff\x00\x80", "\u{e4}".as_bytes()] {
            let kept = serde_json::to_string(&Bytes::from(bytes)).unwrap();
            let back: Bytes = serde_json::from_str(&kept).unwrap();
            assert_eq!(back.as_bytes(), bytes, "{kept}");
        }
    }

    #[test]
    fn an_item_reads_back() {
        let items = vec![
            Item { what: What::Lost { explain: "gone".into() }, again: None },
            Item {
                what: What::Command {
                    name: "web".into(),
                    ran: vec!["docker".into(), "stop".into(), "web".into()],
                    inverse: None,
                    ports: Vec::new(),
                },
                again: Some(Again { at_ms: 7, boot: "b".into(), id: None }),
            },
        ];
        let text = serde_json::to_string(&items).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Item>>(&text).unwrap(), items);
    }
}
