// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The only process of the kernel under test. It says that it was reached, prints the kernel's own copy of its
 * configuration in hex, so that the host can compare it with .config, and restarts; QEMU runs with -no-reboot and ends.
 */
#include <stdio.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>

enum { CONSOLE_OFF = 6, LINE_BYTES = 32 };

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

int main(void)
{
	/* From here on the console is ours: a message of the kernel's must not land inside the hex. */
	klogctl(CONSOLE_OFF, NULL, 0);
	printf("thindist: init reached\n");
	if (mount("proc", "/proc", "proc", 0, NULL))
		perror("thindist: mount /proc");
	print_version();
	print_config();
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	perror("thindist: reboot");
	return 1;
}
