/* Makes a machine to be measured on: processes with descriptors, listeners with one, two and many
 * holders, connections, TIME_WAIT. Run it only inside namespaces made for it (benches/run does).
 *
 * usage: machine [--processes N] [--descriptors K] [--sockets-only 1] [--listeners L] [--crowd H]
 *                [--connections C] [--time-wait T]
 *
 * Each of N processes opens K descriptors (files, pipes and unix sockets alike, or sockets only), its
 * share of L further listeners, and its share of C TCP connections of which it holds both ends. One
 * process in the middle opens the listener that an heir of it also holds; --crowd H makes another
 * listener with H holders.
 *
 * stdout: "listener PORT INODE" for each of L, "crowd PORT INODE", and last "ready PORT INODE".
 * stdin:  a line "refill" brings TIME_WAIT (which the kernel ends after 60 s) back to T and is
 *         answered with "refilled N"; end of file ends every process.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { LISTENER, CROWD, READY, DONE, FAILED };

/* What a process tells the parent; small enough that a pipe never splits it. */
struct report {
    enum kind kind;
    int error; /* errno, for FAILED */
    uint16_t port;
    uint64_t inode;
    char what[32];
};

static long processes = 1, descriptors, sockets_only, listeners, crowd, connections, time_wait;
static int jobs[2], reports[2]; /* pipes: parent to all, all to parent */

static _Noreturn void fail(const char *what) {
    struct report report = {.kind = FAILED, .error = errno};
    snprintf(report.what, sizeof report.what, "%s", what);
    if (write(reports[1], &report, sizeof report) < 0)
        perror(what);
    _exit(1);
}

static void tell(enum kind kind, uint16_t port, uint64_t inode) {
    struct report report = {.kind = kind, .port = port, .inode = inode};
    if (write(reports[1], &report, sizeof report) != sizeof report)
        _exit(1);
}

/* ---- what one process opens ---- */

static void open_descriptors(long count, long own_number) {
    int pair[2];
    for (long made = 0, turn = own_number; made < count; turn++) {
        long kind = sockets_only ? 2 : turn % 3;
        if (kind == 0 || made + 1 == count) {
            if (open(turn % 2 ? "/dev/null" : "/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
                fail("open");
            made++;
            continue;
        }
        if (kind == 1 && pipe(pair) < 0)
            fail("pipe");
        if (kind == 2 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            fail("socketpair");
        made += 2;
    }
}

static int listen_at(uint32_t address, struct sockaddr_in *bound) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *bound;
    *bound = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)bound, sizeof *bound) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)bound, &length) < 0)
        fail("listen");
    return fd;
}

static void open_listener(enum kind kind) {
    struct sockaddr_in bound;
    struct stat status;
    int fd = listen_at(INADDR_ANY, &bound);
    if (fstat(fd, &status) < 0)
        fail("fstat");
    tell(kind, ntohs(bound.sin_port), status.st_ino);
}

/* Ends when the parent of all closes the pipe: no signal is ever needed. */
static _Noreturn void wait_for_the_end(void) {
    struct pollfd ended = {.fd = jobs[0]};
    while (poll(&ended, 1, -1) < 0)
        ;
    _exit(0);
}

/* An heir holds what was open when it was forked. */
static void fork_heirs(long count) {
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            fail("fork heir");
        if (pid == 0)
            wait_for_the_end();
    }
}

static void connect_pair(int listener, const struct sockaddr_in *server, int pair[2]) {
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pair[0] < 0 || connect(pair[0], (const struct sockaddr *)server, sizeof *server) < 0)
        fail("connect");
    pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (pair[1] < 0)
        fail("accept");
}

/* The client closes first, so its side waits; the server's is gone. */
static void leave_time_wait(int listener, const struct sockaddr_in *server, uint32_t count) {
    int pair[2];
    for (uint32_t i = 0; i < count; i++) {
        connect_pair(listener, server, pair);
        close(pair[0]);
        close(pair[1]);
    }
}

/* An own destination address for each process: connections to one address and port cannot exceed
 * the ephemeral range. */
static void connect_share(long number, long count) {
    struct sockaddr_in server;
    int pair[2], listener = listen_at(0x7f010001u + (uint32_t)number, &server);
    for (long i = 0; i < count; i++)
        connect_pair(listener, &server, pair);
}

