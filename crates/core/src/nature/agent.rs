//! Agents of vendors, and programs of the desktop that keep a port of their own: they come back,
//! a policy may want them, and another port is the answer.

use super::subject::Subject;
use super::{Nature, NatureKind};

/// An agent, by program.
pub(super) fn agent(subject: &Subject<'_>) -> Option<Nature> {
    AGENTS
        .iter()
        .find(|(program, ..)| subject.goes_by(program))
        .map(|(_, name, advice)| Nature::new(NatureKind::Agent, *name).advice(*advice))
}

pub(super) const POLICY: &str =
    "whoever runs this machine put it here and it comes back: use another port";
/// The settings that give the port back; ending it does not.
pub(super) const AIRPLAY: &str = "switch it off in System Settings, General, AirDrop & Handoff, AirPlay Receiver; or let your program take another port";
/// What belongs to macOS itself.
pub(super) const APPLE: &str =
    "it belongs to macOS, which starts it again: let your program take another port";
const QUIT: &str = "quit it as a person does, or use another port";

/// Programs, what they are, what to do. The ports: docs/known-ports.md.
const AGENTS: &[(&str, &str, &str)] = &[
    ("ControlCenter", "AirPlay Receiver (ControlCenter)", AIRPLAY),
    ("rapportd", "rapportd (Handoff and AirDrop)", APPLE),
    ("sharingd", "sharingd (AirDrop and file sharing)", APPLE),
    ("identityservicesd", "identityservicesd (iMessage and FaceTime)", APPLE),
    ("macmnsvc", "McAfee agent", POLICY),
    ("masvc", "McAfee agent", POLICY),
    ("macompatsvc", "McAfee agent", POLICY),
    ("falcon-sensor", "CrowdStrike Falcon", POLICY),
    ("sophosd", "Sophos", POLICY),
    ("mdatp", "Microsoft Defender", POLICY),
    ("wdavdaemon", "Microsoft Defender", POLICY),
    ("zsaservice", "Zscaler", POLICY),
    ("zstunnel", "Zscaler", POLICY),
    ("ZscalerTunnel", "Zscaler", POLICY),
    ("PanGPS", "GlobalProtect", POLICY),
    ("vpnagentd", "Cisco's VPN agent", POLICY),
    ("warp-svc", "Cloudflare WARP", POLICY),
    ("netskope", "Netskope", POLICY),
    ("stAgentSvc", "Netskope", POLICY),
    ("datadog-agent", "Datadog's agent", POLICY),
    ("agent-linux-amd64", "Datadog's agent", POLICY),
    ("zabbix_agentd", "Zabbix's agent", POLICY),
    ("zabbix_agent2", "Zabbix's agent", POLICY),
    ("salt-minion", "Salt's minion", POLICY),
    ("puppet", "Puppet's agent", POLICY),
    ("zerotier-one", "ZeroTier", POLICY),
    ("teamviewerd", "TeamViewer", POLICY),
    ("anydesk", "AnyDesk", QUIT),
    ("rustdesk", "RustDesk", QUIT),
    ("dropbox", "Dropbox", QUIT),
    ("nextcloud", "Nextcloud's client", QUIT),
    ("steam", "Steam", QUIT),
    ("kdeconnectd", "KDE Connect", QUIT),
    ("localsend", "LocalSend", QUIT),
    ("localsend_app", "LocalSend", QUIT),
    ("transmission-gtk", "Transmission", QUIT),
    ("qbittorrent", "qBittorrent", QUIT),
    ("proton-bridge", "Proton Mail Bridge", QUIT),
    ("protonmail-bridge", "Proton Mail Bridge", QUIT),
];
