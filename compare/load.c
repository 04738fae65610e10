// The load of `deno task compare`, the same for every server. Each line has one message on its way at most, and every
// byte that comes back is compared. With a RATE (messages/s, over all lines) a message counts from when it was due,
// and a line whose reply is late sends what became due meanwhile as soon as it may; with 0 each line sends when its
// reply is there.
//
// usage: load echo ADDRESS LINES BYTES WARMUP SECONDS RATE   one JSON object, keys as of `echo bench --json`
//        load churn ADDRESS WARMUP SECONDS                   the same; a new connection for each message
//        load hold ADDRESS LINES                             says "held", and holds them until stdin ends
// ADDRESS is tcp:PORT or udp:PORT of 127.0.0.1, unix:PATH, or, where it is compiled with -DTLS, tls:PORT.
#include "line.h"
#include "histogram.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { READ_SIZE = 256 << 10 };

typedef struct {
  long lines;
  size_t bytes;
  double rate, begin, measured, end;  // seconds; from `measured` on it counts
  char *in;
  Histogram latencies;
} Run;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int report(const Run *run, long starved) {
  errno = 0;
  if (run->latencies.count == 0) fail("no message came back");
  double rate = run->latencies.count / (run->end - run->measured);
  printf("{\"messages_per_second\":%.1f,\"starved\":%ld,\"latency_ms\":{", rate, starved);
  print_percentile(&run->latencies, "p50", 0.5), printf(",");
  print_percentile(&run->latencies, "p99", 0.99), printf(",");
  print_percentile(&run->latencies, "p99_9", 0.999), printf("}}\n");
  return 0;
}

// Sends and receives what can be without waiting. The socket is watched by edges: whatever arrives later tells.
static void pump(Run *run, Line *line, double t) {
  while (line->done < line->asked && t < run->end) {
    size_t before = line->sent + line->got;
    double due = (line->index + line->done * run->lines) / run->rate;
    if (before == 0) line->start = run->rate > 0 ? run->begin + due : t;
    for (size_t rest; (rest = run->bytes - line->sent) > 0;) {
      ssize_t n = put(line, line->message + line->sent, rest);
      if (n < 0) break;
      line->sent += n;
    }
    if (before == 0 && line->sent == run->bytes) return;  // the reply cannot be there yet
    for (size_t most; (most = line->sent - line->got) > 0;) {
      ssize_t n = take(line, run->in, most < READ_SIZE ? most : READ_SIZE);
      if (n < 0) break;
      check(line, run->in, n), line->got += n;
    }
    if (line->got == run->bytes) {
      t = line->last = now();
      if (t >= run->measured && t < run->end) record(&run->latencies, t - line->start);
      line->done++, line->sent = line->got = 0;
    } else if (line->sent + line->got == before) return;
  }
}

static int echo(Run *run, const char *address, const char *noise) {
  Line *lines = calloc(run->lines, sizeof *lines);
  struct epoll_event events[512];
  int ep = epoll_create1(0);
  for (long i = 0; i < run->lines; i++) lines[i] = dial(address, i, noise);
  double warmup = run->measured, seconds = run->end;
  run->begin = now(), run->measured = run->begin + warmup, run->end = run->measured + seconds;
  for (long i = 0; i < run->lines; i++) {  // the first edge, that it can be written to, starts a line
    if (run->rate == 0) lines[i].asked = __LONG_MAX__;
    fcntl(lines[i].fd, F_SETFL, O_NONBLOCK);
    struct epoll_event both = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &lines[i]};
    epoll_ctl(ep, EPOLL_CTL_ADD, lines[i].fd, &both);
  }
  long due = 0, starved = 0;
  for (double t; (t = now()) < run->end;) {
    for (; run->rate > 0 && run->begin + due / run->rate <= t; due++) {
      Line *line = &lines[due % run->lines];
      if (++line->asked == line->done + 1) pump(run, line, t);
    }
    // Between two messages that are due it polls: no timer is as exact, and it has its processor to itself.
    int ready = epoll_wait(ep, events, 512, run->rate > 0 ? 0 : 50);
    for (int i = 0; i < ready; i++) pump(run, events[i].data.ptr, now());
  }
  for (long i = 0; i < run->lines; i++) starved += lines[i].last < run->measured && lines[i].asked > 0;
  return report(run, starved);
}

static int churn(Run *run, const char *address, const char *noise) {
  run->measured += run->begin = now(), run->end += run->measured;
  for (double t; (t = now()) < run->end;) {
    Line line = dial(address, 0, noise);
    // A reset leaves no TIME-WAIT behind, of which the ports would run out.
    setsockopt(line.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(line.fd);
    if (t >= run->measured) record(&run->latencies, now() - t);
  }
  return report(run, 0);
}

int main(int argc, char **argv) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files), files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  bool echoes = argc == 8 && !strcmp(argv[1], "echo"), churns = argc == 5 && !strcmp(argv[1], "churn");
  bool holds = argc == 4 && !strcmp(argv[1], "hold");
  if (!echoes && !churns && !holds) return fprintf(stderr, "usage: see the head of load.c\n"), 2;
  static Run run;
  run.lines = churns ? 1 : atol(argv[3]), run.bytes = echoes ? strtoul(argv[4], 0, 10) : GREETING;
  run.rate = echoes ? atof(argv[7]) : 0, run.in = malloc(READ_SIZE);
  if (!holds) run.measured = atof(argv[argc - (echoes ? 3 : 2)]), run.end = atof(argv[argc - (echoes ? 2 : 1)]);
  size_t length = run.bytes + PERIOD + GREETING;
  char *noise = malloc(length);
  for (size_t i = 0; i < length; i++) noise[i] = random() >> 7;
  if (echoes) return echo(&run, argv[2], noise);
  if (churns) return churn(&run, argv[2], noise);
  for (long i = 0; i < run.lines; i++) dial(argv[2], i, noise);
  puts("held"), fflush(stdout);
  while (getchar() != EOF) {}
}
