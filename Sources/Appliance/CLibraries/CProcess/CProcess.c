#include "CProcess.h"

#ifdef __linux__
#include <malloc.h>
#include <sys/prctl.h>
#endif

int tillbox_forbid_dumps(void) {
#ifdef __linux__
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#else
    return 0;
#endif
}

int tillbox_limit_arenas(int count) {
#ifdef __GLIBC__
    return mallopt(M_ARENA_MAX, count);
#else
    return 1;
#endif
}
