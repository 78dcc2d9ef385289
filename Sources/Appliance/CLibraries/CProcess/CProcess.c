#include "CProcess.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

int tillbox_tell(const char *socket_name, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(socket_name);
    if (length < 2 || length > sizeof address.sun_path - 1) return ENAMETOOLONG;
    memcpy(address.sun_path, socket_name, length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    // A name in no folder begins with a zero byte, for which the environment has an @.
    if (address.sun_path[0] == '@') address.sun_path[0] = 0;
    else if (address.sun_path[0] != '/') return EINVAL;
    else size += 1;
#ifdef SOCK_CLOEXEC
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
#else
    int file = socket(AF_UNIX, SOCK_DGRAM, 0);
#endif
    if (file < 0) return errno;
    size_t count = strlen(text);
    ssize_t sent = sendto(file, text, count, MSG_DONTWAIT, (struct sockaddr *)&address, size);
    int code = sent == (ssize_t)count ? 0 : sent < 0 ? errno : EMSGSIZE;
    close(file);
    return code;
}
