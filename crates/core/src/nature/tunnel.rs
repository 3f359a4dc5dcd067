//! Programs that carry a port to another machine or from it. What holds the port is only the near
//! end: the forward is to be closed, not what is behind it.

use super::ssh::{Ssh, listen_port};
use super::subject::Subject;
use super::{Nature, NatureKind};
use crate::socket::TcpState;

/// A tunnel, by program.
pub(super) fn tunnel(subject: &Subject<'_>) -> Option<Nature> {
    match subject.file {
        "ssh" | "slogin" => super::machine::forwarder(subject).or_else(|| ssh(subject)),
        file if SSHD.contains(&file) => sshd(subject),
        "autossh" => Some(named("autossh").advice("its ssh ends with it")),
        "kubectl" | "kubectl.exe" | "oc" | "k3s" => kubectl(subject),
        "socat" => socat(subject),
        "cloudflared" => Some(cloudflared(subject)),
        "tailscaled" => Some(
            named("Tailscale")
                .never_forced("this machine's private network ends with it, perhaps your way in")
                .advice("tailscale serve status shows what it serves, tailscale serve reset ends that; its daemon stays"),
        ),
        _ => gcloud(subject).or_else(|| sshuttle(subject)).or_else(|| simple(subject)),
    }
}

/// OpenSSH's server; since 9.8 the part that serves one login has a file of its own.
pub(super) const SSHD: [&str; 2] = ["sshd", "sshd-session"];

fn named(name: impl Into<String>) -> Nature {
    Nature::new(NatureKind::Tunnel, name)
}

/// OpenSSH's client, where it forwards something.
fn ssh(subject: &Subject<'_>) -> Option<Nature> {
    if let Some(title) = subject.title.filter(|title| title.starts_with("ssh: ")) {
        return shared_connection(subject, title);
    }
    let ssh = Ssh::parse(&subject.process.argv);
    // Without forwards of its own it may still have those of ssh_config(5).
    if !ssh.forwards() && subject.ports().is_empty() {
        return None;
    }
    let host = ssh.host().unwrap_or("another machine");
    let name = match (ssh.locals.as_slice(), ssh.dynamics.as_slice(), ssh.remotes.as_slice()) {
        ([], [_, ..], []) => format!("ssh SOCKS proxy through {host}"),
        _ => format!("ssh tunnel to {host}"),
    };
    let nature = named(name).stop(cancel(subject, &ssh));
    Some(if let Some(autossh) = subject.ancestor(&["autossh"]) {
        nature.advice(format!(
            "autossh (pid {}) starts it again when it is lost or forced: end that one",
            autossh.id.pid
        ))
    } else if nature.stop.is_some() {
        nature
            .advice("the connection and its other forwards live on when this forward is cancelled")
    } else if ssh.runs_nothing {
        nature.advice("only the tunnel ends with it")
    } else if ssh.runs_command {
        nature.advice(format!("the command that it runs on {host} ends with it"))
    } else {
        nature.advice(format!("the login on {host} ends with it"))
    })
}

/// A connection that several clients share: its master calls itself `ssh: PATH [mux]`, with the
/// control socket's path (`ControlPersist`, ssh_config(5)). Its host is not to be seen.
fn shared_connection(subject: &Subject<'_>, title: &str) -> Option<Nature> {
    let path = title.strip_prefix("ssh: ")?.strip_suffix(" [mux]")?;
    // People name these after user, host and port: `me@build1:22`.
    let file = path.rsplit('/').next().unwrap_or(path);
    let host = file.rsplit_once('@').map(|(_, rest)| rest.split(':').next().unwrap_or(rest));
    let host = host.filter(|host| !host.is_empty() && !host.starts_with('-'));
    // The destination is not looked at where a control socket is given, and must be there.
    let stop = path.starts_with('/').then(|| {
        subject.own_command(&["ssh", "-S", path, "-O", "exit", host.unwrap_or("localhost")])
    });
    let name = host.map_or_else(
        || "shared ssh connection".to_owned(),
        |host| format!("shared ssh connection to {host}"),
    );
    Some(
        named(name)
            .stop(stop.flatten())
            .advice("every session over this connection ends with it; ssh -O cancel -L … closes one forward alone"),
    )
}

