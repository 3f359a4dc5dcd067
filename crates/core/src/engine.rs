//! Container engines, asked through their API sockets: which containers there are, what each
//! publishes, who would start it again. Which process is in a container is told by control groups
//! alone ([`crate::supervisor`]); an engine adds the names that people know.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::snapshot::Gap;
use crate::socket::Protocol;

/// A container as its engine describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    /// `docker`, `podman`.
    pub engine: String,
    /// The whole id, 64 hexadecimal digits.
    pub id: String,
    /// The name that people and commands use.
    pub name: String,
    /// The image it was made from.
    pub image: Option<String>,
    /// The engine's word for its state: `running`, `restarting`, `created`, `exited`, `paused`.
    pub state: Option<String>,
    /// Its first process, as this machine numbers it.
    pub pid: Option<u32>,
    /// The compose project it belongs to.
    pub compose: Option<Compose>,
    /// The ports of this machine that lead to it.
    pub published: Vec<Published>,
    /// When the engine starts it again: `no`, `on-failure`, `unless-stopped`, `always`.
    pub restart: Option<String>,
    /// The path of the API socket that told of it.
    pub socket: String,
    /// The user whose engine it is, for engines that are not root's.
    pub owner: Option<u32>,
}

/// A container's part in a compose project, from its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose {
    /// `com.docker.compose.project`.
    pub project: String,
    /// `com.docker.compose.service`.
    pub service: Option<String>,
    /// `com.docker.compose.project.working_dir`.
    pub directory: Option<String>,
}

/// One port of this machine that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Of which transport.
    pub protocol: Protocol,
    /// On which address; `None` for every one.
    pub address: Option<IpAddr>,
    /// The port of this machine.
    pub port: u16,
    /// The port inside.
    pub container_port: u16,
}

/// What to ask the engines for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineWish {
    /// Containers of these ids, or of ids that begin so.
    pub ids: Vec<String>,
    /// Containers of these names.
    pub names: Vec<String>,
    /// Containers that publish one of these ports, running or not.
    pub ports: Vec<u16>,
    /// Users whose own engines to ask besides root's and the asker's.
    pub owners: Vec<u32>,
}

/// What the engines said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineAnswer {
    /// The containers wished for.
    pub containers: Vec<ContainerFacts>,
    /// Engines that are there and told nothing.
    pub gaps: Vec<Gap>,
}
