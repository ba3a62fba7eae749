/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_explain.h"

#include <inttypes.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"

/* The mapping and its page; the file that was loaded there. */

static void perms_of(const struct mw_mapping *m, char perms[5])
{
	perms[0] = m->perms & MW_PERM_R ? 'r' : '-';
	perms[1] = m->perms & MW_PERM_W ? 'w' : '-';
	perms[2] = m->perms & MW_PERM_X ? 'x' : '-';
	perms[3] = m->perms & MW_PERM_SHARED ? 's' : 'p';
	perms[4] = '\0';
}

/** The nearest mappings of an address that has none. */
static void explain_unmapped(struct explain *e, const struct mw_mappings *maps)
{
	size_t next = mw_mappings_after(maps, e->va);
	const struct mw_mapping *below = next ? &maps->list.v[next - 1] : NULL;
	const struct mw_mapping *above =
		next < maps->list.n ? &maps->list.v[next] : NULL;
	char text[32];
	const char *path;

	cmd_say(&e->levels, "not mapped");
	if (e->va >> 47 && e->va >> 47 != 0x1ffff)
		cmd_say(&e->levels, ": no program of x86-64 can have this "
			"address");
	cmd_fact_bool(&e->levels, "is_mapped", false);
	if (below) {
		path = mw_mapping_path(maps, below);
		cmd_say(&e->levels, "; the nearest mapping below is %" PRIx64
			"-%" PRIx64 "%s%s, %s away", below->start, below->end,
			*path ? " " : "", path,
			mw_format_bytes(text, e->va - below->end + 1, false));
		cmd_fact_address(&e->levels, "below_start", below->start);
		cmd_fact_address(&e->levels, "below_end", below->end);
	}
	if (above) {
		path = mw_mapping_path(maps, above);
		cmd_say(&e->levels, "; above, %" PRIx64 "-%" PRIx64
			"%s%s, %s away", above->start, above->end,
			*path ? " " : "", path,
			mw_format_bytes(text, above->start - e->va, false));
		cmd_fact_address(&e->levels, "above_start", above->start);
		cmd_fact_address(&e->levels, "above_end", above->end);
	}
}

/** Who has claimed the address; NULL when nobody has. */
static const char *owner_of(const struct explain *e)
{
	size_t count;
	const struct mw_claim *claims =
		mw_ledger_claims(e->books.ledger, &count);

	for (size_t i = 0; i < count; i++)
		if (claims[i].what && e->va >= claims[i].start &&
		    e->va - claims[i].start < claims[i].bytes)
			return claims[i].what;
	return NULL;
}

/**
 * Whether the page is the process's own, written to since it came from its
 * file. False for @ret_known where that cannot be told.
 */
static bool is_dirty(const struct explain *e, const struct mw_mapping *m,
		     unsigned state, bool *ret_known)
{
	const struct mw_target_info *info = mw_target_info(e->books.target);

	*ret_known = true;
	if (!(state & MW_PAGE_PRESENT) || (state & MW_PAGE_ZERO))
		return false;
	if (mw_mapping_is_anonymous(m))
		return true;
	// What is shared is written back by the kernel, who alone knows.
	if ((m->perms & MW_PERM_SHARED) ||
	    info->pages == MW_PAGE_DETAIL_SMAPS ||
	    (info->kind == MW_TARGET_CORE && !info->is_snapshot)) {
		*ret_known = false;
		return false;
	}
	return !(state & MW_PAGE_FILE);
}

static enum mw_bytes_kind kind_of(const struct explain *e)
{
	struct mw_extents extents = { 0 };
	enum mw_bytes_kind kind = MW_BYTES_UNPLACED;

	if (e->va == UINT64_MAX)
		return kind;
	mw_error_free(mw_target_extents(e->books.target, e->va, e->va + 1,
					&extents));
	if (extents.list.n > 0)
		kind = extents.list.v[0].kind;
	mw_extents_free(&extents);
	return kind;
}

