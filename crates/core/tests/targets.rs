//! Every form of a target, every error with its sentence, the rules that hold for any word at
//! all, and `docs/targets.md` against the parser.

use std::net::{IpAddr, Ipv6Addr};

use proc_core::addr::{AddressScope, Endpoint, Port, Transport};
use proc_core::names::Names;
use proc_core::service::{Service, ServiceFile};
use proc_core::target::{
    PortRange, Problem, Target, UnixName, is_called, parse, parse_list, parse_list_with, parse_with,
};
use proptest::prelude::*;

const TCP: Option<Transport> = Some(Transport::Tcp);
const UDP: Option<Transport> = Some(Transport::Udp);

fn number(number: u16) -> Port {
    Port::new(number).expect("not 0")
}

fn one(address: &str) -> AddressScope {
    AddressScope::One(address.parse().expect("an address"), 0)
}

fn port(transport: Option<Transport>, address: AddressScope, port: u16) -> Target {
    Target::Port(Endpoint { transport, address, port: number(port) })
}

fn every(port_number: u16) -> Target {
    port(None, AddressScope::Every, port_number)
}

fn range(transport: Option<Transport>, address: AddressScope, first: u16, last: u16) -> Target {
    Target::Range(PortRange::new(transport, address, number(first), number(last)).expect("order"))
}

fn unix(path: &str) -> Target {
    Target::Unix(UnixName::Path(path.into()))
}

fn abstract_name(name: &str) -> Target {
    Target::Unix(UnixName::Abstract(name.into()))
}

fn path(path: &str) -> Target {
    Target::Path(path.into())
}

fn name(name: &str) -> Target {
    Target::Name(name.into())
}

#[test]
fn ports_on_every_address() {
    for (word, want) in [
        (":3000", every(3000)),
        (":1", every(1)),
        (":65535", every(65535)),
        (":03000", every(3000)),
        ("  :3000\n", every(3000)),
        ("*:3000", every(3000)),
        ("tcp:3000", port(TCP, AddressScope::Every, 3000)),
        ("TCP:3000", port(TCP, AddressScope::Every, 3000)),
        ("tcp::3000", port(TCP, AddressScope::Every, 3000)),
        ("tcp:*:3000", port(TCP, AddressScope::Every, 3000)),
        ("udp:53", port(UDP, AddressScope::Every, 53)),
        ("3000/tcp", port(TCP, AddressScope::Every, 3000)),
        ("53/udp", port(UDP, AddressScope::Every, 53)),
        ("53/UDP", port(UDP, AddressScope::Every, 53)),
        ("tcp/3000", port(TCP, AddressScope::Every, 3000)),
        (":3000/tcp", port(TCP, AddressScope::Every, 3000)),
    ] {
        assert_eq!(parse(word), Ok(want), "{word}");
    }
}

#[test]
fn ports_on_one_address() {
    let scoped = AddressScope::One("fe80::1".parse().expect("an address"), 2);
    for (word, want) in [
        ("127.0.0.1:3000", port(None, one("127.0.0.1"), 3000)),
        ("0.0.0.0:3000", port(None, one("0.0.0.0"), 3000)),
        ("203.0.113.7:80", port(None, one("203.0.113.7"), 80)),
        ("[::1]:3000", port(None, one("::1"), 3000)),
        ("[::]:3000", port(None, one("::"), 3000)),
        (":::3000", port(None, one("::"), 3000)),
        ("::1:23994", port(None, one("::1"), 23994)),
        ("::1:3000", port(None, one("::1"), 3000)),
        ("[::ffff:127.0.0.1]:80", port(None, one("::ffff:127.0.0.1"), 80)),
        ("[2001:DB8::1]:80", port(None, one("2001:db8::1"), 80)),
        ("[fe80::1%2]:80", port(None, scoped, 80)),
        ("[fe80::1%0]:80", port(None, one("fe80::1"), 80)),
        ("localhost:3000", port(None, AddressScope::Localhost, 3000)),
        ("LocalHost:3000", port(None, AddressScope::Localhost, 3000)),
        ("tcp:localhost:3000", port(TCP, AddressScope::Localhost, 3000)),
        ("udp:127.0.0.1:53", port(UDP, one("127.0.0.1"), 53)),
        ("tcp:[::1]:3000", port(TCP, one("::1"), 3000)),
        ("tcp::::3000", port(TCP, one("::"), 3000)),
        ("tcp:::1:3000", port(TCP, one("::1"), 3000)),
        ("localhost:3000/tcp", port(TCP, AddressScope::Localhost, 3000)),
        ("[::1]:53/udp", port(UDP, one("::1"), 53)),
    ] {
        assert_eq!(parse(word), Ok(want), "{word}");
    }
}

