/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_int.h"
#include "mw_elf.h"
#include "mw_guard.h"
#include "mw_num.h"

/* Bounds that no real program reaches, like MAX_SECTIONS. */
#define MAX_SEGMENTS (UINT64_C(1) << 16)
#define MAX_STRING_TABLE MW_MIB(64)
#define MAX_DYNAMIC MW_MIB(1)
#define MAX_NOTES MW_MIB(1)
#define MAX_NAME 256

static void elf_endp(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
	*elf = NULL;
}

bool mw_elf_has_magic(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/** A copy of @name that is safe to print and to use in an account's name. */
static char *clean_name(struct mw_elf *elf, const char *name)
{
	size_t len = strnlen(name, MAX_NAME);
	char *copy = mw_strndup(len ? name : "(no name)", len ? len : 9);
	char **place = copy ? mw_vec_push(&elf->names) : NULL;

	if (!place) {
		mw_free(copy);
		return NULL;
	}
	for (char *c = copy; *c; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '/')
			*c = '?';
	*place = copy;
	return copy;
}

static struct mw_error *load_segments(Elf *e, struct mw_elf *elf)
{
	size_t count;

	if (elf_getphdrnum(e, &count) != 0)
		return mw_error_at(MW_E_FORMAT, elf->phoff,
				   "damaged program header table: %s",
				   elf_errmsg(-1));
	if (count > MAX_SEGMENTS)
		return mw_error_at(MW_E_LIMIT, elf->phoff,
				   "%zu program headers", count);
	for (size_t i = 0; i < count; i++) {
		struct mw_elf_segment *segment;
		GElf_Phdr phdr;

		if (!gelf_getphdr(e, (int)i, &phdr))
			return mw_error_at(MW_E_FORMAT, elf->phoff,
					   "damaged program header %zu: %s", i,
					   elf_errmsg(-1));
		segment = mw_vec_push(&elf->segments);
		if (!segment)
			return mw_error_nomem();
		*segment = (struct mw_elf_segment){
			.type = phdr.p_type,
			.flags = phdr.p_flags,
			.offset = phdr.p_offset,
			.vaddr = phdr.p_vaddr,
			.filesz = phdr.p_filesz,
			.memsz = phdr.p_memsz,
			.align = phdr.p_align,
		};
	}
	return NULL;
}

/**
 * Whether the section header table and its names lie in the file and are of
 * reasonable size. libelf would otherwise allocate what the header claims.
 */
static bool has_sane_sections(Elf *e, const GElf_Ehdr *ehdr,
			      uint64_t file_bytes)
{
	size_t count, names;
	GElf_Shdr shdr;

	if (ehdr->e_shoff == 0 || ehdr->e_shentsize == 0 ||
	    ehdr->e_shoff >= file_bytes ||
	    file_bytes - ehdr->e_shoff < ehdr->e_shentsize)
		return false;
	if (elf_getshdrnum(e, &count) != 0 || count == 0 ||
	    count > MAX_SECTIONS ||
	    count > (file_bytes - ehdr->e_shoff) / ehdr->e_shentsize)
		return false;
	// For a large index of the names libelf reads section 0 from the file,
	// which an image in memory has not, unless it has read it already.
	if (!gelf_getshdr(elf_getscn(e, 0), &shdr) ||
	    elf_getshdrstrndx(e, &names) != 0 || names >= count)
		return false;

	Elf_Scn *scn = elf_getscn(e, names);
	return scn && gelf_getshdr(scn, &shdr) &&
	       shdr.sh_type == SHT_STRTAB &&
	       shdr.sh_size <= MAX_STRING_TABLE &&
	       mw_within(shdr.sh_offset, shdr.sh_size, 0, file_bytes);
}

static struct mw_error *load_sections(Elf *e, const GElf_Ehdr *ehdr,
				      struct mw_elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (!has_sane_sections(e, ehdr, elf->file_bytes) ||
	    elf_getshdrstrndx(e, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(e, scn))) {
		struct mw_elf_section *section;
		const char *name, *clean;
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr))
			continue;
		name = elf_strptr(e, names, shdr.sh_name);
		clean = clean_name(elf, name ? name : "");
		section = clean ? mw_vec_push(&elf->sections) : NULL;
		if (!section)
			return mw_error_nomem();
		*section = (struct mw_elf_section){
			.name = clean,
			.type = shdr.sh_type,
			.flags = shdr.sh_flags,
			.addr = shdr.sh_addr,
			.offset = shdr.sh_offset,
			.size = shdr.sh_size,
			.link = shdr.sh_link,
			.info = shdr.sh_info,
			.align = shdr.sh_addralign,
			.entry_size = shdr.sh_entsize,
		};
	}
	return NULL;
}

