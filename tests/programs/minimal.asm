; SPDX-License-Identifier: Apache-2.0
; The smallest program: it waits for signals, for ever.
global _start
section .text
_start:
	mov	eax, 34		; pause
	syscall
	jmp	_start
