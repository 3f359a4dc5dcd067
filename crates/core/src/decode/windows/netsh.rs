//! What `netsh interface` prints about ports: ranges kept back, the dynamic range, and ports that
//! are sent on. Its words are translated and its columns are not: lines are known by their numbers.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Ports that Windows gives to no bind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludedRange {
    /// Which.
    pub ports: RangeInclusive<u16>,
    /// Whether somebody put it there for good (marked `*`). The others are drawn anew at each start,
    /// for Hyper-V, WSL and containers.
    #[serde(default)]
    pub administered: bool,
}

/// A port that `netsh interface portproxy` sends on. The service `iphlpsvc` listens for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortProxy {
    /// Where it listens; `*` for every address.
    pub listen: String,
    /// The port.
    pub port: u16,
    /// Where it sends to: an address or a name.
    pub to: String,
    /// The port there.
    pub to_port: u16,
}

impl PortProxy {
    /// The command that removes the rule.
    pub fn removal(&self) -> Vec<String> {
        let version = |address: &str| if address.contains(':') { 6 } else { 4 };
        let command = format!(
            "netsh interface portproxy delete v{}tov{} listenport={} listenaddress={}",
            version(&self.listen),
            version(&self.to),
            self.port,
            self.listen
        );
        command.split(' ').map(str::to_owned).collect()
    }
}

/// The ranges in `netsh interface ipv4 show excludedportrange protocol=tcp`: lines of two numbers,
/// perhaps with a star.
pub fn excluded_ranges(output: &str) -> Vec<ExcludedRange> {
    let range = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let administered = match words.next() {
            None => false,
            Some("*") => true,
            Some(_) => return None,
        };
        (start <= end && words.next().is_none())
            .then_some(ExcludedRange { ports: start..=end, administered })
    };
    output.lines().filter_map(range).collect()
}

/// The range in `netsh interface ipv4 show dynamicport tcp`: two lines that end in a colon and a
/// number, the first port and how many.
pub fn dynamic_range(output: &str) -> Option<RangeInclusive<u16>> {
    let numbers: Vec<u32> =
        output.lines().filter_map(|line| line.rsplit_once(':')?.1.trim().parse().ok()).collect();
    let [start, count] = numbers[..] else { return None };
    let last = start.checked_add(count.checked_sub(1)?)?;
    Some(u16::try_from(start).ok()?..=u16::try_from(last).ok()?)
}

/// The rules in `netsh interface portproxy show all`: lines of an address, a port, an address and a
/// port.
pub fn port_proxies(output: &str) -> Vec<PortProxy> {
    let port = |text: &str| text.parse().ok().filter(|port: &u16| *port != 0);
    let rule = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [listen, from, to, to_port] = words[..] else { return None };
        Some(PortProxy {
            listen: listen.to_owned(),
            port: port(from)?,
            to: to.to_owned(),
            to_port: port(to_port)?,
        })
    };
    output.lines().filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENGLISH: &str = "
Protocol tcp Port Exclusion Ranges

Start Port    End Port
----------    --------
      5357        5357
     50000       50059     *
     50060       50159

* - Administered port exclusions.

";

    const GERMAN: &str = "
Portausschlussbereiche f\u{fffd}r Protokoll tcp

Startport     Endport
----------    --------
      2869        2869

* - Verwaltete Portausschl\u{fffd}sse.
";

    #[test]
    fn ranges_are_known_by_their_numbers_in_any_language() {
        let range = |ports, administered| ExcludedRange { ports, administered };
        assert_eq!(
            excluded_ranges(ENGLISH),
            [range(5357..=5357, false), range(50000..=50059, true), range(50060..=50159, false)]
        );
        assert_eq!(excluded_ranges(GERMAN), [range(2869..=2869, false)]);
    }

    #[test]
    fn what_is_no_range_is_left_out() {
        for line in ["5 4", "1", "1 2 3", "1 2 * *", "1 70000", "-1 5", "a b", ""] {
            assert_eq!(excluded_ranges(line), [], "{line}");
        }
    }

    #[test]
    fn the_dynamic_range_is_a_start_and_a_count() {
        let english = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
        assert_eq!(dynamic_range(english), Some(49152..=65535));
        let french = "Port de d\u{fffd}marrage : 1024\nNombre de ports      : 64511\n";
        assert_eq!(dynamic_range(french), Some(1024..=65534));
        for text in ["", "a: 1\n", "a: 1\nb: 0\n", "a: 60000\nb: 60000\n", "a: 1\nb: 2\nc: 3\n"] {
            assert_eq!(dynamic_range(text), None, "{text}");
        }
    }

    #[test]
    fn forwarded_ports_are_four_columns() {
        let output = "
Listen on ipv4:             Connect to ipv4:

Address         Port        Address         Port
--------------- ----------  --------------- ----------
0.0.0.0         8080        172.20.1.2      80
*               3000        web.lan         3000
";
        let rule = |listen: &str, port, to: &str, to_port| PortProxy {
            listen: listen.to_owned(),
            port,
            to: to.to_owned(),
            to_port,
        };
        let want = [rule("0.0.0.0", 8080, "172.20.1.2", 80), rule("*", 3000, "web.lan", 3000)];
        assert_eq!(port_proxies(output), want);
    }

    proptest! {
        #[test]
        fn hostile_text_gives_ranges_that_are_ranges(text in ".{0,400}") {
            prop_assert!(excluded_ranges(&text).iter().all(|range| range.ports.start() <= range.ports.end()));
            prop_assert!(dynamic_range(&text).is_none_or(|range| range.start() <= range.end()));
            let _ = port_proxies(&text);
        }
    }
}
