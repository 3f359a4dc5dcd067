//! A row for each program: what it is called, and what its nature asks for.

use std::net::SocketAddr;
use std::slice::from_ref;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::process::{Container, ProcessId};
use crate::snapshot::Source;
use crate::socket::{HeldBy, Holder, Holders, LocalAddress, Protocol, Socket, TcpState};
use crate::supervisor::tests::{as_on_macos, as_on_windows};

/// A process of the asker's, with the kernel's name for its executable.
fn process(pid: u32, ppid: u32, exe: &str, argv: &[&str]) -> Process {
    Process {
        ppid,
        name: exe.rsplit('/').next().unwrap_or(exe).chars().take(15).collect(),
        exe: (!exe.is_empty()).then(|| exe.to_owned()),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        uid: Some(1000),
        user: Some("me".to_owned()),
        state: ProcessState::Sleeping,
        threads: Some(1),
        ..Process::unread(ProcessId { pid, start: 1 })
    }
}

fn socket(local: &str, remote: Option<&str>, pid: u32) -> Socket {
    let state = if remote.is_some() { TcpState::Established } else { TcpState::Listen };
    Socket {
        remote: remote.map(|remote| remote.parse().unwrap()),
        holders: Holders::Processes { holders: vec![Holder { pid, by: HeldBy::Descriptor(3) }] },
        ..Socket::new(
            Protocol::Tcp,
            LocalAddress::Inet(local.parse::<SocketAddr>().unwrap()),
            Some(state),
        )
    }
}

/// Processes, the last of which listens on these ports of loopback.
fn machine_with(processes: &[Process], ports: &[u16]) -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.asker.uid = 1000;
    snapshot.asker.pid = 9000;
    let last = processes.last().unwrap().id.pid;
    snapshot.sockets =
        ports.iter().map(|port| socket(&format!("127.0.0.1:{port}"), None, last)).collect();
    for process in processes {
        snapshot.processes.insert(process.id.pid, process.clone());
    }
    snapshot
}

fn nature(exe: &str, argv: &[&str], ports: &[u16]) -> Option<Nature> {
    let process = process(50, 1, exe, argv);
    nature_of(&process, &machine_with(from_ref(&process), ports))
}

/// The nature of a command line that stands for its executable too.
fn of(line: &str, ports: &[u16]) -> Option<Nature> {
    let argv: Vec<&str> = line.split(' ').collect();
    let exe = match argv[0].starts_with('/') {
        true => argv[0].to_owned(),
        false => format!("/usr/bin/{}", argv[0]),
    };
    let here = nature(&exe, &argv, ports);
    let (mac, words) = as_on_macos(&exe, &argv);
    let name = |nature: Option<Nature>| nature.map(|nature| nature.name);
    assert_eq!(name(here.clone()), name(on_windows(&exe, &argv, ports)), "{line}: on Windows");
    assert_eq!(name(here.clone()), name(nature(mac, &words, ports)), "{line}: on macOS");
    here
}

fn name_of(line: &str, ports: &[u16]) -> String {
    of(line, ports).map_or_else(|| "nothing".to_owned(), |nature| nature.name)
}

fn stop_of(line: &str, ports: &[u16]) -> String {
    of(line, ports).and_then(|nature| nature.stop).map_or_else(String::new, |stop| stop.join(" "))
}

/// The nature of the same program on Windows, with its paths as they are there.
fn on_windows(exe: &str, argv: &[&str], ports: &[u16]) -> Option<Nature> {
    let (exe, argv) = as_on_windows(exe, argv);
    let process = process(50, 1, &exe, &argv.iter().map(String::as_str).collect::<Vec<_>>());
    let mut machine = machine_with(from_ref(&process), ports);
    machine.source = Source::ExtendedTable;
    nature_of(&process, &machine)
}

