// An independent client, to be compared with: sends messages of 64 bytes by the clock, on each connection in turn.
// usage: open_loop tcp|udp PORT CONNECTIONS RATE SECONDS [sleep]   prints: p50 and p99 of the latency since each was due, in ms
// It keeps a core busy; with `sleep` it waits for the next message and for replies, as bench does.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64

typedef struct { int fd; long back; size_t partial; } Connection;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 6) return fprintf(stderr, "usage: open_loop tcp|udp PORT CONNECTIONS RATE SECONDS [sleep]\n"), 2;
  int datagrams = !strcmp(argv[1], "udp"), sleeps = argc > 6, n = atoi(argv[3]), one = 1;
  double interval = 1e3 / atof(argv[4]);
  long total = atof(argv[5]) * 1e3 / interval, sent = 0, back = 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  Connection *connections = calloc(n, sizeof *connections);
  double *latencies = calloc(total, sizeof *latencies);
  char out[SIZE] = {0}, in[65536];
  prctl(PR_SET_TIMERSLACK, 1);
  int poll = epoll_create1(0);
  for (int i = 0; i < n; i++) {
    int fd = connections[i].fd = socket(AF_INET, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (connect(fd, (void *)&to, sizeof to)) return perror("connect"), 1;
    if (!datagrams) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
  }
  struct epoll_event events[256];
  double begin = now(), limit = begin + total * interval + 5e3;
  while (back < total && now() < limit) {
    for (; sent < total && begin + sent * interval <= now(); sent++) {
      if (write(connections[sent % n].fd, out, SIZE) != SIZE) return perror("write"), 1;
    }
    double wait = !sleeps ? 0 : sent < total ? begin + sent * interval - now() : 100;
    struct timespec limit_of_wait = {0, wait > 0 ? (long)(wait * 1e6) % 1000000000 : 0};
    int ready = epoll_pwait2(poll, events, 256, &limit_of_wait, 0);
    double t = now();
    for (int i = 0; i < ready; i++) {
      Connection *c = &connections[events[i].data.u32];
      ssize_t got = read(c->fd, in, sizeof in);
      if (got <= 0) return fprintf(stderr, "closed by the server\n"), 1;
      for (c->partial += got; c->partial >= SIZE; c->partial -= SIZE) {
        long m = c->back++ * n + (c - connections);
        latencies[back++] = t - (begin + m * interval);
      }
    }
  }
  if (back < total) return fprintf(stderr, "%ld of %ld came back\n", back, total), 1;
  qsort(latencies, total, sizeof *latencies, ascending);
  printf("%f %f\n", latencies[total / 2], latencies[total * 99 / 100]);
}
