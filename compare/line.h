// One line of the load: a connection, or a UDP socket; over TLS where -DTLS is given.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/ssl.h>
#endif

enum { GREETING = 64, PERIOD = 251 };

typedef struct {
  int fd;
  void *tls;                // the SSL of a TLS line, else null
  const char *message;      // each line sends other bytes than its neighbours
  size_t sent, got;         // of the message that is on its way
  double start, last;       // when that message was due, and when one last came back
  long index, asked, done;  // messages that are due, and that are back
} Line;

static void fail(const char *what) {
  if (errno) perror(what);
  else fprintf(stderr, "%s\n", what);
  exit(1);
}

// -1 when it would block, or when nobody listens for a datagram yet; every other failure ends the program.
static ssize_t outcome(const Line *line, ssize_t n, const char *what) {
#ifdef TLS
  if (line->tls) {
    int why = n > 0 ? 0 : SSL_get_error(line->tls, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return -1;
    if (why) errno = 0, fail(what);
    return n;
  }
#else
  (void)line;
#endif
  if (n == 0) errno = 0, fail("closed by the server");
  if (n < 0 && errno != EAGAIN && errno != ECONNREFUSED) fail(what);
  return n;
}

static ssize_t put(Line *line, const char *bytes, size_t n) {
#ifdef TLS
  if (line->tls) return outcome(line, SSL_write(line->tls, bytes, n), "send");
#endif
  return outcome(line, send(line->fd, bytes, n, MSG_NOSIGNAL), "send");
}

static ssize_t take(Line *line, char *bytes, size_t n) {
#ifdef TLS
  if (line->tls) return outcome(line, SSL_read(line->tls, bytes, n), "receive");
#endif
  return outcome(line, recv(line->fd, bytes, n, 0), "receive");
}

static void check(const Line *line, const char *bytes, size_t n) {
  if (memcmp(bytes, line->message + line->got, n)) errno = 0, fail("what came back is not what was sent");
}

// One short message there and back, blocking: so every server has accepted all its clients before the clock runs.
// A server that forks for each UDP client is deaf for a moment after each: then it is tried again.
static void greet(Line *line) {
  char back[GREETING];
  for (int tries = 0; line->got < GREETING;) {
    ssize_t n = line->sent < GREETING ? put(line, line->message + line->sent, GREETING - line->sent) : 0;
    if (n >= 0 && (line->sent += n) == GREETING) {
      n = take(line, back, GREETING - line->got);
      if (n > 0) check(line, back, n), line->got += n;
    }
    if (n < 0 && (errno != ECONNREFUSED || ++tries > 1000)) fail("no answer");
    if (n < 0) line->sent = 0, usleep(1000);
  }
  line->sent = line->got = 0;
}

// The index chooses the bytes that it sends, of noise that is PERIOD longer than a message.
static Line dial(const char *address, long index, const char *noise) {
  const char *where = strchr(address, ':') + 1;
  bool local = !strncmp(address, "unix", 4), datagrams = !strncmp(address, "udp", 3);
  struct sockaddr_in net = {.sin_family = AF_INET, .sin_port = htons(atoi(where))};
  net.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_un file = {.sun_family = AF_UNIX};
  if (local) strncpy(file.sun_path, where, sizeof file.sun_path - 1);
  Line line = {.fd = socket(local ? AF_UNIX : AF_INET, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0), .index = index};
  struct timeval patience = {.tv_sec = 10};
  setsockopt(line.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(line.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  line.message = noise + index % PERIOD;
  if (connect(line.fd, local ? (void *)&file : (void *)&net, local ? sizeof file : sizeof net)) fail("connect");
  if (!local && !datagrams) setsockopt(line.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
#ifdef TLS
  if (!strncmp(address, "tls", 3)) {
    static SSL_CTX *context;  // one for all lines, as a client has it; the certificate is not checked
    if (!context) context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_fd(line.tls = SSL_new(context), line.fd);
    if (SSL_connect(line.tls) != 1) errno = 0, fail("TLS handshake");
  }
#endif
  greet(&line);
  return line;
}
