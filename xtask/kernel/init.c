// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The only process of the kernel under test. It says that it was reached, loads the modules of /modules in the order of
 * their names and unloads them in the opposite one, prints the kernel's own copy of its configuration in hex, so that
 * the host can compare it with .config, and restarts; QEMU runs with -no-reboot and ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOG_READ_ALL = 3, CONSOLE_OFF = 6, LINE_BYTES = 32, ORDER_CHARS = 4 };

static void print_version(void)
{
	char line[512] = "";
	FILE *file = fopen("/proc/version", "r");

	if (file && fgets(line, sizeof(line), file))
		printf("thindist: running %s", line);
	if (file)
		fclose(file);
}

static void print_config(void)
{
	FILE *file = fopen("/proc/config.gz", "rb");
	int byte, column = 0;

	if (!file) {
		perror("thindist: /proc/config.gz");
		return;
	}
	printf("thindist: config begin\n");
	while ((byte = fgetc(file)) != EOF)
		printf("%02x%s", byte, ++column % LINE_BYTES ? "" : "\n");
	printf("\nthindist: config end\n");
	fclose(file);
}

/* What the kernel said last: why a module was refused. */
static void print_log(void)
{
	static char log[1 << 16];
	int size = klogctl(LOG_READ_ALL, log, sizeof(log) - 1);
	int start = size > 2000 ? size - 2000 : 0;

	if (size > 0)
		printf("thindist: the kernel's log ends in\n%.*s\n", size - start, log + start);
}

static void report(const char *what, const char *name, long result)
{
	int error = errno;

	if (result == 0) {
		printf("thindist: %s %s\n", what, name);
		return;
	}
	printf("thindist: not %s %s: %s\n", what, name, strerror(error));
	if (error != ENOSYS)
		print_log();
}

static void load(const char *file)
{
	char path[300];
	int descriptor;

	snprintf(path, sizeof(path), "/modules/%s", file);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	report("loaded", file + ORDER_CHARS, descriptor < 0 ? -1 : syscall(SYS_finit_module, descriptor, "", 0));
	if (descriptor >= 0)
		close(descriptor);
}

static void unload(const char *file)
{
	report("unloaded", file + ORDER_CHARS, syscall(SYS_delete_module, file + ORDER_CHARS, O_NONBLOCK));
}

/* A file is named by four characters of its place in the order and the module's name. */
static int is_module(const struct dirent *entry)
{
	return strlen(entry->d_name) > ORDER_CHARS;
}

static void try_modules(void)
{
	struct dirent **modules;
	int count = scandir("/modules", &modules, is_module, alphasort);

	for (int i = 0; i < count; i++)
		load(modules[i]->d_name);
	for (int i = count - 1; i >= 0; i--)
		unload(modules[i]->d_name);
}

int main(void)
{
	/* From here on the console is ours: a message of the kernel's must not land inside the hex. */
	klogctl(CONSOLE_OFF, NULL, 0);
	printf("thindist: init reached\n");
	if (mount("proc", "/proc", "proc", 0, NULL))
		perror("thindist: mount /proc");
	print_version();
	try_modules();
	print_config();
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	perror("thindist: reboot");
	return 1;
}
