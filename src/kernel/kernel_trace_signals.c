/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stddef.h>

#include "kernel_trace.h"
#include "mw_num.h"

static volatile sig_atomic_t receiver;

/**
 * What the terminal sends has gone to the program, too: it is in the same
 * process group. What a process sends to memwhy is meant for the program.
 */
static void pass_on(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && receiver > 0)
		kill((pid_t)receiver, number);
}

void mw_trace_pass_signals(pid_t pid)
{
	static const int numbers[] = { SIGINT,	SIGQUIT, SIGTERM,
				       SIGHUP,	SIGUSR1, SIGUSR2 };
	static struct sigaction before[MW_COUNT(numbers)];
	struct sigaction action = {
		.sa_sigaction = pass_on,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	bool was = receiver > 0;

	receiver = pid;
	for (size_t i = 0; i < MW_COUNT(numbers) && was != (pid > 0); i++)
		sigaction(numbers[i], pid > 0 ? &action : &before[i],
			  pid > 0 ? &before[i] : NULL);
}
