/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry of the guest payload by the PVH boot protocol, which QEMU's pc, q35 and microvm
 * machines all know: 32-bit protected mode, no paging, %ebx = the start info. Goes to long
 * mode with the first 64 GiB mapped one to one, and on to payload_main().
 */
#define MAPPED_GIB 64

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad start

	.text
	.code32
	.globl start
start:
	cld
	cli
	movl %ebx, %ebp
	movl $stack_top, %esp

	movl $pdpt + 3, pml4
	movl $directories + 3, %eax
	movl $pdpt, %edi
	movl $MAPPED_GIB, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b

	xorl %edx, %edx			/* %edx:%eax, a page of 2 MiB: present, writable, large */
	movl $0x83, %eax
	movl $directories, %edi
	movl $MAPPED_GIB * 512, %ecx
2:	movl %eax, (%edi)
	movl %edx, 4(%edi)
	addl $0x200000, %eax
	adcl $0, %edx
	addl $8, %edi
	loop 2b

	movl $pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax		/* PG, PE */
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $long_mode

	.code64
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_top, %esp
	movl %ebp, %edi
	call payload_main
	.globl halt_forever
halt_forever:
	cli
	hlt
	jmp halt_forever

	/* The timer's interrupt only has to end a hlt. */
	.globl timer_interrupt
timer_interrupt:
	pushq %rax
	movb $0x20, %al
	outb %al, $0x20
	popq %rax
	iretq

	.data
	.balign 8
gdt:
	.quad 0
	.quad 0x00209a0000000000	/* code, 64-bit */
	.quad 0x0000920000000000	/* data */
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt

	.bss
	.balign 4096
pml4:
	.skip 4096
pdpt:
	.skip 4096
directories:
	.skip 4096 * MAPPED_GIB
	.skip 16384
stack_top:
