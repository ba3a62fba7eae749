/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mw_elf_names.h"
#include "mw_num.h"

/* Flags that elf.h leaves out; binutils 2.40, include/elf. */
#define SHF_GNU_RETAIN_ 0x200000
#define SHF_GNU_MBIND_ 0x1000000
#define SHF_X86_64_LARGE_ 0x10000000
#define SHF_ARM_PURECODE_ 0x20000000
#define SHF_PPC_VLE_ 0x10000000
#define EM_L1OM_ 180
#define EM_K1OM_ 181

static const struct flag {
	uint64_t bit;
	char letter;
	const char *word;
} flags_of_all[] = {
	{ SHF_WRITE, 'W', "write" },
	{ SHF_ALLOC, 'A', "alloc" },
	{ SHF_EXECINSTR, 'X', "exec" },
	{ SHF_MERGE, 'M', "merge" },
	{ SHF_STRINGS, 'S', "strings" },
	{ SHF_INFO_LINK, 'I', "info" },
	{ SHF_LINK_ORDER, 'L', "link order" },
	{ SHF_OS_NONCONFORMING, 'O', "OS processing" },
	{ SHF_GROUP, 'G', "group" },
	{ SHF_TLS, 'T', "TLS" },
	{ SHF_COMPRESSED, 'C', "compressed" },
	{ SHF_EXCLUDE, 'E', "exclude" },
};

static bool is_gnu(uint8_t osabi)
{
	return osabi == ELFOSABI_GNU || osabi == ELFOSABI_FREEBSD;
}

static const struct flag *special_flag(const struct mw_elf_file *file,
				       uint64_t bit)
{
	static const struct flag large = { 0, 'l', "large" },
				 pure = { 0, 'y', "pure code" },
				 vle = { 0, 'v', "VLE" },
				 retain = { 0, 'R', "retain" },
				 mbind = { 0, 'D', "mbind" };
	uint16_t machine = file->header.machine;
	uint8_t osabi = file->header.ident[EI_OSABI];

	if (bit == SHF_X86_64_LARGE_ &&
	    (machine == EM_X86_64 || machine == EM_L1OM_ ||
	     machine == EM_K1OM_))
		return &large;
	if (bit == SHF_ARM_PURECODE_ && machine == EM_ARM)
		return &pure;
	if (bit == SHF_PPC_VLE_ && machine == EM_PPC)
		return &vle;
	if (bit == SHF_GNU_RETAIN_ && is_gnu(osabi))
		return &retain;
	if (bit == SHF_GNU_MBIND_ && (is_gnu(osabi) || osabi == ELFOSABI_NONE))
		return &mbind;
	return NULL;
}

static const struct flag *find_flag(const struct mw_elf_file *file,
				    uint64_t bit)
{
	for (size_t i = 0; i < MW_COUNT(flags_of_all); i++)
		if (flags_of_all[i].bit == bit)
			return &flags_of_all[i];
	return special_flag(file, bit);
}

/**
 * The lowest flag of *@flags, which is taken away from it, with the rest of
 * its range if it is one that only the range is known of.
 */
static struct flag next_flag(const struct mw_elf_file *file, uint64_t *flags)
{
	uint64_t bit = *flags & -*flags;
	const struct flag *known = find_flag(file, bit);

	*flags &= ~bit;
	if (known)
		return *known;
	if (bit & SHF_MASKOS) {
		*flags &= ~(uint64_t)SHF_MASKOS;
		return (struct flag){ bit, 'o', "OS specific" };
	}
	if (bit & SHF_MASKPROC) {
		// readelf forgets all higher ones, too.
		*flags &= (UINT64_C(1) << 28) - 1;
		return (struct flag){ bit, 'p', "processor specific" };
	}
	return (struct flag){ bit, 'x', "unknown" };
}

const char *mw_elf_section_flags(const struct mw_elf_file *file,
				 uint64_t flags,
				 char text[static MW_ELF_NAME_BYTES])
{
	size_t at = 0;

	while (flags && at + 1 < MW_ELF_NAME_BYTES)
		text[at++] = next_flag(file, &flags).letter;
	text[at] = '\0';
	return text;
}

const char *mw_elf_section_flag_words(const struct mw_elf_file *file,
				      uint64_t flags, char text[static 512])
{
	size_t at = 0;

	text[0] = '\0';
	while (flags && at + 40 < 512)
		at += (size_t)snprintf(text + at, 512 - at, "%s%s",
				       at ? ", " : "",
				       next_flag(file, &flags).word);
	return text;
}

/* Values of the dynamic section */

static const char *const dt_flags[] = { "ORIGIN", "SYMBOLIC", "TEXTREL",
					"BIND_NOW", "STATIC_TLS", NULL };
static const char *const dt_flags_1[] = {
	"NOW",	      "GLOBAL",	    "GROUP",	 "NODELETE",  "LOADFLTR",
	"INITFIRST",  "NOOPEN",	    "ORIGIN",	 "DIRECT",    "TRANS",
	"INTERPOSE",  "NODEFLIB",   "NODUMP",	 "CONFALT",   "ENDFILTEE",
	"DISPRELDNE", "DISPRELPND", "NODIRECT",	 "IGNMULDEF", "NOKSYMS",
	"NOHDR",      "EDITED",	    "NORELOC",	 "SYMINTPOSE", "GLOBAUDIT",
	"SINGLETON",  "STUB",	    "PIE",	 "KMOD",      "WEAKFILTER",
	"NOCOMMON",   NULL,
};
static const char *const dt_feature[] = { "PARINIT", "CONFEXP", NULL };
static const char *const dt_posflag[] = { "LAZYLOAD", "GROUPPERM", NULL };
static const char *const dt_gnu_flags[] = { "UNIQUE", NULL };

static const char *flag_names(const char *const *names, uint64_t value,
			      bool each_unknown, char text[static 512])
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; names[i]; i++)
		if (value & UINT64_C(1) << i) {
			at += (size_t)snprintf(text + at, 512 - at, "%s%s",
					       at ? " " : "", names[i]);
			value &= ~(UINT64_C(1) << i);
		}
	if (value && !each_unknown)
		snprintf(text + at, 512 - at, "%s%" PRIx64, at ? " " : "",
			 value);
	for (; value && each_unknown && at + 16 < 512; value &= value - 1)
		at += (size_t)snprintf(text + at, 512 - at, "%sunknown",
				       at ? " " : "");
	return text;
}

const char *mw_elf_tag_value(int64_t tag, uint64_t value,
			     char text[static 512])
{
	switch (tag) {
	case DT_FLAGS:
		return flag_names(dt_flags, value, true, text);
	case DT_FLAGS_1:
		return value ? flag_names(dt_flags_1, value, false, text)
			     : "None";
	case DT_FEATURE_1:
		return flag_names(dt_feature, value, false, text);
	case DT_POSFLAG_1:
		return flag_names(dt_posflag, value, false, text);
	case 0x6ffffdf4: // DT_GNU_FLAGS_1
		return flag_names(dt_gnu_flags, value, false, text);
	case DT_PLTREL:
		return value == DT_RELA ? "RELA" : value == DT_REL ? "REL" : NULL;
	}
	return NULL;
}
