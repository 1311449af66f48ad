/* Each value of K is an edit that changes debug information and no code. */
#if K == 1
/* One comment more above all. */

#endif
struct link {
	struct link *next;
#if K == 2
	int renamed_number;
#else
	int number;
#endif
};
#if K == 3
typedef unsigned int word;
#else
typedef unsigned word;
#endif

int outside(int, struct link *);
int table[4] = { 1, 2, 3, 4 };

#if K == 4
enum kind { ONE, TWO };
enum kind kind_of_all = TWO;
#endif

int next_of(struct link *link, word times)
{
#if K == 5
	int renamed = 0;
#define sum renamed
#else
	int sum = 0;
#endif
	for (word i = 0; i < times && link; i++) {
		sum += outside(link->next != 0, link) * table[i & 3];
#if K == 6

#endif
		link = link->next;
	}
	return sum;
}
#undef sum

#if K == 7
int plain(int renamed)
{
	return renamed * 3 + 1;
}
#else
int plain(int x)
{
	return x * 3 + 1;
}
#endif

#if K == 8
static inline int unused(int x)
{
	return x + 1;
}
int nobodys(int x)
{
	return unused(x);
}
#endif
#if K == 9
#line 400 "another.h"
int nobodys(int x)
{
	return x + 2;
}
#endif