#[test]
fn urls_mean_their_host_and_port() {
    let local = AddressScope::Localhost;
    for (word, want) in [
        ("http://localhost:3000/x", port(TCP, local, 3000)),
        ("http://localhost:3000", port(TCP, local, 3000)),
        ("http://localhost", port(TCP, local, 80)),
        ("http://localhost./", port(TCP, local, 80)),
        ("http://localhost:/", port(TCP, local, 80)),
        ("https://localhost?a=b", port(TCP, local, 443)),
        ("HTTPS://LOCALHOST#x", port(TCP, local, 443)),
        ("http://shop.localhost:3000", port(TCP, local, 3000)),
        ("ws://127.0.0.1/socket", port(TCP, one("127.0.0.1"), 80)),
        ("wss://[::1]", port(TCP, one("::1"), 443)),
        ("http://[::]:5000", port(TCP, one("::"), 5000)),
        (
            "http://[fe80::1%252]:80/",
            port(TCP, AddressScope::One("fe80::1".parse().expect("v6"), 2), 80),
        ),
        ("http://*:5000", port(TCP, AddressScope::Every, 5000)),
        ("http://+:80", port(TCP, AddressScope::Every, 80)),
        ("tcp://:2375", port(TCP, AddressScope::Every, 2375)),
        ("tcp://0.0.0.0:3000", port(TCP, one("0.0.0.0"), 3000)),
        ("udp://127.0.0.1:53", port(UDP, one("127.0.0.1"), 53)),
        ("redis://localhost", port(TCP, local, 6379)),
        ("rediss://:pw@localhost/0", port(TCP, local, 6379)),
        ("postgres://user:pw@localhost:5432/db", port(TCP, local, 5432)),
        ("postgres://user:p@w@localhost/db", port(TCP, local, 5432)),
        ("postgresql+asyncpg://u@localhost/db", port(TCP, local, 5432)),
        ("jdbc:postgresql://localhost/db", port(TCP, local, 5432)),
        ("jdbc:sqlserver://localhost:1433;databaseName=x", port(TCP, local, 1433)),
        ("mysql://root@127.0.0.1/db", port(TCP, one("127.0.0.1"), 3306)),
        ("mongodb://localhost/db", port(TCP, local, 27017)),
        ("amqp://guest:guest@localhost//", port(TCP, local, 5672)),
        ("anything://localhost:9", port(TCP, local, 9)),
        ("unix:///run/docker.sock", unix("/run/docker.sock")),
        ("unix:////run/docker.sock", unix("/run/docker.sock")),
        ("unix://app.sock", unix("app.sock")),
        ("unix://@name", abstract_name("name")),
    ] {
        assert_eq!(parse(word), Ok(want), "{word}");
    }
}

#[test]
fn ranges_and_services() {
    let every_address = AddressScope::Every;
    for (word, want) in [
        (":3000-3010", range(None, every_address, 3000, 3010)),
        (":1-65535", range(None, every_address, 1, 65535)),
        (":3000-3000", range(None, every_address, 3000, 3000)),
        ("tcp:3000-3010", range(TCP, every_address, 3000, 3010)),
        ("3000-3010/tcp", range(TCP, every_address, 3000, 3010)),
        ("udp/3000-3010", range(UDP, every_address, 3000, 3010)),
        ("127.0.0.1:3000-3010", range(None, one("127.0.0.1"), 3000, 3010)),
        ("[::1]:3000-3010", range(None, one("::1"), 3000, 3010)),
        (":::3000-3010", range(None, one("::"), 3000, 3010)),
        ("localhost:3000-3010", range(None, AddressScope::Localhost, 3000, 3010)),
        (":http", every(80)),
        (":HTTP", every(80)),
        (":postgresql", every(5432)),
        (":http-alt", every(8080)),
        ("tcp:http", port(TCP, every_address, 80)),
        ("udp:domain", port(UDP, every_address, 53)),
        ("localhost:http", port(None, AddressScope::Localhost, 80)),
        ("::1:http", port(None, one("::1"), 80)),
    ] {
        assert_eq!(parse(word), Ok(want), "{word}");
    }
}

