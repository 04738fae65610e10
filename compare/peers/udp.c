// One datagram after another, back to where it came from.  usage: udp PORT
#include "listen.h"

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  static char datagram[65536];
  int fd = bound(argv[1], SOCK_DGRAM);
  for (;;) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(fd, datagram, sizeof datagram, 0, (void *)&from, &length);
    if (n >= 0) sendto(fd, datagram, n, 0, (void *)&from, length);
  }
}
