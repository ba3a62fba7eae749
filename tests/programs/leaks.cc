// SPDX-License-Identifier: Apache-2.0

// C++ objects, lost and held in ways that only C++ has.
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct Base {
	virtual ~Base() = default;
	char bytes[100] = {};
};
struct Other {
	virtual ~Other() = default;
	virtual void other() {}
	char bytes[200] = {};
};
struct Both : Base, Other {
	char more[300] = {};
};
struct Lost : Base {
	char more[900] = {};
	std::string name = std::string(2000, 'x');
	std::vector<int> numbers = std::vector<int>(1000);
};
struct Element {
	~Element() { touched = 1; }
	char bytes[160] = {};
	int touched = 0;
};

Other *second_base;
Element *elements;
std::shared_ptr<Both> *shared;
std::map<int, std::string> *tree;
std::string *text;
char *inner;

static void say(const char *name, const void *block, unsigned blocks)
{
	fprintf(stderr, "%s_usable %zu\n%s_blocks %u\n", name,
		malloc_usable_size(const_cast<void *>(block)), name, blocks);
}

static void *work(void *)
{
	Lost *lost[3];

	for (Lost *&one : lost)
		one = new Lost;
	say("object", lost[0], 3);
	say("name", lost[0]->name.data(), 3);
	say("numbers", lost[0]->numbers.data(), 3);
	inner = new char[5000] + 2500;
	say("inner", inner - 2500, 1);
	return nullptr;
}

int main()
{
	pthread_t thread;

	second_base = new Both;
	elements = new Element[10];
	shared = new std::shared_ptr<Both>(std::make_shared<Both>());
	tree = new std::map<int, std::string>;
	for (int i = 0; i < 1000; i++)
		(*tree)[i] = std::string(i % 100, 'y');
	text = new std::string(3000, 'z');
	pthread_create(&thread, nullptr, work, nullptr);
	pthread_join(thread, nullptr);
	fprintf(stderr, "end 0\n");
	getchar();
	_exit(0);
}
