// SPDX-License-Identifier: Apache-2.0
// Objects with bases; waits for its input to end.
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

struct Empty { };
struct Base {
	int base = 1;
	virtual ~Base() { }
};
struct Other : Empty {
	short other = 3;
};
struct Derived : Base, Other {
	char own = 'D';
};
struct Virtual : virtual Base {
	int own = 4;
};

Derived derived_var;
Virtual virtual_var;
std::atomic<int> atomic_var{9};
std::string string_var = "text in place";
std::vector<int> vector_var{1, 2, 3};

int main()
{
	std::fprintf(stderr, "end 0\n");
	return std::getchar() == EOF ? 0 : 1;
}
