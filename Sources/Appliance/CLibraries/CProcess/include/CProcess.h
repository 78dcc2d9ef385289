#pragma once

// What Swift cannot call by itself: prctl takes a variable number of arguments, and malloc.h is in
// no module.

/// Keeps the kernel from writing this process's memory, which holds secrets, into a core dump, and
/// other processes of the same user from reading it. Returns 0, or -1 with errno.
int tillbox_forbid_dumps(void);

/// Keeps glibc's allocator from making more than `count` heaps with a lock of their own; those that
/// are there stay. Returns 1, or 0 where it refuses.
int tillbox_limit_arenas(int count);