/// `ssh -O cancel` for the one forward that has the port, where this client is the master of a
/// connection whose control socket it names (ssh(1)).
fn cancel(subject: &Subject<'_>, ssh: &Ssh<'_>) -> Option<Vec<String>> {
    let control = ssh.control?;
    // Relative ones mean something else in another directory.
    let absolute = |path: &str| path.starts_with(['/', '~']);
    let mut files = ssh.same_connection.iter().filter(|(flag, _)| *flag == 'F');
    if !absolute(control) || !files.all(|(_, path)| absolute(path)) {
        return None;
    }
    let destination = ssh.destination.filter(|host| ssh.master && !host.starts_with('-'))?;
    let ports = subject.ports();
    let [port] = ports.as_slice() else { return None };
    // Two words are of ssh_config(5) and no value of -L.
    let locals = ssh.locals.iter().filter(|spec| !spec.contains([' ', '\t']));
    let mut found = locals
        .map(|spec| ("-L", *spec, listen_port(spec, false)))
        .chain(ssh.dynamics.iter().map(|spec| ("-D", *spec, listen_port(spec, true))))
        .filter(|(_, _, own)| own.as_ref() == Some(port));
    let (flag, spec, _) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let mut words = vec!["ssh".to_owned()];
    for (option, value) in &ssh.same_connection {
        words.extend([format!("-{option}"), (*value).to_owned()]);
    }
    words.extend(["-O", "cancel", flag, spec, destination].map(str::to_owned));
    subject.own_command(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The server's process of one login, which listens for `ssh -R` and for X11. The server itself
/// is none of these: it is the machine's door.
fn sshd(subject: &Subject<'_>) -> Option<Nature> {
    let title = subject.title?.trim_end();
    let (_, login) = title.split_once(": ").filter(|(of, _)| of.starts_with("sshd"))?;
    // `me@pts/0`, `me@notty`, and `me` where nothing runs over there. The others have more words:
    // `me [priv]`, `/usr/sbin/sshd -D [listener] 0 of 10-100 startups`.
    if login.is_empty() || login.contains([' ', '[']) || login.starts_with('/') {
        return None;
    }
    let what = if subject.only_ports(&X11) { "X11 forwarding" } else { "ssh -R" };
    let name = match peer(subject) {
        Some(peer) => format!("{what} of the login {login} from {peer}"),
        None => format!("{what} of the login {login}"),
    };
    Some(named(name).advice(
        "it ends with the login: close that ssh on its own machine, or end this process alone, never the sshd above it",
    ))
}

/// `X11DisplayOffset` is 10 (sshd_config(5)), and display 0 is port 6000.
const X11: [u16; 10] = [6010, 6011, 6012, 6013, 6014, 6015, 6016, 6017, 6018, 6019];

/// The other end of the login's connection: of a connection of this process or of its parent.
fn peer(subject: &Subject<'_>) -> Option<std::net::IpAddr> {
    let pids = [subject.process.id.pid, subject.process.ppid];
    let connections = subject.snapshot.sockets.iter().filter(|socket| {
        socket.state == Some(TcpState::Established)
            && pids.iter().any(|&pid| socket.holders.has(pid))
            && socket.port().is_some_and(|port| !subject.ports().contains(&port))
    });
    let remotes: Vec<_> = connections.filter_map(|s| s.remote).map(|r| r.ip()).collect();
    let first = *remotes.first()?;
    remotes.iter().all(|remote| *remote == first).then_some(first)
}

/// `kubectl port-forward` and `kubectl proxy`.
fn kubectl(subject: &Subject<'_>) -> Option<Nature> {
    const WITH_VALUE: [&str; 10] = [
        "-n",
        "--namespace",
        "--context",
        "--cluster",
        "--user",
        "--kubeconfig",
        "-s",
        "--server",
        "--address",
        "--pod-running-timeout",
    ];
    let mut plain = Vec::new();
    let mut words = subject.arguments().iter().map(String::as_str);
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            plain.push(word);
        }
    }
    let plain = match plain.as_slice() {
        ["kubectl", rest @ ..] => rest,
        all => all,
    };
    Some(match plain {
        ["port-forward", to, ..] => named(format!("kubectl port-forward to {to}"))
            .advice("only the forward ends with it: what it leads to lives on"),
        ["proxy", ..] => named("kubectl proxy").advice("only the way to the cluster ends with it"),
        _ => return None,
    })
}

