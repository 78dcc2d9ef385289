#pragma once

#include <stdint.h>

// The tests' own malloc: glibc's, which counts what is asked of it. An executable's functions come
// before those of the shared libraries it is linked with, so that Swift's runtime asks here too.

/// How often memory was asked for and how many bytes of it, `realloc` counting with its whole size.
struct tillbox_allocations {
    int64_t count;
    int64_t bytes;
};

/// What the calling thread has asked for so far.
struct tillbox_allocations tillbox_allocations_of_thread(void);
