// An echo server for datagrams on every interface, over IPv4 and IPv6. It prints its port, and at the end of stdin
// what the last packet had in it: its time to live, and its type of service.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int ttl, tos;

static void note(struct msghdr *message) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    int type = c->cmsg_type, v4 = c->cmsg_level == IPPROTO_IP;
    if (v4 ? type == IP_TTL : type == IPV6_HOPLIMIT) memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
    if (v4 && type == IP_TOS) tos = *(unsigned char *)CMSG_DATA(c);
    if (!v4 && type == IPV6_TCLASS) memcpy(&tos, CMSG_DATA(c), sizeof tos);
  }
}

int main(void) {
  struct sockaddr_in6 here = {.sin6_family = AF_INET6}, peer;
  socklen_t length = sizeof here;
  int fd = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
  if (bind(fd, (void *)&here, length) || getsockname(fd, (void *)&here, &length)) return perror("bind"), 1;
  setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one);
  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one);
  printf("%d\n", ntohs(here.sin6_port)), fflush(stdout);
  struct pollfd watched[] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  static char buffer[65536], control[256];
  for (;;) {
    poll(watched, 2, -1);
    if (watched[1].revents && read(0, buffer, sizeof buffer) <= 0) return printf("%d %d\n", ttl, tos), 0;
    if (!watched[0].revents) continue;
    struct iovec part = {.iov_base = buffer, .iov_len = sizeof buffer};
    struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, 0);
    if (n < 0) continue;
    note(&message);
    sendto(fd, buffer, n, 0, (void *)&peer, message.msg_namelen);
  }
}
