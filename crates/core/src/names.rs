//! The names in a target that only this machine can resolve: services(5) and network
//! interfaces. The only reading that understanding a target ever needs, and only done when a
//! word asks for it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;

use crate::service::{Service, ServiceFile};

/// Resolves what a target names beyond numbers.
pub trait Names {
    /// The service of that name, where the built-in table does not have it.
    fn service(&self, name: &str) -> Option<Service>;

    /// The index of the network interface of that name: an IPv6 address's scope id.
    fn interface(&self, name: &str) -> Option<u32>;
}

/// Resolves nothing: what makes parsing pure. Built-in services and numeric scope ids still work.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn service(&self, _name: &str) -> Option<Service> {
        None
    }

    fn interface(&self, _name: &str) -> Option<u32> {
        None
    }
}

/// The name nearest to one that nobody has: it begins or ends alike, or a few letters differ.
/// `None` where none is near enough to be meant.
pub fn nearest_name<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let length = wanted.chars().count();
    let most = match length {
        0..=2 => return None,
        3 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let other = name.to_lowercase();
        let begins = length >= 4 && (other.starts_with(&wanted) || wanted.starts_with(&other));
        let far = match begins && other.chars().count() >= 4 {
            true => 1,
            false => distance(&wanted, &other),
        };
        let near = far <= most && far < length;
        if near && best.is_none_or(|(least, known)| (far, name) < (least, known)) {
            best = Some((far, name));
        }
    }
    best.map(|(_, name)| name)
}

/// How many letters to insert, delete, replace or swap with their neighbour to get from one word
/// to the other (optimal string alignment), of their first 32 letters.
pub fn distance(a: &str, b: &str) -> usize {
    let letters = |word: &str| word.chars().take(32).collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j - 1] + change).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// This machine's names. Its services file is read once, at the first name that needs it; a file
/// that cannot be read has no names.
#[derive(Debug, Default)]
pub struct MachineNames {
    services: OnceLock<ServiceFile>,
}

impl Names for MachineNames {
    fn service(&self, name: &str) -> Option<Service> {
        self.services.get_or_init(read_services).get(name)
    }

    /// By getaddrinfo(3) of a link-local literal, which resolves the interface on every system
    /// and never asks the network: a literal with an unknown zone is refused as it stands.
    fn interface(&self, name: &str) -> Option<u32> {
        let mut found = (format!("fe80::1%{name}"), 0).to_socket_addrs().ok()?;
        found.find_map(|address| match address {
            SocketAddr::V6(v6) => Some(v6.scope_id()).filter(|scope| *scope != 0),
            SocketAddr::V4(_) => None,
        })
    }
}

/// Where services(5) lies.
const SERVICES_FILE: &str =
    if cfg!(windows) { r"C:\Windows\System32\drivers\etc\services" } else { "/etc/services" };

fn read_services() -> ServiceFile {
    // Lossily: one odd byte in a comment must not cost every name.
    let bytes = std::fs::read(SERVICES_FILE).unwrap_or_default();
    ServiceFile::parse(&String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_loopback_interface_has_an_index() {
        let index: u32 =
            std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap().trim().parse().unwrap();
        assert_eq!(MachineNames::default().interface("lo"), Some(index));
    }

    #[test]
    fn unknown_interfaces_and_services_have_none() {
        let names = MachineNames::default();
        for name in ["no-such-interface-1", "", "a/b", "%", "\0", "x y", "::"] {
            assert_eq!(names.interface(name), None, "{name:?}");
        }
        assert_eq!(names.service("no such service"), None);
        assert_eq!(NoNames.interface("lo"), None);
    }

    #[test]
    fn the_nearest_name_is_one_that_may_be_meant() {
        let running = ["node", "nginx", "postgres", "sh", "Web Content", "python3.12"];
        for (typed, want) in [
            ("noed", Some("node")),
            ("nod", Some("node")),
            ("nginz", Some("nginx")),
            ("NGINXX", Some("nginx")),
            ("postgre", Some("postgres")),
            ("postgresql", Some("postgres")),
            ("python", Some("python3.12")),
            ("ruby", None),
            ("sj", None),
            ("s", None),
            ("", None),
            ("web contant", Some("Web Content")),
        ] {
            assert_eq!(nearest_name(typed, running), want, "{typed}");
        }
        assert_eq!(nearest_name("node", []), None);
    }
}
