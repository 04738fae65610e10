// An echo server of known delays, for messages of 64 bytes.
// usage: delay_server tcp|udp delay MS     each reply MS milliseconds after its message
//        delay_server tcp|udp some N MS    each Nth reply, the others at once
//        delay_server tcp|udp stall AT MS  deaf once for MS, AT milliseconds after the first message
// It prints its port. At the end of stdin it prints the delays that it really made: p50, p99, the greatest, and how
// long it was deaf, in milliseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64
#define MOST_FDS 4096
#define MOST_PENDING (1 << 16)
#define MOST_REPLIES (1 << 20)

typedef struct { double arrived, due; int fd; struct sockaddr_in peer; char bytes[SIZE]; } Reply;

static Reply pending[MOST_PENDING];  // a ring, by when they are due
static unsigned long head, tail;
static double delays[MOST_REPLIES], last_due[MOST_FDS], deaf;
static char partial[MOST_FDS][SIZE];
static size_t partial_length[MOST_FDS];
static long messages, replies;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static Reply *at(unsigned long i) { return &pending[i % MOST_PENDING]; }

static void reply(const Reply *r, int datagrams) {
  if (datagrams) sendto(r->fd, r->bytes, SIZE, 0, (const void *)&r->peer, sizeof r->peer);
  else if (write(r->fd, r->bytes, SIZE) != SIZE) return;
  if (replies < MOST_REPLIES) delays[replies++] = now() - r->arrived;
}

static void receive(const char *bytes, int fd, const struct sockaddr_in *peer, double delay, int datagrams) {
  Reply r = {.arrived = now(), .fd = fd};
  if (peer) r.peer = *peer;
  memcpy(r.bytes, bytes, SIZE);
  r.due = r.arrived + delay;
  if (!datagrams && r.due < last_due[fd]) r.due = last_due[fd];  // a stream keeps its order
  last_due[fd] = r.due;
  if (r.due <= r.arrived) return reply(&r, datagrams);
  unsigned long i = tail++;
  for (; i > head && at(i - 1)->due > r.due; i--) *at(i) = *at(i - 1);
  *at(i) = r;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: delay_server tcp|udp RULE NUMBER [NUMBER]\n"), 2;
  int datagrams = !strcmp(argv[1], "udp"), some = !strcmp(argv[2], "some"), stall = !strcmp(argv[2], "stall");
  double first = atof(argv[3]), second = argc > 4 ? atof(argv[4]) : 0, stall_at = 0;
  prctl(PR_SET_TIMERSLACK, 1UL);  // the kernel's default is 50 us late
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof here;
  int listener = socket(AF_INET, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0), one = 1, room = 4 << 20;
  if (bind(listener, (void *)&here, length) || getsockname(listener, (void *)&here, &length)) return perror("bind"), 1;
  if (datagrams) setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  else listen(listener, 4096);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), poll = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN}, events[256];
  int watched[] = {0, listener, timer};
  for (int i = 0; i < 3; i++) e.data.fd = watched[i], epoll_ctl(poll, EPOLL_CTL_ADD, watched[i], &e);
  printf("%d\n", ntohs(here.sin_port)), fflush(stdout);
  for (;;) {
    int n = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      char buffer[65536];
      struct sockaddr_in peer;
      socklen_t peer_length = sizeof peer;
      if (fd == timer) {
        unsigned long long expired;
        if (read(timer, &expired, sizeof expired) < 0) continue;
      } else if (fd == 0) {
        if (read(0, buffer, sizeof buffer) > 0) continue;
        qsort(delays, replies, sizeof *delays, ascending);
        if (replies == 0) return printf("0 0 0 0\n"), 0;
        printf("%f %f %f %f\n", delays[replies / 2], delays[replies * 99 / 100], delays[replies - 1], deaf);
        return 0;
      } else if (fd == listener && !datagrams) {
        e.data.fd = accept(listener, 0, 0);
        setsockopt(e.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        partial_length[e.data.fd] = 0;
        epoll_ctl(poll, EPOLL_CTL_ADD, e.data.fd, &e);
      } else {
        ssize_t got = datagrams ? recvfrom(fd, buffer, sizeof buffer, 0, (void *)&peer, &peer_length)
                                : read(fd, buffer, sizeof buffer);
        if (got <= 0) { close(fd); continue; }
        for (ssize_t done = 0; done < got;) {
          size_t *have = &partial_length[fd], part = SIZE - *have;
          if (part > (size_t)(got - done)) part = got - done;
          memcpy(partial[fd] + *have, buffer + done, part);
          done += part, *have += part;
          if (*have < SIZE) break;
          *have = 0;
          messages++;
          double delay = some ? (messages % (long)first == 0 ? second : 0) : stall ? 0 : first;
          receive(partial[fd], fd, datagrams ? &peer : 0, delay, datagrams);
        }
        if (stall && stall_at == 0) stall_at = now() + first;
      }
    }
    if (stall && stall_at > 0 && now() >= stall_at) {
      double begin = now();
      usleep(second * 1e3);
      deaf = now() - begin, stall_at = 1e300;
    }
    for (double t = now(); head < tail && at(head)->due <= t; head++) reply(at(head), datagrams);
    if (head < tail) {
      double due = at(head)->due;
      struct itimerspec when = {.it_value = {.tv_sec = due / 1e3, .tv_nsec = (due - (long)(due / 1e3) * 1e3) * 1e6}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, 0);
    }
  }
}
