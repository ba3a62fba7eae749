/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_core.h"

/*
 * The same notes as the kernel and gcore write, in the kernel's order; layouts
 * in elf_core_notes.c. What debuggers do not need (pending signals, times) is
 * zero.
 */
#define STATUS_BYTES 336
#define INFO_BYTES 136
#define SIGINFO_BYTES 128
#define FP_BYTES 512

void mw_core_put(struct mw_core_bytes *out, const void *from, size_t bytes)
{
	size_t want = out->data.n + bytes;

	if (out->failed || bytes == 0)
		return;
	if (want > out->data.cap) {
		size_t cap = want + want / 2;
		uint8_t *grown = mw_realloc(out->data.v, cap, 1);

		if (!grown) {
			out->failed = true;
			return;
		}
		out->data.v = grown;
		out->data.cap = cap;
	}
	memcpy(out->data.v + out->data.n, from, bytes);
	out->data.n = want;
}

void mw_core_put_u64(struct mw_core_bytes *out, uint64_t value)
{
	mw_core_put(out, &value, sizeof(value));
}

static void pad(struct mw_core_bytes *out)
{
	static const uint8_t zeros[4];

	mw_core_put(out, zeros, -out->data.n & 3);
}

size_t mw_core_note_begin(struct mw_core_bytes *out, const char *name,
			  uint32_t type)
{
	size_t begun = out->data.n;
	Elf64_Nhdr header = {
		.n_namesz = (uint32_t)strlen(name) + 1,
		.n_type = type,
	};

	mw_core_put(out, &header, sizeof(header));
	mw_core_put(out, name, header.n_namesz);
	pad(out);
	return begun;
}

void mw_core_note_end(struct mw_core_bytes *out, size_t begun)
{
	Elf64_Nhdr *header;
	size_t content;

	if (out->failed)
		return;
	header = (Elf64_Nhdr *)(out->data.v + begun);
	content = begun + sizeof(*header) + ((header->n_namesz + 3) & ~3u);
	header->n_descsz = (uint32_t)(out->data.n - content);
	pad(out);
}

static void put_note(struct mw_core_bytes *out, const char *name,
		     uint32_t type, const void *content, size_t bytes)
{
	size_t note = mw_core_note_begin(out, name, type);

	mw_core_put(out, content, bytes);
	mw_core_note_end(out, note);
}

static void set_u32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

void mw_core_put_thread(struct mw_core_bytes *out,
			const struct mw_core_registers *thread,
			const struct mw_core_process *process)
{
	uint8_t status[STATUS_BYTES] = { 0 };

	set_u32(status + 32, (uint32_t)thread->tid);
	set_u32(status + 36, (uint32_t)process->parent);
	set_u32(status + 40, (uint32_t)process->group);
	set_u32(status + 44, (uint32_t)process->session);
	memcpy(status + 112, thread->general, sizeof(thread->general));
	set_u32(status + 328, thread->fp != NULL);
	put_note(out, "CORE", NT_PRSTATUS, status, sizeof(status));
	if (thread->fp)
		put_note(out, "CORE", NT_FPREGSET, thread->fp, FP_BYTES);
	if (thread->xstate)
		put_note(out, "LINUX", NT_X86_XSTATE, thread->xstate,
			 thread->xstate_bytes);
	if (thread->siginfo)
		put_note(out, "CORE", NT_SIGINFO, thread->siginfo,
			 SIGINFO_BYTES);
}

void mw_core_put_process(struct mw_core_bytes *out,
			 const struct mw_core_process *process)
{
	static const char states[] = "RSDTZW";
	const char *state = strchr(states, process->state);
	uint8_t info[INFO_BYTES] = { 0 };

	info[0] = state && *state ? (uint8_t)(state - states) : 0;
	info[1] = (uint8_t)process->state;
	info[2] = process->state == 'Z';
	set_u32(info + 16, process->uid);
	set_u32(info + 20, process->gid);
	set_u32(info + 24, (uint32_t)process->pid);
	set_u32(info + 28, (uint32_t)process->parent);
	set_u32(info + 32, (uint32_t)process->group);
	set_u32(info + 36, (uint32_t)process->session);
	memcpy(info + 40, process->comm, strnlen(process->comm, 15));
	memcpy(info + 56, process->args, strnlen(process->args, 79));
	put_note(out, "CORE", NT_PRPSINFO, info, sizeof(info));
}

void mw_core_put_files(struct mw_core_bytes *out,
		       const struct mw_mappings *maps)
{
	size_t note = mw_core_note_begin(out, "CORE", NT_FILE);
	uint64_t count = 0;

	for (size_t i = 0; i < maps->list.n; i++)
		count += maps->list.v[i].inode != 0;
	mw_core_put_u64(out, count);
	mw_core_put_u64(out, MW_PAGE_BYTES);
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (m->inode == 0)
			continue;
		mw_core_put_u64(out, m->start);
		mw_core_put_u64(out, m->end);
		mw_core_put_u64(out, m->offset / MW_PAGE_BYTES);
	}
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		const char *path = mw_mapping_path(maps, m);

		if (m->inode != 0)
			mw_core_put(out, path, strlen(path) + 1);
	}
	mw_core_note_end(out, note);
}

void mw_core_put_header(struct mw_core_bytes *out, uint64_t phoff,
			uint64_t count, uint64_t shoff)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = phoff,
		.e_shoff = shoff,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)(count < PN_XNUM ? count : PN_XNUM),
		.e_shentsize = shoff ? sizeof(Elf64_Shdr) : 0,
		.e_shnum = shoff != 0,
	};

	mw_core_put(out, &header, sizeof(header));
}

void mw_core_put_segment(struct mw_core_bytes *out, uint32_t type,
			 uint8_t perms, uint64_t offset, uint64_t va,
			 uint64_t file_bytes, uint64_t mem_bytes)
{
	Elf64_Phdr segment = {
		.p_type = type,
		.p_flags = (perms & MW_PERM_R ? PF_R : 0u) |
			   (perms & MW_PERM_W ? PF_W : 0u) |
			   (perms & MW_PERM_X ? PF_X : 0u),
		.p_offset = offset,
		.p_vaddr = va,
		.p_filesz = file_bytes,
		.p_memsz = mem_bytes,
		.p_align = type == PT_LOAD ? MW_PAGE_BYTES : 4,
	};

	mw_core_put(out, &segment, sizeof(segment));
}

void mw_core_put_count(struct mw_core_bytes *out, uint64_t count)
{
	Elf64_Shdr section = { .sh_info = (uint32_t)count };

	mw_core_put(out, &section, sizeof(section));
}
