/* How long a command that frees a port takes beyond the holder's own exit. Each run starts a listener
 * that SIGTERM ends by its default action, starts the command, and notes when the kernel says that
 * each of the two has exited; then a plain bind proves whether the port is back.
 *
 * usage: free_latency RUNS COMMAND...     "{}" in an argument becomes the listener's port
 * prints one tab-separated line: runs, exit 0, port bindable; then us: beyond the exit median, min,
 * p90, max; whole command median. A negative number: the command returned before the exit.
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

enum { RUNS_MAX = 1000, ARGUMENTS_MAX = 64, PATIENCE_MS = 20000 };

extern char **environ;

/* Port 0 asks the kernel for one. Returns the socket, or -1 with errno. */
static int bind_port(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)*port)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static int handle_of(pid_t pid) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0)
        fail("pidfd_open");
    return handle;
}

/* The listener is an orphan, as a server whose terminal was closed: with a living parent that is no
 * interactive shell, the command would rightly watch whether that parent starts it again. Returns
 * its pidfd. */
static int start_listener(int *port) {
    int ready[2], facts[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        fail("pipe");
    pid_t between = fork();
    if (between < 0)
        fail("fork");
    if (between == 0) {
        pid_t own = getpid(), pid = fork();
        if (pid != 0)
            _exit(pid < 0);
        setsid();
        facts[0] = getpid();
        facts[1] = 0;
        int fd = bind_port(&facts[1]);
        if (fd < 0 || listen(fd, 16) < 0)
            _exit(1);
        while (getppid() == own)
            usleep(1000);
        if (write(ready[1], facts, sizeof facts) != sizeof facts)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    waitpid(between, NULL, 0);
    if (read(ready[0], facts, sizeof facts) != sizeof facts)
        fail("listener");
    close(ready[0]);
    *port = facts[1];
    return handle_of(facts[0]);
}

static pid_t start_command(char **command, int port) {
    static char texts[ARGUMENTS_MAX][256];
    char *argv[ARGUMENTS_MAX + 1] = {0};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    for (int i = 0; command[i] && i < ARGUMENTS_MAX; i++) {
        char *hole = strstr(command[i], "{}");
        argv[i] = command[i];
        if (!hole)
            continue;
        snprintf(texts[i], sizeof texts[i], "%.*s%d%s", (int)(hole - command[i]), command[i], port, hole + 2);
        argv[i] = texts[i];
    }
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&quiet, 1, 2);
    int error = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (error) {
        errno = error;
        fail(command[0]);
    }
    return pid;
}

/* Notes the exit times of both, 0 where patience ended first. */
static void watch(int listener, pid_t command, double exits[2]) {
    struct pollfd handles[2] = {
        {.fd = dup(listener), .events = POLLIN},
        {.fd = handle_of(command), .events = POLLIN},
    };
    exits[0] = exits[1] = 0;
    while ((exits[0] == 0 || exits[1] == 0) && poll(handles, 2, PATIENCE_MS) > 0) {
        double now = now_us();
        for (int i = 0; i < 2; i++) {
            if (!handles[i].revents)
                continue;
            exits[i] = now;
            close(handles[i].fd);
            handles[i].fd = -1; /* poll passes over it */
        }
        if (exits[1] != 0 && exits[0] == 0 && poll(handles, 1, 1000) == 0)
            break; /* the command is gone and did not end the listener */
    }
    for (int i = 0; i < 2; i++) {
        if (handles[i].fd >= 0)
            close(handles[i].fd);
    }
}

int main(int argc, char **argv) {
    static double beyond[RUNS_MAX], whole[RUNS_MAX];
    int runs = argc > 2 ? atoi(argv[1]) : 0, timed = 0, exit_zero = 0, bindable = 0;
    if (runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: free_latency RUNS COMMAND...\n");
        return 2;
    }
    for (int run = 0; run < runs; run++) {
        int port, status;
        double exits[2];
        int listener = start_listener(&port);
        double begun = now_us();
        pid_t command = start_command(argv + 2, port);
        watch(listener, command, exits);
        int fd = bind_port(&port);
        bindable += fd >= 0;
        if (fd >= 0)
            close(fd);
        /* Both are ours: the one by its pidfd, the other not yet reaped. */
        syscall(SYS_pidfd_send_signal, listener, SIGKILL, NULL, 0);
        close(listener);
        kill(command, SIGKILL);
        waitpid(command, &status, 0);
        exit_zero += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (exits[0] == 0 || exits[1] == 0)
            continue;
        beyond[timed] = exits[1] - exits[0];
        whole[timed++] = exits[1] - begun;
    }
    qsort(beyond, (size_t)timed, sizeof *beyond, ascending);
    qsort(whole, (size_t)timed, sizeof *whole, ascending);
    if (timed == 0)
        printf("0\t%d\t%d\t0\t0\t0\t0\t0\n", exit_zero, bindable);
    else
        printf("%d\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", timed, exit_zero, bindable, beyond[timed / 2], beyond[0],
               beyond[timed * 9 / 10], beyond[timed - 1], whole[timed / 2]);
    return 0;
}