static const struct mw_elf_segment *find_segment(const struct mw_elf *elf,
						 uint32_t type)
{
	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.v[i].type == type)
			return &elf->segments.v[i];
	return NULL;
}

/** File offset of an address, by the PT_LOAD that holds it. */
static bool offset_of(const struct mw_elf *elf, uint64_t vaddr,
		      uint64_t *ret)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (s->type == PT_LOAD &&
		    mw_within(vaddr, 1, s->vaddr, s->vaddr + s->filesz)) {
			*ret = vaddr - s->vaddr + s->offset;
			return true;
		}
	}
	return false;
}

static Elf_Data *chunk(Elf *e, const struct mw_elf *elf, uint64_t offset,
		       uint64_t bytes, uint64_t limit, Elf_Type type)
{
	if (bytes == 0 || bytes > limit ||
	    !mw_within(offset, bytes, 0, elf->file_bytes))
		return NULL;
	return elf_getdata_rawchunk(e, (int64_t)offset, bytes, type);
}

static struct mw_error *load_soname(Elf *e, struct mw_elf *elf)
{
	const struct mw_elf_segment *dynamic = find_segment(elf, PT_DYNAMIC);
	uint64_t strtab = 0, soname = 0, offset, bytes;
	bool has_soname = false;
	GElf_Dyn dyn;

	if (!dynamic)
		return NULL;
	// Whole entries only: when libelf changes the byte order it copies a
	// rest over the first one.
	bytes = mw_align_down(dynamic->filesz, elf->is_64 ? sizeof(Elf64_Dyn)
							  : sizeof(Elf32_Dyn));
	Elf_Data *data = chunk(e, elf, dynamic->offset, bytes, MAX_DYNAMIC,
			       ELF_T_DYN);
	if (!data)
		return NULL;
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL;
	     i++) {
		if (dyn.d_tag == DT_STRTAB)
			strtab = dyn.d_un.d_ptr;
		if (dyn.d_tag == DT_SONAME) {
			soname = dyn.d_un.d_val;
			has_soname = true;
		}
	}
	if (!has_soname || !offset_of(elf, strtab, &offset) ||
	    __builtin_add_overflow(offset, soname, &offset) ||
	    offset >= elf->file_bytes)
		return NULL;

	bytes = mw_min(elf->file_bytes - offset, MAX_NAME);
	data = chunk(e, elf, offset, bytes, MAX_NAME, ELF_T_BYTE);
	if (!data || !memchr(data->d_buf, '\0', data->d_size) ||
	    !*(const char *)data->d_buf)
		return NULL;
	elf->soname = clean_name(elf, data->d_buf);
	return elf->soname ? NULL : mw_error_nomem();
}

static void load_build_id(Elf *e, struct mw_elf *elf)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		size_t at = 0, next, name, desc;
		GElf_Nhdr note;

		if (s->type != PT_NOTE)
			continue;
		Elf_Data *data = chunk(e, elf, s->offset, s->filesz, MAX_NOTES,
				       s->align == 8 ? ELF_T_NHDR8
						     : ELF_T_NHDR);
		while (data && (next = gelf_getnote(data, at, &note, &name,
						    &desc)) > 0) {
			const uint8_t *bytes = data->d_buf;

			if (note.n_type == NT_GNU_BUILD_ID &&
			    note.n_namesz == sizeof(ELF_NOTE_GNU) &&
			    memcmp(bytes + name, ELF_NOTE_GNU,
				   sizeof(ELF_NOTE_GNU)) == 0 &&
			    note.n_descsz <= sizeof(elf->build_id)) {
				memcpy(elf->build_id, bytes + desc,
				       note.n_descsz);
				elf->build_id_bytes = note.n_descsz;
				return;
			}
			at = next;
		}
	}
}