#[test]
fn databases_are_never_forced() {
    for (line, name) in [
        ("/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", "PostgreSQL"),
        ("/usr/sbin/mysqld", "MySQL"),
        ("/usr/sbin/mariadbd --basedir=/usr", "MariaDB"),
        ("mongod --config /etc/mongod.conf", "MongoDB"),
        ("redis-server *:6379", "Redis"),
        ("valkey-server 127.0.0.1:6379", "Valkey"),
        ("clickhouse server --config=/x", "ClickHouse"),
        ("influxd", "InfluxDB"),
        ("etcd", "etcd"),
        ("consul agent -dev", "Consul"),
        ("cockroach start-single-node", "CockroachDB"),
        ("minio server /data", "MinIO"),
        ("prometheus --config.file=x", "Prometheus"),
        ("meilisearch", "Meilisearch"),
        ("qdrant", "Qdrant"),
        ("arangod", "ArangoDB"),
        ("surreal start memory", "SurrealDB"),
        ("dolt sql-server", "Dolt"),
        ("tidb-server", "TiDB"),
        ("java -Xms1g -cp /x/lib/* org.elasticsearch.bootstrap.Elasticsearch -d", "Elasticsearch"),
        (
            "java --module-path /x --add-modules=jdk.net -m org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch",
            "Elasticsearch",
        ),
        ("java -cp x org.apache.cassandra.service.CassandraDaemon", "Cassandra"),
        ("java -Xmx1G -cp x kafka.Kafka server.properties", "Kafka"),
        (
            "java --add-opens java.base/java.lang=ALL-UNNAMED -cp x org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg",
            "ZooKeeper",
        ),
        ("java -cp x org.neo4j.server.CommunityEntryPoint", "Neo4j"),
        ("java -jar /opt/h2/h2-2.2.224.jar -tcp", "H2"),
        ("java -Dsolr.solr.home=/x -jar start.jar", "Solr"),
        ("/usr/lib/erlang/erts-13/bin/beam.smp -W w -- -root /x -sname rabbit@me", "RabbitMQ"),
    ] {
        let nature = of(line, &[]).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((nature.name.as_str(), nature.kind), (name, NatureKind::Database), "{line}");
        assert!(nature.never_forced.is_some() && nature.advice.is_some(), "{line}");
        assert_eq!(nature.ask, (name == "PostgreSQL").then_some(2), "{line}");
    }
    let memcached = of("memcached -p 11211", &[]).unwrap();
    assert_eq!((memcached.never_forced, memcached.stop), (None, None));
}

#[test]
fn clients_and_namesakes_are_no_databases() {
    for line in [
        "psql -h localhost",
        "redis-cli -p 6379",
        "clickhouse client",
        "consul members",
        "surreal sql",
        "java -jar h2o.jar",
        "java -jar app.jar org.elasticsearch.bootstrap.Elasticsearch",
        "java -cp postgres mysqld",
        "node postgres",
        "python3 -m http.server",
        "/home/me/beam.smp -- -root /x",
        "bash",
    ] {
        assert_eq!(of(line, &[]), None, "{line}");
    }
    // Whatever the arguments claim, the executable counts.
    assert_eq!(nature("/usr/bin/node", &["postgres: 15/main: checkpointer "], &[]), None);
    assert_eq!(nature("/usr/bin/node", &["/usr/sbin/mysqld"], &[]), None);
}

#[test]
fn a_name_counts_where_the_executable_is_unreadable_and_links_have_many() {
    let mut other = process(50, 1, "", &["/usr/sbin/mariadbd"]);
    other.name = "mariadbd".to_owned();
    let snapshot = machine_with(from_ref(&other), &[]);
    assert_eq!(nature_of(&other, &snapshot).unwrap().name, "MariaDB");
    // Debian's redis-server, and the tool that its file is.
    let redis = nature("/usr/bin/redis-check-rdb", &["/usr/bin/redis-server 127.0.0.1:6379"], &[]);
    assert_eq!(redis.unwrap().name, "Redis");
    assert_eq!(nature("/usr/bin/redis-check-rdb", &["redis-check-rdb", "dump.rdb"], &[]), None);
    assert_eq!(nature("/nix/store/x/bin/.mysqld-wrapped", &["mysqld"], &[]).unwrap().name, "MySQL");
}

