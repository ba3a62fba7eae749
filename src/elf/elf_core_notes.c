/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "elf_core_int.h"
#include "mw_guard.h"

/*
 * Notes of x86-64 cores, as Linux 6.18 has them (include/uapi/linux/elfcore.h,
 * include/linux/elfcore.h, fs/binfmt_elf.c). All numbers are little-endian, a
 * name or content is padded to 4 bytes.
 *
 * NT_PRSTATUS, of each thread (struct elf_prstatus)
 *	12	u16 signal that ended the process
 *	32	i32 tid
 *	112	u64 general registers [27] (struct user_regs_struct)
 * NT_PRPSINFO (struct elf_prpsinfo)
 *	1	char state		16	u32 uid
 *	24	i32 pid			40	char fname[16]
 *	56	char psargs[80]
 * NT_AUXV	pairs of u64 as in /proc/PID/auxv
 * NT_FILE
 *	0	u64 count		8	u64 unit of offsets (page size)
 *	16	u64 start, end, offset in units; count times
 *	then	count NUL-terminated paths
 *
 * Delve 1.25 (pkg/proc/dump.go) leaves the names empty, and for processes of
 * other systems' backends has two notes of its own:
 * DLVE		text; a line "Target Pid: N"
 * DLVT, of each thread
 *	0	u64 tid			8	u64 pc
 *	16	u64 sp			32	u64 thread pointer
 */
#define STATUS_BYTES 328
#define STATUS_SIGNAL 12
#define STATUS_TID 32
#define STATUS_REGISTERS 112
#define INFO_BYTES 136
#define INFO_UID 16
#define INFO_PID 24
#define INFO_COMM 40
#define INFO_ARGS 56
#define NT_DELVE_HEADER 0x444c5645
#define NT_DELVE_THREAD 0x444c5654
#define DELVE_THREAD_BYTES 40

#define MAX_AUXV 16384
/* The kernel gives up at 4 MiB of NT_FILE, gdb never. */
#define MAX_FILES MW_MIB(256)

/** One note; its content lies at @offset in the file. */
struct note {
	int fd;
	uint32_t type;
	uint64_t offset, bytes;
};

static struct mw_error *take_status(struct mw_core *core,
				    const struct note *note, bool *ret_ok)
{
	struct mw_thread *thread;
	uint8_t status[STATUS_BYTES];
	uint64_t general[27];

	*ret_ok = mw_core_read(note->fd, note->offset, status,
			       mw_min(note->bytes, sizeof(status))) ==
		  sizeof(status);
	if (!*ret_ok)
		return NULL;
	if (core->threads.n == 0) {
		core->signal = mw_u16(status + STATUS_SIGNAL);
		core->has_signal = core->signal != 0;
	}
	thread = mw_vec_push(&core->threads);
	if (!thread)
		return mw_error_nomem();
	*thread = (struct mw_thread){
		.tid = (int32_t)mw_u32(status + STATUS_TID),
	};
	for (size_t i = 0; i < MW_COUNT(general); i++)
		general[i] = mw_u64(status + STATUS_REGISTERS + 8 * i);
	mw_thread_take_registers(thread, general);
	return NULL;
}

static bool take_info(struct mw_core *core, const struct note *note)
{
	uint8_t info[INFO_BYTES];

	if (mw_core_read(note->fd, note->offset, info,
			 mw_min(note->bytes, sizeof(info))) != sizeof(info))
		return false;
	core->has_psinfo = true;
	core->pid = (int32_t)mw_u32(info + INFO_PID);
	core->uid = mw_u32(info + INFO_UID);
	memcpy(core->comm, info + INFO_COMM, sizeof(core->comm) - 1);
	memcpy(core->args, info + INFO_ARGS, sizeof(core->args) - 1);
	return true;
}

static struct mw_error *take_auxv(struct mw_core *core,
				  const struct note *note, bool *ret_ok)
{
	uint8_t *auxv;

	*ret_ok = note->bytes <= MAX_AUXV;
	if (!*ret_ok || core->auxv)
		return NULL;
	auxv = mw_alloc(note->bytes);
	if (!auxv)
		return mw_error_nomem();
	core->auxv_bytes = mw_core_read(note->fd, note->offset, auxv,
					note->bytes);
	core->auxv = auxv;
	return NULL;
}

