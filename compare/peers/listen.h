// What the C peers share: where to listen, and as many files as the system lets us have.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

// A bound socket of the given type: a path is a Unix socket, anything else a port of 127.0.0.1.
static int bound(const char *address, int type) {
  struct sockaddr_in net = {.sin_family = AF_INET, .sin_port = htons(atoi(address))};
  struct sockaddr_un file = {.sun_family = AF_UNIX};
  net.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int local = address[0] == '/', one = 1;
  int fd = socket(local ? AF_UNIX : AF_INET, type, 0);
  strncpy(file.sun_path, address, sizeof file.sun_path - 1);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, local ? (void *)&file : (void *)&net, local ? sizeof file : sizeof net)) {
    perror(address);
    exit(1);
  }
  return fd;
}

__attribute__((unused)) static int listening(const char *address, int type) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int fd = bound(address, type);
  if (listen(fd, 4096)) {
    perror("listen");
    exit(1);
  }
  return fd;
}

// Small answers must not wait for more; a Unix socket refuses the option, and does not need it.
__attribute__((unused)) static void no_delay(int fd) {
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}