#[test]
fn a_part_of_postgres_is_not_the_one_to_signal() {
    let master = process(40, 1, "/usr/lib/postgresql/15/bin/postgres", &["postgres", "-D", "/x"]);
    let exe = "/usr/lib/postgresql/15/bin/postgres";
    let part = process(50, 40, exe, &["postgres: 15/main: me db 127.0.0.1(5000) idle"]);
    let snapshot = machine_with(&[master.clone(), part.clone()], &[]);
    let nature = nature_of(&part, &snapshot).unwrap();
    assert_eq!((nature.ask, nature.never_forced.is_some()), (None, true));
    assert!(nature.advice.unwrap().contains("the server is pid 40"));
    assert_eq!(nature_of(&master, &snapshot).unwrap().ask, Some(2));
    // Its parent unseen.
    let orphan = machine_with(from_ref(&part), &[]);
    assert_eq!(nature_of(&part, &orphan).unwrap().ask, None);
}

#[test]
fn tunnels_are_named_by_their_far_end() {
    for (line, ports, name) in [
        ("ssh -N -L 8080:localhost:80 me@build1", &[8080][..], "ssh tunnel to build1"),
        ("ssh -fN -D 1080 build1", &[1080], "ssh SOCKS proxy through build1"),
        ("ssh build1", &[8080], "ssh tunnel to build1"),
        ("ssh build1", &[], "nothing"),
        ("ssh -R 80:localhost:3000 serveo.net", &[], "ssh tunnel to serveo.net"),
        ("autossh -M 0 -N -L 8080:localhost:80 build1", &[], "autossh"),
        (
            "kubectl -n prod port-forward svc/web 8080:80",
            &[8080],
            "kubectl port-forward to svc/web",
        ),
        ("kubectl proxy", &[8001], "kubectl proxy"),
        ("kubectl get pods -w", &[], "nothing"),
        (
            "socat TCP-LISTEN:8080,fork,reuseaddr TCP:10.0.0.5:80",
            &[8080],
            "socat to TCP:10.0.0.5:80",
        ),
        ("socat -d tcp-l:8080 UNIX-CONNECT:/x.sock", &[8080], "socat to UNIX-CONNECT:/x.sock"),
        ("cloudflared tunnel run", &[20241], "cloudflared tunnel"),
        (
            "cloudflared access tcp --hostname db.example.com --url 127.0.0.1:5433",
            &[5433],
            "cloudflared access to db.example.com",
        ),
        ("ngrok http 3000", &[4040], "ngrok"),
        ("chisel client http://x 8080:80", &[8080], "chisel tunnel"),
        ("frpc -c frpc.toml", &[7400], "frp client"),
        ("tailscaled", &[443], "Tailscale"),
        (
            "python3 -S /usr/lib/google-cloud-sdk/lib/gcloud.py compute start-iap-tunnel vm1 22 --local-host-port=localhost:2222",
            &[2222],
            "gcloud tunnel to vm1",
        ),
        ("session-manager-plugin {} eu-west-1", &[5432], "AWS session"),
    ] {
        assert_eq!(name_of(line, ports), name, "{line}");
    }
}

#[test]
fn a_forward_is_cancelled_where_its_connection_is_shared() {
    for (line, port, stop) in [
        (
            "ssh -M -S /tmp/c -L 8080:localhost:80 me@build1",
            8080,
            "ssh -S /tmp/c -O cancel -L 8080:localhost:80 me@build1",
        ),
        (
            "ssh -oControlMaster=yes -oControlPath=/tmp/c -L 1:a:1 -D 1080 build1",
            1080,
            "ssh -o ControlPath=/tmp/c -O cancel -D 1080 build1",
        ),
        // What the tokens of a path mean is said again.
        (
            "ssh -fNF /x/conf -o ControlMaster=auto -oControlPath=~/.ssh/%r@%h:%p -p 2222 -l me -L 8080:localhost:80 build1",
            8080,
            "ssh -F /x/conf -o ControlPath=~/.ssh/%r@%h:%p -p 2222 -l me -O cancel -L 8080:localhost:80 build1",
        ),
        // Not its master, no path, a relative path, another port, a hostile destination.
        ("ssh -S /tmp/c -L 8080:localhost:80 build1", 8080, ""),
        ("ssh -M -L 8080:localhost:80 build1", 8080, ""),
        ("ssh -M -S c -L 8080:localhost:80 build1", 8080, ""),
        ("ssh -F c -M -S /tmp/c -L 8080:localhost:80 build1", 8080, ""),
        ("ssh -M -S none -L 8080:localhost:80 build1", 8080, ""),
        ("ssh -M -S /tmp/c -L 8080:localhost:80 build1", 8081, ""),
        ("ssh -M -S /tmp/c -L 8080:localhost:80 -- -oProxyCommand=x", 8080, ""),
    ] {
        assert_eq!(stop_of(line, &[port]), stop, "{line}");
    }
    let mux =
        nature("/usr/bin/ssh", &["ssh: /home/me/.ssh/cm-me@build1:22 [mux]"], &[8080]).unwrap();
    assert_eq!(mux.name, "shared ssh connection to build1");
    assert_eq!(mux.stop.unwrap().join(" "), "ssh -S /home/me/.ssh/cm-me@build1:22 -O exit build1");
    let mux = nature("/usr/bin/ssh", &["ssh: /tmp/c [mux]"], &[8080]).unwrap();
    assert_eq!(mux.stop.unwrap().join(" "), "ssh -S /tmp/c -O exit localhost");
}