bool mw_core_add_path(struct mw_core *core, const char *path, size_t bytes,
		      uint32_t *ret)
{
	size_t at = core->paths.n;

	// Neighbours mostly share their file.
	if (core->files.n > 0) {
		uint32_t last = core->files.v[core->files.n - 1].path;

		if (strlen(&core->paths.v[last]) == bytes &&
		    memcmp(&core->paths.v[last], path, bytes) == 0) {
			*ret = last;
			return true;
		}
	}
	if (at + bytes + 1 > UINT32_MAX)
		return false;
	for (size_t i = 0; i <= bytes; i++) {
		char *c = mw_vec_push(&core->paths);

		if (!c) {
			core->paths.n = at;
			return false;
		}
		*c = i < bytes ? path[i] : '\0';
	}
	*ret = (uint32_t)at;
	return true;
}

static bool add_file(struct mw_core *core, const uint8_t *entry, uint64_t unit,
		     const char *path, size_t path_bytes, bool *ret_nomem)
{
	struct mw_core_file file = {
		.start = mw_u64(entry),
		.end = mw_u64(entry + 8),
		.perms = MW_PERM_R, // it had some right, or nobody maps it
	};
	struct mw_core_file *place;

	if (file.start >= file.end ||
	    !mw_is_aligned(file.start | file.end, MW_PAGE_BYTES) ||
	    __builtin_mul_overflow(mw_u64(entry + 16), unit, &file.offset) ||
	    file.offset > INT64_MAX - (file.end - file.start) ||
	    file.end - file.start > INT64_MAX || path_bytes == 0)
		return false;
	if (!mw_core_add_path(core, path, path_bytes, &file.path) ||
	    !(place = mw_vec_push(&core->files))) {
		*ret_nomem = true;
		return false;
	}
	*place = file;
	return true;
}

static struct mw_error *take_files(struct mw_core *core,
				   const struct note *note, bool *ret_ok)
{
	MW_CLEANUP(mw_freep) uint8_t *bytes = NULL;
	uint8_t head[16];
	uint64_t count, unit;
	size_t got, at;
	bool nomem = false;

	*ret_ok = false;
	if (note->bytes > MAX_FILES ||
	    mw_core_read(note->fd, note->offset, head,
			 mw_min(note->bytes, sizeof(head))) != sizeof(head))
		return NULL;
	count = mw_u64(head);
	unit = mw_u64(head + 8);
	if (count > (note->bytes - 16) / 24)
		return NULL;
	// No path is longer than 4 KiB.
	bytes = mw_alloc(mw_min(note->bytes, 16 + count * (24 + 4097)));
	if (!bytes)
		return mw_error_nomem();
	got = mw_core_read(note->fd, note->offset, bytes,
			   mw_min(note->bytes, 16 + count * (24 + 4097)));
	at = 16 + count * 24;
	if (at > got)
		return NULL;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *end = memchr(bytes + at, '\0', got - at);

		if (!end)
			return NULL;
		if (!add_file(core, bytes + 16 + i * 24, unit,
			      (const char *)bytes + at,
			      (size_t)(end - bytes) - at, &nomem))
			return nomem ? mw_error_nomem() : NULL;
		at = (size_t)(end - bytes) + 1;
	}
	*ret_ok = true;
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct mw_core_file *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void mw_core_sort_files(struct mw_core *core)
{
	struct mw_core_file *f = core->files.v;
	size_t kept = 0;

	if (core->files.n)
		qsort(f, core->files.n, sizeof(*f), by_start);
	for (size_t i = 0; i < core->files.n; i++)
		if (kept == 0 || f[i].start >= f[kept - 1].end)
			f[kept++] = f[i];
	core->files.n = kept;
}

