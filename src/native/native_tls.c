/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "native_int.h"
#include "native_tls_int.h"

/*
 * Variant II of "ELF Handling For Thread-Local Storage" (U. Drepper), 3.4.6:
 * the executable's block ends at the thread pointer. Linkers put that into
 * instructions, so every C library and the Go runtime keep to it.
 *
 * Below it are the blocks of shared objects that were there when the program
 * began, or want to be there. Those of others are allocated for each thread
 * when it uses them first. Each thread has a vector of where its blocks are, by
 * the number that the loader gave the object; a word behind the thread
 * pointer, at DTV, points to it:
 *
 * glibc (sysdeps/generic/dl-dtv.h): 16 bytes an entry, the first word counts
 *	-1	length of the vector	0	its generation
 *	N	the block of object N, or -1
 * musl (src/internal/pthread_impl.h): 8 bytes an entry
 *	0	length of the vector
 *	N	the block of object N, or 0 (before 1.1.23)
 */
#define DTV 8
#define GLIBC_ENTRY 16
#define MUSL_ENTRY 8
#define MAX_ID 1000000

static const char not_allocated[] = "not allocated yet in this thread";
static const char not_readable[] = "what the loader has written cannot be read";
static const char no_sense[] = "what the loader has written makes no sense";

/** What is known of one object in one thread. */
struct module {
	struct mw_target *target;
	uint64_t pointer; /* the thread pointer */
	struct native_tls_words words;
	struct native_tls_record record;
};

static bool of_executable(const struct mw_elf_segment *s, uint64_t pointer,
			  uint64_t *ret)
{
	uint64_t align = s->align ? s->align : 1, end;

	if ((align & (align - 1)) || !mw_end(s->vaddr, s->memsz, &end) ||
	    s->memsz > pointer)
		return false;
	*ret = pointer - s->memsz - (-end & (align - 1));
	return true;
}

/** Whether a block can be at @va. */
static bool is_block(struct mw_target *target, const struct mw_elf_segment *s,
		     uint64_t va)
{
	uint64_t align = s->align ? s->align : 1, end;

	if ((align & (align - 1)) || ((va - s->vaddr) & (align - 1)) ||
	    !mw_end(va, s->memsz, &end))
		return false;
	while (va < end) {
		const struct mw_mapping *m =
			mw_mappings_find(mw_target_mappings(target), va);

		if (!m || !(m->perms & MW_PERM_W))
			return false;
		va = m->end;
	}
	return true;
}

/* The vector: each returns why there is no block; NULL: it is in *@ret. */

static const char *by_glibc(const struct module *m, uint64_t dtv, uint64_t id,
			    uint64_t *ret)
{
	uint64_t length, generation, block;

	if (!m->record.is_known)
		return "it is not in the loader's list, without which a "
		       "thread's vector may be out of date";
	if (!mw_target_read_u64(m->target, dtv - GLIBC_ENTRY, &length) ||
	    !mw_target_read_u64(m->target, dtv, &generation))
		return not_readable;
	if (length > MAX_ID)
		return no_sense;
	if (id > length || generation < m->record.generation)
		return not_allocated;
	if (!mw_target_read_u64(m->target, dtv + id * GLIBC_ENTRY, &block))
		return not_readable;
	if (block == UINT64_MAX)
		return not_allocated;
	*ret = block;
	return NULL;
}

static const char *by_musl(const struct module *m, uint64_t dtv, uint64_t id,
			   uint64_t *ret)
{
	uint64_t length, block;

	if (!mw_target_read_u64(m->target, dtv, &length))
		return not_readable;
	if (length > MAX_ID)
		return no_sense;
	if (id > length)
		return not_allocated;
	if (!mw_target_read_u64(m->target, dtv + id * MUSL_ENTRY, &block))
		return not_readable;
	if (block == 0)
		return not_allocated;
	*ret = block;
	return NULL;
}

static const char *by_vector(const struct module *m, uint64_t id,
			     uint64_t *ret)
{
	enum native_libc libc = native_libc_of(m->target, m->pointer);
	uint64_t dtv;

	if (libc == NATIVE_LIBC_NONE)
		return "the thread's descriptor is not one of glibc or musl";
	if (id == 0 || id > MAX_ID ||
	    !mw_target_read_u64(m->target, m->pointer + DTV, &dtv) ||
	    !mw_is_aligned(dtv, 8))
		return no_sense;
	return libc == NATIVE_LIBC_GLIBC ? by_glibc(m, dtv, id, ret)
					 : by_musl(m, dtv, id, ret);
}

/* Both ways */

static const char *of_module(const struct module *m,
			     const struct mw_elf_segment *s, uint64_t *ret)
{
	const struct native_tls_words *w = &m->words;
	const struct native_tls_record *r = &m->record;
	bool has_id = r->is_known || w->has_id;
	bool has_offset = r->has_offset || w->has_offset;
	uint64_t offset = r->has_offset ? r->offset : w->offset;
	uint64_t fixed = m->pointer + offset, block = 0, end;
	const char *why = NULL;

	if (w->differ || (r->is_known && w->has_id && r->id != w->id) ||
	    (has_offset && w->has_offset && offset != w->offset) ||
	    // All blocks are below the thread pointer.
	    (has_offset && (!mw_end(fixed, s->memsz, &end) ||
			    end > m->pointer)))
		return no_sense;
	if (!has_id && !has_offset)
		return w->has_unread ? not_readable
		       : w->has_descriptors
			       ? "its code asks for them by descriptors "
				 "(R_X86_64_TLSDESC)"
			       : "no relocation of its own is for them";
	if (has_id)
		why = by_vector(m, r->is_known ? r->id : w->id, &block);
	// Blocks at fixed places need not be in each thread's vector.
	if (has_offset && has_id && !why && block != fixed)
		return no_sense;
	if (has_offset)
		block = fixed;
	else if (why)
		return why;
	if (!is_block(m->target, s, block))
		return no_sense;
	*ret = block;
	return NULL;
}

struct mw_error *mw_native_tls(struct mw_target *target,
			       const struct mw_image *image,
			       struct mw_elf_file *file,
			       const struct mw_thread *thread, uint64_t *ret,
			       const char **ret_why)
{
	const struct mw_elf_segment *s = native_tls_segment(image);
	struct module m = {
		.target = target,
		.pointer = thread->has_fs && thread->fs_base
				   ? thread->fs_base
				   : mw_native_tcb(target, thread),
	};
	struct mw_error *error;

	*ret = 0;
	*ret_why = NULL;
	if (!m.pointer || !s) {
		*ret_why = s ? "the thread's pointer to them is not known"
			     : "it has no segment for them";
		return NULL;
	}
	if (image->kind == MW_IMAGE_EXECUTABLE) {
		if (!of_executable(s, m.pointer, ret))
			*ret_why = "its segment for them is damaged";
		return NULL;
	}
	error = native_tls_words(target, image, file, &m.words);
	if (!error && native_libc_of(target, m.pointer) == NATIVE_LIBC_GLIBC)
		error = native_tls_record(target, image, &m.record);
	if (!error)
		*ret_why = of_module(&m, s, ret);
	return error;
}
