//! The command line of OpenSSH's client, read as it reads it itself (ssh(1), getopt(3)): which
//! host, which forwards, whose connection.

/// What a command line of `ssh` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ssh<'a> {
    /// The destination, as typed.
    pub destination: Option<&'a str>,
    /// `-L`, as typed.
    pub locals: Vec<&'a str>,
    /// `-D`, as typed.
    pub dynamics: Vec<&'a str>,
    /// `-R`, as typed.
    pub remotes: Vec<&'a str>,
    /// `-S` or `ControlPath`.
    pub control: Option<&'a str>,
    /// `-M` or `ControlMaster`.
    pub master: bool,
    /// Whether it runs nothing over there (`-N`).
    pub runs_nothing: bool,
    /// Whether something is to be run over there instead of a login shell.
    pub runs_command: bool,
    /// Options that decide which control socket a path with tokens means, as typed: another
    /// `ssh` with these finds the same.
    pub same_connection: Vec<(char, &'a str)>,
}

/// The options that take a value (OpenSSH 9.9, `ssh.c`).
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

impl<'a> Ssh<'a> {
    pub fn parse(argv: &'a [String]) -> Self {
        let mut ssh = Self::default();
        let mut words = argv.iter().skip(1).map(String::as_str);
        let mut options_end = false;
        while let Some(word) = words.next() {
            if word == "--" && !options_end {
                options_end = true;
            } else if let Some(flags) =
                word.strip_prefix('-').filter(|f| !f.is_empty() && !options_end)
            {
                ssh.flags(flags, &mut words);
            } else if ssh.destination.is_none() {
                ssh.destination = Some(word);
            } else {
                // The first word after the destination begins the command.
                ssh.runs_command = true;
                break;
            }
        }
        ssh
    }

    /// The host, without user, scheme and port.
    pub fn host(&self) -> Option<&'a str> {
        let host = self.destination?;
        let host = host.strip_prefix("ssh://").unwrap_or(host);
        let (url, host) = (host.len() != self.destination?.len(), host);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if !url {
            return Some(host);
        }
        match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => Some(address),
            None => Some(host.split(':').next().unwrap_or(host)),
        }
    }

    /// Whether it forwards anything by its own command line.
    pub const fn forwards(&self) -> bool {
        !self.locals.is_empty() || !self.dynamics.is_empty() || !self.remotes.is_empty()
    }

    fn flags(&mut self, flags: &'a str, words: &mut impl Iterator<Item = &'a str>) {
        for (at, flag) in flags.char_indices() {
            if WITH_VALUE.contains(flag) {
                let rest = &flags[at + flag.len_utf8()..];
                let value = if rest.is_empty() { words.next() } else { Some(rest) };
                self.option(flag, value.unwrap_or_default());
                return;
            }
            match flag {
                'M' => self.master = true,
                'N' => self.runs_nothing = true,
                _ => {}
            }
        }
    }

    fn option(&mut self, flag: char, value: &'a str) {
        match flag {
            'L' => self.locals.push(value),
            'D' => self.dynamics.push(value),
            'R' => self.remotes.push(value),
            'S' => self.control = Some(value),
            'o' => self.setting(value),
            _ => {}
        }
        let decides = match flag {
            'F' | 'S' | 'p' | 'l' => true,
            'o' => {
                let name = value.trim().split(['=', ' ', '\t']).next().unwrap_or_default();
                ["controlpath", "port", "user", "hostname"].contains(&&*name.to_ascii_lowercase())
            }
            _ => false,
        };
        if decides {
            self.same_connection.push((flag, value));
        }
    }

    /// `Name=value` or `Name value`, names ignoring case (ssh_config(5)).
    fn setting(&mut self, text: &'a str) {
        let text = text.trim();
        let Some(end) = text.find(['=', ' ', '\t']) else { return };
        let value = text[end..].trim_start_matches(['=', ' ', '\t']);
        match text[..end].to_ascii_lowercase().as_str() {
            "controlpath" => self.control = Some(value),
            "controlmaster" => self.master = value != "no",
            // `LocalForward 8080 host:80`: two words, which no -L has.
            "localforward" => self.locals.push(value),
            "dynamicforward" => self.dynamics.push(value),
            "remoteforward" => self.remotes.push(value),
            "sessiontype" => self.runs_nothing = value.eq_ignore_ascii_case("none"),
            _ => {}
        }
    }
}