#[test]
fn processes_names_paths_and_boxes() {
    for (word, want) in [
        ("pid:1234", Target::Pid(1234)),
        ("PID:1", Target::Pid(1)),
        ("pid:4294967295", Target::Pid(u32::MAX)),
        ("1234", Target::Number(1234)),
        ("01234", Target::Number(1234)),
        ("70000", Target::Number(70000)),
        ("node", name("node")),
        ("Google Chrome Helper", name("Google Chrome Helper")),
        ("python3.12", name("python3.12")),
        ("-bash", name("-bash")),
        ("7z", name("7z")),
        ("no-port", name("no-port")),
        ("example.com", name("example.com")),
        ("port", name("port")),
        ("port authority", name("port authority")),
        ("evil\u{1b}[2Jname", name("evil\u{1b}[2Jname")),
        ("/run/app.sock", path("/run/app.sock")),
        ("./server", path("./server")),
        ("../server", path("../server")),
        ("target/debug/server", path("target/debug/server")),
        ("/a:1/b", path("/a:1/b")),
        ("./a:b", path("./a:b")),
        (".", path(".")),
        (r"C:\web\server.exe", path(r"C:\web\server.exe")),
        (r".\server.exe", path(r".\server.exe")),
        ("unix:/run/app.sock", unix("/run/app.sock")),
        ("unix:app.sock", unix("app.sock")),
        ("unix:/run/with space", unix("/run/with space")),
        ("unix:@abstract", abstract_name("abstract")),
        ("@abstract", abstract_name("abstract")),
        ("@/tmp/.X11-unix/X0", abstract_name("/tmp/.X11-unix/X0")),
        ("@a:b", abstract_name("a:b")),
        ("container:web", Target::Container("web".into())),
        ("unit:nginx.service", Target::Unit("nginx.service".into())),
        ("unit:nginx", Target::Unit("nginx.service".into())),
        ("unit:ssh.socket", Target::Unit("ssh.socket".into())),
        ("unit:php8.3-fpm", Target::Unit("php8.3-fpm.service".into())),
    ] {
        assert_eq!(parse(word), Ok(want), "{word}");
    }
}