#[test]
fn what_autossh_keeps_is_ended_by_it() {
    let autossh = process(40, 1, "/usr/bin/autossh", &["autossh", "-N", "-L8080:a:80", "build1"]);
    let ssh = process(50, 40, "/usr/bin/ssh", &["/usr/bin/ssh", "-N", "-L8080:a:80", "build1"]);
    let snapshot = machine_with(&[autossh, ssh.clone()], &[8080]);
    let nature = nature_of(&ssh, &snapshot).unwrap();
    assert!(nature.advice.unwrap().contains("autossh (pid 40)"));
}

#[test]
fn a_login_that_listens_is_told_from_the_server() {
    let session = process(50, 40, "/usr/sbin/sshd", &["sshd: me@notty"]);
    let mut snapshot = machine_with(from_ref(&session), &[2201]);
    snapshot.sockets.push(socket("10.0.0.1:22", Some("10.0.0.9:5555"), 50));
    let login = nature_of(&session, &snapshot).unwrap();
    assert_eq!(login.name, "ssh -R of the login me@notty from 10.0.0.9");
    assert_eq!((login.stop, login.never_forced), (None, None));
    let x11 = machine_with(from_ref(&session), &[6010]);
    assert!(nature_of(&session, &x11).unwrap().name.starts_with("X11 forwarding"));
    for title in ["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "sshd: me [priv]"] {
        assert_eq!(nature("/usr/sbin/sshd", &[title], &[22]), None, "{title}");
    }
    let session = nature("/usr/lib/openssh/sshd-session", &["sshd-session: me@pts/0"], &[2201]);
    assert_eq!(session.unwrap().kind, NatureKind::Tunnel);
}

#[test]
fn a_debug_port_is_not_the_applications() {
    let jdwp =
        "java -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005 -jar app.jar";
    assert_eq!(name_of(jdwp, &[5005]), "Java debug port (JDWP)");
    assert_eq!(name_of(jdwp, &[8080]), "nothing");
    assert_eq!(name_of(jdwp, &[5005, 8080]), "nothing");
    let calls = "java -agentlib:jdwp=transport=dt_socket,server=n,address=5005 -jar app.jar";
    assert_eq!(name_of(calls, &[5005]), "nothing");
    for (line, port, name) in [
        ("node --inspect server.js", 9229, "Node's inspector port"),
        ("node --inspect=0.0.0.0:9230 server.js", 9230, "Node's inspector port"),
        ("node --inspect=9230 server.js", 9229, "nothing"),
        ("node --inspect-brk=127.0.0.1:7000 server.js", 7000, "Node's inspector port"),
        // NODE_OPTIONS or SIGUSR1.
        ("node server.js", 9229, "Node's inspector port"),
        ("node server.js --inspect=3000", 3000, "nothing"),
        ("node --inspect server.js", 3000, "nothing"),
        ("dlv dap --listen=127.0.0.1:2345", 2345, "Delve, the Go debugger"),
        ("/home/me/app/__debug_bin3141", 8000, "program left by the Go debugger"),
        (
            "python3 /x/debugpy/adapter --for-server 4000 --host 127.0.0.1",
            5678,
            "debugpy's adapter",
        ),
        ("python3 -m debugpy --listen 5678 app.py", 8000, "Python program under debugpy"),
        ("python3 /x/adapter.py", 8000, "nothing"),
        ("gdbserver :2345 ./a", 2345, "gdbserver"),
        ("/home/me/.vscode/extensions/x/vsdbg", 4711, ".NET debugger"),
    ] {
        assert_eq!(name_of(line, &[port]), name, "{line} {port}");
    }
}