static void explain_page(struct explain *e, const struct mw_mapping *m)
{
	unsigned state = mw_pages_state(mw_target_pages(e->books.target),
					e->va);
	bool known, dirty = is_dirty(e, m, state, &known);
	uint64_t page = mw_align_down(e->va, MW_PAGE_BYTES);
	bool untold = !state && !mw_mapping_has_states(m);
	const char *word = untold		     ? "unknown"
			   : state & MW_PAGE_ZERO    ? "zero"
			   : state & MW_PAGE_PRESENT ? "present"
			   : state & MW_PAGE_SWAPPED ? "swapped"
						     : "absent";

	cmd_level(&e->levels, "page");
	cmd_say(&e->levels, "0x%" PRIx64 ", byte %" PRIu64 ": ", page,
		e->va - page);
	if (state & MW_PAGE_ZERO)
		cmd_say(&e->levels, "the kernel's shared page of zeros");
	else if (state & MW_PAGE_PRESENT)
		cmd_say(&e->levels, "present%s%s%s",
			!known ? "" : dirty ? ", dirty" : ", clean",
			state & (MW_PAGE_HUGE | MW_PAGE_HUGETLB)
				? ", part of a huge page"
				: "",
			state & MW_PAGE_FILE ? ", in the page cache" : "");
	else
		cmd_say(&e->levels, "%s", mw_bytes_kind_name(kind_of(e)));
	cmd_fact_address(&e->levels, "address", page);
	cmd_fact_text(&e->levels, "state", word);
	cmd_fact_text(&e->levels, "kind", mw_bytes_kind_name(kind_of(e)));
	if (known && !untold)
		cmd_fact_bool(&e->levels, "is_dirty", dirty);
	else
		cmd_fact_none(&e->levels, "is_dirty");
	cmd_fact_bool(&e->levels, "is_huge",
		      state & (MW_PAGE_HUGE | MW_PAGE_HUGETLB));
	cmd_fact_bool(&e->levels, "is_file", state & MW_PAGE_FILE);
}

bool explain_mapping(struct explain *e)
{
	const struct mw_mappings *maps = mw_target_mappings(e->books.target);
	const struct mw_mapping *m = mw_mappings_find(maps, e->va);
	const char *owner, *path;
	char perms[5];

	cmd_level(&e->levels, "mapping");
	if (!m) {
		explain_unmapped(e, maps);
		return false;
	}
	perms_of(m, perms);
	path = mw_mapping_path(maps, m);
	owner = owner_of(e);
	cmd_say(&e->levels, "%" PRIx64 "-%" PRIx64 " %s %08" PRIx64 " %02x:%02x"
		" %" PRIu64 " %s", m->start, m->end, perms, m->offset,
		m->dev_major, m->dev_minor, m->inode, path);
	if (owner)
		cmd_say(&e->levels, "%s%s", *path ? ": " : "", owner);
	cmd_fact_bool(&e->levels, "is_mapped", true);
	cmd_fact_address(&e->levels, "start", m->start);
	cmd_fact_address(&e->levels, "end", m->end);
	cmd_fact_text(&e->levels, "perms", perms);
	cmd_fact_count(&e->levels, "offset", m->offset);
	cmd_fact_count(&e->levels, "inode", m->inode);
	cmd_fact_text(&e->levels, "path", path);
	if (owner)
		cmd_fact_text(&e->levels, "owner", owner);
	else
		cmd_fact_none(&e->levels, "owner");
	explain_page(e, m);
	return true;
}

void explain_account(struct explain *e)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(e->books.ledger, &count), *a;
	const char *gloss;

	if (e->account == CMD_NO_ACCOUNT || e->account >= count)
		return;
	a = &accounts[e->account];
	gloss = cmd_gloss(a->name);
	cmd_level(&e->levels, "account");
	cmd_say(&e->levels, "%s%s%s, known by %s", a->name,
		gloss ? ": " : "", gloss ? gloss : "", a->evidence);
	cmd_fact_text(&e->levels, "name", a->name);
	cmd_fact_text(&e->levels, "evidence", a->evidence);
}

/* The image */

static void explain_segment(struct explain *e, const struct mw_image *image,
			    uint64_t vaddr)
{
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];
		uint64_t in = vaddr - s->vaddr;

		if (s->type != PT_LOAD || vaddr < s->vaddr || in >= s->memsz)
			continue;
		cmd_level(&e->levels, "segment");
		cmd_say(&e->levels, "%zu, LOAD %c%c%c, byte %" PRIu64 " of %"
			PRIu64, i, s->flags & PF_R ? 'r' : '-',
			s->flags & PF_W ? 'w' : '-',
			s->flags & PF_X ? 'x' : '-', in, s->memsz);
		cmd_fact_count(&e->levels, "index", i);
		cmd_fact_address(&e->levels, "vaddr", s->vaddr);
		if (in < s->filesz) {
			cmd_say(&e->levels, ": offset 0x%" PRIx64 " of the file",
				s->offset + in);
			cmd_fact_count(&e->levels, "file_offset",
				       s->offset + in);
		} else {
			cmd_say(&e->levels, ": zeros at the start, not in the "
				"file");
			cmd_fact_none(&e->levels, "file_offset");
		}
		return;
	}
}

