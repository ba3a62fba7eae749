/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "gort_int.h"
#include "mw_test.h"

/* The Go version from the build info that the linker leaves in a program. */

#define DATA UINT64_C(0x500000)
#define BIAS UINT64_C(0x10000)

static const char magic[] = "\xff Go buildinf:";

/** An image of one writable segment, and its bytes. */
struct program {
	uint8_t data[8192];
	struct mw_elf_segment segment;
	struct mw_elf_section section;
	struct mw_elf elf;
	struct mw_image image;
	struct mw_target target;
	struct mw_go go;
};

static void begin(struct program *p)
{
	*p = (struct program){
		.segment = {
			.type = PT_LOAD,
			.flags = PF_R | PF_W,
			.vaddr = DATA,
			.filesz = sizeof(p->data),
			.memsz = sizeof(p->data),
		},
	};
	p->elf.segments.v = &p->segment;
	p->elf.segments.n = 1;
	p->image = (struct mw_image){
		.kind = MW_IMAGE_EXECUTABLE,
		.bias = BIAS,
		.start = DATA + BIAS,
		.end = DATA + BIAS + sizeof(p->data),
		.elf = &p->elf,
	};
	fake_target_add(&p->target, DATA + BIAS, p->data, sizeof(p->data));
	p->go.target = &p->target;
	p->go.image = &p->image;
}

/** Build info at @at with the version in it, as since Go 1.18. */
static void put_inline(struct program *p, size_t at, const char *version)
{
	size_t len = strlen(version);

	assert_true(at + 33 + len <= sizeof(p->data));
	memcpy(p->data + at, magic, 14);
	p->data[at + 14] = 0;
	p->data[at + 15] = 2;
	p->data[at + 32] = (uint8_t)len;
	if (len >= 128) {
		p->data[at++ + 32] |= 0x80;
		p->data[at + 32] = (uint8_t)(len >> 7);
	}
	memcpy(p->data + at + 33, version, len);
}

/** The same that points to the string at @text, as to Go 1.17. */
static void put_pointer(struct program *p, size_t at, size_t text,
			const char *version)
{
	const uint64_t string = DATA + BIAS + text;
	const uint64_t header[] = { string + 16, strlen(version) };

	memcpy(p->data + at, magic, 14);
	p->data[at + 14] = 8;
	p->data[at + 15] = 0;
	memcpy(p->data + at + 16, &string, sizeof(string));
	memcpy(p->data + text, header, sizeof(header));
	memcpy(p->data + text + 16, version, strlen(version));
}

static void check(struct program *p, const char *version, unsigned minor,
		  unsigned patch, bool is_release)
{
	go_find_version(&p->go, 0);
	ASSERT_TEXT(version, p->go.version);
	ASSERT_EQ(minor, p->go.minor);
	ASSERT_EQ(patch, p->go.patch);
	ASSERT_EQ(is_release, p->go.is_release);
}

TEST(the_section_leads_to_the_version)
{
	static struct program p;

	begin(&p);
	put_inline(&p, 0, "go1.2.3"); // not the section's
	put_inline(&p, 64, "go1.26.8");
	p.section = (struct mw_elf_section){
		.name = ".go.buildinfo",
		.addr = DATA + 64,
		.size = 64,
	};
	p.elf.sections.v = &p.section;
	p.elf.sections.n = 1;
	check(&p, "go1.26.8", 26, 8, true);
}

TEST(without_a_section_the_data_are_searched)
{
	static struct program p;

	begin(&p);
	put_inline(&p, 8, "go1.1.1"); // not aligned: something else
	put_inline(&p, 4096, "go1.24");
	check(&p, "go1.24", 24, 0, true);

	begin(&p);
	put_inline(&p, sizeof(p.data) - 48, "go1.25.10");
	check(&p, "go1.25.10", 25, 10, true);
}

TEST(before_go_1_18_it_is_pointed_to)
{
	static struct program p;

	begin(&p);
	put_pointer(&p, 160, 1000, "go1.17.13");
	check(&p, "go1.17.13", 17, 13, true);
}

TEST(what_is_not_a_plain_release_is_told_apart)
{
	static const struct {
		const char *version;
		unsigned minor, patch;
	} cases[] = {
		{ "go1.26.8-X:nogreenteagc", 26, 8 },
		{ "go1.22.3 (vendor 1.2)", 22, 3 },
		{ "go1.23rc1", 23, 0 },
		{ "devel go1.27-abcdef Mon Jan 5", 27, 0 },
		{ "unknown", 0, 0 },
		{ "devel +abcdef", 0, 0 },
	};

	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		static struct program p;

		begin(&p);
		put_inline(&p, 0, cases[i].version);
		check(&p, cases[i].version, cases[i].minor, cases[i].patch,
		      false);
	}
}

TEST(a_program_without_build_info_is_of_no_known_version)
{
	static struct program p;

	begin(&p);
	check(&p, "unknown", 0, 0, false);
}

TEST(bytes_that_are_no_text_are_not_shown)
{
	static struct program p;

	begin(&p);
	put_inline(&p, 0, "go1.25\x1b[31m\xff");
	check(&p, "go1.25?[31m?", 25, 0, false);
}

TEST(lengths_and_pointers_that_lead_astray_are_not_followed)
{
	static struct program p;
	char longest[256];
	uint64_t wild = UINT64_MAX - 3;

	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	memcpy(longest, "go1.25.1", 8);
	begin(&p); // as much as there is room for
	put_inline(&p, 0, longest);
	check(&p, longest, 25, 1, false);

	begin(&p);
	put_inline(&p, 0, longest);
	p.data[32] = 0x80; // 256 bytes
	p.data[33] = 2;
	check(&p, "unknown", 0, 0, false);
	p.data[33] = 0x81; // a third byte of the length
	check(&p, "unknown", 0, 0, false);
	p.data[32] = 0x80; // none, in two bytes
	p.data[33] = 0;
	check(&p, "unknown", 0, 0, false);
	p.data[32] = 0;
	check(&p, "unknown", 0, 0, false);

	begin(&p); // the text ends behind the segment
	put_inline(&p, sizeof(p.data) - 48, "go1.25.1");
	p.data[sizeof(p.data) - 16] = 40;
	check(&p, "unknown", 0, 0, false);

	begin(&p); // the string is the runtime's own, and found as such
	put_pointer(&p, 0, 1000, "go1.17.13");
	memcpy(p.data + 16, &wild, sizeof(wild));
	check(&p, "go1.17.13", 17, 13, true);

	begin(&p);
	put_pointer(&p, 0, 1000, "go1.17.13");
	memcpy(p.data + 1008, &wild, sizeof(wild));
	check(&p, "unknown", 0, 0, false);

	begin(&p); // a big-endian program's
	put_pointer(&p, 0, 1000, "go1.17.13");
	p.data[15] = 1;
	p.data[1016] = 'G'; // nor is there a string of the runtime's
	check(&p, "unknown", 0, 0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_section_leads_to_the_version),
		CASE(without_a_section_the_data_are_searched),
		CASE(before_go_1_18_it_is_pointed_to),
		CASE(what_is_not_a_plain_release_is_told_apart),
		CASE(a_program_without_build_info_is_of_no_known_version),
		CASE(bytes_that_are_no_text_are_not_shown),
		CASE(lengths_and_pointers_that_lead_astray_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
