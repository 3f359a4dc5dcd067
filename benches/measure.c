/* Times several commands against each other: every round runs each of them once, in shuffled order,
 * so that a noisy neighbour hits all alike. Prints one line of tab-separated numbers per command.
 *
 * usage: measure [--runs N] [--timeout S] [--budget S] [--ask IN OUT] -- LABEL COMMAND... [-- ...]
 *
 *   --runs N      rounds; one more comes first, unmeasured, to warm the caches
 *   --timeout S   a command that takes longer is killed and not run again
 *   --budget S    a command that has used this much wall time in all is not run again
 *   --ask IN OUT  before each round write "refill" to descriptor IN and read a line from OUT
 *
 * columns: label, runs, timed out (0/1), wall median us, wall min us, CPU median us (user + system,
 * exec included), peak RSS KB, exit code (-1: killed by a signal), ratio
 *
 * The ratio says what part of this command's wall time the FIRST command takes: the median of the
 * quotients of the two within one round. After a timeout it is an upper bound.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

enum { COMMANDS_MAX = 16, RUNS_MAX = 1000 };

struct command {
    const char *label;
    char **argv;
    int runs, retired, timed_out, exit_code;
    double spent_us;
    double wall[RUNS_MAX], cpu[RUNS_MAX], by_round[RUNS_MAX]; /* us; by_round is 0 where it did not run */
    long rss_kb;
};

struct sample {
    double wall_us, cpu_us;
    long rss_kb;
    int exit_code, timed_out;
};

static struct command commands[COMMANDS_MAX];
static int command_count, runs = 10, ask_in = -1, ask_out = -1;
static double timeout_s = 60, budget_s = 60;
extern char **environ;

static double microseconds(struct timeval t) {
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

/* Sorts in place. */
static double median(double *values, int count) {
    if (count == 0)
        return 0;
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* A group of its own, so that a timeout also ends what the command started. */
static pid_t start(char **argv, const posix_spawn_file_actions_t *quiet) {
    posix_spawnattr_t attributes;
    pid_t pid;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    int error = posix_spawnp(&pid, argv[0], quiet, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(error));
        exit(2);
    }
    return pid;
}

static struct sample run_once(char **argv, const posix_spawn_file_actions_t *quiet) {
    struct sample sample = {0};
    struct rusage usage;
    int status;
    double begun = now_us();
    pid_t pid = start(argv, quiet);
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0)
        fail("pidfd_open");
    struct pollfd exited = {.fd = handle, .events = POLLIN};
    if (poll(&exited, 1, (int)(timeout_s * 1e3)) == 0) {
        sample.timed_out = 1;
        kill(-pid, SIGKILL);
    }
    if (wait4(pid, &status, 0, &usage) != pid)
        fail("wait4");
    sample.wall_us = now_us() - begun;
    close(handle);
    sample.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    sample.rss_kb = usage.ru_maxrss;
    sample.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return sample;
}

static void keep(struct command *command, struct sample sample, int round) {
    command->wall[command->runs] = command->by_round[round] = sample.wall_us;
    command->cpu[command->runs++] = sample.cpu_us;
    if (sample.rss_kb > command->rss_kb)
        command->rss_kb = sample.rss_kb;
    command->exit_code = sample.exit_code;
}

static void measure(struct command *command, int round, const posix_spawn_file_actions_t *quiet) {
    struct sample sample = run_once(command->argv, quiet);
    int warm_up = round < 0;
    command->spent_us += sample.wall_us;
    if (sample.timed_out)
        command->timed_out = command->retired = 1;
    if (command->spent_us > budget_s * 1e6)
        command->retired = 1;
    /* A command too slow to be run twice keeps its only run, the warm-up. */
    if (!warm_up || command->retired)
        keep(command, sample, warm_up ? 0 : round);
}

static void refill(void) {
    char reply;
    if (ask_in < 0)
        return;
    if (write(ask_in, "refill\n", 7) != 7)
        fail("ask");
    do {
        if (read(ask_out, &reply, 1) != 1)
            fail("answer");
    } while (reply != '\n');
}

static void shuffle(int *order, int count) {
    for (int i = count - 1; i > 0; i--) {
        int j = (int)(random() % (i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

static void report(struct command *command) {
    double quotients[RUNS_MAX];
    int pairs = 0;
    for (int round = 0; round < runs; round++) {
        if (commands[0].by_round[round] > 0 && command->by_round[round] > 0)
            quotients[pairs++] = commands[0].by_round[round] / command->by_round[round];
    }
    double wall = median(command->wall, command->runs);
    printf("%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t%ld\t%d\t%.3f\n", command->label, command->runs, command->timed_out, wall,
           command->wall[0], median(command->cpu, command->runs), command->rss_kb, command->exit_code,
           median(quotients, pairs));
}

static char **parse_options(char **arg) {
    for (; *arg && strcmp(*arg, "--") != 0; arg += 2) {
        if (!arg[1])
            break;
        if (strcmp(*arg, "--runs") == 0)
            runs = atoi(arg[1]);
        else if (strcmp(*arg, "--timeout") == 0)
            timeout_s = atof(arg[1]);
        else if (strcmp(*arg, "--budget") == 0)
            budget_s = atof(arg[1]);
        else if (strcmp(*arg, "--ask") == 0 && arg[2]) {
            ask_in = atoi(arg[1]);
            ask_out = atoi((++arg)[1]);
        } else
            break;
    }
    return arg;
}

static void parse_commands(char **arg) {
    while (*arg && strcmp(*arg, "--") == 0 && arg[1] && arg[2] && command_count < COMMANDS_MAX) {
        struct command *command = &commands[command_count++];
        *arg = NULL; /* ends the argv before this one */
        command->label = arg[1];
        command->argv = arg + 2;
        for (arg += 2; *arg && strcmp(*arg, "--") != 0;)
            arg++;
    }
    if (*arg || command_count == 0 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: measure [--runs N] [--timeout S] [--budget S] [--ask IN OUT] -- LABEL COMMAND...\n");
        exit(2);
    }
}

int main(int argc, char **argv) {
    int order[COMMANDS_MAX];
    posix_spawn_file_actions_t quiet;
    (void)argc;
    parse_commands(parse_options(argv + 1));
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&quiet, 1, 2);
    for (int fd = 3; fd < 16; fd++) /* whatever was inherited is not for the commands */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    srandom(1); /* the same orders every time */

    for (int i = 0; i < command_count; i++)
        order[i] = i;
    for (int round = -1; round < runs; round++) {
        refill();
        shuffle(order, command_count);
        for (int i = 0; i < command_count; i++) {
            if (!commands[order[i]].retired)
                measure(&commands[order[i]], round, &quiet);
        }
    }
    for (int i = 0; i < command_count; i++)
        report(&commands[i]);
    return 0;
}
