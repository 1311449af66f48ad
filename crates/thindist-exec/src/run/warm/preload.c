// Preloaded into the compiler: waits where dynamic linking has ended and main has not begun, and forks there for each
// run. That skips the 25 ms in which each new clang relocates libLLVM and libclang-cpp and runs their constructors.
//
// The control socket is our standard input. One byte on it is a request for a run; with it come descriptors: the run's
// own socket ("link"), its stdout, its stderr and, if it holds one, its slot. The child reads from the link a length
// (uint32) and that many bytes: the directory and the arguments, each ended by a zero byte. We answer with reports. The
// other side closes the link when it knows all that it wants: the child is then killed if need be, and reaped. It is
// not reaped before, so that nobody can signal a stranger who got its number. Knows nothing of compilers.

#define _GNU_SOURCE
#include <features.h>

// Elsewhere the environment is found behind argv, which we replace; without us the compiler is simply not kept warm.
#ifdef __GLIBC__

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// warm.rs has the same numbers and the same layout.
enum kind { HELLO = 1, STARTED, EXITED, SIGNALED, FAILED };
struct report { uint32_t kind; int32_t value; uint64_t cpu_us, peak_rss_kib; };
enum { LINK, OUT, ERR, SLOT, MOST_FDS };

struct child { pid_t pid; int link, end; };  // end: a pidfd, readable once it has ended; -1 once that is reported
struct command { int argc; char **argv; };

static int control;
static struct child *children;
static struct pollfd *polled;  // the control socket, then two a child
static size_t count, capacity;

static void tell(int link, struct report report)
{
    // No SIGPIPE: whoever has gone needs no answer. Our signals stay as they are, for they are the compiler's as well.
    (void)!send(link, &report, sizeof report, MSG_NOSIGNAL);
}

static void give_up(void)
{
    for (size_t i = 0; i < count; i++)
        kill(-children[i].pid, SIGKILL);
    _exit(0);
}

// The number of descriptors that came; ends us when the other side has gone.
static size_t receive(int fds[MOST_FDS])
{
    char byte;
    union { struct cmsghdr header; char space[CMSG_SPACE(MOST_FDS * sizeof(int))]; } ancillary;
    struct iovec data = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary,
    };
    // Not close-on-exec: should the compiler start another program, that one has to hold the slot as well.
    ssize_t got = recvmsg(control, &message, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (got <= 0)
        give_up();
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), size);
    return size / sizeof(int);
}

static bool read_whole(int fd, void *buffer, size_t size)
{
    for (char *at = buffer; size > 0;) {
        ssize_t got = read(fd, at, size);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        if (got > 0)
            at += got, size -= (size_t)got;
    }
    return true;
}

// In the child: goes to the run's directory and makes its argv. The memory is the child's for the rest of its life.
static bool read_command(int link, struct command *command)
{
    uint32_t size;
    char *text;
    if (!read_whole(link, &size, sizeof size) || size == 0 || !(text = malloc(size)) || !read_whole(link, text, size))
        return false;
    size_t strings = 0;
    for (size_t i = 0; i < size; i++)
        strings += text[i] == '\0';
    // The directory leaves its place to the null pointer at the end.
    char **argv = calloc(strings, sizeof *argv);
    if (!argv || strings < 2 || text[size - 1] != '\0')
        return false;
    char *at = text + strlen(text) + 1;
    for (size_t i = 0; i + 1 < strings; i++, at += strlen(at) + 1)
        argv[i] = at;
    *command = (struct command){ (int)strings - 1, argv };
    return chdir(text) == 0;
}

// In the child: what std::process and process.rs do between fork and exec. Its standard input is our /dev/null.
static void become_compiler(pid_t server, const int fds[MOST_FDS], struct command *command)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A parent that was gone before that call sends no signal any more.
    if (getppid() != server)
        _exit(127);
    // Another run's link in here would keep its other end from seeing that we died.
    for (size_t i = 0; i < count; i++)
        close(children[i].link), close(children[i].end);
    close(control);
    bool ready = dup2(fds[OUT], STDOUT_FILENO) >= 0 && dup2(fds[ERR], STDERR_FILENO) >= 0;
    close(fds[OUT]), close(fds[ERR]);
    if (!ready || !read_command(fds[LINK], command)) {
        tell(fds[LINK], (struct report){ FAILED, errno, 0, 0 });
        _exit(127);
    }
    close(fds[LINK]);
}

static bool make_room(void)
{
    if (count < capacity)
        return true;
    size_t more = capacity * 2 + 16;
    struct child *grown = realloc(children, more * sizeof *grown);
    if (grown)
        children = grown;
    struct pollfd *watched = realloc(polled, (1 + 2 * more) * sizeof *watched);
    if (watched)
        polled = watched;
    if (grown && watched)
        capacity = more;
    return grown && watched;
}

static void end(pid_t pid, int link)
{
    // What it left running would hold its pipes open, and write on.
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    close(link);
}

static void look_after(pid_t pid, int link)
{
    // Also here: a signal to the group may come before the child gets to making it.
    setpgid(pid, pid);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        end(pid, link);
        return;
    }
    children[count++] = (struct child){ pid, link, pidfd };
    tell(link, (struct report){ STARTED, pid, 0, 0 });
}