#[test]
fn every_error_has_its_sentence() {
    let long = "x".repeat(500);
    let long_port = format!(":{long}");
    let shown = "x".repeat(79);
    let long_says =
        format!("`:{shown}…` names no port: no service is called `{}…`", "x".repeat(80));
    for (word, says) in [
        ("", "no target was given; try `:3000`"),
        (" ", "no target was given; try `:3000`"),
        (":0", "`:0` names no port: port 0 means 'any free port' and is never held"),
        ("tcp:00", "`tcp:00` names no port: port 0 means 'any free port' and is never held"),
        (":70000", "`:70000` is not a port: ports go from 1 to 65535"),
        (":65536", "`:65536` is not a port: ports go from 1 to 65535"),
        (
            ":99999999999999999999999",
            "`:99999999999999999999999` is not a port: ports go from 1 to 65535",
        ),
        (":3000-70000", "`:3000-70000` is not a port: ports go from 1 to 65535"),
        (":0-10", "`:0-10` names no port: port 0 means 'any free port' and is never held"),
        (
            "http://localhost:0/",
            "`http://localhost:0/` names no port: port 0 means 'any free port' and is never held",
        ),
        (":3010-3000", "the range `:3010-3000` runs backwards; try `:3000-3010`"),
        ("[::1]:2-1", "the range `[::1]:2-1` runs backwards; try `[::1]:1-2`"),
        ("3000-3010", "`3000-3010` needs a colon to mean ports; try `:3000-3010`"),
        ("3010-3000", "`3010-3000` needs a colon to mean ports; try `:3000-3010`"),
        ("3000..3010", "`3000..3010` needs a colon to mean ports; try `:3000-3010`"),
        ("3000–3010", "`3000–3010` needs a colon to mean ports; try `:3000-3010`"),
        (":3000..3010", "`:3000..3010` is neither a port nor a range of ports; try `:3000-3010`"),
        (":3000-", "`:3000-` is neither a port nor a range of ports; try `:3000-65535`"),
        (":-3000", "`:-3000` is neither a port nor a range of ports; try `:1-3000`"),
        (":+3000", "`:+3000` is neither a port nor a range of ports"),
        (":٣", "`:٣` is neither a port nor a range of ports"),
        ("*:*", "`*:*` is neither a port nor a range of ports"),
        ("tcp:3000/x", "`tcp:3000/x` is neither a port nor a range of ports; try `tcp:3000`"),
        (":", "`:` names no port; try `:PORT`"),
        ("*", "`*` names no port; try `:PORT`"),
        ("tcp:", "`tcp:` names no port; try `tcp:PORT`"),
        ("tcp::", "`tcp::` names no port; try `tcp:PORT`"),
        ("127.0.0.1", "`127.0.0.1` names no port; try `127.0.0.1:PORT`"),
        ("127.0.0.1/8", "`127.0.0.1/8` names no port; try `127.0.0.1:PORT`"),
        ("127.0.0.1:", "`127.0.0.1:` names no port; try `127.0.0.1:PORT`"),
        ("localhost", "`localhost` names no port; try `localhost:PORT`"),
        ("tcp:localhost", "`tcp:localhost` names no port; try `tcp:localhost:PORT`"),
        ("[::1]", "`[::1]` names no port; try `[::1]:PORT`"),
        ("::1", "`::1` names no port; try `[::1]:PORT`"),
        ("::", "`::` names no port; try `[::]:PORT`"),
        ("fe80::1", "`fe80::1` names no port; try `[fe80::1]:PORT`"),
        ("::3000", "`::3000` names no port; try `:3000`"),
        ("tcp:::3000", "`tcp:::3000` names no port; try `tcp:3000`"),
        ("foo://localhost", "`foo://localhost` names no port; try `tcp:localhost:PORT`"),
        ("http://", "`http://` names no port; try `localhost:PORT`"),
        ("fe80::1:80", "`fe80::1:80` needs brackets around the IPv6 address; try `[fe80::1]:80`"),
        (
            "fe80::1%lo:80",
            "`fe80::1%lo:80` needs brackets around the IPv6 address; try `[fe80::1%lo]:80`",
        ),
        (
            "http://::1:80",
            "`http://::1:80` needs brackets around the IPv6 address; try `tcp:[::1]:80`",
        ),
        (
            "::ffff:127.0.0.1:80",
            "`::ffff:127.0.0.1:80` needs brackets around the IPv6 address; try `[::ffff:127.0.0.1]:80`",
        ),
        ("127.0.0.256:80", "`127.0.0.256:80` does not start with a valid IP address; try `:80`"),
        ("[::1:3000", "`[::1:3000` does not start with a valid IP address"),
        ("[localhost]:3000", "`[localhost]:3000` does not start with a valid IP address"),
        ("[::1]3000", "`[::1]3000` is neither a port nor a range of ports; try `[::1]:PORT`"),
        (
            "[fe80::1%nowhere]:80",
            "`[fe80::1%nowhere]:80` names an unknown network interface, `nowhere`",
        ),
        ("[fe80::1%]:80", "`[fe80::1%]:80` names an unknown network interface, ``"),
        (":abc", "`:abc` names no port: no service is called `abc`"),
        (":htttp", "`:htttp` names no port: no service is called `htttp`; try `:http`"),
        ("udp:doman", "`udp:doman` names no port: no service is called `doman`; try `udp:domain`"),
        (&long_port, &long_says),
        (
            "db.example.com:5432",
            "`db.example.com` is not an address of this machine, the only one proc looks at; try `:5432`",
        ),
        (
            "http://example.com/x",
            "`example.com` is not an address of this machine, the only one proc looks at",
        ),
        (
            "http://example.com:81/x",
            "`example.com` is not an address of this machine, the only one proc looks at; try `tcp:81`",
        ),
        ("port:3000", "`port:` is no kind of target; try `:3000`"),
        ("port 3000", "`port` is no kind of target; try `:3000`"),
        ("tcp 3000-3010", "`tcp` is no kind of target; try `tcp:3000-3010`"),
        ("pid 12", "`pid` is no kind of target; try `pid:12`"),
        ("port:70000", "`port:` is no kind of target"),
        ("tcp6:3000", "`tcp6:` is no kind of target; try `tcp:3000`"),
        ("docker:web", "`docker:` is no kind of target; try `container:web`"),
        ("service:nginx", "`service:` is no kind of target; try `unit:nginx`"),
        ("name:node", "`name:` is no kind of target; try `node`"),
        ("name:name:node", "`name:` is no kind of target"),
        ("pid:0", "`pid:0` is not a process: their numbers go from 1 to 4294967295"),
        ("pid:abc", "`pid:abc` is not a process: their numbers go from 1 to 4294967295; try `abc`"),
        (
            "pid:l2O",
            "`pid:l2O` is not a process: their numbers go from 1 to 4294967295; try `pid:120`",
        ),
        (":300O", "`:300O` names no port: no service is called `300O`; try `:3000`"),
        ("tcp:8O8l", "`tcp:8O8l` names no port: no service is called `8O8l`; try `tcp:8081`"),
        ("3000:", "`3000:` does not start with a valid IP address; try `:3000`"),
        ("pid:+1", "`pid:+1` is not a process: their numbers go from 1 to 4294967295"),
        ("pid:", "`pid:` is not a process: their numbers go from 1 to 4294967295; try `pid:PID`"),
        ("0", "`0` is not a process: their numbers go from 1 to 4294967295"),
        (
            "1234567890123",
            "`1234567890123` is not a process: their numbers go from 1 to 4294967295",
        ),
        ("container:", "`container:` names nothing; try `container:NAME`"),
        ("unit:", "`unit:` names nothing; try `unit:NAME`"),
        ("unix:", "`unix:` names nothing; try `unix:PATH`"),
        ("unix://", "`unix://` names nothing; try `unix:PATH`"),
        ("unix:@", "`unix:@` names nothing; try `@NAME`"),
        ("@", "`@` names nothing; try `@NAME`"),
        (":3000/x", "`:3000/x` goes on after the port; try `:3000`"),
        (
            "localhost:3000/api?x=1",
            "`localhost:3000/api?x=1` goes on after the port; try `localhost:3000`",
        ),
        (
            "0.0.0.0:8080->80/tcp",
            "`0.0.0.0:8080->80/tcp` goes on after the port; try `tcp:0.0.0.0:8080`",
        ),
        ("a:b/c", "`a:b/c` is neither a port nor clearly a path; try `./a:b/c`"),
        (":3000 node", "`:3000 node` has spaces in it where commas separate targets"),
        (":\u{1b}[2J\u{202e}'", "`:\\u{1b}[2J\\u{202e}'` is neither a port nor a range of ports"),
    ] {
        let error = parse(word).expect_err(word);
        assert_eq!(error.to_string(), says, "{word}");
    }
}

