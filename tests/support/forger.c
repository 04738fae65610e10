// Sends to 127.0.0.1 datagrams that say they come from it too, from ports that are not ours. Needs CAP_NET_RAW.
// usage: forger TO_PORT TEXT FROM_PORT...
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (fd < 0) return perror("socket"), 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  static char packet[1500];
  struct udphdr *header = (void *)packet;  // a checksum of 0 is none
  size_t length = sizeof *header + strlen(argv[2]);
  if (length > sizeof packet) return 2;
  memcpy(packet + sizeof *header, argv[2], strlen(argv[2]));
  header->dest = htons(atoi(argv[1]));
  header->len = htons(length);
  for (int i = 3; i < argc; i++) {
    header->source = htons(atoi(argv[i]));
    if (sendto(fd, packet, length, 0, (void *)&to, sizeof to) < 0) return perror("sendto"), 1;
  }
}
