// About the most that one core can do with read and write: epoll, and one buffer for all clients. What a client does
// not take at once is kept for it, and nothing more is read from it until that is gone.  usage: epoll PORT|PATH
#define _GNU_SOURCE
#include "listen.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct {
  int fd;
  char *kept, *next;  // what is to be written yet: from next, so many bytes
  size_t left;
} Client;

static void watch(int ep, int how, Client *client, int events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  epoll_ctl(ep, how, client->fd, &event);
}

static void welcome(int ep, int listener) {
  for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
    Client *client = calloc(1, sizeof *client);
    client->fd = fd;
    no_delay(fd);
    watch(ep, EPOLL_CTL_ADD, client, EPOLLIN);
  }
}

// How many bytes were written; -1: the client is gone.
static ssize_t put(int fd, const char *bytes, size_t n) {
  ssize_t written = write(fd, bytes, n);
  return written < 0 && errno == EAGAIN ? 0 : written;
}

// Whether the client is still there.
static int flush(int ep, Client *client) {
  ssize_t written = put(client->fd, client->next, client->left);
  if (written < 0) return 0;
  client->next += written, client->left -= written;
  if (client->left > 0) return 1;
  free(client->kept), client->kept = 0;
  watch(ep, EPOLL_CTL_MOD, client, EPOLLIN);
  return 1;
}

static int echo(int ep, Client *client, char *buffer, size_t size) {
  ssize_t n = read(client->fd, buffer, size);
  if (n < 0 && errno == EAGAIN) return 1;
  ssize_t written = n > 0 ? put(client->fd, buffer, n) : -1;
  if (written < 0) return 0;
  if (written == n) return 1;
  client->left = n - written;
  client->next = client->kept = memcpy(malloc(client->left), buffer + written, client->left);
  watch(ep, EPOLL_CTL_MOD, client, EPOLLOUT);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  static char buffer[256 << 10];
  struct epoll_event events[256];
  Client door = {.fd = listening(argv[1], SOCK_STREAM | SOCK_NONBLOCK)};
  int ep = epoll_create1(0);
  watch(ep, EPOLL_CTL_ADD, &door, EPOLLIN);
  for (;;) {
    int ready = epoll_wait(ep, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      Client *client = events[i].data.ptr;
      if (client == &door) welcome(ep, door.fd);
      else if (!(client->kept ? flush(ep, client) : echo(ep, client, buffer, sizeof buffer))) {
        close(client->fd);
        free(client->kept), free(client);
      }
    }
  }
}
