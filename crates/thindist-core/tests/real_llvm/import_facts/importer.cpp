struct base;
int caught(int), cleaned(int), virtually(const base *), plain(int);
int importer(int x, const base *b) { return caught(x) + cleaned(x) + virtually(b) + plain(x); }
