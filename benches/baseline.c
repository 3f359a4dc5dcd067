/* The floor: who holds one socket inode, by readlinkat over every descriptor of every process, in
 * two threads and nothing else. It is told the inode, asks no netlink question, reads no process
 * names and prints plain numbers: no complete answer from /proc can be cheaper.
 *
 * usage: baseline INODE     prints "PID FD" for each holder, then how much was looked at
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DIR_BUFFER = 64 * 1024, PIDS_MAX = 1 << 17, HOLDERS_MAX = 1 << 12, BLOCK = 4 };

struct dirent64 {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

struct holder {
    int pid;
    int fd;
};

static int pids[PIDS_MAX];
static int pid_count;
static struct holder holders[HOLDERS_MAX];
static atomic_int holder_count, next_pid;
static atomic_long descriptors;
static char wanted[40];
static size_t wanted_length;
static int proc_dir;

/* Names in /proc and /proc/PID/fd that matter are all digits; "." and ".." give -1. */
static int number(const char *name) {
    int value = 0;
    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        value = value * 10 + (*name - '0');
    }
    return value;
}

static void list_pids(char *buffer) {
    long got;
    while ((got = syscall(SYS_getdents64, proc_dir, buffer, DIR_BUFFER)) > 0) {
        for (long at = 0; at < got;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            int pid = number(entry->name);
            if (pid > 0 && pid_count < PIDS_MAX)
                pids[pid_count++] = pid;
            at += entry->length;
        }
    }
}

/* Returns how many descriptors were read; a process that vanished or may not be read has none. */
static long scan_process(int pid, char *buffer) {
    char path[32], link[64];
    long count = 0, got;
    snprintf(path, sizeof path, "%d/fd", pid);
    int dir = openat(proc_dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return 0;
    while ((got = syscall(SYS_getdents64, dir, buffer, DIR_BUFFER)) > 0) {
        for (long at = 0; at < got;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            at += entry->length;
            if (entry->name[0] == '.')
                continue;
            count++;
            ssize_t length = readlinkat(dir, entry->name, link, sizeof link);
            if (length != (ssize_t)wanted_length || memcmp(link, wanted, wanted_length) != 0)
                continue;
            int slot = atomic_fetch_add(&holder_count, 1);
            if (slot < HOLDERS_MAX)
                holders[slot] = (struct holder){pid, number(entry->name)};
        }
    }
    close(dir);
    return count;
}

/* Takes blocks of pids, so that one process with many descriptors does not idle the other thread. */
static void *scan(void *buffer) {
    long count = 0;
    for (;;) {
        int first = atomic_fetch_add(&next_pid, BLOCK);
        if (first >= pid_count)
            break;
        for (int i = first; i < first + BLOCK && i < pid_count; i++)
            count += scan_process(pids[i], buffer);
    }
    atomic_fetch_add(&descriptors, count);
    return NULL;
}

int main(int argc, char **argv) {
    static char buffers[2][DIR_BUFFER] __attribute__((aligned(8)));
    if (argc != 2) {
        fprintf(stderr, "usage: baseline INODE\n");
        return 2;
    }
    wanted_length = (size_t)snprintf(wanted, sizeof wanted, "socket:[%s]", argv[1]);
    proc_dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc_dir < 0 || wanted_length >= sizeof wanted) {
        perror("baseline");
        return 2;
    }
    list_pids(buffers[0]);

    pthread_t second;
    int threaded = pthread_create(&second, NULL, scan, buffers[1]) == 0;
    scan(buffers[0]);
    if (threaded)
        pthread_join(second, NULL);

    for (int i = 0; i < holder_count && i < HOLDERS_MAX; i++)
        printf("%d %d\n", holders[i].pid, holders[i].fd);
    printf("looked at %d processes, %ld descriptors\n", pid_count, (long)descriptors);
    return holder_count > 0 ? 0 : 1;
}
