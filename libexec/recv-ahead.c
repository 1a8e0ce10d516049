/*
 * Preloaded into ffmpeg by libexec/ffmpeg-child: reads ahead on its RTSP connection.
 *
 * Of every RTP packet that comes over TCP, ffmpeg reads 1 byte, then 3, then the rest, each with a poll() before it: 2,300 system calls a second for
 * 4 Mbit/s, half of all its processor time (measured, ffmpeg 5.1). Here a short read takes what the kernel has, up to 64 KiB, and the next ones are
 * served from that. Bytes, their order, errors and the end of the stream stay what they are; only when the kernel is asked changes.
 *
 * One connection is read ahead, the first whose poll() and recv() both pass through here: an ffmpeg that was built to call other functions, or that is
 * linked statically, simply runs as without this file. ffmpeg reads a connection from one thread at a time (opening and reading may be two), hence no
 * lock. What is held when the process is killed would have been lost in the kernel's buffer all the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(SYS_recvfrom) && defined(SYS_close)

enum { AHEAD_BYTES = 65536, SHORT_BYTES = 4096, NONE = -1 };

static int polled_fd = NONE; /* whose poll() passed through here last */
static int ahead_fd = NONE;
static char ahead[AHEAD_BYTES];
static size_t ahead_at, ahead_end;

static ssize_t kernel_recv(int fd, void *to, size_t bytes, int flags) {
  return syscall(SYS_recvfrom, fd, to, bytes, flags, NULL, NULL);
}

static int is_stream(int fd) {
  int type = 0, kept = errno;
  socklen_t size = sizeof type;
  int yes = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
  errno = kept;
  return yes;
}

ssize_t recv(int fd, void *to, size_t bytes, int flags) {
  if (fd != ahead_fd) {
    if (ahead_fd != NONE || fd != polled_fd || flags != 0 || bytes >= SHORT_BYTES || !is_stream(fd)) return kernel_recv(fd, to, bytes, flags);
    ahead_fd = fd;
    ahead_at = ahead_end = 0;
  }
  if (ahead_at == ahead_end) {
    if (flags != 0 || bytes == 0 || bytes >= SHORT_BYTES) return kernel_recv(fd, to, bytes, flags);
    ssize_t got = kernel_recv(fd, ahead, AHEAD_BYTES, 0);
    if (got <= 0) return got;
    ahead_at = 0;
    ahead_end = (size_t)got;
  }
  size_t taken = ahead_end - ahead_at < bytes ? ahead_end - ahead_at : bytes;
  memcpy(to, ahead + ahead_at, taken);
  if ((flags & MSG_PEEK) == 0) ahead_at += taken;
  return (ssize_t)taken;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  static int (*next)(struct pollfd *, nfds_t, int);
  if (next == NULL) next = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
  int is_held = 0;
  for (nfds_t i = 0; i < count; i++) {
    if ((fds[i].events & POLLIN) == 0) continue;
    polled_fd = fds[i].fd;
    if (fds[i].fd >= 0 && fds[i].fd == ahead_fd && ahead_at < ahead_end) is_held = 1;
  }
  if (!is_held) return next(fds, count, timeout_ms);
  if (count == 1) { /* what ffmpeg does: nothing else to ask the kernel */
    fds->revents = POLLIN;
    return 1;
  }
  int ready = next(fds, count, 0);
  if (ready < 0) return ready;
  for (nfds_t i = 0; i < count; i++) {
    if (fds[i].fd != ahead_fd || (fds[i].events & POLLIN) == 0) continue;
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
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room) {
  if (room / sizeof *fds < count) __chk_fail();
  return poll(fds, count, timeout_ms);
}

int close(int fd) {
  if (fd >= 0 && fd == ahead_fd) ahead_fd = NONE;
  if (fd == polled_fd) polled_fd = NONE;
  return (int)syscall(SYS_close, fd);
}

#endif
