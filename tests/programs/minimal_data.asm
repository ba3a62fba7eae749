; SPDX-License-Identifier: Apache-2.0
; A minimal program with each kind of section, and a page of each touched.
global _start
section .rodata
constant:	db "read only", 0
section .data
variable:	dq 1
section .bss
room:		resb 12288
section .text
_start:
	mov	al, [constant]
	inc	qword [variable]
	mov	byte [room + 8192], 1
wait_on:
	mov	eax, 34		; pause
	syscall
	jmp	wait_on
