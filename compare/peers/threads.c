// A thread for each client, blocking reads and writes.  usage: threads PORT|PATH
#include "listen.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, STACK = BUFFER + (32 << 10) };

static void *serve(void *client) {
  int fd = (intptr_t)client;
  char buffer[BUFFER];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    ssize_t at = 0, written;
    while (at < n && (written = write(fd, buffer + at, n - at)) > 0) at += written;
    if (at < n) break;
  }
  close(fd);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  int listener = listening(argv[1], SOCK_STREAM);
  pthread_attr_t settings;
  pthread_attr_init(&settings);
  pthread_attr_setstacksize(&settings, STACK);
  pthread_attr_setdetachstate(&settings, PTHREAD_CREATE_DETACHED);
  for (;;) {
    int fd = accept(listener, 0, 0);
    if (fd < 0) continue;
    no_delay(fd);
    pthread_t thread;
    if (pthread_create(&thread, &settings, serve, (void *)(intptr_t)fd)) close(fd);
  }
}