#[test]
fn who_is_traced_says_by_whom() {
    let dlv = process(40, 1, "/go/bin/dlv", &["dlv", "debug"]);
    let mut child = process(50, 40, "/home/me/app/__debug_bin1", &["./__debug_bin1"]);
    child.state = ProcessState::Traced;
    let snapshot = machine_with(&[dlv, child.clone()], &[8000]);
    let nature = nature_of(&child, &snapshot).unwrap();
    assert_eq!(nature.name, "program under Delve");
    assert!(nature.advice.unwrap().contains("end Delve (pid 40) first"));
    let mut alone = process(50, 1, "/usr/bin/web", &["web"]);
    alone.state = ProcessState::Traced;
    let snapshot = machine_with(from_ref(&alone), &[8000]);
    assert_eq!(nature_of(&alone, &snapshot).unwrap().name, "web under a debugger");
}

#[test]
fn tools_have_stop_commands_of_their_own() {
    for (line, ports, name, stop) in [
        (
            "/opt/sdk/platform-tools/adb -L tcp:5037 fork-server server --reply-fd 4",
            &[5037][..],
            "adb server",
            "/opt/sdk/platform-tools/adb -P 5037 kill-server",
        ),
        ("adb devices", &[], "nothing", ""),
        (
            "java -Xmx512m -cp /home/me/.gradle/wrapper/dists/gradle-8.5-bin/x/gradle-8.5/lib/gradle-launcher-8.5.jar org.gradle.launcher.daemon.bootstrap.GradleDaemon 8.5",
            &[40000],
            "Gradle daemon 8.5",
            "/home/me/.gradle/wrapper/dists/gradle-8.5-bin/x/gradle-8.5/bin/gradle --stop",
        ),
        (
            "/venv/bin/python3 /venv/bin/jupyter-lab --no-browser",
            &[8888],
            "Jupyter server",
            "/venv/bin/jupyter server stop 8888",
        ),
        ("python3 -m jupyterlab", &[8888], "Jupyter server", ""),
        ("python3 -m ipykernel_launcher -f /x.json", &[7860], "Jupyter kernel", ""),
        ("watchman --foreground", &[], "Watchman", "/usr/bin/watchman shutdown-server"),
        ("sccache", &[4226], "sccache server", "/usr/bin/sccache --stop-server"),
        ("sccache", &[4227], "sccache server", ""),
        (
            "/usr/lib/erlang/bin/epmd -daemon",
            &[4369],
            "Erlang's port mapper (epmd)",
            "/usr/lib/erlang/bin/epmd -kill",
        ),
        ("ollama serve", &[11434], "Ollama", ""),
        ("chromedriver --port=9515", &[9515], "ChromeDriver", ""),
        (
            "java -jar /x/cloud-firestore-emulator-v1.19.8.jar --port 8080",
            &[8080],
            "Firestore emulator",
            "",
        ),
        ("java -jar /x/selenium-server-4.20.jar standalone", &[4444], "Selenium server", ""),
        ("node /app/node_modules/nx/src/daemon/server/start.js", &[], "Nx daemon", ""),
        (
            "/app/node_modules/@esbuild/linux-x64/bin/esbuild --service=0.19.2 --ping",
            &[3000],
            "esbuild, a helper of a build tool",
            "",
        ),
        (
            "node /x/typescript/lib/tsserver.js --useInferredProjectPerProjectRoot",
            &[3000],
            "TypeScript's language server",
            "",
        ),
        (
            "node /app/node_modules/.bin/react-native start",
            &[8081],
            "Metro, the bundler of React Native",
            "",
        ),
        ("node server.js start", &[8081], "nothing", ""),
    ] {
        assert_eq!(name_of(line, ports), name, "{line}");
        assert_eq!(stop_of(line, ports), stop, "{line}");
    }
    let spring =
        nature("/usr/bin/ruby3.1", &["spring server | shop | started 3 mins ago"], &[3000]);
    assert_eq!(spring.unwrap().name, "Spring, the preloader of Rails");
    let bazel = ["bazel(shop)", "--workspace_directory=/home/me/shop", "-jar", "/x/A-server.jar"];
    let bazel = nature("/x/embedded_tools/jdk/bin/java", &bazel, &[40000]).unwrap();
    assert_eq!(bazel.advice.unwrap(), "bazel shutdown, run in /home/me/shop, ends it");
}

