//! Service names: the common ones, built in so that an answer does not depend on the machine,
//! and the reader of services(5) text for the rest. Nothing here opens a file.

use std::collections::HashMap;

use crate::addr::{Port, Transport};
use crate::nearness;

/// The ports of one service name. At least one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// The TCP port.
    pub tcp: Option<Port>,
    /// The UDP port.
    pub udp: Option<Port>,
}

impl Service {
    /// The port on one transport; the other transport's where the name has only that one, since
    /// whoever writes `udp:http` has said which transport is meant.
    pub fn on(&self, transport: Transport) -> Option<Port> {
        match transport {
            Transport::Tcp => self.tcp.or(self.udp),
            Transport::Udp => self.udp.or(self.tcp),
        }
    }

    /// The one port of the name, or `None` where TCP and UDP have different ones.
    pub fn single(&self) -> Option<Port> {
        match (self.tcp, self.udp) {
            (Some(tcp), Some(udp)) if tcp != udp => None,
            (tcp, udp) => tcp.or(udp),
        }
    }
}

/// The built-in service of that name, ignoring case.
pub fn built_in(name: &str) -> Option<Service> {
    let (_, number) = BUILT_IN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let port = Port::new(*number);
    Some(Service { tcp: port, udp: port })
}

/// The built-in name that was probably meant by a misspelt one.
pub fn nearest(name: &str) -> Option<&'static str> {
    nearness::nearest(name, BUILT_IN.iter().map(|(known, _)| *known))
}

/// The services of a services(5) text: `name port/transport aliases… # comment`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFile {
    services: HashMap<String, Service>,
}

impl ServiceFile {
    /// Reads the text. Lines that make no sense and transports other than TCP and UDP are passed
    /// over, as getservbyname(3) does; of several lines for one name the first counts.
    pub fn parse(text: &str) -> Self {
        let mut file = Self::default();
        for line in text.lines() {
            file.add_line(line);
        }
        file
    }

    /// The service of that name or alias. Case counts, as in services(5), and is then ignored.
    pub fn get(&self, name: &str) -> Option<Service> {
        self.services.get(name).or_else(|| self.services.get(&name.to_ascii_lowercase())).copied()
    }

    fn add_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split('#').next()?.split_whitespace();
        let name = words.next()?;
        let (number, transport) = words.next()?.split_once('/')?;
        let port = Port::new(number.parse().ok()?)?;
        let transport = Transport::ALL.into_iter().find(|known| known.name() == transport)?;
        for name in std::iter::once(name).chain(words) {
            let service =
                self.services.entry(name.to_owned()).or_insert(Service { tcp: None, udp: None });
            let slot = match transport {
                Transport::Tcp => &mut service.tcp,
                Transport::Udp => &mut service.udp,
            };
            slot.get_or_insert(port);
        }
        Some(())
    }
}