// True in the new child. Whatever fails closes the link unanswered, and the other side starts a process of its own.
static bool start(struct command *command)
{
    int fds[MOST_FDS] = { -1, -1, -1, -1 };
    size_t got = receive(fds);
    pid_t server = getpid(), pid = -1;
    if (got > ERR && make_room())
        pid = fork();
    if (pid == 0) {
        become_compiler(server, fds, command);
        return true;
    }
    // All but the link are the child's alone: a slot that we held on to would stay taken.
    for (size_t i = OUT; i < got; i++)
        close(fds[i]);
    if (pid > 0)
        look_after(pid, fds[LINK]);
    else if (got > 0)
        close(fds[LINK]);
    return false;
}

static void report_end(struct child *child)
{
    siginfo_t info = { 0 };
    struct rusage usage = { 0 };
    // Only the bare system call tells the usage without reaping.
    if (syscall(SYS_waitid, P_PID, child->pid, &info, WEXITED | WNOWAIT, &usage) < 0)
        return;
    uint64_t seconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    uint64_t cpu_us = seconds * 1000000 + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    enum kind kind = info.si_code == CLD_EXITED ? EXITED : SIGNALED;
    close(child->end);
    child->end = -1;
    tell(child->link, (struct report){ kind, info.si_status, cpu_us, (uint64_t)usage.ru_maxrss });
}

// Returns in children only.
static void serve(struct command *command)
{
    for (;;) {
        polled[0] = (struct pollfd){ control, POLLIN, 0 };
        for (size_t i = 0; i < count; i++) {
            polled[1 + 2 * i] = (struct pollfd){ children[i].end, POLLIN, 0 };
            // Not POLLIN: what is to be read there is the child's command. That it was closed is told unasked.
            polled[2 + 2 * i] = (struct pollfd){ children[i].link, 0, 0 };
        }
        if (poll(polled, 1 + 2 * count, -1) < 0) {
            if (errno != EINTR)
                give_up();
            continue;
        }
        for (size_t i = count; i-- > 0;) {  // backwards: the last takes the place of one that goes
            if (polled[1 + 2 * i].revents)
                report_end(&children[i]);
            if (polled[2 + 2 * i].revents) {
                if (children[i].end >= 0)
                    close(children[i].end);
                end(children[i].pid, children[i].link);
                children[i] = children[--count];
            }
        }
        if (polled[0].revents && start(command))
            return;
    }
}

// Whether we are in the very program that was to be kept warm, and not in a shell that runs its wrapper.
static bool is_expected(void)
{
    char path[PATH_MAX];
    const char *expected = getenv("THINDIST_WARM_PROGRAM");
    ssize_t length = expected ? readlink("/proc/self/exe", path, sizeof path - 1) : -1;
    return length > 0 && strlen(expected) == (size_t)length && memcmp(path, expected, (size_t)length) == 0;
}

// Huge pages are inherited with the page tables, a whole one by one entry. Pages of a file are not: each child would map
// those that it meets anew, in some 2,000 faults that take a third of a small backend's time beside its compilation.
static const uintptr_t HUGE_PAGE = 2 << 20;
// The C library, which copies, and everything else that is small are below this.
static const size_t LEAST_COPIED = 4 << 20;

// Replaces the whole huge pages between start and end by private copies. Where the system does not want to, nothing changes.
static void copy_to_huge_pages(uintptr_t start, uintptr_t end, int protection)
{
    start = (start + HUGE_PAGE - 1) & -HUGE_PAGE, end &= -HUGE_PAGE;
    if (start >= end)
        return;
    size_t size = end - start, with_room = size + HUGE_PAGE;
    char *room = mmap(NULL, with_room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return;
    char *copy = (char *)(((uintptr_t)room + HUGE_PAGE - 1) & -HUGE_PAGE);
    // The moment of the exchange is a moment without a gap: this may be the code of another thread's.
    bool moved = madvise(copy, size, MADV_HUGEPAGE) == 0 && memcpy(copy, (void *)start, size) &&
                 mprotect(copy, size, protection) == 0 &&
                 mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) != MAP_FAILED;
    if (!moved) {
        munmap(room, with_room);
        return;
    }
    munmap(room, (size_t)(copy - room));
    munmap(copy + size, (size_t)(room + with_room - copy) - size);
}

// Code and constants of every library, but not those that the copying itself runs in.
static int copy_library(struct dl_phdr_info *library, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) || segment->p_memsz < LEAST_COPIED)
            continue;
        int protection = PROT_READ | ((segment->p_flags & PF_X) ? PROT_EXEC : 0);
        uintptr_t start = library->dlpi_addr + segment->p_vaddr;
        copy_to_huge_pages(start, start + segment->p_memsz, protection);
    }
    return 0;
}

static void keep_warm(struct command *command)
{
    if (getenv("THINDIST_WARM_HUGE"))
        dl_iterate_phdr(copy_library, NULL);
    unsetenv("THINDIST_WARM_HUGE");
    unsetenv("THINDIST_WARM_PROGRAM");
    unsetenv("LD_PRELOAD");
    int null = open("/dev/null", O_RDONLY), probe = (int)syscall(SYS_pidfd_open, getpid(), 0);
    control = fcntl(STDIN_FILENO, F_DUPFD, 3);
    if (null < 0 || probe < 0 || control < 0 || dup2(null, STDIN_FILENO) < 0 || !make_room())
        _exit(127);
    close(null), close(probe);
    tell(control, (struct report){ HELLO, 1, 0, 0 });
    serve(command);
}

typedef int start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void),
                       void *);

__attribute__((visibility("default")))
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_main *real = (start_main *)dlsym(RTLD_NEXT, "__libc_start_main");
    if (!real)
        _exit(127);
    struct command command = { argc, argv };
    if (is_expected())
        keep_warm(&command);
    return real(main, command.argc, command.argv, init, fini, rtld_fini, stack_end);
}

#endif
