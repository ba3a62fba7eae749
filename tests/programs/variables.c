/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables of many types, whose values change when the program runs. It
 * reports that it is ready and waits for its input to end.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point {
	int x, y;
	const char *label;
};

enum colour { RED, GREEN = 5, BLUE };

char *text_var = "as the file has it";
char array_var[32] = "begun";
int int_var = 1;
static volatile int static_var;
unsigned char byte_var;
int64_t long_var;
uint64_t unsigned_var;
bool bool_var;
float float_var;
double double_var;
long double extended_var;
int numbers_var[4];
int grid_var[2][3];
struct point point_var;
struct point *pointer_var;
enum colour colour_var;
union { int number; float fraction; } union_var;
struct { unsigned low : 3, high : 5; } bits_var;
int (*function_var)(const char *);
void *null_var;
_Thread_local uint64_t thread_var = 10;
_Thread_local struct point thread_point_var;
static _Alignas(64) _Thread_local char thread_text_var[24];

static int next(void)
{
	static volatile int count_var = 10;

	count_var++;
	return count_var;
}

int main(void)
{
	text_var = strdup("text as it is now");
	strcpy(array_var, "array now");
	int_var = -123456;
	static_var = 77;
	byte_var = 200;
	long_var = INT64_MIN;
	unsigned_var = UINT64_MAX;
	bool_var = true;
	float_var = 0.5f;
	double_var = -2.25;
	extended_var = 3.5L;
	for (int i = 0; i < 6; i++) {
		numbers_var[i % 4] = i * i;
		grid_var[i / 3][i % 3] = i;
	}
	point_var = (struct point){ 3, -4, text_var };
	pointer_var = &point_var;
	colour_var = GREEN;
	union_var.number = next();
	bits_var.low = 5;
	bits_var.high = 17;
	function_var = puts;
	thread_var += 7;
	thread_point_var = (struct point){ 31, -41, text_var };
	strcpy(thread_text_var, "of the main thread");
	fprintf(stderr, "thread_var %p\nthread_text_var %p\n",
		(void *)&thread_var, (void *)thread_text_var);
	fprintf(stderr, "static %d\nend 0\n", static_var);
	return getchar() == EOF ? 0 : next() + static_var + !null_var;
}