#[test]
fn guests_are_shut_down() {
    for (line, ports, name, stop) in [
        ("qemu-system-x86_64 -m 2G -nic user,hostfwd=tcp::8080-:80", &[8080][..], "QEMU guest", ""),
        ("qemu-system-x86_64 -name web,process=web", &[8080], "QEMU guest web", ""),
        (
            "qemu-system-x86_64 -name guest=web,debug-threads=on -chardev socket,path=/var/lib/libvirt/qemu/domain-1-web/monitor.sock",
            &[5900],
            "QEMU guest web",
            "virsh -c qemu:///session shutdown web",
        ),
        (
            "qemu-system-x86_64 -drive file=/home/me/.lima/default/diffdisk",
            &[2222],
            "Lima guest default",
            "limactl stop default",
        ),
        (
            "qemu-system-aarch64 -drive file=/home/me/.colima/_lima/colima/diffdisk",
            &[2222],
            "Colima guest colima",
            "colima stop --profile default",
        ),
        (
            "/home/me/Android/Sdk/emulator/qemu/linux-x86_64/qemu-system-x86_64-headless -avd Pixel_7 -ports 5556,5557",
            &[8554],
            "Android emulator Pixel_7",
            "/home/me/Android/Sdk/platform-tools/adb -s emulator-5556 emu kill",
        ),
        (
            "/usr/lib/virtualbox/VBoxHeadless --comment web_default_1 --startvm 0f5a-11 --vrde config",
            &[2222],
            "VirtualBox guest web_default_1",
            "VBoxManage controlvm 0f5a-11 acpipowerbutton",
        ),
        (
            "limactl hostagent --pidfile /x default",
            &[3000],
            "Lima guest default, its forwarder",
            "limactl stop default",
        ),
        ("limactl start default", &[], "nothing", ""),
        ("vmware-vmx -x /x.vmx", &[902], "VMware guest", ""),
        ("qemu-img convert a b", &[], "nothing", ""),
    ] {
        assert_eq!(name_of(line, ports), name, "{line}");
        assert_eq!(stop_of(line, ports), stop, "{line}");
        if name != "nothing" {
            let nature = of(line, ports).unwrap();
            assert_eq!(nature.kind, NatureKind::VirtualMachine, "{line}");
            assert!(nature.never_forced.is_some(), "{line}");
        }
    }
}

#[test]
fn editors_and_browsers_are_somebodys_desk() {
    for (line, name, forced) in [
        (
            "/usr/share/code/code --type=utility --utility-sub-type=node.mojom.NodeService",
            "VS Code, its extension host",
            false,
        ),
        ("/usr/share/code/code", "VS Code", false),
        (
            "/home/me/.vscode-server/bin/abc/node /home/me/.vscode-server/bin/abc/out/server-main.js",
            "VS Code's remote server",
            false,
        ),
        (
            "/home/me/.vscode-server/bin/abc/node /home/me/.vscode-server/bin/abc/out/bootstrap-fork --type=extensionHost",
            "VS Code's remote server, its extension host",
            false,
        ),
        ("/opt/cursor/cursor", "Cursor", false),
        ("/opt/idea/bin/idea", "IntelliJ IDEA", false),
        (
            "/opt/idea/jbr/bin/java -cp x -Didea.platform.prefix=Python com.intellij.idea.Main",
            "PyCharm",
            false,
        ),
        // What an IDE started is the person's own program.
        (
            "java -javaagent:/opt/idea/lib/idea_rt.jar=40000:/opt/idea/bin com.example.Main",
            "nothing",
            true,
        ),
        ("/usr/bin/emacs-gtk --daemon", "Emacs", false),
        ("nvim --headless --listen 127.0.0.1:6666", "Neovim", false),
        ("rust-analyzer", "rust-analyzer, a helper of an editor", true),
        (
            "node /x/node_modules/.bin/typescript-language-server --stdio",
            "typescript-language-server, a helper of an editor",
            true,
        ),
        ("/usr/lib/firefox/firefox", "Firefox", false),
        (
            "/opt/google/chrome/chrome --remote-debugging-port=9222",
            "Chrome with a port for its developer tools",
            false,
        ),
        (
            "/opt/google/chrome/chrome --headless=new --remote-debugging-port=9222",
            "headless Chrome",
            true,
        ),
        ("/x/chrome-headless-shell --remote-debugging-port=0", "headless Chrome", true),
        ("discord", "Discord", false),
        ("/opt/McAfee/agent/bin/macmnsvc", "McAfee agent", true),
        ("dropbox", "Dropbox", true),
    ] {
        assert_eq!(name_of(line, &[]), name, "{line}");
        assert_eq!(
            of(line, &[]).is_none_or(|nature| nature.never_forced.is_none()),
            forced,
            "{line}"
        );
    }
    let helper = [
        "/Applications/Visual Studio Code.app/Contents/Frameworks/Code Helper (Plugin).app/Contents/MacOS/Code Helper (Plugin)",
    ];
    assert_eq!(nature(helper[0], &helper, &[3000]).unwrap().name, "VS Code");
}

