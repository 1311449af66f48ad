/* Every edit is a value of K; from 100 on it is of what the importer does not see. */
#if K == 102
double unseen_function(double x) { return x / 3; }
#endif
#if K == 104
static long unseen_local = 7;
long *unseen_reads(void) { return &unseen_local; }
#endif

#if K == 1
#define count counted
#endif
#if K == 2
static long count;
#elif K == 3
static int count __attribute__((section(".data.other")));
#elif K == 4
static int count __attribute__((aligned(64)));
#else
static int count;
#endif

#if K == 13
#define far_away far_off
#endif
#if K == 14
#define inside within
#endif

#if K == 5
static int read_only = 6;
#else
static int read_only = 5;
#endif

#if K == 6
#define STEP 4
#else
#define STEP 3
#endif

#if K == 7
static const int table[4] = { 1, 5, 25, 124 };
#else
static const int table[4] = { 1, 5, 25, 125 };
#endif

int next(int x)
{
	count += x * STEP;
#if K == 15
	return (int)count + 1;
#else
	return (int)count;
#endif
}

int *where(void)
{
	return (int *)&count;
}

int look(int x)
{
	return x ^ read_only;
}

const char *say(int x)
{
#if K == 8
	return x > 4 ? "large" : "small!";
#else
	return x > 4 ? "large" : "small";
#endif
}

#if K == 9
static __attribute__((noinline)) int far_away(int x, int y)
#else
static __attribute__((noinline)) int far_away(int x)
#endif
{
	int sum = 0;

	for (int i = 0; i < x; i++)
		sum += i * count;
#if K == 9
	sum += y;
#endif
	return sum;
}

int call(int x)
{
#if K == 9
	return far_away(x, x) + 1;
#elif K == 10
	return far_away(x) + 2;
#else
	return far_away(x) + 1;
#endif
}

static int twice(int x)
{
#if K == 11
	return x * 2 + (int)count + 1;
#else
	return x * 2 + (int)count;
#endif
}

int through(int x)
{
#if K == 16
	return twice(x) - twice(x + 1) * twice(x - 2);
#else
	return twice(x) - twice(x + 1) * twice(x - 1);
#endif
}

int nested(int x)
{
	static int inside;

#if K == 12
	inside += x + 1;
#else
	inside += x;
#endif
	return inside;
}

int table_entry(int x)
{
	return table[x & 3];
}

static __attribute__((noinline)) int apart(int x)
{
#if K == 103
	return x * 7 + count;
#else
	return x ^ count;
#endif
}

int unseen_uses(int x)
{
	return apart(x);
}

/* Behind the strings that are seen: these are numbered. */
#if K == 100
const char *unseen_says(int x) { return x ? "said by nobody" : "nor this"; }
#endif
#if K == 101
const char *unseen_string(void) { return "stands behind the others"; }
#endif