/// IANA's names (RFC 6335 registry) and the names people use, each with the port it ordinarily
/// has. Where two names share a port, the one to suggest comes first.
const BUILT_IN: &[(&str, u16)] = &[
    ("http", 80),
    ("https", 443),
    ("www", 80),
    ("ssh", 22),
    ("domain", 53),
    ("dns", 53),
    ("postgresql", 5432),
    ("postgres", 5432),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("redis", 6379),
    ("mongodb", 27017),
    ("http-alt", 8080),
    ("webcache", 8080),
    ("https-alt", 8443),
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp-data", 20),
    ("ftp", 21),
    ("sftp", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("bootps", 67),
    ("bootpc", 68),
    ("dhcp", 67),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("rpcbind", 111),
    ("portmapper", 111),
    ("ident", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("snmptrap", 162),
    ("bgp", 179),
    ("ldap", 389),
    ("microsoft-ds", 445),
    ("smb", 445),
    ("submissions", 465),
    ("smtps", 465),
    ("isakmp", 500),
    ("syslog", 514),
    ("printer", 515),
    ("rtsp", 554),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("domain-s", 853),
    ("rsync", 873),
    ("ftps", 990),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("openvpn", 1194),
    ("ms-sql-s", 1433),
    ("mssql", 1433),
    ("sqlserver", 1433),
    ("ms-sql-m", 1434),
    ("oracle", 1521),
    ("radius", 1812),
    ("mqtt", 1883),
    ("nfs", 2049),
    ("zookeeper", 2181),
    ("docker", 2375),
    ("docker-s", 2376),
    ("etcd", 2379),
    ("etcd-client", 2379),
    ("etcd-server", 2380),
    ("iscsi-target", 3260),
    ("ms-wbt-server", 3389),
    ("rdp", 3389),
    ("stun", 3478),
    ("svn", 3690),
    ("nats", 4222),
    ("epmd", 4369),
    ("ipsec-nat-t", 4500),
    ("sip", 5060),
    ("sips", 5061),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("mdns", 5353),
    ("llmnr", 5355),
    ("amqps", 5671),
    ("amqp", 5672),
    ("rfb", 5900),
    ("vnc", 5900),
    ("couchdb", 5984),
    ("x11", 6000),
    ("kube-apiserver", 6443),
    ("irc", 6667),
    ("ircs", 6697),
    ("neo4j", 7687),
    ("influxdb", 8086),
    ("clickhouse", 8123),
    ("vault", 8200),
    ("consul", 8500),
    ("secure-mqtt", 8883),
    ("mqtts", 8883),
    ("cassandra", 9042),
    ("prometheus", 9090),
    ("kafka", 9092),
    ("node-exporter", 9100),
    ("elasticsearch", 9200),
    ("git", 9418),
    ("kubelet", 10250),
    ("memcached", 11211),
    ("memcache", 11211),
    ("ollama", 11434),
    ("wireguard", 51820),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_has_each_name_once_and_no_port_zero() {
        for (index, (name, port)) in BUILT_IN.iter().enumerate() {
            assert_ne!(*port, 0, "{name}");
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(!BUILT_IN[..index].iter().any(|(other, _)| other == name), "{name} twice");
        }
        assert_eq!(built_in("HTTP").unwrap().single(), Port::new(80));
        assert_eq!(built_in("nothing-of-the-kind"), None);
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        for (typed, want) in [
            ("htttp", Some("http")),
            ("htp", Some("http")),
            ("Postgre", Some("postgres")),
            ("postgersql", Some("postgresql")),
            ("reddis", Some("redis")),
            ("abc", None),
            ("frontend", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed), want, "{typed}");
        }
        assert_eq!(nearest(&"h".repeat(1_000_000)), None);
    }

    #[test]
    fn services_text_is_read_as_getservbyname_reads_it() {
        let file = ServiceFile::parse(
            "# Network services\n\
             http\t\t80/tcp\t\twww web # WorldWideWeb\n\
             two 1000/tcp\ntwo 2000/udp\n\
             two 3000/tcp\n\
             both 53/tcp\nboth 53/udp\n\
             other 9/sctp\nbroken\nzero 0/tcp\nbig 70000/tcp\nnoslash 80\n",
        );
        let port = Port::new;
        assert_eq!(file.get("http"), Some(Service { tcp: port(80), udp: None }));
        assert_eq!(file.get("web"), file.get("http"));
        assert_eq!(file.get("HTTP"), file.get("http"));
        let two = file.get("two").unwrap();
        assert_eq!(two, Service { tcp: port(1000), udp: port(2000) });
        assert_eq!(two.single(), None);
        assert_eq!(two.on(Transport::Udp), port(2000));
        assert_eq!(file.get("both").unwrap().single(), port(53));
        assert_eq!(file.get("http").unwrap().on(Transport::Udp), port(80));
        for name in ["other", "broken", "zero", "big", "noslash", "#", ""] {
            assert_eq!(file.get(name), None, "{name}");
        }
    }
}
