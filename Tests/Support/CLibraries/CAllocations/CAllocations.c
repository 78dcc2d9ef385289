#include "CAllocations.h"

#include <errno.h>
#include <stddef.h>

#if TILLBOX_COUNTS_ALLOCATIONS

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Thread_local struct tillbox_allocations thread_allocations;

static void note(size_t size) {
    thread_allocations.count += 1;
    thread_allocations.bytes += (int64_t)size;
}

void *malloc(size_t size) {
    note(size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    note(size);
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    note(size);
    void *taken = __libc_memalign(alignment, size);
    if (taken == NULL) return ENOMEM;
    *memory = taken;
    return 0;
}

bool tillbox_counts_allocations(void) { return true; }

struct tillbox_allocations tillbox_allocations_of_thread(void) { return thread_allocations; }

#else

bool tillbox_counts_allocations(void) { return false; }

struct tillbox_allocations tillbox_allocations_of_thread(void) {
    struct tillbox_allocations none = {0, 0};
    return none;
}

#endif
