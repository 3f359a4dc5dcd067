//! Servers that keep data: what they are called, how they like to be ended, and what a forced end
//! would cost. Caches that keep nothing are here too, to say so.

use super::subject::Subject;
use super::{Nature, NatureKind};
use crate::supervisor::file_name;

/// A database, by program or by Java class.
pub(super) fn database(subject: &Subject<'_>) -> Option<Nature> {
    if subject.is(&["postgres", "postmaster", "edb-postgres"]) {
        return Some(postgres(subject));
    }
    if subject.is(&["beam.smp", "beam", "erl"]) {
        return erlang(subject);
    }
    if is_solr(subject) {
        return Some(
            Nature::new(NatureKind::Database, "Solr")
                .never_forced(RECOVERY)
                .advice("solr stop -p PORT ends it in order, and so does SIGTERM; never forced"),
        );
    }
    let family = FAMILIES.iter().find(|family| {
        subject.is(family.programs)
            || subject.class.is_some_and(|class| family.classes.iter().any(|own| runs(class, own)))
    })?;
    if let Some(word) = family.only_with
        && !subject.arguments().iter().any(|argument| argument == word)
    {
        return None;
    }
    let nature = Nature::new(NatureKind::Database, family.name).advice(family.advice);
    Some(Nature { never_forced: family.loss, ..nature })
}

/// Solr is Jetty's `start.jar` with properties of its own.
fn is_solr(subject: &Subject<'_>) -> bool {
    subject.class.is_some_and(|class| runs(class, "start.jar"))
        && subject.arguments().iter().any(|argument| argument.starts_with("-Dsolr."))
}

/// Whether a main class is this one, or a jar has this for the beginning of its file name.
fn runs(class: &str, own: &str) -> bool {
    match own.strip_suffix(".jar") {
        Some(stem) => file_name(class).strip_suffix(".jar").is_some_and(|file| {
            file == stem || file.strip_prefix(stem).is_some_and(|rest| rest.starts_with('-'))
        }),
        None => class == own,
    }
}

const RECOVERY: &str =
    "a forced end makes it recover at its next start, and may cost its last writes";
const CLUSTER: &str = "a forced end makes it recover at its next start, and the others of its cluster take over from a dead member";
const DUMP: &str = "a forced end loses what it has in memory and did not save yet";
const POSTGRES: &str = "a forced end leaves its shared memory and its workers behind: it may refuse to start, and must recover";
const BACKEND: &str = "the server would end every connection and recover";

/// SIGINT, whose number is the same everywhere (POSIX kill(1)).
const INTERRUPT: i32 = 2;

/// The postmaster listens and is the one to signal (postgres(1), "Shutting Down the Server"): SIGTERM
/// waits for the clients to leave, SIGINT sends them off. The others are its children.
fn postgres(subject: &Subject<'_>) -> Nature {
    let titled = subject.title.is_some_and(|title| title.starts_with("postgres:"));
    let above = subject.ancestor(&["postgres", "postmaster", "edb-postgres"]);
    let nature = match (above, titled) {
        (None, false) if subject.snapshot.is_windows() => {
            return Nature::new(NatureKind::Database, "PostgreSQL")
                .never_forced(POSTGRES)
                .stop(pg_ctl(subject))
                .advice("pg_ctl stop -m fast shuts it down; never forced");
        }
        (None, false) => {
            return Nature {
                ask: Some(INTERRUPT),
                ..Nature::new(NatureKind::Database, "PostgreSQL")
                    .never_forced(POSTGRES)
                    .advice("asked to end by SIGINT (its fast shutdown), never forced")
            };
        }
        (Some(above), _) => Nature::new(NatureKind::Database, "PostgreSQL, a part of it").advice(
            format!("the server is pid {}: signal that one, never its parts", above.id.pid),
        ),
        (None, true) => Nature::new(NatureKind::Database, "PostgreSQL, a part of it").advice(
            "its server is gone or not to be seen; where that runs, signal it, never its parts",
        ),
    };
    nature.never_forced(BACKEND)
}

/// Windows has no SIGINT: the command beside the server sends it by a pipe of the server's own
/// (pgkill, src/port/kill.c).
fn pg_ctl(subject: &Subject<'_>) -> Option<Vec<String>> {
    let exe = subject.process.exe.as_deref()?;
    let folder = exe.get(..exe.len().checked_sub("postgres.exe".len())?)?;
    exe.to_ascii_lowercase().ends_with(r"\postgres.exe").then_some(())?;
    let directory = subject.value("-D")?;
    subject.own_command(&[&format!("{folder}pg_ctl.exe"), "stop", "-m", "fast", "-D", directory])
}