#[cfg(unix)]
#[test]
fn a_word_that_is_not_text_is_told_so() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use proc_core::target::parse_os;

    let error = parse_os(OsStr::from_bytes(b"n\xffde")).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "`n\u{fffd}de` is not UTF-8 text; try `pid:PID`");
    assert_eq!(parse_os(OsStr::new(":3000")), Ok(every(3000)));
}

#[test]
fn passwords_are_never_repeated() {
    let typed = |word: &str| parse_list([word]).expect(word)[0].0.clone();
    assert_eq!(typed("postgres://me:secret@localhost/db"), "postgres://me:***@localhost/db");
    assert_eq!(typed("redis://:secret@localhost"), "redis://:***@localhost");
    assert_eq!(typed("http://localhost:3000/@vite/client"), "http://localhost:3000/@vite/client");
    assert_eq!(typed("http://localhost/?token=secret"), "http://localhost/?***");
    assert_eq!(
        typed("jdbc:sqlserver://localhost;password=secret"),
        "jdbc:sqlserver://localhost;***"
    );
    for word in [
        "postgres://me:secret@db.example.com/db",
        "postgres://me:sec/secret@localhost/db",
        "postgres://me:sec#secret@localhost:x/db",
        "postgres://me:sec?secret@localhost:x/db",
        "http://example.com/?token=secret",
    ] {
        let error = parse(word).expect_err(word);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

struct Scripted;

impl Names for Scripted {
    fn service(&self, name: &str) -> Option<Service> {
        ServiceFile::parse("http 81/tcp\nmine 7000/tcp alias\ntwo 10/tcp\ntwo 20/udp\n").get(name)
    }

    fn interface(&self, name: &str) -> Option<u32> {
        (name == "lo").then_some(1)
    }
}

#[test]
fn the_machines_names_come_after_the_built_in_ones() {
    let lo = AddressScope::One("fe80::1".parse().expect("v6"), 1);
    for (word, want) in [
        (":mine", every(7000)),
        (":alias", every(7000)),
        ("udp:mine", port(UDP, AddressScope::Every, 7000)),
        (":http", every(80)),
        ("tcp:two", port(TCP, AddressScope::Every, 10)),
        ("udp:two", port(UDP, AddressScope::Every, 20)),
        ("[fe80::1%lo]:80", port(None, lo, 80)),
        ("http://[fe80::1%25lo]/", port(TCP, lo, 80)),
    ] {
        assert_eq!(parse_with(word, &Scripted), Ok(want), "{word}");
    }
    let error = parse_with(":two", &Scripted).expect_err("two ports");
    assert_eq!(
        error.to_string(),
        "`:two` is two ports, 10 on TCP and 20 on UDP; try `tcp:two` or `udp:two`"
    );
    assert_eq!(parse_list_with([":mine,:7000"], &Scripted).expect("a list").len(), 1);
}

fn listed(words: &[&str]) -> Vec<String> {
    let list = parse_list(words.iter().copied()).expect("a list");
    list.into_iter().map(|(typed, _)| typed).collect()
}

#[test]
fn lists_separate_and_answer_each_target_once() {
    assert_eq!(listed(&[":3000,node", "pid:7"]), [":3000", "node", "pid:7"]);
    assert_eq!(listed(&[":80", ":http", "http://localhost", "*:80"]), [":80", "http://localhost"]);
    assert_eq!(listed(&["123,456,"]), ["123", "456"]);
    assert_eq!(listed(&["12\n34\n"]), ["12", "34"]);
    assert_eq!(listed(&[":3000 tcp:80  pid:4"]), [":3000", "tcp:80", "pid:4"]);
    assert_eq!(listed(&["Google Chrome, ./my server"]), ["Google Chrome", "./my server"]);
    assert_eq!(listed(&["/run/a 7"]), ["/run/a 7"]);
}

#[test]
fn an_empty_list_and_an_empty_word_are_refused() {
    for words in [&[][..], &[""], &[","], &[",,"], &[" , "], &[":3000", ""]] {
        let error = parse_list(words.iter().copied()).expect_err("nothing");
        assert_eq!(error.problem, Problem::Empty, "{words:?}");
    }
    let error = parse_list([":3000,:0"]).expect_err("port 0");
    assert_eq!((error.word.as_str(), &error.problem), (":0", &Problem::PortZero));
}

#[test]
fn huge_input_takes_linear_time() {
    let list: Vec<String> = (0..100_000).map(|n| format!(":{}", n % 65535 + 1)).collect();
    assert_eq!(parse_list([list.join(",").as_str()]).expect("a list").len(), 65535);
    for piece in [
        "file:",
        "port:",
        ":",
        "%",
        "[",
        "@",
        "/",
        "a/",
        "-",
        " ",
        "1",
        "jdbc:",
        "://",
        "\u{1f980}",
    ] {
        let _ = parse(&piece.repeat(200_000));
        let _ = parse_list([piece.repeat(200_000).as_str()]);
    }
}

#[test]
fn ranges_give_their_ports() {
    let Target::Range(all) = parse(":1-65535").expect("a range") else { panic!("a range") };
    assert_eq!(all.ports().count(), 65535);
    let target = parse("udp:localhost:8-10").expect("a range");
    let ports: Vec<String> = target.endpoints().iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["udp:localhost:8", "udp:localhost:9", "udp:localhost:10"]);
    assert_eq!(PortRange::new(None, AddressScope::Every, number(2), number(1)), None);
}

#[test]
fn a_bare_number_may_be_a_port_too() {
    assert_eq!(parse("3000").expect("a number").also_port(), Port::new(3000));
    assert_eq!(parse("70000").expect("a number").also_port(), None);
    assert_eq!(parse("pid:3000").expect("a process").also_port(), None);
}

fn process(name: &str, exe: Option<&str>, argv: &[&str]) -> proc_core::process::Process {
    proc_core::process::Process {
        ppid: 1,
        name: name.into(),
        exe: exe.map(Into::into),
        argv: argv.iter().map(ToString::to_string).collect(),
        state: proc_core::process::ProcessState::Sleeping,
        ..proc_core::process::Process::unread(proc_core::process::ProcessId { pid: 7, start: 1 })
    }
}

#[test]
fn names_match_whole_and_ignore_case() {
    let server = process("MainThread", Some("/usr/bin/node"), &["/opt/run/web", "server.js"]);
    for yes in ["node", "NODE", "mainthread", "web"] {
        assert!(is_called(&server, yes), "{yes}");
    }
    for no in ["nod", "nodejs", "server.js", "/usr/bin/node", "", "bin"] {
        assert!(!is_called(&server, no), "{no}");
    }
    let windows = process("node.exe", None, &[]);
    assert!(is_called(&windows, "node") && is_called(&windows, "Node.exe"));
    assert!(!is_called(&process("node", None, &[]), "node.exe"));
}

/// The rows of the document's tables: the backticked words of the first column, and the second.
fn documented(column: &str) -> Vec<(String, String)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/targets.md");
    let text = std::fs::read_to_string(file).expect("docs/targets.md");
    let mut rows = Vec::new();
    let mut within = false;
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["", first, ..] if *first == column => within = true,
            ["", first, ..] if first.starts_with("---") => {}
            ["", first, second, ..] if within => {
                let words = first.split('`').skip(1).step_by(2);
                rows.extend(words.map(|word| (word.to_owned(), (*second).to_owned())));
            }
            _ => within = false,
        }
    }
    rows
}

