/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "kernel_int.h"
#include "kernel_parse.h"

/* include/uapi/linux/fs.h of Linux 6.11 */
struct procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start, vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)

static struct mw_error *parse(const char *text, size_t bytes, void *ctx)
{
	return mw_parse_maps(text, bytes, ctx);
}

static bool is_on_hugetlbfs(struct mw_process *process, int maps_fd,
			    const struct mw_mappings *maps,
			    const struct mw_mapping *mapping)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_addr = mapping->start,
	};
	const char *path = mw_mapping_path(maps, mapping);
	char below_root[4200];
	struct statfs fs;

	if (ioctl(maps_fd, PROCMAP_QUERY, &query) == 0)
		return query.vma_page_size > MW_PAGE_BYTES;

	// Before Linux 6.11: the names that the kernel itself gives, and the
	// file system of what has a path.
	if (strncmp(path, "/anon_hugepage", 14) == 0)
		return true;
	snprintf(below_root, sizeof(below_root), "/proc/%d/root%s",
		 process->task, path);
	return statfs(below_root, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/**
 * Mark the mappings of the hugetlb pool. Their file lies on one of few file
 * systems without a block device, so one question a device number is enough.
 */
static void find_hugetlb(struct mw_process *process, int maps_fd,
			 struct mw_mappings *maps)
{
	enum { DEVICES = 32 };
	struct {
		uint32_t minor;
		bool hugetlb;
	} known[DEVICES];
	size_t n = 0;

	for (size_t i = 0; i < maps->list.n; i++) {
		struct mw_mapping *m = &maps->list.v[i];
		size_t k;

		if (m->inode == 0 || m->dev_major != 0)
			continue;
		for (k = 0; k < n && known[k].minor != m->dev_minor; k++)
			;
		if (k == n) {
			bool hugetlb = is_on_hugetlbfs(process, maps_fd, maps,
						       m);
			if (n == DEVICES) {
				m->hugetlb = hugetlb;
				continue;
			}
			known[n].minor = m->dev_minor;
			known[n++].hugetlb = hugetlb;
		}
		m->hugetlb = known[k].hugetlb;
	}
}

struct mw_error *mw_process_mappings(struct mw_process *process,
				     struct mw_mappings *ret)
{
	struct mw_mappings maps = { 0 };
	struct mw_error *error = mw_kernel_lines(process->proc_fd, "maps",
						 "/proc/PID/maps", parse,
						 &maps);
	if (!error && maps.list.n == 0)
		error = mw_error_new(MW_E_GONE, "process %d has ended while it "
				     "was being read", process->pid);
	if (error) {
		mw_mappings_free(&maps);
		return error;
	}

	MW_CLEANUP(mw_closep) int fd = openat(process->proc_fd, "maps",
					      O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		find_hugetlb(process, fd, &maps);
	*ret = maps;
	return NULL;
}