/// `socat TCP-LISTEN:8080,fork TCP:host:80`: the far end is the address that does not listen.
fn socat(subject: &Subject<'_>) -> Option<Nature> {
    let addresses: Vec<&str> = subject
        .arguments()
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let listens = |address: &str| {
        let kind = address.split([':', ',']).next().unwrap_or(address).to_ascii_uppercase();
        // socat(1): `TCP4-LISTEN`, `UDP-RECVFROM`, and `TCP-L` for short.
        kind.ends_with("-LISTEN") || kind.ends_with("-L") || kind.contains("-RECV")
    };
    let [.., first, second] = addresses.as_slice() else { return None };
    let far = match (listens(first), listens(second)) {
        (true, false) => second,
        (false, true) => first,
        _ => return None,
    };
    let far = far.split(',').next().unwrap_or(far);
    Some(
        named(format!("socat to {far}"))
            .advice("only the relay ends with it: what it leads to lives on"),
    )
}

fn cloudflared(subject: &Subject<'_>) -> Nature {
    match (subject.has("access"), subject.value("--hostname")) {
        (true, Some(host)) => named(format!("cloudflared access to {host}")),
        (true, None) => named("cloudflared access"),
        (false, _) => named("cloudflared tunnel")
            .advice("the port is for its metrics: what it publishes goes off the net with it"),
    }
}

/// Google's tunnels are Python programs behind a script.
fn gcloud(subject: &Subject<'_>) -> Option<Nature> {
    (subject.script_name() == Some("gcloud") && subject.has("start-iap-tunnel")).then(|| {
        let mut words = subject.arguments().iter().skip_while(|word| *word != "start-iap-tunnel");
        words.next();
        let host = words.find(|word| !word.starts_with('-')).map_or("a machine", String::as_str);
        named(format!("gcloud tunnel to {host}")).advice("only the tunnel ends with it")
    })
}

fn sshuttle(subject: &Subject<'_>) -> Option<Nature> {
    (subject.script_name() == Some("sshuttle")).then(|| {
        named("sshuttle")
            .advice("SIGTERM takes its firewall rules away again; never forced")
            .never_forced("its rules of the packet filter stay behind and lead nowhere")
    })
}

/// Those of which there is only a name to say.
fn simple(subject: &Subject<'_>) -> Option<Nature> {
    const PROGRAMS: [(&str, &str, &str); 26] = [
        ("ngrok", "ngrok", "what it publishes goes off the net with it"),
        ("devtunnel", "dev tunnel", "what it publishes goes off the net with it"),
        ("chisel", "chisel tunnel", "its forwards end with it"),
        ("frpc", "frp client", "what it publishes goes off the net with it"),
        ("frps", "frp server", "every client's forwards end with it"),
        ("gost", "gost tunnel", "its forwards end with it"),
        ("bore", "bore tunnel", "what it publishes goes off the net with it"),
        ("rathole", "rathole tunnel", "its forwards end with it"),
        ("wstunnel", "wstunnel", "its forwards end with it"),
        ("stunnel", "stunnel", "its forwards end with it"),
        ("stunnel4", "stunnel", "its forwards end with it"),
        ("session-manager-plugin", "AWS session", "its aws ssm command ends with it"),
        ("cloud-sql-proxy", "Cloud SQL proxy", "the database behind it lives on"),
        ("cloud_sql_proxy", "Cloud SQL proxy", "the database behind it lives on"),
        ("alloydb-auth-proxy", "AlloyDB proxy", "the database behind it lives on"),
        ("tsh", "Teleport tunnel", "its forwards end with it"),
        ("teleport", "Teleport", "logins through it end with it"),
        ("boundary", "Boundary session", "its forwards end with it"),
        ("inlets", "inlets tunnel", "its forwards end with it"),
        ("zrok", "zrok share", "what it publishes goes off the net with it"),
        ("pagekite", "PageKite", "what it publishes goes off the net with it"),
        ("telepresence", "Telepresence", "telepresence quit ends its forwards in order"),
        ("ktunnel", "ktunnel", "its forwards end with it"),
        ("kubefwd", "kubefwd", "SIGTERM takes its names out of the hosts file again"),
        ("sslocal", "Shadowsocks proxy", "programs that go through it lose their way"),
        ("mihomo", "Clash proxy", "programs that go through it lose their way"),
    ];
    PROGRAMS
        .iter()
        .find(|(program, ..)| subject.goes_by(program))
        .map(|(_, name, advice)| named(*name).advice(*advice))
}
