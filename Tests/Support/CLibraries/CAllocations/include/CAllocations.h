#pragma once

#include <stdbool.h>
#include <stdint.h>

// The tests' own malloc: glibc's, which counts what is asked of it. An executable's functions come
// before those of the shared libraries it is linked with, so that Swift's runtime asks here too.
//
// A sanitizer brings a malloc of its own, which finds what it looks for only while everybody asks
// it; and other C libraries have no second name for theirs. In such builds nothing is replaced and
// nothing counted, and the tests that hold counts against a threshold do not run.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer) || __has_feature(leak_sanitizer) || \
    __has_feature(hwaddress_sanitizer)
#define TILLBOX_IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(__SANITIZE_HWADDRESS__)
#define TILLBOX_IS_SANITIZED 1
#endif
#if defined(__GLIBC__) && !defined(TILLBOX_IS_SANITIZED)
#define TILLBOX_COUNTS_ALLOCATIONS 1
#else
#define TILLBOX_COUNTS_ALLOCATIONS 0
#endif

/// How often memory was asked for and how many bytes of it, `realloc` counting with its whole size.
struct tillbox_allocations {
    int64_t count;
    int64_t bytes;
};

/// Whether this build counts.
bool tillbox_counts_allocations(void);

/// What the calling thread has asked for so far; nothing where this build does not count.
struct tillbox_allocations tillbox_allocations_of_thread(void);
