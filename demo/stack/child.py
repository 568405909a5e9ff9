"""The first thing that runs in a child process: bind its life to the parent's, then become the real program.

Run as a script (`python -I -S child.py GUARD PARENT REPORT_FD COMMAND...`) and not as a module, so that it starts in
about 15 ms and needs no working directory. It replaces a `preexec_fn`, which is not safe in a process with threads.

GUARD `prctl` (Linux): the kernel sends SIGKILL when the *thread* that created this process ends (spawner.py keeps
that thread alive).
GUARD `pipe:FD` (elsewhere): a forked watcher reads the pipe, whose other end only the parent holds; end of file means
that it is gone.
SIGKILL rather than SIGTERM: it also ends a process that is stopped or stuck, and whatever runs here has to survive a
crash anyway.
"""

import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _die_with_creating_thread(parent: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # the parent died before the call above: nobody would send the signal any more
        os._exit(1)


def _watch(pipe: int, server: int) -> None:
    """Runs in the watcher: until the server ends by itself, or the parent is gone and the server is killed."""
    os.closerange(0, pipe)
    os.closerange(pipe + 1, 65536)
    while os.getppid() == server:
        readable, _, _ = select.select([pipe], [], [], 0.5)
        if readable and os.getppid() == server:
            os.kill(server, signal.SIGKILL)
            return


def _die_with_pipe(pipe: int) -> None:
    server = os.getpid()
    if os.fork() == 0:
        _watch(pipe, server)
        os._exit(0)
    os.set_inheritable(pipe, False)


def main(argv: list[str]) -> None:
    guard, parent, report_text, *command = argv
    report = int(report_text)
    os.set_inheritable(report, False)  # a successful exec closes it: the parent reads an empty report
    try:
        if guard == "prctl":
            _die_with_creating_thread(int(parent))
        else:
            _die_with_pipe(int(guard.removeprefix("pipe:")))
        # Python ignores these two, and an ignored signal stays ignored across exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(report, f"{error.strerror}".encode())
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