#[test]
fn words_of_a_stranger_are_no_command() {
    let line = ["/opt/sdk/adb", "-L", "tcp:5037", "fork-server", "server"];
    let adb = process(50, 1, "/opt/sdk/adb", &line);
    let mut snapshot = machine_with(from_ref(&adb), &[5037]);
    assert!(nature_of(&adb, &snapshot).unwrap().stop.is_some());
    // Root, and another user.
    for uid in [0, 1001] {
        snapshot.asker.uid = uid;
        assert_eq!(nature_of(&adb, &snapshot).unwrap().stop, None);
    }
    snapshot.asker.uid = 1000;
    // Its paths are those of another place.
    let mut boxed = adb;
    boxed.container = Some(Container { engine: "docker".to_owned(), id: "0123".to_owned() });
    assert_eq!(nature_of(&boxed, &snapshot).unwrap().stop, None);
    let mut asker = process(9000, 1, "/usr/bin/proc", &["proc"]);
    asker.container = boxed.container.clone();
    snapshot.processes.insert(9000, asker);
    assert!(nature_of(&boxed, &snapshot).unwrap().stop.is_some());
    let hostile = nature("/x/adb", &["adb", "server", "-L", "tcp:\u{1b}[2J"], &[]).unwrap();
    assert_eq!(hostile.stop.unwrap().join(" "), "/x/adb -P 5037 kill-server");
    assert_eq!(nature("/x/\u{1b}]0;/adb", &["adb", "server"], &[]).unwrap().stop, None);
}

#[test]
fn a_thread_of_the_kernel_is_nothing() {
    let mut thread = process(50, 2, "", &[]);
    thread.name = "postgres".to_owned();
    thread.kernel_thread = true;
    assert_eq!(nature_of(&thread, &machine_with(from_ref(&thread), &[])), None);
}

/// Files that are looked into more closely than others, and any.
fn executables() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "ssh",
        "sshd",
        "java",
        "node",
        "python3",
        "kubectl",
        "socat",
        "postgres",
        "adb",
        "redis-check-rdb",
        "qemu-system-x86_64",
        "VBoxHeadless",
        "limactl",
        "code",
        "chrome",
        "beam.smp",
        "esbuild",
        "ruby",
        "cloudflared",
        "Code Helper",
        "sccache",
        "clickhouse",
    ];
    prop_oneof![
        4 => proptest::sample::select(KNOWN).prop_map(|file| format!("/usr/bin/{file}")),
        1 => any::<String>(),
    ]
}