#[test]
fn every_form_in_the_documentation_parses() {
    let forms = documented("form");
    assert!(forms.len() > 40, "only {} forms found", forms.len());
    for (word, _) in forms {
        let list = parse_list_with([word.as_str()], &Scripted);
        assert!(list.is_ok(), "{word}: {list:?}");
    }
}

#[test]
fn every_error_in_the_documentation_is_what_proc_says() {
    let errors = documented("typed");
    assert!(errors.len() > 15, "only {} errors found", errors.len());
    for (word, says) in errors {
        let error = parse_list([word.as_str()]).expect_err(&word);
        assert_eq!(error.to_string(), says, "{word}");
    }
}

fn any_port() -> impl Strategy<Value = Port> {
    (1..=u16::MAX).prop_map(number)
}

fn any_place() -> impl Strategy<Value = (Option<Transport>, AddressScope)> {
    let transport = prop_oneof![Just(None), Just(TCP), Just(UDP)];
    let address = prop_oneof![
        Just(AddressScope::Every),
        Just(AddressScope::Localhost),
        any::<[u8; 4]>().prop_map(|v4| AddressScope::One(IpAddr::from(v4), 0)),
        (any::<[u16; 8]>(), any::<u32>())
            .prop_map(|(v6, scope)| AddressScope::One(IpAddr::V6(Ipv6Addr::from(v6)), scope)),
        (any::<bool>(), 0..3_u32).prop_map(|(one, scope)| AddressScope::One(
            IpAddr::V6(if one { Ipv6Addr::LOCALHOST } else { Ipv6Addr::UNSPECIFIED }),
            scope
        )),
    ];
    (transport, address)
}

