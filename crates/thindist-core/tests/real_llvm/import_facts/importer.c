struct row *get(void);
extern const int limit;
typedef float four __attribute__((vector_size(16)));
int arithmetic(int), field(void), address(void), tls(int), global(void), cases(int), loop(int), assembly(int), jump(int),
    atomic(int *), exchange(int *, int), ordered(int *), memory(volatile int *), indirect(int (*)(int), int), attributes(int),
    select_one(int, int), expectation(int), ranges(unsigned char *), bits(unsigned);
void end(int), vectors(four *, const four *), copy(int *restrict, const int *restrict, int);
double floats(double, double);
long wide(unsigned __int128);

int importer(int x, int *p, four *f, double d, unsigned __int128 w) {
  end(x);
  vectors(f, f + 1);
  copy(p, p + 9, x);
  x += arithmetic(x) + field() + address() + tls(x) + global() + cases(x) + loop(x) + assembly(x) + jump(x) + limit;
  x += atomic(p) + exchange(p, x) + ordered(p) + memory(p) + indirect(arithmetic, x) + attributes(x) + select_one(x, *p);
  return x + expectation(x) + ranges((unsigned char *)p) + bits(x) + (int)floats(d, d + 1) + (int)wide(w);
}
