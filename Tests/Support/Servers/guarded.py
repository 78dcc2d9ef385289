#!/usr/bin/env python3
"""guarded.py PARENT FOLDER COMMAND...: becomes COMMAND, which is killed when PARENT ends.

A test process that is killed cannot stop its servers. A watcher, a child of what becomes the
server, waits for either of the two to end. If the server is left, it kills it, and takes away
FOLDER ("-" is none) and the folder in which the server's output is kept.
The process id stays the caller's, so that signals reach the server itself.
"""

import os
import select
import shutil
import signal
import sys


def watch(parent, server, folders):
    poll = select.poll()
    poll.register(parent, select.POLLIN)
    poll.register(server, select.POLLIN)
    if any(descriptor == parent for descriptor, _ in poll.poll()):
        try:
            signal.pidfd_send_signal(server, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for folder in folders:
            if os.path.basename(folder).startswith("tillbox-test-"):
                shutil.rmtree(folder, ignore_errors=True)


def main():
    # By descriptors and not by ids, which the system gives again to others.
    parent = os.pidfd_open(int(sys.argv[1]))
    server = os.pidfd_open(os.getpid())
    if os.fork() == 0:
        # A terminal's Ctrl-C is for the test process, whose end is what the watcher waits for.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        folders = [sys.argv[2], os.path.dirname(os.readlink("/proc/self/fd/1"))]
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        watch(parent, server, folders)
        os._exit(0)
    os.execvp(sys.argv[3], sys.argv[3:])


main()
