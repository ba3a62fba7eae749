/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_explain.h"
#include "cmd_malloc.h"
#include "mw_guard.h"

/* The block of a native allocator, and what it seems to hold. */

static void say_block(struct explain *e, const struct mw_alloc_block *block)
{
	struct mw_alloc_block b = *block;
	bool is_in_use = b.holder == MW_ALLOC_IN_USE;
	char text[32];

	cmd_level(&e->levels, "malloc");
	cmd_say(&e->levels, "%s, arena %s: %s, 0x%" PRIx64 "-0x%" PRIx64
		" (%s)", b.allocator, b.arena->name, b.state, b.start,
		b.start + b.bytes, mw_format_bytes(text, b.bytes, true));
	if (b.user) {
		cmd_say(&e->levels, "; malloc() %s 0x%" PRIx64 ", room for "
			"%" PRIu64 " bytes", is_in_use ? "returned"
						 : "would return",
			b.user, b.user_bytes);
		if (e->va >= b.user)
			cmd_say(&e->levels, "; byte %" PRIu64 " of these",
				e->va - b.user);
		else
			cmd_say(&e->levels, "; this is its head");
	}
	cmd_fact_text(&e->levels, "allocator", b.allocator);
	cmd_fact_text(&e->levels, "arena", b.arena->name);
	cmd_fact_text(&e->levels, "state", b.state);
	cmd_fact_bool(&e->levels, "is_in_use", is_in_use);
	cmd_fact_address(&e->levels, "start", b.start);
	cmd_fact_count(&e->levels, "bytes", b.bytes);
	if (b.user) {
		cmd_fact_address(&e->levels, "user", b.user);
		cmd_fact_count(&e->levels, "user_bytes", b.user_bytes);
	} else {
		cmd_fact_none(&e->levels, "user");
		cmd_fact_none(&e->levels, "user_bytes");
	}
}

static struct mw_error *say_content(struct explain *e,
				    const struct mw_alloc_block *block)
{
	MW_CLEANUP(mw_alloc_contents_closep)
	struct mw_alloc_contents *contents = NULL;
	MW_CLEANUP(mw_freep) char *type = NULL;
	struct mw_target *target = e->books.target;
	struct mw_block_content content;
	struct mw_error *error = mw_alloc_contents_open(
		target, e->books.alloc, &contents);

	if (error)
		return error;
	mw_alloc_content(contents, block, &content);
	error = malloc_name_type(target, e->names, content.kind,
				 content.pointer, &type);
	if (error)
		return error;
	cmd_say(&e->levels, "; seems to hold: %s%s%s",
		malloc_content_name(content.kind), type ? " " : "",
		type ? type : "");
	cmd_fact_text(&e->levels, "content",
		      malloc_content_name(content.kind));
	if (type)
		cmd_fact_text(&e->levels, "type", type);
	else
		cmd_fact_none(&e->levels, "type");
	return NULL;
}

struct mw_error *explain_malloc(struct explain *e)
{
	struct mw_alloc_block block;
	bool found = false;
	struct mw_error *error = mw_alloc_block_at(e->books.alloc, e->va,
						   &block, &found);

	if (error || !found)
		return error;
	say_block(e, &block);
	if (block.holder == MW_ALLOC_IN_USE &&
	    !mw_target_info(e->books.target)->no_contents)
		return say_content(e, &block);
	cmd_fact_none(&e->levels, "content");
	cmd_fact_none(&e->levels, "type");
	return NULL;
}
