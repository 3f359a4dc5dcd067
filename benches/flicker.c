/* Opens and closes a listener again and again, and says when: what `proc watch` has to keep up with.
 *
 * usage: flicker PORT ROUNDS PERIOD_US     open for the first half of each period
 * prints "open US" and "close US" lines: microseconds since 1970 by the wall clock, at which
 * listen() and close() returned. A UDP socket on the port, closed at the end, marks the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static long long clock_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void sleep_until(long long us) {
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int open_one(int type, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        fail("socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (type == SOCK_STREAM && listen(fd, 16) < 0)
        fail("listen");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    int port = atoi(argv[1]), rounds = atoi(argv[2]), period = atoi(argv[3]);
    int mark = open_one(SOCK_DGRAM, port);
    sleep(1);
    long long next = clock_us(CLOCK_MONOTONIC);
    for (int i = 0; i < rounds; i++, next += period) {
        sleep_until(next);
        int fd = open_one(SOCK_STREAM, port);
        printf("open %lld\n", clock_us(CLOCK_REALTIME));
        sleep_until(next + period / 2);
        close(fd);
        printf("close %lld\n", clock_us(CLOCK_REALTIME));
    }
    close(mark);
    sleep(1);
    return 0;
}
