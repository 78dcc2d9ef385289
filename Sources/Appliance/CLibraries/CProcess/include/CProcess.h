#pragma once

// What Swift cannot call by itself: prctl takes a variable number of arguments.

/// Keeps the kernel from writing this process's memory, which holds secrets, into a core dump, and
/// other processes of the same user from reading it. Returns 0, or -1 with errno.
int tillbox_forbid_dumps(void);
