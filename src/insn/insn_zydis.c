/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>

#include "insn_zydis.h"
#include "mw_insn.h"
#include "mw_num.h"

struct insn_zydis zydis;

struct mw_error *mw_insn_open(void)
{
	static const struct {
		const char *name;
		void *place;
	} functions[] = {
#define FUNCTION(name) { "Zydis" #name, &zydis.name },
		ZYDIS_FUNCTIONS(FUNCTION)
#undef FUNCTION
	};
	static void *library; // stays loaded
	void *handle;

	if (library)
		return NULL;
	handle = dlopen(ZYDIS_SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return mw_error_new(MW_E_SYSTEM, "the Zydis library, which "
				    "decodes code, cannot be loaded (Debian "
				    "has it in libzydis-dev): %s", dlerror());
	for (size_t i = 0; i < MW_COUNT(functions); i++) {
		void **place = functions[i].place;

		*place = dlsym(handle, functions[i].name);
		if (!*place)
			return mw_error_new(MW_E_SYSTEM, "this is not the Zydis "
					    "library that memwhy was built "
					    "with: %s", dlerror());
	}
	library = handle;
	return NULL;
}