static void explain_symbol(struct explain *e)
{
	struct mw_go_funcs *funcs = cmd_names_go(e->names);
	struct mw_go_line line;
	struct mw_go_func func;
	struct cmd_name name;

	if (!cmd_names_at(e->names, e->va, &name))
		return;
	cmd_level(&e->levels, "symbol");
	cmd_say(&e->levels, "%s, byte %" PRIu64 " of %" PRIu64, name.text,
		e->va - name.start, name.bytes);
	cmd_fact_text(&e->levels, "name", name.text);
	cmd_fact_address(&e->levels, "start", name.start);
	cmd_fact_count(&e->levels, "bytes", name.bytes);
	cmd_fact_count(&e->levels, "offset", e->va - name.start);
	cmd_fact_bool(&e->levels, "is_function", name.is_function);
	if (!funcs || !mw_go_func_of(funcs, e->va, &func) ||
	    mw_go_lines(funcs, &func, e->va, &line, 1) == 0)
		return;
	cmd_say(&e->levels, ", at %s:%u", line.file, line.line);
	cmd_fact_text(&e->levels, "file", line.file);
	cmd_fact_count(&e->levels, "line", line.line);
}

void explain_image(struct explain *e)
{
	static const char *const kinds[] = {
		[MW_IMAGE_EXECUTABLE] = "executable",
		[MW_IMAGE_LIBRARY] = "library",
		[MW_IMAGE_LOADER] = "loader",
		[MW_IMAGE_VDSO] = "vdso",
	};
	const struct mw_image *image =
		cmd_image_at(e->books.target, e->va);
	const struct mw_elf_section *section;
	uint64_t vaddr;

	if (!image)
		return;
	vaddr = e->va - image->bias;
	section = cmd_section_at(image, e->va);
	cmd_level(&e->levels, "image");
	cmd_say(&e->levels, "%s %s, loaded at +0x%" PRIx64 ": address 0x%"
		PRIx64 " in the file", kinds[image->kind], image->path,
		image->bias, vaddr);
	cmd_fact_text(&e->levels, "path", image->path);
	cmd_fact_text(&e->levels, "kind", kinds[image->kind]);
	cmd_fact_address(&e->levels, "bias", image->bias);
	cmd_fact_address(&e->levels, "vaddr", vaddr);
	explain_segment(e, image, vaddr);
	if (section) {
		cmd_level(&e->levels, "section");
		cmd_say(&e->levels, "%s, byte %" PRIu64 " of %" PRIu64,
			section->name, vaddr - section->addr, section->size);
		cmd_fact_text(&e->levels, "name", section->name);
		cmd_fact_address(&e->levels, "start",
				 section->addr + image->bias);
		cmd_fact_count(&e->levels, "bytes", section->size);
		cmd_fact_count(&e->levels, "offset", vaddr - section->addr);
	}
	explain_symbol(e);
}

/* Stacks of native code */

void explain_thread_stack(struct explain *e)
{
	struct mw_native_stack s;
	const char *part;

	if (!mw_native_stack_at(e->books.native, e->va, &s))
		return;
	part = e->va < s.guard_end     ? "guard"
	       : e->va >= s.frames_end ? s.is_main ? "environment" : "tls"
	       : s.sp && e->va < s.sp  ? "unused"
	       : s.sp		       ? "used"
	       : s.tid		       ? "unknown"
				       : "unused";
	cmd_level(&e->levels, "thread stack");
	if (s.tid)
		cmd_say(&e->levels, "of thread %d%s", s.tid,
			s.is_main ? ", the first" : "");
	else
		cmd_say(&e->levels, "of no thread, kept for the next");
	cmd_say(&e->levels, ", 0x%" PRIx64 "-0x%" PRIx64 ": %s", s.start,
		s.end, part);
	if (s.sp)
		cmd_say(&e->levels, "; the stack pointer is at 0x%" PRIx64,
			s.sp);
	if (s.tid)
		cmd_fact_count(&e->levels, "tid", (uint64_t)s.tid);
	else
		cmd_fact_none(&e->levels, "tid");
	cmd_fact_text(&e->levels, "part", part);
	cmd_fact_address(&e->levels, "start", s.start);
	cmd_fact_address(&e->levels, "end", s.end);
	cmd_fact_address(&e->levels, "guard_end", s.guard_end);
	if (s.sp)
		cmd_fact_address(&e->levels, "sp", s.sp);
	else
		cmd_fact_none(&e->levels, "sp");
}