/// What an Erlang machine runs is in its arguments; SIGTERM shuts it down in order
/// (kernel's erl_signal_handler, since OTP 20). A Ctrl-C does not: it opens a menu (erl(1)).
fn erlang(subject: &Subject<'_>) -> Option<Nature> {
    let mentions = |word: &str| subject.arguments().iter().any(|a| a.contains(word));
    let name = if mentions("rabbit") {
        "RabbitMQ"
    } else if mentions("couch") {
        "CouchDB"
    } else if mentions("ejabberd") || mentions("emqx") || mentions("riak") {
        "an Erlang server"
    } else {
        return None;
    };
    let on_windows = subject.snapshot.is_windows();
    let advice = match (name, on_windows) {
        ("RabbitMQ", false) => "SIGTERM stops it in order, as rabbitmqctl stop does; never forced",
        ("RabbitMQ", true) => "rabbitmqctl stop stops it in order; never forced",
        (_, false) => "SIGTERM stops it in order; never forced",
        (_, true) => "its own command stops it in order; never forced",
    };
    Some(Nature::new(NatureKind::Database, name).never_forced(RECOVERY).advice(advice))
}

#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    programs: &'static [&'static str],
    /// Main classes; a jar by the beginning of its file name, up to a dash.
    classes: &'static [&'static str],
    /// An argument that it must have: the same program is also a client.
    only_with: Option<&'static str>,
    /// What a forced end costs.
    loss: Option<&'static str>,
    advice: &'static str,
}

const fn server(
    name: &'static str,
    programs: &'static [&'static str],
    loss: &'static str,
    advice: &'static str,
) -> Family {
    Family { name, programs, classes: &[], only_with: None, loss: Some(loss), advice }
}

const fn java(
    name: &'static str,
    classes: &'static [&'static str],
    advice: &'static str,
) -> Family {
    Family { name, programs: &[], classes, only_with: None, loss: Some(RECOVERY), advice }
}

const fn only_with(word: &'static str, family: Family) -> Family {
    Family { only_with: Some(word), ..family }
}

const TERM: &str = "SIGTERM shuts it down in order; never forced";