/// Words that the rules read, with what a hostile program makes of them.
fn arguments() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "-L",
        "-S",
        "-o",
        "-oControlPath=",
        "-M",
        "--",
        "-",
        "-jar",
        "-m",
        "-cp",
        "server",
        "tcp:",
        "-name",
        "guest=",
        "-ports",
        ",",
        "-agentlib:jdwp=server=y,address=",
        "--inspect=:",
        "/.lima/",
        "/lib/",
        "[",
        "ssh: /",
        "ssh: / [mux]",
        "ssh: @ [mux]",
        "sshd: @",
        "postgres: ",
        "-D",
        "é",
        "--hostname=",
        "port-forward",
        "TCP-LISTEN",
        "org.gradle.launcher.daemon.bootstrap.GradleDaemon",
        "--module=",
        "/emulator/qemu/",
    ];
    prop_oneof![
        3 => proptest::sample::select(KNOWN).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[-:/@\\[\\]%=, éa]{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_command_line_panics(
        exe in executables(),
        argv in proptest::collection::vec(arguments(), 0..6),
        port in 1u16..,
        titled in any::<bool>(),
    ) {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let words = match (titled, words.split_first()) {
            (true, Some((first, _))) => vec![*first],
            _ => std::iter::once(exe.as_str()).chain(words).collect(),
        };
        for exe in [exe.as_str(), ""] {
            if let Some(nature) = nature(exe, &words, &[port]) {
                prop_assert!(!nature.name.is_empty());
                for word in nature.stop.iter().flatten() {
                    prop_assert!(!word.is_empty() && !word.contains(char::is_control));
                }
            }
        }
    }
}

/// Programs as they are called on Windows and on macOS, whatever their case.
#[test]
fn programs_of_other_desktops_are_known() {
    let there = |exe: &str, line: &str, source: Source| {
        let argv: Vec<&str> = std::iter::once(exe).chain(line.split_whitespace()).collect();
        let process = process(50, 1, exe, &argv);
        let mut machine = machine_with(from_ref(&process), &[3000]);
        machine.source = source;
        nature_of(&process, &machine)
    };
    let windows = |exe: &str, line: &str| there(exe, line, Source::ExtendedTable);
    for (exe, line, name) in [
        (r"C:\Users\me\AppData\Local\Programs\Microsoft VS Code\Code.exe", "", "VS Code"),
        (r"C:\VS\Code - Insiders.exe", "", "VS Code"),
        (r"C:\x\Windsurf.exe", "", "Windsurf"),
        (r"C:\x\Kiro.exe", "", "Kiro"),
        (r"C:\x\VSCodium.exe", "", "VSCodium"),
        (r"C:\x\Zed.exe", "", "Zed"),
        (r"C:\JetBrains\Rider\bin\rider64.exe", "", "Rider"),
        (r"C:\Android\Android Studio\bin\studio64.exe", "", "Android Studio"),
        (r"C:\x\MSEDGE.EXE", "", "Edge"),
        (r"C:\x\vivaldi.exe", "", "Vivaldi"),
        (r"C:\x\Slack.exe", "", "Slack"),
        (r"C:\x\ms-teams.exe", "", "Teams"),
        (r"C:\x\Postman.exe", "", "Postman"),
        (r"C:\x\MySQLd.exe", "", "MySQL"),
        (r"C:\Program Files\Memurai\memurai.exe", "", "Redis"),
    ] {
        let nature = windows(exe, line).unwrap_or_else(|| panic!("{exe}"));
        assert_eq!((nature.name.as_str(), nature.never_forced.is_some()), (name, true), "{exe}");
    }
    for exe in
        [r"C:\x\studio64.exe", r"C:\x\coder.exe", r"C:\x\node.exe", "/usr/bin/Code", "/x/sLACK"]
    {
        assert_eq!(windows(exe, ""), None, "{exe}");
    }
    for (exe, name) in [
        ("/Applications/Visual Studio Code.app/Contents/MacOS/Electron", "VS Code"),
        ("/Applications/Visual Studio Code.app/Contents/MacOS/Code", "VS Code"),
        ("/Applications/VSCodium.app/Contents/MacOS/Electron", "VSCodium"),
        ("/Applications/Brave Browser.app/Contents/MacOS/Brave Browser", "Brave"),
        (
            "/Applications/Slack.app/Contents/Frameworks/Slack Helper.app/Contents/MacOS/Slack Helper",
            "Slack",
        ),
        ("/Applications/zoom.us.app/Contents/MacOS/zoom.us", "Zoom"),
    ] {
        let nature = there(exe, "", Source::PcbList).unwrap_or_else(|| panic!("{exe}"));
        assert_eq!((nature.name.as_str(), nature.never_forced.is_some()), (name, true), "{exe}");
    }
}
