// C++ that importer.cpp imports: exceptions, virtual calls, inline functions in groups. K as in imported.c.
#ifndef K
#define K 0
#endif
#if K == 100
struct other { virtual ~other(); virtual int f(); int member = 4; };
int other::f() { return member; }
other::~other() {}
#endif
struct error { int code; };
void may_throw(int);
struct base { virtual int get(int) const; virtual ~base(); };
struct guard { ~guard(); };
template <class T> inline T twice(T x) { return x + x + (K == 1); }
int caught(int x) {
  try {
    may_throw(x);
  } catch (const error &e) {
    return e.code + (K == 2);
#if K == 3
  } catch (...) {
    return -1;
#endif
  }
  return twice(x);
}
int cleaned(int x) {
  guard g;
  may_throw(K == 4 ? x : x + 1);
  return x;
}
int virtually(const base *b) { return b->get(K == 5 ? 1 : 2); }
#if K == 6
int plain(int x) { return x + 1; }
#else
int plain(int x) noexcept { return x + 1; }
#endif
#if K == 101
int template_user() { return twice(3) + twice(4L) + plain(2); }
#endif