static long share(long total, long number) {
    return total * (number + 1) / processes - total * number / processes;
}

static _Noreturn void wait_for_jobs(long number) {
    struct sockaddr_in server;
    uint32_t count;
    int listener = listen_at(0x7f020001u + (uint32_t)number, &server);
    tell(DONE, 0, 0);
    while (read(jobs[0], &count, sizeof count) == sizeof count) {
        leave_time_wait(listener, &server, count);
        tell(DONE, 0, 0);
    }
    _exit(0);
}

static _Noreturn void be_process(long number) {
    close(jobs[1]);
    close(reports[0]);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (number == processes / 2) {
        open_listener(READY);
        fork_heirs(1);
    }
    if (crowd > 0 && number == processes / 3) {
        open_listener(CROWD);
        fork_heirs(crowd - 1);
    }
    for (long i = share(listeners, number); i > 0; i--)
        open_listener(LISTENER);
    open_descriptors(descriptors, number);
    if (connections > 0)
        connect_share(number, share(connections, number));
    if (time_wait > 0)
        wait_for_jobs(number);
    tell(DONE, 0, 0);
    wait_for_the_end();
}

/* ---- the parent of all ---- */

/* Collects reports until every process is done; returns the READY one. */
static struct report await_done(long count) {
    struct report report, ready = {0};
    while (count > 0) {
        if (read(reports[0], &report, sizeof report) != sizeof report)
            exit(1);
        switch (report.kind) {
        case FAILED:
            fprintf(stderr, "machine: %s: %s\n", report.what, strerror(report.error));
            exit(1);
        case LISTENER:
        case CROWD:
            printf("%s %u %lu\n", report.kind == CROWD ? "crowd" : "listener", report.port, report.inode);
            break;
        case READY:
            ready = report;
            break;
        case DONE:
            count--;
        }
    }
    return ready;
}

/* How many TIME_WAIT sockets this network namespace has: "TCP: inuse 5 orphan 0 tw 80000 ...". */
static long time_waits(void) {
    char line[256];
    long count = 0;
    FILE *file = fopen("/proc/net/sockstat", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "TCP: inuse %*d orphan %*d tw %ld", &count) == 1)
            break;
    }
    if (file)
        fclose(file);
    return count;
}

/* Leaves small losses alone: a top-up costs seconds of both processors. */
static void refill(void) {
    long missing = time_wait - time_waits();
    if (time_wait == 0 || missing * 20 < time_wait)
        return;
    for (long i = 0; i < processes; i++) {
        uint32_t count = (uint32_t)share(missing, i);
        if (write(jobs[1], &count, sizeof count) != sizeof count)
            exit(1);
    }
    await_done(processes);
}

static void serve_stdin(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        refill();
        printf("refilled %ld\n", time_waits());
        fflush(stdout);
    }
}

static void parse(char **argv) {
    static const struct {
        const char *name;
        long *value;
    } options[] = {
        {"--processes", &processes},     {"--descriptors", &descriptors}, {"--sockets-only", &sockets_only},
        {"--listeners", &listeners},     {"--crowd", &crowd},             {"--connections", &connections},
        {"--time-wait", &time_wait},
    };
    for (char **arg = argv + 1; *arg; arg += 2) {
        size_t i = 0, count = sizeof options / sizeof *options;
        while (i < count && strcmp(*arg, options[i].name) != 0)
            i++;
        if (i == count || !arg[1] || (*options[i].value = atol(arg[1])) < 0) {
            fprintf(stderr, "machine: %s: unknown, or without a number\n", *arg);
            exit(2);
        }
    }
}

int main(int argc, char **argv) {
    struct rlimit files;
    (void)argc;
    parse(argv);
    if (processes < 1 || pipe(jobs) < 0 || pipe(reports) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0) {
        fprintf(stderr, "machine: cannot start\n");
        return 2;
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    for (long number = 0; number < processes; number++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("machine: fork");
            return 1;
        }
        if (pid == 0)
            be_process(number);
    }
    struct report ready = await_done(processes);
    if (time_wait > 0)
        refill();
    printf("ready %u %lu\n", ready.port, ready.inode);
    fflush(stdout);

    serve_stdin();
    close(jobs[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}
