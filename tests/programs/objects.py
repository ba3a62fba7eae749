# SPDX-License-Identifier: Apache-2.0
"""A Python process with objects of many sizes, some of them freed again. It
writes what its allocator says of itself, and waits."""

import gc
import os
import signal
import sys

words = ["x" * (i % 300) + str(i) for i in range(60000)]
numbers = [1.5 * i for i in range(30000)]
gc.disable()
del words[::3]
del numbers[5000:28000]
write, wait = os.write, signal.pause
# What follows neither allocates nor frees, as a stream with buffers would.
sys._debugmallocstats()
write(2, b"end\n")
wait()
