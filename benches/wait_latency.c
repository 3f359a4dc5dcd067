/* How long after the moment a command that waits for a port returns. Each run starts the command,
 * lets it wait for a while that is different each time (so that no poll keeps step), then closes a
 * listener ("free") or begins to listen ("listening") in this very process, and notes when the
 * kernel says that the command has exited.
 *
 * usage: wait_latency free|listening RUNS WAIT_MS COMMAND...   "{}" in an argument becomes the port
 * prints one tab-separated line: runs, exit 0; then ms: latency median, min, p90, max; then the
 * processor time of the command and its children, start-up included: ms a run, and per cent of the
 * time that it waited.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

enum { RUNS_MAX = 1000, ARGUMENTS_MAX = 64, PATIENCE_MS = 20000 };

extern char **environ;

static double now_ms(void) { return now_us() / 1e3; }

static void pause_ms(int ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* A bound socket; port 0 asks the kernel for one. With SO_REUSEADDR, as servers bind. */
static int bind_port(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)*port)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0)
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        fail("bind");
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t start(char **command, int count, int port) {
    static char words[ARGUMENTS_MAX][4096];
    char *arguments[ARGUMENTS_MAX + 1], number[8];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    snprintf(number, sizeof number, "%d", port);
    for (int i = 0; i < count; i++) {
        char *place = strstr(command[i], "{}");
        if (place)
            snprintf(words[i], sizeof words[i], "%.*s%s%s", (int)(place - command[i]), command[i], number,
                     place + 2);
        else
            snprintf(words[i], sizeof words[i], "%s", command[i]);
        arguments[i] = words[i];
    }
    arguments[count] = NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if ((errno = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ)))
        fail(arguments[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static double milliseconds(struct timeval t) {
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

int main(int argc, char **argv) {
    if (argc < 5 || argc - 4 > ARGUMENTS_MAX) {
        fprintf(stderr, "usage: wait_latency free|listening RUNS WAIT_MS COMMAND...\n");
        return 2;
    }
    int listening = !strcmp(argv[1], "listening"), runs = atoi(argv[2]), wait_ms = atoi(argv[3]), good = 0;
    if (runs < 1 || runs > RUNS_MAX || wait_ms < 1)
        return 2;
    double late[RUNS_MAX], processor = 0, waited = 0;
    srand((unsigned)getpid());
    for (int run = 0; run < runs; run++) {
        int port = 0, fd = bind_port(&port), status = 0;
        struct rusage used;
        if (listening) {
            close(fd);
        } else if (listen(fd, 128) < 0) {
            fail("listen");
        }
        double begin = now_ms();
        pid_t pid = start(argv + 4, argc - 4, port);
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0)
            fail("pidfd_open");
        pause_ms(wait_ms + rand() % 500);
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        if (poll(&ended, 1, 0) == 1)
            fprintf(stderr, "it did not wait\n");
        double moment;
        if (listening) {
            fd = bind_port(&port);
            moment = now_ms();
            if (listen(fd, 128) < 0)
                fail("listen");
        } else {
            moment = now_ms();
            close(fd);
        }
        if (poll(&ended, 1, PATIENCE_MS) != 1)
            kill(pid, SIGKILL);
        late[run] = now_ms() - moment;
        waited += moment - begin;
        if (wait4(pid, &status, 0, &used) < 0)
            fail("wait4");
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        processor += milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
        close(pidfd);
        if (listening)
            close(fd);
    }
    qsort(late, (size_t)runs, sizeof late[0], ascending);
    printf("%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\n", runs, good, late[runs / 2], late[0],
           late[runs * 9 / 10], late[runs - 1], processor / runs, 100 * processor / waited);
    return 0;
}
