#pragma once

// What Swift cannot call by itself: prctl takes a variable number of arguments, malloc.h is in no
// module, and an address of a local socket is bytes behind bytes.

/// Keeps the kernel from writing this process's memory, which holds secrets, into a core dump, and
/// other processes of the same user from reading it. Returns 0, or -1 with errno.
int tillbox_forbid_dumps(void);

/// Keeps glibc's allocator from making more than `count` heaps with a lock of their own; those that
/// are there stay. Returns 1, or 0 where it refuses.
int tillbox_limit_arenas(int count);

/// Sends one datagram to a local socket, as sd_notify(3) does: `socket_name` is its path, or begins
/// with an @ where it has none. Never waits. Returns 0, or an errno.
int tillbox_tell(const char *socket_name, const char *text);