fn any_target() -> impl Strategy<Value = Target> {
    let endpoint = (any_place(), any_port()).prop_map(|((transport, address), port)| Endpoint {
        transport,
        address,
        port,
    });
    let ports = (any_place(), any_port(), any_port()).prop_map(|((transport, address), a, b)| {
        PortRange::new(transport, address, a.min(b), a.max(b)).expect("in order")
    });
    prop_oneof![
        endpoint.prop_map(Target::Port),
        ports.prop_map(Target::Range),
        (1..=u32::MAX).prop_map(Target::Pid),
        (1..=u32::MAX).prop_map(Target::Number),
        "(/[^/\\pC]{1,8}){0,3}/[a-z]".prop_map(|path| Target::Unix(UnixName::Path(path))),
        "\\PC{0,20}[a-z]".prop_map(|name| Target::Unix(UnixName::Abstract(name))),
        "\\.{0,2}/\\PC{0,20}[a-z]".prop_map(Target::Path),
        "[a-zA-Z][a-zA-Z _.-]{0,20}[a-z]"
            .prop_filter("an address", |name| !name.eq_ignore_ascii_case("localhost"))
            .prop_map(Target::Name),
        "[a-z0-9][a-zA-Z0-9_.-]{0,20}".prop_map(Target::Container),
        "[a-z][a-zA-Z0-9@_.-]{0,20}\\.(service|socket|scope)".prop_map(Target::Unit),
    ]
}