const FAMILIES: &[Family] = &[
    server(
        "MySQL",
        &["mysqld", "mysqld-debug"],
        RECOVERY,
        "SIGTERM shuts it down in order, which may take a while; never forced",
    ),
    server(
        "MariaDB",
        &["mariadbd"],
        RECOVERY,
        "SIGTERM shuts it down in order, which may take a while; never forced",
    ),
    server(
        "MongoDB",
        &["mongod"],
        RECOVERY,
        "SIGTERM shuts it down in order; a member of a replica set takes up to 15 s; never forced",
    ),
    server("MongoDB's router", &["mongos"], DUMP, TERM),
    server(
        "Redis",
        // The latter is Windows' own.
        &["redis-server", "memurai"],
        DUMP,
        "on SIGTERM it saves first, if it is set up to save; never forced",
    ),
    server("Redis Sentinel", &["redis-sentinel"], DUMP, TERM),
    server(
        "Valkey",
        &["valkey-server"],
        DUMP,
        "on SIGTERM it saves first, if it is set up to save; never forced",
    ),
    server(
        "KeyDB",
        &["keydb-server"],
        DUMP,
        "on SIGTERM it saves first, if it is set up to save; never forced",
    ),
    server(
        "Dragonfly",
        &["dragonfly"],
        DUMP,
        "on SIGTERM it saves first, if it is set up to save; never forced",
    ),
    Family {
        name: "memcached",
        programs: &["memcached"],
        classes: &[],
        only_with: None,
        loss: None,
        advice: "a cache in memory: nothing of it outlives it, however it ends",
    },
    server("ClickHouse", &["clickhouse-server", "clickhouse-keeper"], RECOVERY, TERM),
    only_with("server", server("ClickHouse", &["clickhouse"], RECOVERY, TERM)),
    server("InfluxDB", &["influxd", "influxdb3"], RECOVERY, TERM),
    server("VictoriaMetrics", &["victoria-metrics", "victoria-metrics-prod"], RECOVERY, TERM),
    server("QuestDB", &["questdb"], RECOVERY, TERM),
    server(
        "etcd",
        &["etcd"],
        CLUSTER,
        "its cluster, perhaps of Kubernetes, stands still without it; never forced",
    ),
    only_with(
        "agent",
        server(
            "Consul",
            &["consul"],
            CLUSTER,
            "consul leave takes it out of its cluster first; never forced",
        ),
    ),
    only_with(
        "server",
        server(
            "Vault",
            &["vault", "bao"],
            RECOVERY,
            "it is sealed when it starts again, unless it runs with -dev",
        ),
    ),
    server(
        "CockroachDB",
        &["cockroach"],
        CLUSTER,
        "on SIGTERM it hands over its work first, which takes a while; never forced",
    ),
    server("TiDB", &["tidb-server"], CLUSTER, TERM),
    server("TiKV", &["tikv-server"], CLUSTER, TERM),
    server("TiDB's placement driver", &["pd-server"], CLUSTER, TERM),
    server("YugabyteDB", &["yb-tserver", "yb-master"], CLUSTER, TERM),
    server(
        "ScyllaDB",
        &["scylla"],
        CLUSTER,
        "nodetool drain first spares it the replay; never forced",
    ),
    server("Dgraph", &["dgraph"], CLUSTER, TERM),
    server("RethinkDB", &["rethinkdb"], RECOVERY, TERM),
    server("FoundationDB", &["fdbserver"], CLUSTER, TERM),
    server("Microsoft SQL Server", &["sqlservr"], RECOVERY, TERM),
    server(
        "Oracle Database",
        &["oracle"],
        RECOVERY,
        "sqlplus / as sysdba, shutdown immediate, ends it in order",
    ),
    server("Oracle's listener", &["tnslsnr"], DUMP, "lsnrctl stop ends it; its databases live on"),
    server("Db2", &["db2sysc"], RECOVERY, "db2stop ends it in order; never forced"),
    server("Firebird", &["firebird", "fbserver"], RECOVERY, TERM),
    only_with("server", server("MinIO", &["minio"], RECOVERY, TERM)),
    server("SeaweedFS", &["weed"], RECOVERY, TERM),
    server("Prometheus", &["prometheus"], RECOVERY, TERM),
    server("Grafana Loki", &["loki"], RECOVERY, TERM),
    server("Meilisearch", &["meilisearch"], RECOVERY, TERM),
    server("Typesense", &["typesense-server"], RECOVERY, TERM),
    server("Qdrant", &["qdrant"], RECOVERY, TERM),
    server("Weaviate", &["weaviate"], RECOVERY, TERM),
    server("Milvus", &["milvus"], RECOVERY, TERM),
    server("ArangoDB", &["arangod"], RECOVERY, TERM),
    only_with("start", server("SurrealDB", &["surreal"], RECOVERY, TERM)),
    only_with("sql-server", server("Dolt", &["dolt"], RECOVERY, TERM)),
    server("EdgeDB", &["edgedb-server", "gel-server"], RECOVERY, TERM),
    server(
        "NATS",
        &["nats-server"],
        RECOVERY,
        "SIGTERM shuts it down in order; what JetStream keeps is on disk; never forced",
    ),
    only_with("serve", server("PocketBase", &["pocketbase"], RECOVERY, TERM)),
    server("libSQL server", &["sqld"], RECOVERY, TERM),
    server("OpenLDAP", &["slapd"], RECOVERY, TERM),
    server("Redpanda", &["redpanda"], CLUSTER, TERM),
    java(
        "Elasticsearch",
        &[
            "org.elasticsearch.bootstrap.Elasticsearch",
            "org.elasticsearch.launcher.CliToolLauncher",
            "org.elasticsearch.server.cli.ServerCli",
        ],
        TERM,
    ),
    java("OpenSearch", &["org.opensearch.bootstrap.OpenSearch"], TERM),
    java(
        "Cassandra",
        &["org.apache.cassandra.service.CassandraDaemon"],
        "nodetool drain first spares it the replay of its log; never forced",
    ),
    java(
        "Kafka",
        &["kafka.Kafka", "kafka.docker.KafkaDockerWrapper"],
        "SIGTERM hands its partitions over first, which takes a while; never forced",
    ),
    java(
        "ZooKeeper",
        &[
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            "org.apache.zookeeper.server.ZooKeeperServerMain",
        ],
        TERM,
    ),
    java(
        "Neo4j",
        &[
            "org.neo4j.server.Neo4jCommunity",
            "org.neo4j.server.CommunityEntryPoint",
            "com.neo4j.server.enterprise.Neo4jEnterprise",
            "com.neo4j.server.enterprise.EnterpriseEntryPoint",
        ],
        TERM,
    ),
    java("H2", &["org.h2.tools.Server", "org.h2.tools.Console", "h2.jar"], TERM),
    java("HSQLDB", &["org.hsqldb.server.Server", "org.hsqldb.Server", "hsqldb.jar"], TERM),
    java("Derby", &["org.apache.derby.drda.NetworkServerControl", "derbyrun.jar"], TERM),
    java(
        "HBase",
        &[
            "org.apache.hadoop.hbase.master.HMaster",
            "org.apache.hadoop.hbase.regionserver.HRegionServer",
        ],
        TERM,
    ),
    java(
        "Hadoop's file system",
        &[
            "org.apache.hadoop.hdfs.server.namenode.NameNode",
            "org.apache.hadoop.hdfs.server.datanode.DataNode",
        ],
        TERM,
    ),
    java(
        "Pulsar",
        &["org.apache.pulsar.PulsarStandaloneStarter", "org.apache.pulsar.PulsarBrokerStarter"],
        TERM,
    ),
    java("ActiveMQ", &["activemq.jar", "org.apache.activemq.artemis.boot.Artemis"], TERM),
    java("OrientDB", &["com.orientechnologies.orient.server.OServerMain"], TERM),
    java("QuestDB", &["io.questdb.ServerMain"], TERM),
    java("Ignite", &["org.apache.ignite.startup.cmdline.CommandLineStartup"], TERM),
];
