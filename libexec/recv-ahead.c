/*
 * Preloaded into ffmpeg by libexec/ffmpeg-child: reads ahead on its RTSP connection.
 *
 * Of every RTP packet that comes over TCP, ffmpeg reads 1 byte, then 3, then the rest, each with a poll() before it: 2,300 system calls a second for
 * 4 Mbit/s, half of all its processor time (measured, ffmpeg 5.1). Here a short read takes what the kernel has, up to AHEAD_BYTES, and the next ones are
 * served from that. Bytes, their order, errors and the end of the stream stay what they are; only when the kernel is asked changes.
 *
 * One connection is read ahead: the first of TCP whose poll() and short recv() both pass through here. An ffmpeg that was built to call other functions,
 * or that is linked statically, simply runs as without this file. What is held is served before the kernel is asked again, to read() and recvfrom() too;
 * recvmsg(), readv(), dup() and select() on it are not covered; ffmpeg uses none of them on TCP. ffmpeg reads a connection from one thread
 * at a time (opening and reading may be two), hence no lock. What is held when the process is killed would have been lost in the kernel's buffer all the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(SYS_recvfrom) && defined(SYS_close) && defined(SYS_read)

enum { AHEAD_BYTES = 65536, SHORT_BYTES = 4096, NONE = -1 };

static int polled_fd = NONE; /* whose poll() passed through here last */
static int ahead_fd = NONE;
static char ahead[AHEAD_BYTES];
static size_t ahead_at, ahead_end; /* held is [ahead_at, ahead_end) */

static ssize_t kernel_recv(int fd, void *to, size_t bytes, int flags, struct sockaddr *from, socklen_t *from_bytes) {
  return syscall(SYS_recvfrom, fd, to, bytes, flags, from, from_bytes);
}

static int option_of(int fd, int option) {
  int value = NONE;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : NONE;
}

static int is_tcp(int fd) {
  int kept = errno;
  int domain = option_of(fd, SO_DOMAIN);
  int yes = (domain == AF_INET || domain == AF_INET6) && option_of(fd, SO_TYPE) == SOCK_STREAM;
  errno = kept;
  return yes;
}

static int is_held(int fd) { return fd >= 0 && fd == ahead_fd && ahead_at < ahead_end; }

static ssize_t serve(void *to, size_t bytes, int flags) {
  size_t taken = ahead_end - ahead_at < bytes ? ahead_end - ahead_at : bytes;
  memcpy(to, ahead + ahead_at, taken);
  if ((flags & MSG_PEEK) == 0) ahead_at += taken;
  return (ssize_t)taken;
}

/* Urgent data and the error queue are the kernel's alone. Of the other flags only MSG_PEEK changes what is served. */
static int is_of_the_kernel(int flags) { return (flags & (MSG_OOB | MSG_ERRQUEUE)) != 0; }

ssize_t recv(int fd, void *to, size_t bytes, int flags) {
  if (is_of_the_kernel(flags)) return kernel_recv(fd, to, bytes, flags, NULL, NULL);
  if (is_held(fd)) return serve(to, bytes, flags);
  if (flags != 0 || bytes == 0 || bytes >= SHORT_BYTES) return kernel_recv(fd, to, bytes, flags, NULL, NULL);
  if (fd != ahead_fd) {
    if (ahead_fd != NONE || fd != polled_fd || !is_tcp(fd)) return kernel_recv(fd, to, bytes, flags, NULL, NULL);
    ahead_fd = fd;
  }
  ahead_at = ahead_end = 0;
  ssize_t got = kernel_recv(fd, ahead, AHEAD_BYTES, 0, NULL, NULL);
  if (got <= 0) return got; /* the end, EAGAIN, EINTR or an error: the caller's, and nothing is held */
  ahead_end = (size_t)got;
  return serve(to, bytes, 0);
}

ssize_t recvfrom(int fd, void *to, size_t bytes, int flags, struct sockaddr *restrict from, socklen_t *restrict from_bytes) {
  if (is_of_the_kernel(flags) || !is_held(fd)) return kernel_recv(fd, to, bytes, flags, from, from_bytes);
  if (from != NULL && from_bytes != NULL) *from_bytes = 0; /* as the kernel says of a connection */
  return serve(to, bytes, flags);
}

ssize_t read(int fd, void *to, size_t bytes) {
  return is_held(fd) ? serve(to, bytes, 0) : (ssize_t)syscall(SYS_read, fd, to, bytes);
}

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" /* poll.h takes `fds` for write-only, which it is not */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  static int (*next)(struct pollfd *, nfds_t, int);
  if (next == NULL) next = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
  int has_held = 0;
  for (nfds_t i = 0; i < count; i++) {
    if ((fds[i].events & POLLIN) == 0) continue;
    polled_fd = fds[i].fd;
    has_held |= is_held(fds[i].fd);
  }
  if (!has_held) return next(fds, count, timeout_ms);
  if (count == 1 && fds->events == POLLIN) { /* what ffmpeg does: nothing else to ask the kernel */
    fds->revents = POLLIN;
    return 1;
  }
  int ready = next(fds, count, 0);
  if (ready < 0) return ready;
  for (nfds_t i = 0; i < count; i++) {
    if (!is_held(fds[i].fd) || (fds[i].events & POLLIN) == 0) continue;
    if (fds[i].revents == 0) ready++;
    fds[i].revents |= POLLIN;
  }
  return ready;
}

/* The same, as called by programs that were compiled with checks of their buffers. */
void __chk_fail(void) __attribute__((noreturn));
ssize_t __recv_chk(int fd, void *to, size_t bytes, size_t room, int flags) {
  if (bytes > room) __chk_fail();
  return recv(fd, to, bytes, flags);
}
ssize_t __recvfrom_chk(int fd, void *restrict to, size_t bytes, size_t room, int flags, struct sockaddr *restrict from, socklen_t *restrict from_bytes) {
  if (bytes > room) __chk_fail();
  return recvfrom(fd, to, bytes, flags, from, from_bytes);
}
ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room) {
  if (bytes > room) __chk_fail();
  return read(fd, to, bytes);
}
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room) {
  if (room / sizeof *fds < count) __chk_fail();
  return poll(fds, count, timeout_ms);
}

int close(int fd) {
  if (fd >= 0 && fd == ahead_fd) {
    ahead_fd = NONE;
    ahead_at = ahead_end = 0; /* a descriptor that comes back under this number starts with nothing */
  }
  if (fd == polled_fd) polled_fd = NONE;
  return (int)syscall(SYS_close, fd);
}

#endif
