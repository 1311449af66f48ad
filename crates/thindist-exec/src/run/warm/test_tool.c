// What the tests of a warm compiler run in place of one. Its first argument says what it does.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;
static int constructed;

__attribute__((constructor)) static void construct(void) { constructed++; }

static void write_word(const char *path)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "\n", 1) != 1)
        exit(100);
    close(fd);
}

// Tells on the fifo `ready` that it runs, then waits for what never comes.
static void wait_for_ever(void)
{
    write_word("ready");
    open("never", O_RDONLY);
}

static int say(char **words)
{
    fprintf(stdout, "%s", words[0]);
    fprintf(stderr, "%s", words[1]);
    return atoi(words[2]);
}

static int write_much(long lines)
{
    for (long i = 0; i < lines; i++) {
        puts("0123456789");
        fputs("9876543210\n", stderr);
    }
    return 0;
}

static int show_surroundings(int argc, char **argv)
{
    char buffer[4096];
    for (int i = 0; i < argc; i++)
        printf("argument %s\n", argv[i]);
    for (char **variable = environ; *variable; variable++)
        printf("variable %s\n", *variable);
    printf("directory %s\n", getcwd(buffer, sizeof buffer));
    printf("input %zd, leads its group %d, constructed %d\n", read(0, buffer, 1), getpgrp() == getpid(), constructed);
    return 0;
}

// The open descriptors but for the three standard ones and the one of the directory itself.
static int show_descriptors(void)
{
    char target[4096];
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(directory));) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        if (length > 0 && atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(directory))
            printf("%.*s\n", (int)length, target);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "say") && argc == 5)
        return say(argv + 2);
    if (!strcmp(what, "much"))
        return write_much(20000);
    if (!strcmp(what, "surroundings"))
        return show_surroundings(argc, argv);
    if (!strcmp(what, "descriptors"))
        return show_descriptors();
    if (!strcmp(what, "signal"))
        return raise(SIGSEGV);
    if (!strcmp(what, "wait"))
        wait_for_ever();
    if (!strcmp(what, "leave") && fork() == 0)
        wait_for_ever();
    if (!strcmp(what, "stubborn")) {
        signal(SIGTERM, SIG_IGN);
        wait_for_ever();
    }
    if (!strcmp(what, "once") && mkdir("was-here", 0700) == 0)
        wait_for_ever();
    if (!strcmp(what, "once"))
        puts("again");
    if (!strcmp(what, "hold")) {
        open("alive", O_WRONLY);
        wait_for_ever();
    }
    return 0;
}
