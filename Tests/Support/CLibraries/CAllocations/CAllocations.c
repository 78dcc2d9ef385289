#include "CAllocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Thread_local struct tillbox_allocations thread_allocations;
static _Atomic int64_t process_count;
static _Atomic int64_t process_bytes;

static void note(size_t size) {
    thread_allocations.count += 1;
    thread_allocations.bytes += (int64_t)size;
    atomic_fetch_add_explicit(&process_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&process_bytes, (int64_t)size, memory_order_relaxed);
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

struct tillbox_allocations tillbox_allocations_of_thread(void) { return thread_allocations; }

struct tillbox_allocations tillbox_allocations_of_process(void) {
    struct tillbox_allocations all = {
        .count = atomic_load_explicit(&process_count, memory_order_relaxed),
        .bytes = atomic_load_explicit(&process_bytes, memory_order_relaxed),
    };
    return all;
}