static struct mw_error *load(Elf *e, uint64_t file_bytes,
			     struct mw_elf **ret)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
		mw_calloc(1, sizeof(*elf));
	GElf_Ehdr ehdr;

	if (!elf)
		return mw_error_nomem();
	if (elf_kind(e) != ELF_K_ELF || !gelf_getehdr(e, &ehdr))
		return mw_error_at(MW_E_FORMAT, 0, "not an ELF file");
	elf->is_64 = gelf_getclass(e) == ELFCLASS64;
	elf->type = ehdr.e_type;
	elf->machine = ehdr.e_machine;
	elf->entry = ehdr.e_entry;
	elf->file_bytes = file_bytes;
	elf->phoff = ehdr.e_phoff;
	elf->eh_bytes = ehdr.e_ehsize;
	elf->ph_bytes = (uint64_t)ehdr.e_phnum * ehdr.e_phentsize;
	if (ehdr.e_phnum > 0 &&
	    !mw_within(ehdr.e_phoff, elf->ph_bytes, 0, file_bytes))
		return mw_error_at(MW_E_FORMAT, ehdr.e_phoff,
				   "the program header table leaves the file "
				   "(truncated?)");

	struct mw_error *error = load_segments(e, elf);
	if (!error)
		error = load_sections(e, &ehdr, elf);
	if (!error)
		error = load_soname(e, elf);
	if (error)
		return error;
	load_build_id(e, elf);
	*ret = mw_steal(elf);
	return NULL;
}

static struct mw_error *check_version(void)
{
	if (elf_version(EV_CURRENT) == EV_NONE)
		return mw_error_new(MW_E_UNSUPPORTED, "libelf: %s",
				    elf_errmsg(-1));
	return NULL;
}

/**
 * What libelf refuses for its section table still has segments: look at it as
 * if it had no section table. @image is changed for that.
 */
static struct mw_error *load_without_sections(char *image, size_t bytes,
					      struct mw_elf **ret)
{
	if (bytes < sizeof(Elf64_Ehdr) || memcmp(image, ELFMAG, SELFMAG) != 0)
		return mw_error_at(MW_E_FORMAT, 0, "not an ELF file");
	if (image[EI_CLASS] == ELFCLASS64) {
		Elf64_Ehdr *ehdr = (Elf64_Ehdr *)image;

		ehdr->e_shoff = ehdr->e_shnum = ehdr->e_shstrndx = 0;
	} else {
		Elf32_Ehdr *ehdr = (Elf32_Ehdr *)image;

		ehdr->e_shoff = ehdr->e_shnum = ehdr->e_shstrndx = 0;
	}
	MW_CLEANUP(elf_endp) Elf *e = elf_memory(image, bytes);
	if (!e)
		return mw_error_at(MW_E_FORMAT, 0, "not an ELF file: %s",
				   elf_errmsg(-1));
	return load(e, bytes, ret);
}

/** The same for the beginning of a file. */
static struct mw_error *load_head(int fd, uint64_t file_bytes,
				  struct mw_elf **ret)
{
	enum { HEAD = 64 << 10 };
	MW_CLEANUP(mw_freep) char *head = mw_alloc(HEAD);
	struct mw_error *error;
	ssize_t got;

	if (!head)
		return mw_error_nomem();
	got = pread(fd, head, HEAD, 0);
	error = load_without_sections(head, got > 0 ? (size_t)got : 0, ret);
	if (!error)
		(*ret)->file_bytes = file_bytes;
	return error;
}

struct mw_error *mw_elf_load(int fd, struct mw_elf **ret)
{
	struct mw_error *error = check_version();
	struct stat st;

	if (error)
		return error;
	if (fstat(fd, &st) != 0)
		return mw_error_errno(errno, "ELF file");
	// Not mapped into memory: a file that is cut short meanwhile would
	// kill us with SIGBUS.
	MW_CLEANUP(elf_endp) Elf *e =
		elf_has_absurd_sections(fd) ? NULL
					    : elf_begin(fd, ELF_C_READ, NULL);
	if (!e)
		return load_head(fd, (uint64_t)st.st_size, ret);
	return load(e, (uint64_t)st.st_size, ret);
}

struct mw_error *mw_elf_load_memory(const void *image, size_t bytes,
				    struct mw_elf **ret)
{
	struct mw_error *error = check_version();

	if (error)
		return error;
	// libelf may write to the image (byte order), so it gets a copy.
	MW_CLEANUP(mw_freep) char *copy = mw_strndup(image, bytes);
	if (!copy)
		return mw_error_nomem();
	MW_CLEANUP(elf_endp) Elf *e = elf_memory(copy, bytes);
	return e ? load(e, bytes, ret)
		 : load_without_sections(copy, bytes, ret);
}

void mw_elf_free(struct mw_elf *elf)
{
	if (!elf)
		return;
	for (size_t i = 0; i < elf->names.n; i++)
		mw_free(elf->names.v[i]);
	mw_vec_free(&elf->names);
	mw_vec_free(&elf->segments);
	mw_vec_free(&elf->sections);
	mw_free(elf);
}

const struct mw_elf_section *mw_elf_find_section(const struct mw_elf *elf,
						 const char *name)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (strcmp(elf->sections.v[i].name, name) == 0)
			return &elf->sections.v[i];
	return NULL;
}
