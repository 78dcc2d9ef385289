#include "CProcess.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
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

// A socket that no process started by this one has.
static int open_socket(int family, int type) {
#ifdef SOCK_CLOEXEC
    return socket(family, type | SOCK_CLOEXEC, 0);
#else
    return socket(family, type, 0);
#endif
}

int tillbox_tell(const char *socket_name, const char *text, int descriptor) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(socket_name);
    if (length < 2 || length > sizeof address.sun_path - 1) return ENAMETOOLONG;
    memcpy(address.sun_path, socket_name, length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    // A name in no folder begins with a zero byte, for which the environment has an @.
    if (address.sun_path[0] == '@') address.sun_path[0] = 0;
    else if (address.sun_path[0] != '/') return EINVAL;
    else size += 1;
    size_t count = strlen(text);
    struct iovec piece = {.iov_base = (void *)text, .iov_len = count};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = size, .msg_iov = &piece, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } rights = {0};
    if (descriptor >= 0) {
        message.msg_control = rights.bytes;
        message.msg_controllen = sizeof rights.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    int file = open_socket(AF_UNIX, SOCK_DGRAM);
    if (file < 0) return errno;
    ssize_t sent = sendmsg(file, &message, MSG_DONTWAIT);
    int code = sent == (ssize_t)count ? 0 : sent < 0 ? errno : EMSGSIZE;
    close(file);
    return code;
}

int tillbox_child_end(int child, int *end) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG) != 0) return -errno;
    if (info.si_pid == 0) return 0;
    *end = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}

int tillbox_kill(int child, int group, int milliseconds) {
    kill(group, SIGKILL);
    const struct timespec pause = {.tv_nsec = 1000000};
    int end;
    for (int waited = 0; tillbox_child_end(child, &end) == 0; waited += 1) {
        if (waited == milliseconds) return 0;
        nanosleep(&pause, NULL);
    }
    return 1;
}

int tillbox_listen(const struct sockaddr *address, socklen_t size, int backlog) {
    int file = open_socket(address->sa_family, SOCK_STREAM);
    if (file < 0) return -errno;
    int yes = 1;
    if (setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0
        && bind(file, address, size) == 0 && listen(file, backlog) == 0)
        return file;
    int code = errno;
    close(file);
    return -code;
}

// A port of 0 is any.
static int is_port(in_port_t port, in_port_t wanted) { return wanted == 0 || port == wanted; }

int tillbox_is_listening(int descriptor) {
    int is_listening = 0;
    socklen_t size = sizeof is_listening;
    int code = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size);
    return code == 0 ? is_listening != 0 : -errno;
}

int tillbox_listens(int descriptor, const struct sockaddr *address) {
    if (tillbox_is_listening(descriptor) != 1) return 0;
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    if (getsockname(descriptor, (struct sockaddr *)&own, &size) != 0) return 0;
    if (own.ss_family != address->sa_family) return 0;
    if (own.ss_family == AF_INET) {
        struct sockaddr_in one, other;
        memcpy(&one, &own, sizeof one);
        memcpy(&other, address, sizeof other);
        return one.sin_addr.s_addr == other.sin_addr.s_addr
            && is_port(one.sin_port, other.sin_port);
    }
    if (own.ss_family != AF_INET6) return 0;
    struct sockaddr_in6 one, other;
    memcpy(&one, &own, sizeof one);
    memcpy(&other, address, sizeof other);
    return memcmp(&one.sin6_addr, &other.sin6_addr, sizeof one.sin6_addr) == 0
        && one.sin6_scope_id == other.sin6_scope_id && is_port(one.sin6_port, other.sin6_port);
}