/// The port that a `-L` or `-D` listens on: the first of `port`, `port:host:hostport`,
/// `address:port`, `address:port:host:hostport`, where an address with colons is in brackets.
/// `None` for a socket file.
pub(super) fn listen_port(spec: &str, dynamic: bool) -> Option<u16> {
    let spec = spec.split([' ', '\t']).next()?;
    if spec.starts_with('/') {
        return None;
    }
    let parts = parts(spec);
    let at = match (dynamic, parts.as_slice()) {
        (true, [_]) | (false, [_] | [_, _] | [_, _, _]) => 0,
        (true, [_, _]) | (false, [_, _, _, _]) => 1,
        _ => return None,
    };
    // `address:port` alone is the first half of LocalForward's two words.
    let at = match (dynamic, parts.as_slice()) {
        (false, [_, second]) if !second.starts_with('/') => 1,
        _ => at,
    };
    parts.get(at)?.parse().ok()
}

/// Cut at colons outside of brackets.
fn parts(spec: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, byte) in spec.bytes().enumerate() {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b':' if !inside => {
                parts.push(&spec[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&spec[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_destination_is_found_behind_every_way_to_write_options() {
        for (line, host) in [
            ("ssh build1", "build1"),
            ("ssh -N -L 8080:localhost:80 me@build1", "build1"),
            ("ssh -NfL8080:localhost:80 build1", "build1"),
            ("ssh build1 -L 8080:localhost:80 -N", "build1"),
            ("ssh -o ControlPath=/x -p 2222 -l me build1 uptime -h", "build1"),
            ("ssh -p2222 -- build1", "build1"),
            ("ssh ssh://me@build1:2222", "build1"),
            ("ssh ssh://me@[::1]:2222", "::1"),
            ("ssh me@with@at@build1", "build1"),
            ("ssh fe80::1%eth0", "fe80::1%eth0"),
        ] {
            let argv = words(line);
            assert_eq!(Ssh::parse(&argv).host(), Some(host), "{line}");
        }
        for line in ["ssh", "ssh -p", "ssh -L 8080:localhost:80", "ssh --"] {
            assert_eq!(Ssh::parse(&words(line)).host(), None, "{line}");
        }
    }

    #[test]
    fn forwards_and_the_connection_shared_are_read() {
        let argv = words("ssh -fNM -S /tmp/c -L 1:a:2 -D9 -R 3:b:4 -oLocalForward=5 h -L6:c:7");
        let ssh = Ssh::parse(&argv);
        assert_eq!(ssh.locals, ["1:a:2", "5", "6:c:7"]);
        assert_eq!((ssh.dynamics.as_slice(), ssh.remotes.as_slice()), (&["9"][..], &["3:b:4"][..]));
        assert_eq!(ssh.control, Some("/tmp/c"));
        assert!(ssh.master && ssh.runs_nothing && !ssh.runs_command && ssh.forwards());
        let argv = words("ssh h ls -L 1:a:2 -N");
        let ssh = Ssh::parse(&argv);
        assert!(ssh.runs_command && !ssh.runs_nothing && !ssh.forwards());
    }

    #[test]
    fn the_port_a_forward_listens_on() {
        for (spec, dynamic, port) in [
            ("8080:localhost:80", false, Some(8080)),
            ("127.0.0.1:8080:localhost:80", false, Some(8080)),
            ("[::1]:8080:[fe80::1]:80", false, Some(8080)),
            ("*:8080:localhost:80", false, Some(8080)),
            (":8080:localhost:80", false, Some(8080)),
            ("8080:/run/x.sock", false, Some(8080)),
            ("8080 localhost:80", false, Some(8080)),
            ("127.0.0.1:8080 localhost:80", false, Some(8080)),
            ("/run/x.sock:localhost:80", false, None),
            ("1080", true, Some(1080)),
            ("[::1]:1080", true, Some(1080)),
            ("a:b:c:d:e:f", false, None),
            ("", false, None),
            ("[[[", true, None),
            ("65536:a:1", false, None),
        ] {
            assert_eq!(listen_port(spec, dynamic), port, "{spec}");
        }
    }
}