/// Words made of the parser's own pieces, which random text seldom finds.
fn any_word() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            ":",
            "::",
            "/",
            "//",
            "://",
            "-",
            "..",
            "%",
            "%25",
            "[",
            "]",
            "@",
            "*",
            "?",
            ";",
            ",",
            " ",
            ".",
            "\\",
            "tcp",
            "udp",
            "pid",
            "unix",
            "port",
            "file",
            "container",
            "unit",
            "http",
            "jdbc:",
            "localhost",
            "127.0.0.1",
            "::1",
            "fe80::1",
            "3000",
            "70000",
            "0",
            "node",
            "é",
            "\u{202e}",
            "\0",
            "->",
            "C:",
            "+",
            "\n",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// What must hold for any word whatever.
fn check_any_word(word: &str) -> Result<(), TestCaseError> {
    match parse(word) {
        Ok(target) => prop_assert_eq!(parse(&target.to_string()), Ok(target)),
        Err(error) => {
            let sentence = error.to_string();
            prop_assert!(!sentence.ends_with('.') || sentence.ends_with("..."), "{}", sentence);
            prop_assert!(!sentence.chars().any(char::is_control), "{}", sentence);
            prop_assert!(sentence.chars().count() < 600, "{}", sentence);
            if let Some(meant) = &error.meant {
                let pattern = ["PORT", "NAME", "PID", "PATH"].iter().any(|p| meant.contains(p));
                // An interface's name is unknown to the pure parser.
                let named_zone = meant.contains('%');
                prop_assert!(pattern || named_zone || parse(meant).is_ok(), "{}", sentence);
            }
        }
    }
    if let Ok(list) = parse_list([word]) {
        prop_assert!(!list.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn arbitrary_text_never_panics(word in any::<String>()) {
        check_any_word(&word)?;
    }

    #[test]
    fn arbitrary_pieces_never_panic(word in any_word()) {
        check_any_word(&word)?;
    }

    #[test]
    fn what_is_printed_parses_to_the_same(target in any_target()) {
        prop_assert_eq!(parse(&target.to_string()), Ok(target));
    }

}

proptest! {
    // Each case lists tens of thousands of ports.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_port_form_means_that_port((transport, address) in any_place(), wanted in any_port()) {
        let endpoint = Endpoint { transport, address, port: wanted };
        let tail = [format!("{wanted}"), format!("{wanted}-{wanted}"), format!("1-{wanted}"), format!("{wanted}-65535")];
        let head = endpoint.to_string();
        let head = head.strip_suffix(&wanted.to_string()).expect("ends with its port");
        for ports in tail {
            let target = parse(&format!("{head}{ports}")).expect("a port form");
            let endpoints = target.endpoints();
            prop_assert!(endpoints.contains(&endpoint), "{} {:?}", head, ports);
            if let Target::Range(range) = &target {
                prop_assert!(range.contains(wanted));
                prop_assert_eq!(range.ports().count(), endpoints.len());
            }
        }
        for form in [format!("{wanted}/tcp"), format!("http://localhost:{wanted}/x"), format!(":::{wanted}")] {
            let endpoints = parse(&form).expect("a port form").endpoints();
            prop_assert_eq!(endpoints.len(), 1);
            prop_assert_eq!(endpoints[0].port, wanted);
        }
    }
}
