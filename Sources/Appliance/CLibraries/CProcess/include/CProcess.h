#pragma once

#include <sys/socket.h>

// What Swift cannot call by itself: prctl takes a variable number of arguments, malloc.h is in no
// module, and an address of a local socket is bytes behind bytes.

/// Keeps the kernel from writing this process's memory, which holds secrets, into a core dump, and
/// other processes of the same user from reading it. Returns 0, or -1 with errno.
int tillbox_forbid_dumps(void);

/// Keeps glibc's allocator from making more than `count` heaps with a lock of their own; those that
/// are there stay. Returns 1, or 0 where it refuses.
int tillbox_limit_arenas(int count);

/// Sends one datagram to a local socket, as sd_notify(3) does: `socket_name` is its path, or begins
/// with an @ where it has none. With it goes a copy of `descriptor`, where that is not -1. Never
/// waits. Returns 0, or an errno.
int tillbox_tell(const char *socket_name, const char *text, int descriptor);

/// Whether a child of this process has ended, and takes its end, so that no zombie is left: 1 with
/// its exit code, or its signal below zero, in `end`; 0 while it runs; an errno below zero, ECHILD
/// where somebody else has taken it.
int tillbox_child_end(int child, int *end);

/// Kills a child, or the group below zero that it leads, and takes its end, for which it waits so
/// long at most: one that has other rights by now, as by sudo, cannot be killed. Returns whether it
/// has ended.
int tillbox_kill(int child, int group, int milliseconds);

/// Opens a socket that listens on an address of the internet. Returns its descriptor, or an errno
/// below zero.
int tillbox_listen(const struct sockaddr *address, socklen_t size, int backlog);

/// Whether a descriptor is a socket that listens: 1 or 0, or an errno below zero where it is none.
int tillbox_is_listening(int descriptor);

/// Whether a descriptor is a socket that listens on this address; a port of 0 stands for any.
int tillbox_listens(int descriptor, const struct sockaddr *address);