static struct mw_error *take_delve_thread(struct mw_core *core,
					  const struct note *note,
					  bool *ret_ok)
{
	uint8_t bytes[DELVE_THREAD_BYTES];
	struct mw_thread *thread;

	*ret_ok = mw_core_read(note->fd, note->offset, bytes,
			       mw_min(note->bytes, sizeof(bytes))) ==
		  sizeof(bytes);
	if (!*ret_ok)
		return NULL;
	thread = mw_vec_push(&core->threads);
	if (!thread)
		return mw_error_nomem();
	*thread = (struct mw_thread){
		.tid = (int32_t)mw_u64(bytes),
		.has_sp = true,
		.has_fs = true,
		.pc = mw_u64(bytes + 8),
		.sp = mw_u64(bytes + 16),
		.fs_base = mw_u64(bytes + 32),
	};
	return NULL;
}

static void take_delve_header(struct mw_core *core, const struct note *note)
{
	static const char key[] = "Target Pid: ";
	char text[512];
	size_t got = mw_core_read(note->fd, note->offset, text,
				  mw_min(note->bytes, sizeof(text) - 1));
	const char *at;

	text[got] = '\0';
	at = strstr(text, key);
	if (at && core->pid == 0)
		core->pid = (int32_t)strtol(at + sizeof(key) - 1, NULL, 10);
}

static struct mw_error *keep_note(struct mw_core *core,
				  const struct note *note)
{
	struct mw_core_note *place = mw_vec_push(&core->notes);

	if (!place)
		return mw_error_nomem();
	*place = (struct mw_core_note){ note->type, note->offset, note->bytes };
	return NULL;
}

static bool is_called(const char *name, size_t bytes, const char *expected)
{
	// With or without a NUL.
	return strnlen(name, bytes) == strlen(expected) &&
	       memcmp(name, expected, strlen(expected)) == 0;
}

static struct mw_error *take(struct mw_core *core, const char *name,
			     size_t name_bytes, const struct note *note,
			     bool *ret_ok)
{
	*ret_ok = true;
	if (is_called(name, name_bytes, "memwhy"))
		return keep_note(core, note);
	if (!is_called(name, name_bytes, "CORE") &&
	    !is_called(name, name_bytes, "LINUX") &&
	    !is_called(name, name_bytes, "Delve Header") &&
	    !is_called(name, name_bytes, ""))
		return NULL;
	switch (note->type) {
	case NT_PRSTATUS:
		return take_status(core, note, ret_ok);
	case NT_PRPSINFO:
		*ret_ok = take_info(core, note);
		return NULL;
	case NT_AUXV:
		return take_auxv(core, note, ret_ok);
	case NT_FILE:
		return take_files(core, note, ret_ok);
	case NT_DELVE_HEADER:
		take_delve_header(core, note);
		return NULL;
	case NT_DELVE_THREAD:
		return take_delve_thread(core, note, ret_ok);
	}
	return NULL;
}

static void damaged(struct mw_core *core, uint64_t offset)
{
	if (core->damaged_notes++ == 0)
		core->damaged_offset = offset;
}

struct mw_error *mw_core_load_notes(struct mw_core *core, int fd,
				    uint64_t offset, uint64_t bytes)
{
	enum { NAME = 16 };
	uint64_t end = offset + bytes;

	while (end - offset >= sizeof(Elf64_Nhdr)) {
		struct note note = { .fd = fd };
		uint64_t name_at = offset + sizeof(Elf64_Nhdr), next;
		char name[NAME] = "";
		struct mw_error *error;
		Elf64_Nhdr header;
		bool ok;

		if (mw_core_read(fd, offset, &header, sizeof(header)) !=
		    sizeof(header))
			break;
		// Nothing but zeros: a hole, which may be endless.
		if (!header.n_type && !header.n_namesz && !header.n_descsz) {
			damaged(core, offset);
			break;
		}
		note.type = header.n_type;
		note.bytes = header.n_descsz;
		note.offset = name_at + mw_align_up(header.n_namesz, 4);
		next = note.offset + mw_align_up(note.bytes, 4);
		if (note.offset > end || note.bytes > end - note.offset) {
			damaged(core, offset);
			break;
		}
		mw_core_read(fd, name_at, name,
			     mw_min(header.n_namesz, NAME));
		error = take(core, name, mw_min(header.n_namesz, NAME), &note,
			     &ok);
		if (error)
			return error;
		if (!ok)
			damaged(core, offset);
		if (next > end)
			break;
		offset = next;
	}
	return NULL;
}
