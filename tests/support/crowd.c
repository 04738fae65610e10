/* crowd PORT BUSY MS [QUIET EVERY_MS]: for MS milliseconds BUSY clients that send 64 bytes as soon as the last 64
 * are back, and QUIET ones that send together, every EVERY_MS. Prints an object of JSON: how many of the busy had no
 * reply, how many clients were cut off, the least, median and most replies of a busy one, and the median round trip
 * of the quiet in milliseconds. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 };

typedef struct {
  int fd, got, replies, cut;
  double sent; /* 0: nothing is on its way */
} Client;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

static double median(double *values, int n) {
  qsort(values, n, sizeof *values, ascending);
  return n == 0 ? 0 : values[n / 2];
}

static void say(Client *c) {
  static const char message[SIZE];
  c->sent = now();
  if (write(c->fd, message, SIZE) != SIZE) c->cut = 1;
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 6) return 2;
  const int busy = atoi(argv[2]), quiet = argc > 4 ? atoi(argv[4]) : 0, n = busy + quiet;
  const double every = argc > 5 ? atof(argv[5]) : 1e9;
  const struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  Client *all = calloc(n, sizeof *all);
  double *trips = calloc(1 << 20, sizeof *trips);
  int trips_n = 0;
  const int epoll = epoll_create1(0);
  for (int i = 0; i < n; i++) {
    all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].fd, (const struct sockaddr *)&to, sizeof to) != 0) return perror("connect"), 1;
    setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event event = {EPOLLIN, {.u32 = i}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  const double end = now() + atof(argv[3]);
  double next = now() + every;
  for (int i = 0; i < busy; i++) say(&all[i]);
  for (double t; (t = now()) < end;) {
    if (t >= next) {
      for (int i = busy; i < n; i++) if (all[i].sent == 0) say(&all[i]);
      next += every;
    }
    struct epoll_event events[512];
    const int ready = epoll_wait(epoll, events, 512, 1);
    for (int e = 0; e < ready; e++) {
      const int i = events[e].data.u32;
      Client *c = &all[i];
      char into[SIZE];
      const ssize_t got = read(c->fd, into, SIZE);
      if (got <= 0) {
        c->cut = 1;
        epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
        continue;
      }
      if ((c->got += got) < SIZE) continue;
      c->got -= SIZE;
      c->replies++;
      if (i >= busy && trips_n < 1 << 20) trips[trips_n++] = now() - c->sent;
      c->sent = 0;
      if (i < busy) say(c);
    }
  }
  double *replies = calloc(busy + 1, sizeof *replies);
  int none = 0, cut = 0;
  for (int i = 0; i < n; i++) cut += all[i].cut;
  for (int i = 0; i < busy; i++) none += (replies[i] = all[i].replies) == 0;
  const double middle = median(replies, busy);
  printf("{\"none\": %d, \"cut\": %d, \"least\": %.0f, \"median\": %.0f, \"most\": %.0f, ", none, cut,
         replies[0], middle, busy == 0 ? 0 : replies[busy - 1]);
  printf("\"trips\": %d, \"trip\": %.3f}\n", trips_n, median(trips, trips_n));
}
