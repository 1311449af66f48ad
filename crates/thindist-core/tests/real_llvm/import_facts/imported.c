/* Functions that importer.c imports. Each value of K is an edit: below 100 of what is imported, from 100 on of the rest. */
#ifndef K
#define K 0
#endif

#if K == 100
__attribute__((used)) int first_of_all(int x) { return x * 77; }
#endif
#if K == 101
double unseen[] = { 1.5, 2.5, 1e300 };
void *const pointers[] = { unseen + 1, pointers };
#endif
#if K == 107
struct unseen { long a[9]; };
long by_value(struct unseen u) { return u.a[3]; }
#endif
#if K == 102
__attribute__((used, noinline, cold, aligned(64), section(".other"))) void with_assembly(long x) {
  __asm__ volatile("nop # %0" ::"r"(x) : "memory", "cc");
}
#endif
#if K == 103
static int counter;
int *count(int n) {
  for (int i = 0; i < n; i++)
    counter += n ^ i;
  return &counter;
}
#endif
#if K == 104
typedef short eight __attribute__((vector_size(16)));
eight shift(eight a, eight b) { return a << b; }
_Thread_local long own_tls = 3;
long *tls_address(void) { return &own_tls; }
#endif

struct row {
  int a;
#if K == 1
  long more;
#endif
  int c;
};
struct row *get(void);
int out(int, ...);
#if K == 2
__attribute__((noreturn))
#endif
void last(int);
#if K == 3
__attribute__((visibility("hidden")))
#endif
extern int shared;
extern _Thread_local int per_thread;
#if K == 4
__attribute__((weak))
#endif
extern int maybe[];

const int limit = K == 5 ? 10 : 11;
int arithmetic(int x) { return x * (K == 6 ? 3 : 5) + (K == 7 ? x << 2 : x >> 2); }
int field(void) { return get()->c; }
int address(void) { return maybe ? maybe[K == 8 ? 1 : 2] : 0; }
int tls(int x) { return per_thread += x + (K == 9); }
int global(void) { return K == 10 ? shared : -shared; }
void end(int x) {
  if (x == (K == 11))
    last(x);
  out(1, x);
}
int cases(int x) {
  switch (x) {
  case 1: return out(10);
  case K == 12 ? 7 : 8: return out(20);
  case 15: return out(K == 13 ? 30 : 31);
  default: return x;
  }
}
int loop(int n) {
  int sum = 0;
#if K == 14
#pragma clang loop unroll(disable)
#endif
  for (int i = 0; i < n; i++)
    sum += out(i, K == 15 ? 2.0 : 3.0);
  return sum;
}
int assembly(int x) {
#if K == 16
  __asm__ volatile("incl %0" : "+r"(x));
#elif K == 17
  __asm__("decl %0" : "+r"(x));
#else
  __asm__ volatile("decl %0" : "+r"(x));
#endif
  return x;
}
int jump(int x) {
  __asm__ goto("testl %0, %0; jz %l1" ::"r"(x) : "cc" : zero);
  return K == 18 ? 5 : 6;
zero:
  return K == 19 ? 7 : 8;
}
int atomic(int *p) { return __atomic_fetch_add(p, K == 20 ? 1 : 2, K == 21 ? __ATOMIC_RELAXED : __ATOMIC_SEQ_CST); }
int exchange(int *p, int old) { return __atomic_compare_exchange_n(p, &old, K == 22, 0, 5, K == 23 ? 0 : 5); }
int ordered(int *p) {
  __atomic_store_n(p, 3, K == 24 ? __ATOMIC_RELAXED : __ATOMIC_SEQ_CST);
  __atomic_thread_fence(K == 25 ? __ATOMIC_ACQUIRE : __ATOMIC_SEQ_CST);
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
#if K == 26
int memory(int *p) { *p = 1; return *p; }
#else
int memory(volatile int *p) { *p = 1; return *p; }
#endif
typedef float four __attribute__((vector_size(16)));
void vectors(four *to, const four *from) {
  *to = __builtin_shufflevector(*from * *to, *from, 0, K == 27 ? 5 : 4, 2, 7);
  (*to)[K == 28 ? 1 : 2] = 1.0f;
}
double floats(double a, double b) {
#if K == 29
#pragma clang fp contract(off) reassociate(on)
#endif
  return a * b + (K == 30 ? 0.5 : 0.25);
}
void copy(int *restrict to, const int *restrict from, int n) {
  for (int i = 0; i < n; i++)
    to[i] = from[K == 31 ? n - i : i] + 1;
}
long wide(unsigned __int128 x) { return (long)(x >> (K == 32 ? 64 : 65)) + (x == ((unsigned __int128)9 << 70)); }
#if K == 33
__attribute__((noinline))
#endif
int indirect(int (*f)(int), int x) { return f(x); }
#if K == 34
__attribute__((minsize))
#endif
int attributes(int x) { return x / 10; }
int select_one(int x, int y) { return x > y ? x : (K == 35 ? y : -y); }
int expectation(int x) { return __builtin_expect(x, K == 36) ? out(1) : out(2); }
int ranges(unsigned char *p) { return *p + (K == 37 ? 1 : 2) * sizeof(struct row); }
int bits(unsigned x) { return __builtin_popcount(x) + (K == 38 ? __builtin_clz(x | 1) : __builtin_ctz(x | 1)); }

#if K == 105
int last_of_all(int x) { return x ? out(x, "a string", 1e9, K) : last_of_all(x + 1) * 9; }
#endif
#if K == 106
__asm__(".pushsection .nothing,\"a\"; .popsection");
#endif
