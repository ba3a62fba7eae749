/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "mw_guard.h"
#include "native_int.h"

/** What a mapping is called in the ledger when nobody claims it. */
struct default_account {
	const char *parent;
	char leaf[4200];
	const char *evidence;
};

static bool starts_with(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

static void set(struct default_account *account, const char *parent,
		const char *leaf, size_t len, const char *evidence)
{
	account->parent = parent;
	account->evidence = evidence;
	len = mw_min(len, sizeof(account->leaf) - 1);
	memcpy(account->leaf, leaf, len);
	account->leaf[len] = '\0';
	if (len == 0)
		strcpy(account->leaf, "(no name)");
}

/** The length of @path without the kernel's " (deleted)". */
static size_t undeleted(const char *path)
{
	static const char tail[] = " (deleted)";
	size_t len = strlen(path), tail_len = sizeof(tail) - 1;

	return len > tail_len && strcmp(path + len - tail_len, tail) == 0
		       ? len - tail_len
		       : len;
}

/** [heap], [vdso], [anon:NAME] and the like. */
static void describe_bracketed(const char *path,
			       struct default_account *account)
{
	static const struct {
		const char *path, *parent, *leaf, *evidence;
	} known[] = {
		{ "[heap]", "malloc/unwalked", "brk",
		  "the program break's mapping; what its allocator holds is "
		  "not told apart" },
		{ "[vdso]", "kernel", "vdso",
		  "code that the kernel maps into every process" },
		{ "[vvar]", "kernel", "vvar",
		  "the kernel's clock data for the vdso" },
		{ "[vvar_vclock]", "kernel", "vvar",
		  "the kernel's clock data for the vdso" },
		{ "[vsyscall]", "kernel", "vsyscall",
		  "the kernel's page of old system call entries" },
	};
	size_t len = strlen(path);

	for (size_t i = 0; i < MW_COUNT(known); i++)
		if (strcmp(path, known[i].path) == 0) {
			set(account, known[i].parent, known[i].leaf,
			    strlen(known[i].leaf), known[i].evidence);
			return;
		}
	if (starts_with(path, "[stack"))
		set(account, "stack/main", "unused", 6, "[stack]");
	else if (starts_with(path, "[anon:") && len > 7)
		set(account, "anonymous", path + 6, len - 7,
		    "the name its owner gave it with PR_SET_VMA_ANON_NAME");
	else if (starts_with(path, "[anon_shmem:") && len > 13)
		set(account, "shm", path + 12, len - 13,
		    "the name its owner gave it with PR_SET_VMA_ANON_NAME");
	else
		set(account, "kernel", path + 1, len > 2 ? len - 2 : 0,
		    "the name that the kernel gives the mapping");
}

static void describe_file(const struct mw_mapping *m, const char *path,
			  struct default_account *account)
{
	if (starts_with(path, "/memfd:"))
		set(account, "shm", path + 1, undeleted(path) - 1,
		    "a memfd's mapping");
	else if (starts_with(path, "/SYSV")) {
		int len = snprintf(account->leaf, sizeof(account->leaf),
				   "sysv:%.*s id %lu",
				   (int)(undeleted(path) - 5), path + 5,
				   (unsigned long)m->inode);
		account->parent = "shm";
		account->evidence = "System V shared memory: key and shmid";
		(void)len;
	} else if (starts_with(path, "/dev/zero") &&
		   (m->perms & MW_PERM_SHARED))
		set(account, "shm", "anonymous", 9,
		    "anonymous memory mapped shared");
	else if (starts_with(path, "/anon_hugepage"))
		set(account,
		    m->perms & MW_PERM_SHARED ? "shm" : "anonymous",
		    "hugetlb", 7,
		    "anonymous memory of the hugetlb pool, not part of RSS");
	else if (starts_with(path, "/dev/shm/"))
		set(account, "shm", path + 9, strlen(path + 9),
		    "POSIX shared memory");
	else
		set(account, "file", path[0] == '/' ? path + 1 : path,
		    strlen(path) - (path[0] == '/'), "a mapped file");
}

static void describe(const struct mw_mapping *m, const char *path,
		     struct default_account *account)
{
	if (path[0] == '[')
		describe_bracketed(path, account);
	else if (path[0])
		describe_file(m, path, account);
	else
		set(account, "anonymous", "private", 7,
		    "anonymous mappings that no runtime or allocator that was "
		    "recognised owns");
}

struct mw_error *mw_native_claim_mappings(struct mw_native *native)
{
	const struct mw_mappings *maps = mw_target_mappings(native->target);
	MW_CLEANUP(mw_freep) struct default_account *account =
		mw_calloc(1, sizeof(*account));
	mw_account_id id = 0;

	if (!account)
		return mw_error_nomem();
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		const struct mw_mapping *last = i ? m - 1 : NULL;
		struct mw_error *error = NULL;

		// Neighbours with one path have one account, but for /dev/zero
		// and hugetlb, where it depends on the sharing too.
		if (!last || last->path != m->path ||
		    last->perms != m->perms || last->inode != m->inode) {
			describe(m, mw_mapping_path(maps, m), account);
			error = mw_sink_account(native->sink, account->parent,
						account->leaf,
						account->evidence, &id);
		}
		if (!error)
			error = mw_sink_claim(native->sink, &(struct mw_claim){
				.start = m->start,
				.bytes = mw_mapping_bytes(m),
				.layer = MW_LAYER_MAPPING,
				.account = id,
				.walker = "mappings",
			});
		if (error)
			return error;
	}
	return NULL;
}
