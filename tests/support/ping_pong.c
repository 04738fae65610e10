// An independent ping: one message of 64 bytes at a time on one TCP connection, one each MS milliseconds (0: at each reply).
// usage: ping_pong PORT COUNT MS   prints: the median and the mean of the round trips, in ms
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64

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
  if (argc != 4) return fprintf(stderr, "usage: ping_pong PORT COUNT MS\n"), 2;
  int count = atoi(argv[2]), one = 1;
  double interval = atof(argv[3]), sum = 0;
  double *trips = calloc(count, sizeof *trips);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&to, sizeof to)) return perror("connect"), 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  char out[SIZE] = {0}, in[SIZE];
  for (int i = 0; i < count; i++) {
    double begin = now();
    if (write(fd, out, SIZE) != SIZE) return perror("write"), 1;
    for (size_t got = 0; got < SIZE;) {
      ssize_t n = read(fd, in, SIZE - got);
      if (n <= 0) return fprintf(stderr, "closed by the server\n"), 1;
      got += n;
    }
    sum += trips[i] = now() - begin;
    double rest = begin + interval - now();
    if (rest > 0) usleep(rest * 1e3);
  }
  qsort(trips, count, sizeof *trips, ascending);
  printf("%f %f\n", trips[count / 2], sum / count);
}
