//! Who serves by HTTP.sys, the web server in Windows' kernel: all its ports belong to process 4, and
//! only `netsh http show servicestate view=requestq verbose=yes` tells for whom. Its words are
//! translated, so lines are known by their shape: what is not indented begins a request queue, a
//! number alone or before a comma is a process of it, a URL is a URL.

use serde::{Deserialize, Serialize};

/// One queue of requests: the processes that take from it, and the URLs whose requests go there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpQueue {
    /// Who serves it. Empty for one whose server is not running.
    #[serde(default)]
    pub processes: Vec<QueueProcess>,
    /// What is registered.
    #[serde(default)]
    pub urls: Vec<HttpUrl>,
}

/// A process that serves a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueProcess {
    /// Its number.
    pub pid: u32,
    /// Its executable, where the answer has it (not without elevation).
    #[serde(default)]
    pub image: Option<String>,
    /// The services in it, the one whose queue it is last.
    #[serde(default)]
    pub services: Vec<String>,
}

/// A URL that a server registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpUrl {
    /// As it is written there: `HTTP://+:80/`.
    pub text: String,
    /// Its port.
    pub port: u16,
}

/// The queues of the answer, in its order, those with neither processes nor URLs left out.
pub fn request_queues(output: &str) -> Vec<HttpQueue> {
    let mut queues: Vec<HttpQueue> = vec![HttpQueue::default()];
    let mut in_process = false;
    for line in output.lines() {
        let text = line.trim();
        if text.is_empty() {
            in_process = false;
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            queues.push(HttpQueue::default());
            in_process = false;
        }
        let Some(queue) = queues.last_mut() else { continue };
        if let Some(url) = url(text) {
            queue.urls.push(url);
            in_process = false;
        } else if let Some(process) = process(text) {
            queue.processes.push(process);
            in_process = true;
        } else if let Some(names) = value(text).filter(|_| in_process) {
            let services = names.split([',', ' ']).filter(|name| !name.is_empty());
            if let Some(process) = queue.processes.last_mut() {
                for name in services {
                    // Named again, it is the one whose queue this is.
                    process.services.retain(|known| known != name);
                    process.services.push(name.to_owned());
                }
            }
        } else {
            in_process = false;
        }
    }
    queues.retain(|queue| !(queue.processes.is_empty() && queue.urls.is_empty()));
    queues
}

/// `2688` (Windows 8 and before), or `ID: 2688, image: C:\Windows\System32\svchost.exe`.
fn process(text: &str) -> Option<QueueProcess> {
    if let Ok(pid) = text.parse() {
        return Some(QueueProcess { pid, image: None, services: Vec::new() });
    }
    let (number, image) = value(text)?.split_once(',')?;
    let pid = number.trim().parse().ok()?;
    let image = value(image).filter(|image| !image.contains('?')).map(str::to_owned);
    Some(QueueProcess { pid, image, services: Vec::new() })
}

/// What comes after the first colon of `words: value`; nothing where there is none.
fn value(text: &str) -> Option<&str> {
    let (_, value) = text.split_once(':')?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// `HTTP://+:80/`, `HTTPS://*:443/`, `HTTP://[::1]:8080/`, `HTTP://+:80:0.0.0.0/`.
fn url(text: &str) -> Option<HttpUrl> {
    let scheme = text.split_once("://")?.0;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let rest = &text[scheme.len() + 3..];
    let after_host = match rest.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?.1,
        None => &rest[rest.find(':')?..],
    };
    let digits = after_host.strip_prefix(':')?;
    let end = digits.find(|letter: char| !letter.is_ascii_digit())?;
    let port = digits[..end].parse().ok().filter(|port| *port != 0)?;
    digits[end..].starts_with([':', '/']).then(|| HttpUrl { text: text.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW: &str = r"
Snapshot of HTTP service state (Request Queue View):
-----------------------------------------------------

Request queue name: Request queue is unnamed.
    Version: 2.0
    State: Active
    Request queue 503 verbosity level: Basic
    Max requests: 1000
    Number of active processes attached: 1
    Processes:
        ID: 2688, image: C:\Windows\System32\svchost.exe
        Services: RpcSs, WinRM
        Tagged Service: WinRM

    URL groups:
    URL group ID: FE00000240000001
        State: Active
        Request queue name: Request queue is unnamed.
        Properties:
            Max bandwidth: inherited
            Number of registered URLs: 2
            Registered URLs:
                HTTP://+:47001/WSMAN/
                HTTP://+:5985/WSMAN/

Request queue name: DefaultAppPool
    Version: 2.0
    Number of active processes attached: 1
    Processes:
        ID: 9120, image: <?>

    URL groups:
    URL group ID: FD00000220000001
        Properties:
            Registered URLs:
                HTTP://*:80:*/
                HTTPS://[::1]:8443/x
";

    /// An older one, in German, whose letters beyond ASCII were lost on the way.
    const OLD: &str = "
Momentaufnahme des HTTP-Dienststatus (Anforderungswarteschlangenansicht):
-----------------------------------------------------

Name der Anforderungswarteschlange: Unbenannte Warteschlange.
    Version: 2.0
    Status: Aktiv
    Maximale Anforderungen: 1000
    Anzahl der angef\u{fffd}gten aktiven Prozesse: 1
    Prozess-IDs:
        4711

    URL-Gruppen:
    URL-Gruppen-ID: FE00000240000001
        Registrierte URLs:
            HTTP://+:8080/shop/
";

    #[test]
    fn both_forms_are_read_in_any_language() {
        let queues = request_queues(NEW);
        assert_eq!(queues.len(), 2, "{queues:?}");
        assert_eq!(queues[0].processes[0].pid, 2688);
        assert_eq!(
            queues[0].processes[0].image.as_deref(),
            Some(r"C:\Windows\System32\svchost.exe")
        );
        assert_eq!(queues[0].processes[0].services, ["RpcSs", "WinRM"]);
        let ports: Vec<u16> = queues[0].urls.iter().map(|url| url.port).collect();
        assert_eq!(ports, [47001, 5985]);
        assert_eq!(
            (queues[1].processes[0].pid, queues[1].processes[0].image.as_ref()),
            (9120, None)
        );
        let ports: Vec<u16> = queues[1].urls.iter().map(|url| url.port).collect();
        assert_eq!(ports, [80, 8443]);
        let old = request_queues(OLD);
        assert_eq!((old.len(), old[0].processes[0].pid, old[0].urls[0].port), (1, 4711, 8080));
    }

    #[test]
    fn what_is_no_url_is_none() {
        for text in [
            "HTTP://+/",
            "FTP://+:21/",
            "HTTP://+:0/",
            "HTTP://+:99999/",
            "HTTP://+:80",
            "HTTP://[::1/",
            "://:1/",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn hostile_text_is_read_without_a_panic(text in "[ \\t\\nA-Za-z0-9:/,.+*\\[\\]?<>é]{0,600}") {
            for queue in request_queues(&text) {
                prop_assert!(queue.urls.iter().all(|url| url.port != 0));
            }
        }
    }
}
