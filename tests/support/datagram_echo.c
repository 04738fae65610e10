// An echo server for datagrams with the receive buffer that the system gives to any socket.
// It prints its port, and a line at the first datagram. At the end of stdin it prints how many it received and how many it sent back.
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
  socklen_t length = sizeof here;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(fd, (void *)&here, length) || getsockname(fd, (void *)&here, &length)) return perror("bind"), 1;
  printf("%d\n", ntohs(here.sin_port)), fflush(stdout);
  struct pollfd watched[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  static char buffer[65536];
  for (long received = 0, sent = 0;;) {
    poll(watched, 2, -1);
    for (;;) {
      length = sizeof peer;
      ssize_t n = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT, (void *)&peer, &length);
      if (n < 0) break;
      if (received++ == 0) printf("first\n"), fflush(stdout);
      sent += sendto(fd, buffer, n, 0, (void *)&peer, length) == n;
    }
    if (watched[1].revents && read(0, buffer, sizeof buffer) <= 0) return printf("%ld %ld\n", received, sent), 0;
  }
}
