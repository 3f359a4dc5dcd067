//! Ports that nobody should be given by chance: lists, and nothing that looks at a machine.

use crate::addr::Port;

/// Ports that browsers refuse to fetch from: the "bad ports" of the Fetch Standard
/// (<https://fetch.spec.whatwg.org/#port-blocking>, as of January 2025), also those of
/// `fetch` in Node.
const BAD: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
    512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
    995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
    6669, 6679, 6697, 10080,
];

/// Whether browsers refuse the port.
pub fn browsers_refuse(port: Port) -> bool {
    BAD.binary_search(&port.get()).is_ok()
}

/// Ports from 10000 on that a well-known program has by default, so that somebody may start it
/// there later, or look there for it. Only a choice without any wish leaves them out.
const FAMILIAR: [u16; 36] = [
    10000, // Webmin
    10250, 10255, 10256, 10257, 10259, // Kubernetes
    11211, // memcached
    11434, // Ollama
    15672, // RabbitMQ's pages
    16379, // Redis cluster bus
    16443, // MicroK8s
    16686, // Jaeger
    18080, // Spark history
    19000, 19006, // Expo
    19132, // Minecraft
    19530, // Milvus
    20000, // Usermin
    22000, // Syncthing
    24224, // Fluentd
    25565, // Minecraft
    25672, // RabbitMQ between nodes
    26257, // CockroachDB
    26379, // Redis Sentinel
    27015, // Steam
    27017, 27018, 27019, // MongoDB
    28015, // RethinkDB
    28017, // MongoDB's pages
    30000, // the first of Kubernetes' node ports
    32400, // Plex
    61613, 61614, 61616, // ActiveMQ
    64738, // Mumble
];

/// Whether a well-known program has the port by default.
pub fn is_familiar(port: Port) -> bool {
    FAMILIAR.binary_search(&port.get()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_searched() {
        assert!(BAD.is_sorted() && FAMILIAR.is_sorted());
        let port = |number| Port::new(number).unwrap();
        for bad in [1, 22, 2049, 4190, 6000, 6679, 10080] {
            assert!(browsers_refuse(port(bad)), "{bad}");
        }
        for good in [80, 443, 2, 3000, 5000, 5173, 6001, 8080, 65535] {
            assert!(!browsers_refuse(port(good)), "{good}");
        }
        assert!(is_familiar(port(27017)) && !is_familiar(port(27016)));
    }
}
