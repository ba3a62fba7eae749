/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ objects on the heap, counted by class as they come and go, and other
 * blocks of which the program knows what they hold. Reported is for each class
 * how many objects there are, by its name as in the source with _ for what is
 * no letter, and:
 *
 *	texts, zeros, links, tables	blocks with text, zeros, a pointer to
 *					another block, one to a table of ops
 *	large				the address of the largest block
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

template <class Self> struct Counted {
	static size_t count;
	Counted() { count++; }
	Counted(const Counted &) { count++; }
	~Counted() { count--; }
};
template <class Self> size_t Counted<Self>::count;

namespace shapes {
struct Shape {
	virtual ~Shape() {}
	virtual double area() const = 0;
	double size = 2;
};
struct Circle : Shape, Counted<Circle> {
	double area() const override { return 3.14 * size * size; }
};
struct Named {
	virtual ~Named() {}
	virtual const char *name() const { return "named"; }
};
/* With two vtables, of which an object begins with the first. */
struct Square : Shape, Named, Counted<Square> {
	double area() const override { return size * size; }
};
template <class T> struct Box : Shape, Counted<Box<T>> {
	double area() const override { return sizeof(T); }
	T content{};
};
}

namespace {
struct Hidden : shapes::Named, Counted<Hidden> {
};
struct Virtual : virtual shapes::Named, Counted<Virtual> {
	long own = 1;
};
}

struct Plain : Counted<Plain> { /* no vtable: nobody can know it */
	long numbers[9] = { 1, 2, 3 };
};

struct Ops {
	void (*run)();
};
extern const Ops ops_of_tables;
static void run() {}
const Ops ops_of_tables = { run };

struct Table {
	const Ops *ops;
	long numbers[5];
};

struct Link {
	Link *next;
	long numbers[20];
};

static std::vector<void *> kept;

template <class T> static T *keep(T *block)
{
	kept.push_back(block);
	return block;
}

template <class T> static void make(size_t count)
{
	std::vector<T *> some;

	// Every third one is freed again.
	for (size_t i = 0; i < count; i++) {
		T *object = new T;

		if (i % 3 == 0)
			some.push_back(object);
		else
			keep(object);
	}
	for (T *object : some)
		delete object;
}

int main()
{
	size_t texts = 500, zeros = 300, links = 200, tables = 100;
	Link *last = nullptr;

	setvbuf(stdin, nullptr, _IONBF, 0);
	kept.reserve(100000);
	make<shapes::Circle>(3000);
	make<shapes::Square>(1200);
	make<shapes::Box<int>>(900);
	make<shapes::Box<std::vector<long>>>(600);
	make<Hidden>(450);
	make<Virtual>(330);
	make<Plain>(700);
	for (size_t i = 0; i < texts; i++)
		snprintf(keep(new char[200]), 200,
			 "text number %zu, with \xc3\xa4 and \xe2\x82\xac", i);
	for (size_t i = 0; i < zeros; i++)
		keep(calloc(1, 500));
	for (size_t i = 0; i < links; i++) {
		Link *link = keep(new Link{ last, { 7 } });

		last = link;
	}
	for (size_t i = 0; i < tables; i++)
		keep(new Table{ &ops_of_tables, { 1 } });
	char *large = keep(new char[5000000]);
	strcpy(large, "the largest block");

	fprintf(stderr, "shapes::Circle %zu\n",
		Counted<shapes::Circle>::count);
	fprintf(stderr, "shapes::Square %zu\n",
		Counted<shapes::Square>::count);
	fprintf(stderr, "shapes::Box<int> %zu\n",
		Counted<shapes::Box<int>>::count);
	fprintf(stderr, "vectors %zu\n",
		Counted<shapes::Box<std::vector<long>>>::count);
	fprintf(stderr, "Hidden %zu\n", Counted<Hidden>::count);
	fprintf(stderr, "Virtual %zu\n", Counted<Virtual>::count);
	fprintf(stderr, "plain %zu\n", Counted<Plain>::count);
	fprintf(stderr, "texts %zu\nzeros %zu\nlinks %zu\ntables %zu\n", texts,
		zeros, links - 1, tables);
	fprintf(stderr, "large %p\nend 0\n", (void *)large);
	(void)getchar();
	return 0;
}
