/* Calls what is imported, and reads a variable of it. */
struct link;
int next_of(struct link *, unsigned);
int plain(int);
extern int table[4];

#ifdef INLINED
#define CALLED
#else
#define CALLED [[clang::noinline]]
#endif

int importer(struct link *link, int x)
{
	int sum, y;
	CALLED sum = next_of(link, x);
	CALLED y = plain(x);
	return sum + y + table[x & 3];
}
